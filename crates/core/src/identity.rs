//! Who a credential stands for: what the verifier answers and everybody after it works with.

use crate::spelling::in_ascii;
use crate::vo;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest distinguished name in its one-line form, in bytes: RFC 5280's upper bounds allow about 64 per attribute;
/// real grid names stay below 300.
pub const MAX_DN: usize = 1024;
/// Longest FQAN in bytes; real ones stay below 200.
pub const MAX_FQAN: usize = 512;
/// Most FQANs of one identity; the largest VOs hand out about 20.
pub const MAX_FQANS: usize = 100;
/// Longest certificate serial number in hexadecimal digits (RFC 5280 section 4.1.2.2: 20 octets).
pub const MAX_SERIAL: usize = 40;

/// Says what was wrong with a text that should have become a [`Dn`], [`Fqan`] or [`Serial`].
#[derive(Debug, thiserror::Error)]
#[error("not a well-formed {0}")]
pub struct Malformed(&'static str);

/// Whether a character shows and stays where it is: no control characters, no line separators, and nothing that Unicode
/// lets programs leave out (Default_Ignorable_Code_Point: bidirectional marks, zero-width characters, soft hyphens,
/// fillers, variation selectors, byte order marks, tags).
fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A distinguished name in the historic one-line form `/DC=org/…/CN=Alice`: visible characters only, bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dn(String);

impl TryFrom<String> for Dn {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        if text.starts_with('/') && text.len() <= MAX_DN && text.chars().all(is_visible) {
            Ok(Dn(text))
        } else {
            Err(Malformed("distinguished name"))
        }
    }
}

impl Dn {
    /// The name as OpenSSL's X509_NAME_oneline prints it, and so as the C library's leases and map files have it: bytes
    /// that are not ASCII as `\\xHH`.
    pub fn historic(&self) -> String {
        in_ascii(&self.0)
    }
}

/// A VOMS fully qualified attribute name `/vo[/group…][/Role=role][/Capability=capability]`, spelled as the server did:
/// `/vo`, `/vo/Role=pilot` or `/vo/Role=NULL/Capability=NULL`. Map files are compared with this spelling, as LCMAPS does
/// (tried with lcmaps 1.6.6: the line `"/testvo"` matches the FQAN `/testvo` and not the long form, and vice versa).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fqan(String);

impl TryFrom<String> for Fqan {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let word = |s: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !s.is_empty() && s.chars().all(allowed) && s != "." && s != ".."
        };
        let parts = parts(&text);
        // Its VO names a directory of the site and stands in records.
        let good = text.len() <= MAX_FQAN
            && parts.groups.split('/').nth(1).is_some_and(vo::is_vo)
            && parts.groups.strip_prefix('/').is_some_and(|groups| groups.split('/').all(word))
            && [parts.role, parts.capability].into_iter().flatten().all(word);
        if good { Ok(Fqan(text)) } else { Err(Malformed("FQAN")) }
    }
}

struct Parts<'a> {
    groups: &'a str,
    role: Option<&'a str>,
    capability: Option<&'a str>,
}

fn parts(fqan: &str) -> Parts<'_> {
    let (rest, capability) = match fqan.split_once("/Capability=") {
        Some((rest, capability)) => (rest, Some(capability)),
        None => (fqan, None),
    };
    let (groups, role) = match rest.split_once("/Role=") {
        Some((groups, role)) => (groups, Some(role)),
        None => (rest, None),
    };
    Parts { groups, role, capability }
}

impl Fqan {
    /// All spellings of this attribute, its own first: for bans, which no spelling may escape.
    pub fn spellings(&self) -> Vec<String> {
        let Parts { groups, role, capability } = parts(&self.0);
        let role = role.filter(|role| *role != "NULL");
        let capability = capability.filter(|capability| *capability != "NULL");
        let variants = |name: &str, value: Option<&str>| match value {
            Some(value) => vec![format!("/{name}={value}")],
            None => vec![String::new(), format!("/{name}=NULL")],
        };
        let mut all = vec![self.0.clone()];
        for role in variants("Role", role) {
            for capability in variants("Capability", capability) {
                let spelling = format!("{groups}{role}{capability}");
                if !all.contains(&spelling) {
                    all.push(spelling);
                }
            }
        }
        all
    }

    /// The VO and its groups, `/vo/group`.
    pub fn group(&self) -> &str {
        parts(&self.0).groups
    }

    /// The role, where one is spelled out.
    pub fn role(&self) -> Option<&str> {
        parts(&self.0).role
    }

    /// The capability, where one is spelled out.
    pub fn capability(&self) -> Option<&str> {
        parts(&self.0).capability
    }

    /// The VO that this FQAN belongs to: its first component.
    pub fn vo(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }
}

/// A certificate's serial number in upper-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(String);

impl TryFrom<String> for Serial {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let digit = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
        if (1..=MAX_SERIAL).contains(&text.len()) && text.bytes().all(digit) {
            Ok(Serial(text))
        } else {
            Err(Malformed("serial number"))
        }
    }
}

impl Serial {
    /// The number's octets, most significant first.
    pub fn octets(&self) -> Vec<u8> {
        let digit = |d: &u8| char::from(*d).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0);
        self.0.as_bytes().rchunks(2).rev().map(|pair| pair.iter().fold(0, |octet, d| (octet << 4) | digit(d))).collect()
    }
}

macro_rules! text {
    ($($name:ident),*) => { $(
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}
text!(Dn, Fqan, Serial);

/// What kind of credential the leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A user certificate with its key, no proxy at all.
    EndEntity,
    /// A proxy that inherits everything.
    FullProxy,
    /// A limited proxy.
    LimitedProxy,
}

/// The person that a credential stands for, with the VOMS attributes that were proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Subject of the end entity certificate (EEC).
    pub subject: Dn,
    /// Issuer of the EEC.
    pub issuer: Dn,
    /// Serial number of the EEC.
    pub serial: Serial,
    /// Kind of the leaf.
    pub form: Form,
    /// End of validity: the earliest of the chain, in seconds since 1970 UTC.
    pub not_after: i64,
    /// FQANs in the order of the AC, all of one VO; empty without VOMS attributes.
    pub fqans: Vec<Fqan>,
}

impl Identity {
    /// The VO, where there are VOMS attributes.
    pub fn vo(&self) -> Option<&str> {
        self.fqans.first().map(Fqan::vo)
    }

    /// Whether both stand for the same person: the same EEC subject and issuer.
    pub fn is_same_person(&self, other: &Identity) -> bool {
        self.subject == other.subject && self.issuer == other.issuer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_fqan_keeps_the_servers_spelling_and_knows_the_others() {
        for (text, number) in [
            ("/vo", 4),
            ("/vo/group/sub", 4),
            ("/vo/Role=NULL/Capability=NULL", 4),
            ("/vo/Role=pilot", 2),
            ("/vo/g/Role=a-b_c/Capability=NULL", 2),
            ("/vo/Capability=x", 2),
            ("/vo/Role=a/Capability=x", 1),
        ] {
            let fqan = Fqan::try_from(text.to_owned()).unwrap();
            assert_eq!((fqan.as_str(), fqan.vo(), fqan.spellings().len()), (text, "vo", number));
            let own = fqan.spellings();
            for spelling in &own {
                let mut same = Fqan::try_from(spelling.clone()).unwrap().spellings();
                same.sort();
                assert_eq!(
                    same,
                    {
                        let mut all = own.clone();
                        all.sort();
                        all
                    },
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_fqan_is_refused() {
        for bad in [
            "vo",
            "/",
            "",
            "//vo",
            "/vo/",
            "/vo/Role=",
            "/vo/../x",
            "/vo/Role=a/Role=b",
            "/vo/Capability=x/Role=a",
            "/vo/Role=a/x",
            "/vo/gr oup",
            "/vo/Role=a\n",
            "/vo*",
            "/.vo",
            &format!("/{}", "v".repeat(256)),
            "vo/Role=x/Capability=y",
            "//Role=x/Capability=y",
        ] {
            assert!(Fqan::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_historic_form_of_a_name_is_ascii() {
        let name = Dn::try_from("/CN=J\u{fc}rgen".to_owned()).unwrap();
        assert_eq!(name.historic(), "/CN=J\\xC3\\xBCrgen");
    }

    #[test]
    fn a_serial_number_is_its_octets() {
        for (text, octets) in [("00", vec![0]), ("7", vec![7]), ("10FF", vec![0x10, 0xff]), ("ABC", vec![0x0a, 0xbc])] {
            assert_eq!(Serial::try_from(text.to_owned()).unwrap().octets(), octets);
        }
    }

    #[test]
    fn names_are_visible_and_bounded() {
        for bad in [
            "",
            "CN=x",
            "/CN=\n",
            "/CN=\u{202e}x",
            "/CN=\u{200b}x",
            "/CN=\u{ad}x",
            "/CN=\u{e0041}x",
            "/CN=\u{34f}x",
            "/CN=\u{3164}x",
            "/CN=a\u{fe0f}",
            "/CN=a\u{e0100}",
        ] {
            assert!(Dn::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(Dn::try_from(format!("/CN={}", "x".repeat(MAX_DN))).is_err());
        assert!(Dn::try_from("/CN=Jürgen 한국".to_owned()).is_ok());
    }
}
