//! `HASH.namespaces`, the EUGridPMA's form of a signing policy (Namespaces Format Specification 0.1, version 1.0 files):
//!
//! ```text
//! TO Issuer "/DC=org/CN=CA" \
//!   PERMIT Subject "/DC=org/DC=example/.*"
//! TO Issuer SELF DENY Subject "/DC=org/DC=example/CN=Robot.*"
//! ```
//!
//! A subject is a regular expression for the whole one-line name. Any DENY that matches refuses, whatever the order;
//! otherwise one PERMIT must match. SELF is the CA whose file it is; statements may be about CAs below it.

#![forbid(unsafe_code)]

use crate::trust::Verdict;
use crate::trust::regex::Regex;
use glexec_core::spelling::{as_printed, pattern_as_printed};

/// The version of the format that is known; a file need not name one.
const VERSION: &str = "1.0";

/// Judges a name that an issuer certified by the namespaces file of `owner`, the issuer itself or a CA above it.
pub fn judge(text: &str, owner: &str, issuer: &str, subject: &str) -> Result<Verdict, String> {
    let tokens = tokens(text)?;
    let (mut silent, mut permitted, mut denied) = (true, false, false);
    for statement in tokens.chunks(6) {
        let [to, issuer_word, name, action, subject_word, pattern] = statement else {
            return Err("the last statement is cut off".into());
        };
        if !(to.is("TO") && issuer_word.is("ISSUER") && subject_word.is("SUBJECT") && pattern.quoted) {
            return Err("a statement is not: TO Issuer \"…\" PERMIT Subject \"…\"".into());
        }
        let permits = match (action.is("PERMIT"), action.is("DENY")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err("a statement neither permits nor denies".into()),
        };
        let is_ours = match (name.quoted, name.is("SELF")) {
            // Only an expression needs the backslash that protects a quote.
            (true, _) => as_printed(&name.text.trim().replace("\\\"", "\"")) == issuer,
            (_, true) => owner == issuer,
            _ => return Err("an issuer is neither quoted nor SELF".into()),
        };
        // All must be understood, not only ours. Blanks at the ends, which distributions have, are not meant.
        let regex = Regex::new(&pattern_as_printed(pattern.text.trim()))?;
        if is_ours {
            silent = false;
            let matches = regex.is_match(subject);
            permitted |= matches && permits;
            denied |= matches && !permits;
        }
    }
    Ok(match (silent, permitted && !denied) {
        (true, _) => Verdict::Silent,
        (false, true) => Verdict::Permitted,
        (false, false) => Verdict::Denied,
    })
}

struct Token {
    text: String,
    quoted: bool,
}

impl Token {
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword)
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Words and quoted texts. A backslash at the end of a line goes on in the next, `#` outside of quotes starts a comment.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let version = text.lines().find_map(|line| line.trim().strip_prefix("#NAMESPACES-VERSION:"));
    if version.is_some_and(|version| version.trim() != VERSION) {
        return Err(format!("it is not of version {VERSION}"));
    }
    let text: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    let mut chars = text.chars().peekable();
    let mut found = Vec::new();
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next().is_some_and(|c| c != '\n') {},
            '\\' if chars.next_if_eq(&'\n').is_some() => {}
            '"' => found.push(Token { text: quoted(&mut chars)?, quoted: true }),
            c if c.is_whitespace() => {}
            c => found.push(Token { text: word(c, &mut chars), quoted: false }),
        }
    }
    Ok(found)
}

/// What is left of a quoted text. A backslash stays, for the expression, and protects a quote.
fn quoted(chars: &mut Chars) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match (chars.next(), chars.peek()) {
            (Some('"'), _) => return Ok(text),
            (None | Some('\n'), _) => return Err("a quote is not closed".into()),
            (Some('\\'), Some('\n')) => drop(chars.next()),
            (Some('\\'), Some('"')) => {
                text.push_str("\\\"");
                chars.next();
            }
            (Some(c), _) => text.push(c),
        }
    }
}

/// A word from its first character.
fn word(first: char, chars: &mut Chars) -> String {
    let mut text = String::from(first);
    while let Some(c) = chars.next_if(|c| !(c.is_whitespace() || *c == '#')) {
        if c != '\\' || chars.next_if_eq(&'\n').is_none() {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, subject: &str) -> Result<Verdict, String> {
        judge(text, "/DC=org/CN=CA", "/DC=org/CN=CA", subject)
    }

    #[test]
    fn a_permit_must_match_and_no_deny_may() {
        let text = "#NAMESPACES-VERSION: 1.0\n# comment\nTO Issuer \"/DC=org/CN=CA\" \\\n  PERMIT Subject \"/DC=org/.*\"\n\n\
                    TO Issuer SELF DENY Subject \"/DC=org/CN=Robot.*\"\nTO Issuer \"/CN=other\" PERMIT Subject \".*\"\n";
        assert_eq!(verdict(text, "/DC=org/CN=Alice"), Ok(Verdict::Permitted));
        assert_eq!(verdict(text, "/DC=org/CN=Robot 7"), Ok(Verdict::Denied));
        assert_eq!(verdict(text, "/DC=com/CN=Alice"), Ok(Verdict::Denied));
        let own = "TO Issuer SELF PERMIT Subject \"/DC=org/.*\"";
        let by = |owner, issuer| judge(own, owner, issuer, "/DC=org/CN=x");
        assert_eq!(by("/CN=third", "/CN=third"), Ok(Verdict::Permitted), "SELF is whom the file is for");
        assert_eq!(by("/CN=root", "/CN=third"), Ok(Verdict::Silent), "and not a CA below it");
        assert_eq!(verdict("to issuer \"/CN=x\" permit subject \".*\"", "/CN=a"), Ok(Verdict::Silent));
        assert_eq!(verdict("", "/CN=a"), Ok(Verdict::Silent));
        for issuer in ["/O=Let's/CN=R3", "/O=\"x\"/CN=R3"] {
            let text = format!("TO Issuer \"{}\" PERMIT Subject \"{0}.*\"", issuer.replace('"', "\\\""));
            assert_eq!(judge(&text, issuer, issuer, &format!("{issuer}/CN=a")), Ok(Verdict::Permitted), "{text}");
        }
    }

    #[test]
    fn lines_go_on_and_comments_end_them() {
        for text in [
            "TO Issuer SELF\\\n PERMIT Subject \"/DC=org/.*\"#all",
            "TO Issuer SELF \\  \r\n# not this one: \\\r\nPERMIT Subject \"/DC=org/.*\" # all\r\n",
            "TO Issuer SELF PER\\\nMIT Subject \"/DC=\\\norg/.*\"",
            "TO Issuer \"/DC=org/CN=CA\"\\\nPERMIT Subject \" /DC=org/.* \"",
            "# TO Issuer SELF DENY Subject \".*\" \\\nTO Issuer SELF PERMIT Subject \"/DC=org/CN=a#?.*\"",
            "TO Issuer SELF PERMIT Subject \"/DC=org/(CN=\\\".*|.*)\"",
        ] {
            assert_eq!(verdict(text, "/DC=org/CN=a"), Ok(Verdict::Permitted), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_malformed() {
        for text in [
            "#NAMESPACES-VERSION: 2.0\nTO Issuer SELF PERMIT Subject \".*\"",
            "TO Issuer SELF PERMIT Subject\".*\"",
            "TO Issuer SELF PERMIT Subject \".*\\\"",
            "TO Isser SELF PERMIT Subject \".*\"",
            "TO \\Issuer SELF PERMIT Subject \".*\"",
            "TO Issuer SELF PERMIT Subject",
            "TO Issuer SELF PERMIT Subject .*",
            "TO Issuer ME PERMIT Subject \".*\"",
            "TO Issuer SELF ALLOW Subject \".*\"",
            "TO Issuer SELF PERMIT Subject \"(\"",
            "TO Issuer \"/CN=other\" PERMIT Subject \"(\"",
            "TO Issuer SELF PERMIT Subject \".*",
            "PERMIT Subject \".*\" TO Issuer SELF",
        ] {
            assert!(verdict(text, "/CN=a").is_err(), "{text}");
        }
    }
}
