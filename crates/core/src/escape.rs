//! Text from callers and credentials, made safe for one line of a log.

use memchr::memchr2;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What ends a text that was cut.
const CUT: &str = "...";

/// Longest word of the caller's in a sentence, in bytes.
const MAX_IN_SENTENCE: usize = 200;

/// A word of the caller's (a path, a command) as sentences have it; an empty one is seen by its quotes.
pub fn in_sentence(text: impl AsRef<OsStr>) -> String {
    match text.as_ref().as_bytes() {
        b"" => "\"\"".into(),
        bytes => visible(bytes, MAX_IN_SENTENCE),
    }
}

/// Makes bytes visible: control characters, bytes that are not UTF-8, and characters that reorder or break lines become
/// `\xHH` or `\u{…}`, a backslash becomes `\\`; the result is cut to at most `max` bytes, also with the backslashes that
/// [`quoted`] puts before quotes.
pub fn visible(bytes: &[u8], max: usize) -> String {
    let mut text = String::new();
    let mut room = Room { max, quotes: 0, end: 0 };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push(&mut text, c);
            room.quotes = room.quotes.saturating_add(usize::from(c == '"'));
            if !room.holds(&text) {
                return cut(text, room.end);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
            if !room.holds(&text) {
                return cut(text, room.end);
            }
        }
    }
    text
}

/// How much of a text there is room for, and where it ends if more comes than that.
struct Room {
    max: usize,
    quotes: usize,
    end: usize,
}

impl Room {
    fn holds(&mut self, text: &str) -> bool {
        let taken = text.len().saturating_add(self.quotes);
        if taken <= self.max.saturating_sub(CUT.len()) {
            self.end = text.len();
        }
        taken <= self.max
    }
}

fn push(text: &mut String, c: char) {
    match c {
        '\\' => text.push_str("\\\\"),
        '\0'..='\u{1f}' | '\u{7f}' => text.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if is_hidden(c) => text.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        c => text.push(c),
    }
}

/// Control characters, line and paragraph separators, bidirectional controls, byte order mark.
fn is_hidden(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn cut(mut text: String, end: usize) -> String {
    text.truncate(end);
    text.push_str(CUT);
    text
}

/// How many bytes [`quoted`] makes of a visible text, without the quotes around it.
pub fn width(text: &str) -> usize {
    text.len().saturating_add(text.bytes().filter(|b| *b == b'"').count())
}

/// Cuts a visible text to a [`width`] of at most `max`, never inside of an escape.
pub fn shortened(text: String, max: usize) -> String {
    if width(&text) <= max {
        return text;
    }
    let room = max.saturating_sub(CUT.len());
    let (mut end, mut taken) = (0_usize, 0_usize);
    while let Some(next) = text.get(end..).and_then(|rest| rest.get(..first_length(rest)?)) {
        taken = taken.saturating_add(width(next));
        if taken > room {
            break;
        }
        end = end.saturating_add(next.len());
    }
    cut(text, end)
}

/// Whether [`visible`] may have written this: no character in it that it would have written out, no backslash that
/// begins no escape of it.
pub fn is_visible(text: &str) -> bool {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'\\') {
        return true;
    }
    let mut rest = text;
    while let Some(after) = first_length(rest).and_then(|taken| rest.get(taken..)) {
        rest = after;
    }
    rest.is_empty()
}

/// The length of the character or escape that a text begins with; `None` at its end and where [`visible`] has not written
/// it.
fn first_length(text: &str) -> Option<usize> {
    let c = text.chars().next()?;
    match text.strip_prefix('\\') {
        Some(escape) => escape_length(escape),
        None => (!is_hidden(c)).then(|| c.len_utf8()),
    }
}

/// The length of an escape whose text after the backslash this is, with the backslash.
fn escape_length(text: &str) -> Option<usize> {
    let hexadecimal = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match text.bytes().next()? {
        b'\\' => Some(2),
        b'x' => text.get(1..3).filter(|digits| hexadecimal(digits)).map(|_| 4),
        b'u' => {
            let (digits, _) = text.strip_prefix("u{")?.split_once('}')?;
            let known = hexadecimal(digits)
                && u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).is_some_and(is_hidden);
            known.then(|| digits.len().saturating_add(4))
        }
        _ => None,
    }
}

fn is_plain(text: &str) -> bool {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':' | b',' | b'+' | b'@' | b'%');
    !text.is_empty() && text.bytes().all(plain)
}

/// A value of a `key=value` line whose text is [`visible`] already: quoted where it is not a plain word.
pub fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_string() } else { format!("\"{}\"", text.replace('"', "\\\"")) }
}

/// The exact inverse of [`quoted`]: the value that a text starts with, and what follows it. `None` where `quoted` has not
/// written it so.
pub fn unquoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(inside) = text.strip_prefix('"') else {
        let (word, rest) = text.split_at_checked(text.find(' ').unwrap_or(text.len()))?;
        return is_plain(word).then_some((Cow::Borrowed(word), rest));
    };
    let (mut at, mut quotes) = (0_usize, 0_usize);
    loop {
        let found = memchr2(b'"', b'\\', inside.as_bytes().get(at..)?)?;
        at = at.saturating_add(found);
        if inside.as_bytes().get(at) == Some(&b'"') {
            break;
        }
        quotes = quotes.saturating_add(usize::from(inside.as_bytes().get(at.saturating_add(1)) == Some(&b'"')));
        at = at.saturating_add(2);
    }
    let (value, rest) = inside.split_at_checked(at)?;
    let value = if quotes == 0 { Cow::Borrowed(value) } else { Cow::Owned(without_escaped_quotes(value)) };
    (!is_plain(&value)).then_some((value, rest.get(1..)?))
}

fn without_escaped_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some('"')) => {}
            // An escape's second character is no beginning of another.
            ('\\', Some(next)) => {
                out.extend(['\\', next]);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_break_or_disguise_a_line_is_written_out() {
        let table: [(&[u8], &str); 8] = [
            (b"/bin/id", "/bin/id"),
            (b"a\nNov 22 host glexec: decision=permit", "a\\x0aNov 22 host glexec: decision=permit"),
            (b"\x1b[2J\x7f", "\\x1b[2J\\x7f"),
            (b"\xff\xfe", "\\xff\\xfe"),
            (b"back\\slash", "back\\\\slash"),
            ("J\u{f6}rg".as_bytes(), "J\u{f6}rg"),
            ("\u{202e}gnp".as_bytes(), "\\u{202e}gnp"),
            ("\u{85}\u{2028}".as_bytes(), "\\u{85}\\u{2028}"),
        ];
        for (bytes, expected) in table {
            assert_eq!(visible(bytes, 100), expected);
        }
    }

    #[test]
    fn what_would_have_been_written_out_is_not_visible() {
        for good in ["", "a b", "J\u{f6}rg", "\\\\", "\\x0a", "\\u{202e}", "a\\\\x"] {
            assert!(is_visible(good), "{good:?}");
        }
        for bad in ["\n", "\x1b[2J", "\u{202e}", "\\", "\\n", "\\x0", "\\xGG", "\\u{41}", "\\u{", "\\\\\\"] {
            assert!(!is_visible(bad), "{bad:?}");
        }
    }

    #[test]
    fn values_are_quoted_where_they_are_not_plain_words() {
        let table = [
            ("tprd001", "tprd001"),
            ("", "\"\""),
            ("/DC=org/CN=Alice Adams", "\"/DC=org/CN=Alice Adams\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
        ];
        for (text, expected) in table {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn only_what_is_too_long_is_cut() {
        let table = [
            ("12345678", 8, "12345678"),
            ("123456789", 8, "12345..."),
            ("12345\n", 9, "12345\\x0a"),
            ("1234567\n", 9, "123456..."),
            ("1234\"6", 7, "1234\"6"),
            ("1234\"67", 7, "1234..."),
            ("\u{f6}\u{f6}\u{f6}", 6, "\u{f6}\u{f6}\u{f6}"),
            ("\u{f6}\u{f6}\u{f6}\u{f6}", 6, "\u{f6}..."),
        ];
        for (text, max, expected) in table {
            assert_eq!(visible(text.as_bytes(), max), expected, "{text:?}");
            assert_eq!(shortened(visible(text.as_bytes(), 100), max), expected, "{text:?}");
        }
        assert_eq!(
            [in_sentence(""), in_sentence("a\nb"), in_sentence("x".repeat(200))],
            ["\"\"", "a\\x0ab", &"x".repeat(200)]
        );
    }

    proptest! {
        #[test]
        fn a_visible_text_is_bounded_and_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..300), max in 3_usize..200) {
            let text = visible(&bytes, max);
            prop_assert!(quoted(&text).len() <= max.saturating_add(2));
            prop_assert!(!text.chars().any(char::is_control));
        }

        #[test]
        fn a_shortened_text_is_still_what_would_be_written(text in "[a\"\\\\ \n\u{202e}\u{f6}]{0,60}", max in 3_usize..80) {
            let text = visible(text.as_bytes(), 1000);
            let short = shortened(text.clone(), max);
            prop_assert!(is_visible(&short) && quoted(&short).len() <= max.saturating_add(2), "{}", short);
            prop_assert!(short == text || text.starts_with(short.strip_suffix(CUT).unwrap()));
        }

        #[test]
        fn what_is_written_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..60), max in 3_usize..80, rest in "( .*)?") {
            let value = visible(&bytes, max);
            let line = format!("{}{rest}", quoted(&value));
            prop_assert!(is_visible(&value));
            let (read, left) = unquoted(&line).unwrap();
            prop_assert_eq!((read.as_ref(), left), (value.as_str(), rest.as_str()));
        }

        #[test]
        fn nothing_is_read_that_would_not_be_written_so(text in "[a\"\\\\ x0u{}2e\n\u{202e}]{0,12}") {
            if let Some((value, rest)) = unquoted(&text) {
                prop_assert_eq!(quoted(&value) + rest, text);
            }
        }

        #[test]
        fn texts_that_differ_stay_different(a in proptest::collection::vec(any::<u8>(), 0..20), b in proptest::collection::vec(any::<u8>(), 0..20)) {
            prop_assert_eq!(a == b, visible(&a, 1000) == visible(&b, 1000));
        }
    }
}
