//! Text from callers and credentials, made safe for one line of a log.

#![forbid(unsafe_code)]

use std::fmt::Write;

/// What ends a text that was cut.
const CUT: &str = "...";

/// Makes bytes visible: control characters, bytes that are not UTF-8, and characters that reorder or break lines become
/// `\xHH` or `\u{…}`, a backslash becomes `\\`; the result is cut to at most `max` bytes.
pub fn visible(bytes: &[u8], max: usize) -> String {
    let mut text = String::new();
    let room = max.saturating_sub(CUT.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let end = text.len();
            push(&mut text, c);
            if text.len() > room {
                return cut(text, end);
            }
        }
        for byte in chunk.invalid() {
            let end = text.len();
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
            if text.len() > room {
                return cut(text, end);
            }
        }
    }
    text
}

fn push(text: &mut String, c: char) {
    match c {
        '\\' => text.push_str("\\\\"),
        '\0'..='\u{1f}' | '\u{7f}' => {
            let _ = write!(text, "\\x{:02x}", u32::from(c));
        }
        // C1 controls, line and paragraph separators, bidirectional controls, byte order mark.
        '\u{80}'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => {
            let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
        }
        c => text.push(c),
    }
}

fn cut(mut text: String, end: usize) -> String {
    text.truncate(end);
    text.push_str(CUT);
    text
}

/// A value of a `key=value` line whose text is [`visible`] already: quoted where it is not a plain word.
pub fn quoted(text: &str) -> String {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':' | b',' | b'+' | b'@' | b'%');
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_string()
    } else {
        format!("\"{}\"", text.replace('"', "\\\""))
    }
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

    proptest! {
        #[test]
        fn a_visible_text_is_bounded_and_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..300), max in 3_usize..200) {
            let text = visible(&bytes, max);
            prop_assert!(text.len() <= max);
            prop_assert!(!text.chars().any(char::is_control));
        }

        #[test]
        fn texts_that_differ_stay_different(a in proptest::collection::vec(any::<u8>(), 0..20), b in proptest::collection::vec(any::<u8>(), 0..20)) {
            prop_assert_eq!(a == b, visible(&a, 1000) == visible(&b, 1000));
        }
    }
}
