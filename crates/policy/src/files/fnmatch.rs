//! Shell patterns as the historic map files know them: fnmatch(3) with FNM_NOESCAPE and without FNM_PATHNAME.
//!
//! Bytes, not characters; `*` and `?` match `/` too; a backslash is an ordinary byte; a `[` without its `]` stands for
//! itself. The text is data: only the pattern's special bytes are special.

/// Whether a text has a byte that is special in a pattern.
pub fn has_wildcard(text: &[u8]) -> bool {
    text.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

/// What the first element of a pattern does with one byte.
enum First<'p> {
    /// It takes the byte; this is the rest of the pattern.
    Takes(&'p [u8]),
    /// It does not.
    Refuses,
}

/// Whether the pattern matches the whole text.
///
/// Only the last `*` is ever tried again, so the cost is at most the product of both lengths.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', rest)) = pattern.split_first() {
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        match text.split_first() {
            None if pattern.is_empty() => return true,
            None => return false,
            Some((byte, after)) => {
                if let First::Takes(rest) = first(pattern, *byte) {
                    (pattern, text) = (rest, after);
                    continue;
                }
            }
        }
        let Some((after_star, [_, later @ ..])) = retry else { return false };
        retry = Some((after_star, later));
        (pattern, text) = (after_star, later);
    }
}

fn first(pattern: &[u8], byte: u8) -> First<'_> {
    match pattern.split_first() {
        None => First::Refuses,
        Some((b'?', rest)) => First::Takes(rest),
        Some((b'[', rest)) => match bracket(rest, byte) {
            Some((true, rest)) => First::Takes(rest),
            Some((false, _)) => First::Refuses,
            None if byte == b'[' => First::Takes(rest),
            None => First::Refuses,
        },
        Some((literal, rest)) if *literal == byte => First::Takes(rest),
        Some(_) => First::Refuses,
    }
}

/// Judges a bracket expression after its `[`: whether it has the byte, and the pattern after `]`. `None` where there is
/// no `]`.
fn bracket(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    let mut at_start = true;
    loop {
        rest = match rest {
            [b']', after @ ..] if !at_start => return Some((found != negated, after)),
            [b'[', b':', after @ ..] if class(after).is_some() => {
                let (has, after) = class(after)?;
                found |= has(&byte);
                after
            }
            [low, b'-', high, after @ ..] if *high != b']' => {
                found |= (*low..=*high).contains(&byte);
                after
            }
            [single, after @ ..] => {
                found |= *single == byte;
                after
            }
            [] => return None,
        };
        at_start = false;
    }
}

/// Whether a byte belongs to a character class.
type Has = fn(&u8) -> bool;

/// A character class after its `[:`, and what follows its `:]`.
fn class(pattern: &[u8]) -> Option<(Has, &[u8])> {
    let classes: [(&[u8], Has); 12] = [
        (b"alnum:]", u8::is_ascii_alphanumeric),
        (b"alpha:]", u8::is_ascii_alphabetic),
        (b"blank:]", |b| matches!(b, b' ' | b'\t')),
        (b"cntrl:]", u8::is_ascii_control),
        (b"digit:]", u8::is_ascii_digit),
        (b"graph:]", u8::is_ascii_graphic),
        (b"lower:]", u8::is_ascii_lowercase),
        (b"print:]", |b| matches!(b, b' '..=b'~')),
        (b"punct:]", u8::is_ascii_punctuation),
        (b"space:]", |b| matches!(b, b' ' | b'\t'..=b'\r')),
        (b"upper:]", u8::is_ascii_uppercase),
        (b"xdigit:]", u8::is_ascii_hexdigit),
    ];
    classes.into_iter().find_map(|(name, has)| pattern.strip_prefix(name).map(|rest| (has, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "/a/b", true),
            ("**", "x", true),
            ("/O=x/CN=*", "/O=x/CN=Alice/CN=Bob", true),
            ("/O=x/CN=*b", "/O=x/CN=Alice/CN=Bob", true),
            ("/O=x/CN=*B", "/O=x/CN=Alice/CN=Bob", false),
            ("a?c", "a/c", true),
            ("a?c", "ac", false),
            ("[A]lice", "Alice", true),
            ("[A]lice", "[A]lice", false),
            ("[!A]lice", "Alice", false),
            ("[^A]lice", "Blice", true),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("[[:digit:]]", "7", true),
            ("[[:digit:]]", "d", false),
            ("[[:nope:]]", ":]", true),
            ("[abc", "[abc", true),
            ("[abc", "a", false),
            ("a\\*", "a\\xyz", true),
            ("a\\*", "a*", false),
            ("[\\]x]", "\\x]", true),
            ("/testvo/*", "/testvo/Role=NULL/Capability=NULL", true),
            ("/testvo", "/testvo/Role=NULL/Capability=NULL", false),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("*a*b*c*", "xxaxxcxxbxx", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_cost_little() {
        let pattern = "*a".repeat(500) + "b";
        assert!(!matches(pattern.as_bytes(), &[b'a'; 10_000]));
    }

    /// The definition, tried every way.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some((b'*', rest)), _) => slow(rest, text) || text.split_first().is_some_and(|(_, t)| slow(pattern, t)),
            (Some((b'?', rest)), Some((_, t))) => slow(rest, t),
            (Some((p, rest)), Some((b, t))) => p == b && slow(rest, t),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn stars_and_question_marks_mean_what_the_definition_says(
            pattern in "[ab/*?]{0,8}", text in "[ab/*]{0,10}",
        ) {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), slow(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn no_pattern_panics(pattern in proptest::collection::vec(any::<u8>(), 0..40), text in proptest::collection::vec(any::<u8>(), 0..40)) {
            matches(&pattern, &text);
        }

        #[test]
        fn a_text_without_wildcards_matches_only_itself(a in "[ -)+->@-Z\\\\-~]{0,20}", b in "[ -)+->@-Z\\\\-~]{0,20}") {
            prop_assert!(matches(a.as_bytes(), a.as_bytes()));
            prop_assert_eq!(matches(a.as_bytes(), b.as_bytes()), a == b);
        }
    }
}
