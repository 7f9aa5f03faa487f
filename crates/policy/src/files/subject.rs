//! A name as it may be spelled in a site's files that give something: maps and lists of who may.
//!
//! The same distinguished name has been written with `/Email=`, `/E=` or `/emailAddress=`, and with `/UID=` or
//! `/USERID=`, depending on the library of the day, and OpenSSL 3 puts a backslash before every `/` and `+` of a value. The
//! name that is looked for is therefore spelled in every way, once, and the file is compared as it stands; so nothing has to
//! be rewritten while lines go by. A spelling counts only where it reads back as this name ([`as_printed`]): no text is
//! ever the name of two people. Without its backslash `/CN=a\/CN=b` would be another name, and gives nobody an account.
//! What bans is compared in [`crate::files::banned`].
//!
//! The name of a token's user has one spelling and is compared byte for byte: its subject may hold slashes, backslashes and
//! equals signs, and they mean nothing there.

use glexec_core::identity::{Dn, Fqan};
use glexec_core::spelling::{Piece, as_printed, escape, in_ascii, pieces};

const EMAIL: &[&str] = &["emailAddress", "Email", "E", "EMAILADDRESS", "EMAIL", "email"];
const UID: &[&str] = &["UID", "USERID", "userId", "uid"];

/// A name in all the spellings that count as the same.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Those of the one-line form.
    spellings: Vec<Vec<u8>>,
    /// Those with other backslashes.
    escaped: Vec<Vec<u8>>,
}

impl Subject {
    /// A distinguished name, or the name of a token's user.
    pub fn mapped(dn: &Dn) -> Self {
        if dn.is_of_token() {
            return Subject { spellings: vec![dn.as_str().as_bytes().to_vec()], escaped: Vec::new() };
        }
        let spellings = Style::Canonical.spellings(dn);
        let reads_back = |text: &&Vec<u8>| std::str::from_utf8(text).is_ok_and(|text| as_printed(text) == dn.as_str());
        let others = [Style::AllEscaped, Style::OpenSsl3, Style::Bare, Style::Quoted].map(|style| style.spellings(dn));
        let mut escaped: Vec<Vec<u8>> = Vec::new();
        for text in others.iter().flatten().filter(reads_back) {
            if !spellings.contains(text) && !escaped.contains(text) {
                escaped.push(text.clone());
            }
        }
        Subject { spellings, escaped }
    }

    /// An FQAN, as the server spelled it.
    pub fn fqan(fqan: &Fqan) -> Self {
        Subject { spellings: vec![fqan.as_str().as_bytes().to_vec()], escaped: Vec::new() }
    }

    /// All spellings.
    pub fn spellings(&self) -> impl Iterator<Item = &[u8]> {
        self.spellings.iter().chain(&self.escaped).map(Vec::as_slice)
    }

    /// Whether one of the spellings is this text.
    pub fn is(&self, name: &[u8]) -> bool {
        self.spellings().any(|spelling| spelling == name)
    }

    /// Whether one of the spellings that a pattern is about satisfies a condition: a backslash counts as a character only
    /// for a pattern that has one.
    pub fn any_for(&self, pattern: &[u8], condition: impl Fn(&[u8]) -> bool) -> bool {
        let escaped = if pattern.contains(&b'\\') { self.escaped.as_slice() } else { &[] };
        self.spellings.iter().chain(escaped).any(|name| condition(name))
    }
}

/// Where a spelling has backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As glexec prints names.
    Canonical,
    /// Before every `/`, `+` and `\`.
    AllEscaped,
    /// Before every `/` and `+`.
    OpenSsl3,
    Bare,
    /// As glexec prints names, and before quotes, as in a file's quoted name.
    Quoted,
}

impl Style {
    fn value(self, value: &str) -> String {
        let mut out = String::new();
        if matches!(self, Style::Canonical | Style::Quoted) {
            escape(value, &mut out);
            return if self == Style::Quoted { out.replace('"', "\\\"") } else { out };
        }
        for c in value.chars() {
            let escaped = match c {
                '/' | '+' => self != Style::Bare,
                '\\' => self == Style::AllEscaped,
                _ => false,
            };
            out.extend(escaped.then_some('\\').into_iter().chain([c]));
        }
        out
    }

    /// The name in this style with the words for types that glexec and OpenSSL print, not ASCII as OpenSSL has it; `None`
    /// where it does not read back as this name.
    pub(super) fn printed(self, dn: &Dn) -> Option<String> {
        let name = self.written(&pieces(dn.as_str()), None);
        (as_printed(&name) == dn.as_str()).then(|| in_ascii(&name))
    }

    /// The name in this style, with every word for mail and user id. Files that the C library reads, too, have what is not
    /// ASCII as OpenSSL prints it.
    pub(super) fn spellings(self, dn: &Dn) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = Vec::new();
        if self == Style::Canonical {
            all.push(dn.as_str().as_bytes().to_vec());
        }
        let pieces = pieces(dn.as_str());
        let spelled = |names: &'static [&'static str]| -> &'static [&'static str] {
            let there = pieces.iter().any(|piece| matches!(piece, Piece::Attribute(_, kind) if is_one_of(kind, names)));
            if there { names } else { names.get(..1).unwrap_or(names) }
        };
        for email in spelled(EMAIL) {
            for uid in spelled(UID) {
                let name = self.written(&pieces, Some((email, uid)));
                for text in [in_ascii(&name), name] {
                    if !all.contains(&text.as_bytes().to_vec()) {
                        all.push(text.into_bytes());
                    }
                }
            }
        }
        all
    }

    fn written(self, pieces: &[Piece<'_>], words: Option<(&str, &str)>) -> String {
        let (mut out, mut value) = (String::new(), String::new());
        for piece in pieces {
            match piece {
                Piece::Value(c) => value.push(*c),
                Piece::Attribute(separator, kind) => {
                    out.push_str(&self.value(&std::mem::take(&mut value)));
                    let kind = match (kind, words) {
                        (kind, Some((email, _))) if is_one_of(kind, EMAIL) => email,
                        (kind, Some((_, uid))) if is_one_of(kind, UID) => uid,
                        (kind, _) => kind,
                    };
                    out.push(*separator);
                    out.push_str(kind);
                    out.push('=');
                }
            }
        }
        out + &self.value(&value)
    }
}

fn is_one_of(kind: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::banned::Banned;
    use crate::files::map_file::understood;
    use glexec_config::lcmaps::Matching;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn dn(text: &str) -> Dn {
        Dn::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn plain_names_have_one_spelling() {
        assert_eq!(Subject::mapped(&dn("/DC=org/CN=Alice")).spellings().collect::<Vec<_>>(), [b"/DC=org/CN=Alice"]);
    }

    proptest! {
        #[test]
        fn no_line_is_of_two_users_of_tokens(one in TRICKY_SUB, other in TRICKY_SUB) {
            let names = [&one, &other].map(|sub| Dn::of_token("https://vo/", sub).unwrap());
            let lines: Vec<Vec<u8>> = names.iter().flat_map(|name| {
                [format!("{name} .p"), format!("\"{name}\" .p")].map(String::into_bytes)
            }).collect();
            for line in &lines {
                let Some(Ok(line)) = understood(1, line) else { continue };
                let meant = names.iter().filter(|name| Subject::mapped(name).is(line.name)).count();
                prop_assert!(meant <= 1 || one == other, "{}", String::from_utf8_lossy(line.name));
            }
        }

        #[test]
        fn a_token_is_nobody_with_a_certificate(sub in TRICKY_SUB, issuer in "https://[a-z/=+]{1,9}") {
            let Ok(name) = Dn::of_token(&issuer, &sub) else { return Ok(()) };
            prop_assert!(Subject::mapped(&name).is(name.as_str().as_bytes()));
            let printed = as_printed(name.as_str());
            if printed != name.as_str() {
                prop_assert!(!Subject::mapped(&name).is(printed.as_bytes()));
            }
        }
    }

    /// Subjects of what names of certificates give a meaning.
    const TRICKY_SUB: &str = "[ab/+=\\\\\"%#,*xCE]{1,6}";

    #[test]
    fn every_spelling_of_email_and_uid_is_the_same_name() {
        let variants = ["/O=x/UID=a/CN=A/emailAddress=a@x", "/O=x/USERID=a/CN=A/Email=a@x", "/O=x/uid=a/CN=A/E=a@x"];
        for to in variants {
            assert!(Subject::mapped(&dn(variants[0])).is(to.as_bytes()), "{to}");
        }
    }

    #[test]
    fn a_name_that_is_not_ascii_is_found_as_openssl_prints_it_too() {
        let subject = Subject::mapped(&dn("/O=x/CN=J\u{fc}rgen/emailAddress=a"));
        for spelling in ["/O=x/CN=J\u{fc}rgen/Email=a", "/O=x/CN=J\\xC3\\xBCrgen/emailAddress=a"] {
            assert!(subject.is(spelling.as_bytes()), "{spelling}");
        }
    }

    #[test]
    fn names_are_found_as_openssl_3_prints_them_but_a_backslash_goes_on_telling_them_apart() {
        for (name, file, expected) in [
            ("/CN=host/a.org", "/CN=host\\/a.org", true),
            ("/CN=C++", "/CN=C\\+\\+", true),
            ("/CN=http://x/Email=a", "/CN=http:\\/\\/x/Email=a", false),
            ("/CN=http://x/emailAddress=a", "/CN=http:\\/\\/x/Email=a", true),
            ("/CN=J\u{fc}/x", "/CN=J\\xC3\\xBC\\/x", true),
            ("/CN=a\\\\b", "/CN=a\\b", true),
            ("/CN=Al \"Bea\"", "/CN=Al \\\"Bea\\\"", true),
            ("/CN=Al\\/CN=Bea", "/CN=Al\\/CN=Bea", true),
            ("/CN=Al\\/CN=Bea", "/CN=Al/CN=Bea", false),
            ("/CN=Al/CN=Bea", "/CN=Al\\/CN=Bea", false),
            ("/CN=Al\\\\/CN=Bea", "/CN=Al\\/CN=Bea", false),
            ("/CN=Al+CN=Bea", "/CN=Al\\+CN=Bea", false),
            ("/CN=a\\/E=b", "/CN=a\\/Email=b", false),
        ] {
            assert_eq!(Subject::mapped(&dn(name)).is(file.as_bytes()), expected, "{name} {file}");
        }
    }

    /// All texts of up to so many of the characters that a name gives a meaning.
    fn tricky(longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut newest = all.clone();
        for _ in 0..longest {
            newest = newest.iter().flat_map(|text| "/+\\=E\"".chars().map(move |c| format!("{text}{c}"))).collect();
            all.extend(newest.clone());
        }
        all.retain(|text| !text.is_empty());
        all
    }

    /// Names of one and two attributes, as certificates' names are printed.
    fn names() -> Vec<String> {
        let attribute = |separator: char, kind: &str, value: &str| {
            let mut text = format!("{separator}{kind}=");
            escape(value, &mut text);
            text
        };
        let mut all: Vec<String> = tricky(4).iter().map(|value| attribute('/', "O", value)).collect();
        for first in tricky(2) {
            for second in tricky(2) {
                for (separator, kind) in [('/', "O"), ('+', "O"), ('/', "emailAddress"), ('+', "UID")] {
                    all.push(attribute('/', "O", &first) + &attribute(separator, kind, &second));
                }
            }
        }
        all
    }

    #[test]
    fn no_text_is_ever_the_name_of_two_people() {
        let mut whose: HashMap<Vec<u8>, String> = HashMap::new();
        let all = names();
        for name in &all {
            assert_eq!(as_printed(name), *name, "a printed name reads as itself");
            for spelling in Subject::mapped(&dn(name)).spellings() {
                if let Some(other) = whose.insert(spelling.to_vec(), name.clone()) {
                    assert_eq!(other, *name, "{}", String::from_utf8_lossy(spelling));
                }
            }
        }
        assert!(all.len() > 8_000 && whose.len() > all.len());
    }

    #[test]
    fn whatever_gives_a_person_something_could_ban_them_and_so_could_every_print_of_openssl() {
        for name in names().into_iter().step_by(7) {
            let (person, banned) = (Subject::mapped(&dn(&name)), Banned::person(&dn(&name)));
            let printed = [Style::OpenSsl3, Style::Bare].map(|style| style.spellings(&dn(&name)));
            let all = person.spellings().map(<[u8]>::to_vec).chain(printed.into_iter().flatten());
            for spelling in all {
                assert!(banned.is_meant(&spelling, Matching::Exact), "{name} {}", String::from_utf8_lossy(&spelling));
            }
        }
    }
}
