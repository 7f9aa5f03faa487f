//! A name as it may be spelled in a site's files.
//!
//! The same distinguished name has been written with `/Email=`, `/E=` or `/emailAddress=`, and with `/UID=` or
//! `/USERID=`, depending on the library of the day. The name that is looked for is therefore spelled in every way, once,
//! and the file is compared as it stands; so nothing has to be rewritten while lines go by, and a ban cannot be escaped
//! by a spelling. A `/` inside a value is `\/` in [`Dn`]; historically nobody escaped it, which makes `/CN=a/CN=b`
//! ambiguous. A map file must use the escaped text: an ambiguous line gives nobody an account. A ban counts for both
//! readings: an ambiguous line bans whoever it may mean.

#![forbid(unsafe_code)]

use crate::credential::identity::{Dn, Fqan};

const EMAIL: &[&str] = &["emailAddress", "Email", "E", "EMAILADDRESS", "EMAIL", "email"];
const UID: &[&str] = &["UID", "USERID", "userId", "uid"];

/// A name in all the spellings that count as the same.
#[derive(Clone, Debug)]
pub struct Subject {
    spellings: Vec<Vec<u8>>,
}

impl Subject {
    /// A distinguished name as map files must have it.
    pub fn mapped(dn: &Dn) -> Self {
        Subject { spellings: spellings(dn) }
    }

    /// A distinguished name as ban files may have it.
    pub fn banned(dn: &Dn) -> Self {
        let mut all = spellings(dn);
        if dn.as_str().contains('\\') {
            let bare: Vec<_> = all.iter().map(|name| unescaped(name)).collect();
            all.extend(bare);
        }
        Subject { spellings: all }
    }

    /// An FQAN, as the server spelled it.
    pub fn fqan(fqan: &Fqan) -> Self {
        Subject { spellings: vec![fqan.as_str().as_bytes().to_vec()] }
    }

    /// An FQAN as ban files may have it.
    pub fn banned_fqan(fqan: &Fqan) -> Self {
        Subject { spellings: fqan.spellings().into_iter().map(String::into_bytes).collect() }
    }

    /// All spellings.
    pub fn spellings(&self) -> impl Iterator<Item = &[u8]> {
        self.spellings.iter().map(Vec::as_slice)
    }

    /// Whether one of the spellings satisfies a condition.
    pub fn any(&self, condition: impl Fn(&[u8]) -> bool) -> bool {
        self.spellings.iter().any(|name| condition(name))
    }
}

/// The components of a one-line name: what follows each `/` that no backslash protects.
fn components(dn: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0_usize;
    let mut escaped = false;
    for (at, c) in dn.char_indices() {
        if c == '/' && !escaped {
            parts.extend(dn.get(start..at));
            start = at.saturating_add(1);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.extend(dn.get(start..));
    parts
}

/// Whether a component's attribute is one of these names, whatever the case.
fn value_of<'a>(component: &'a str, names: &[&str]) -> Option<&'a str> {
    let (name, value) = component.split_once('=')?;
    names.iter().any(|known| known.eq_ignore_ascii_case(name)).then_some(value)
}

fn spellings(dn: &Dn) -> Vec<Vec<u8>> {
    // Files that the C library reads, too, have what is not ASCII as OpenSSL prints it.
    let historic = dn.historic();
    let mut all = vec![dn.as_str().as_bytes().to_vec()];
    if historic != dn.as_str() {
        all.extend(spellings_of(&historic));
    }
    all.extend(spellings_of(dn.as_str()).into_iter().skip(1));
    all
}

fn spellings_of(dn: &str) -> Vec<Vec<u8>> {
    let parts = components(dn);
    let spelled = |names: &'static [&'static str]| -> &'static [&'static str] {
        let there = parts.iter().any(|part| value_of(part, names).is_some());
        if there { names } else { names.get(..1).unwrap_or(names) }
    };
    let mut all = vec![dn.as_bytes().to_vec()];
    for email in spelled(EMAIL) {
        for uid in spelled(UID) {
            let spelling = |part: &&str| {
                let email = value_of(part, EMAIL).map(|value| format!("{email}={value}"));
                let uid = || value_of(part, UID).map(|value| format!("{uid}={value}"));
                email.or_else(uid).unwrap_or_else(|| (*part).to_owned())
            };
            let name = parts.iter().map(spelling).collect::<Vec<_>>().join("/").into_bytes();
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    all
}

/// The reading without escapes.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'\\', Some(next @ (b'/' | b'\\'))) => {
                out.push(*next);
                bytes.next();
            }
            _ => out.push(*byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn plain_names_have_one_spelling() {
        assert_eq!(Subject::mapped(&dn("/DC=org/CN=Alice")).spellings, [b"/DC=org/CN=Alice".to_vec()]);
    }

    #[test]
    fn every_spelling_of_email_and_uid_is_the_same_name() {
        let variants = ["/O=x/UID=a/CN=A/emailAddress=a@x", "/O=x/USERID=a/CN=A/Email=a@x", "/O=x/uid=a/CN=A/E=a@x"];
        for from in variants {
            for to in variants {
                for subject in [Subject::mapped(&dn(from)), Subject::banned(&dn(from))] {
                    assert!(subject.any(|name| name == to.as_bytes()), "{from} {to}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_is_not_ascii_is_found_as_openssl_prints_it_too() {
        let subject = Subject::mapped(&dn("/O=x/CN=J\u{fc}rgen/E=a"));
        for spelling in ["/O=x/CN=J\u{fc}rgen/Email=a", "/O=x/CN=J\\xC3\\xBCrgen/emailAddress=a"] {
            assert!(subject.any(|name| name == spelling.as_bytes()), "{spelling}");
        }
    }

    #[test]
    fn an_attribute_inside_a_value_is_not_one() {
        let subject = Subject::mapped(&dn("/O=x/CN=a\\/E=b"));
        assert!(!subject.any(|name| name == b"/O=x/CN=a\\/Email=b"));
    }

    #[test]
    fn escaped_slashes_count_both_ways_in_bans_only() {
        let name = dn("/O=x/CN=host\\/foo");
        assert!(Subject::banned(&name).any(|name| name == b"/O=x/CN=host/foo"));
        assert!(Subject::banned(&name).any(|name| name == b"/O=x/CN=host\\/foo"));
        assert!(!Subject::mapped(&name).any(|name| name == b"/O=x/CN=host/foo"));
    }
}
