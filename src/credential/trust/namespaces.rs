//! `HASH.namespaces`, the EUGridPMA's form of a signing policy (Namespaces Format Specification 0.1, version 1.0 files):
//!
//! ```text
//! TO Issuer "/DC=org/CN=CA" \
//!   PERMIT Subject "/DC=org/DC=example/.*"
//! TO Issuer SELF DENY Subject "/DC=org/DC=example/CN=Robot.*"
//! ```
//!
//! A subject is a regular expression for the whole one-line name. Any DENY that matches refuses, whatever the order;
//! otherwise one PERMIT must match.

#![forbid(unsafe_code)]

use crate::credential::name::as_printed;
use crate::credential::trust::regex::Regex;
use crate::credential::trust::signing_policy::Verdict;

/// Judges a name by a namespaces file.
pub fn judge(text: &str, issuer: &str, subject: &str) -> Result<Verdict, String> {
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
        let is_ours = if name.quoted { as_printed(&name.text) == issuer } else { name.is("SELF") };
        if !(name.quoted || is_ours) {
            return Err("an issuer is neither quoted nor SELF".into());
        }
        let regex = Regex::new(&as_printed(&pattern.text))?; // all must be understood, not only ours
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

/// Words and quoted texts; `#` starts a comment line, a backslash at the end of a line goes on in the next.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let mut rest = line.strip_suffix('\\').unwrap_or(line).trim();
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('"') {
                let (text, after) = inside.split_once('"').ok_or("a quote is not closed")?;
                found.push(Token { text: text.into(), quoted: true });
                rest = after.trim_start();
            } else {
                let (text, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
                found.push(Token { text: text.into(), quoted: false });
                rest = after.trim_start();
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, subject: &str) -> Result<Verdict, String> {
        judge(text, "/DC=org/CN=CA", subject)
    }

    #[test]
    fn a_permit_must_match_and_no_deny_may() {
        let text = "#NAMESPACES-VERSION: 1.0\n# comment\nTO Issuer \"/DC=org/CN=CA\" \\\n  PERMIT Subject \"/DC=org/.*\"\n\n\
                    TO Issuer SELF DENY Subject \"/DC=org/CN=Robot.*\"\nTO Issuer \"/CN=other\" PERMIT Subject \".*\"\n";
        assert_eq!(verdict(text, "/DC=org/CN=Alice"), Ok(Verdict::Permitted));
        assert_eq!(verdict(text, "/DC=org/CN=Robot 7"), Ok(Verdict::Denied));
        assert_eq!(verdict(text, "/DC=com/CN=Alice"), Ok(Verdict::Denied));
        let own = "TO Issuer SELF PERMIT Subject \"/DC=org/.*\"";
        assert_eq!(judge(own, "/CN=third", "/DC=org/CN=x"), Ok(Verdict::Permitted), "SELF is whom the file is for");
        assert_eq!(verdict("to issuer \"/CN=x\" permit subject \".*\"", "/CN=a"), Ok(Verdict::Silent));
        assert_eq!(verdict("", "/CN=a"), Ok(Verdict::Silent));
    }

    #[test]
    fn what_is_not_understood_is_malformed() {
        for text in [
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
