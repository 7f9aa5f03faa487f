//! Who a credential stands for: what the verifier answers and everybody after it works with.
//!
//! A person is known by a proxy or by a token. Both have one name, which stands in map files, ban files, leases and records:
//! the subject of a certificate, or `/iss=ISSUER/sub=SUBJECT`. No certificate has a name that begins so, since no attribute
//! type is called `iss`; so the two are never taken for each other.

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

/// Longest `sub` of a token in bytes (WLCG Common JWT Profile section 2).
pub const MAX_SUB: usize = 255;
/// Longest issuer of tokens in bytes.
pub const MAX_ISS: usize = 512;
/// Longest `jti` and `kid` that are kept, in bytes; records quote them.
pub const MAX_WORD: usize = 256;
/// Most words of a token's scope, and their longest text in bytes: a token has 16 KiB.
const MAX_SCOPE: usize = 16 * 1024;

/// What the name of a token's user begins with.
const OF_TOKEN: &str = "/iss=";
/// What is between the issuer and the subject in it.
const SUBJECT: &str = "/sub=";

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

    /// The name of a token's user, from `iss` and `sub`, both visible ASCII. The issuer has no `/sub=` in it, so that no two
    /// pairs give one name.
    pub fn of_token(issuer: &str, subject: &str) -> Result<Self, Malformed> {
        let good = is_word(issuer, MAX_ISS) && !issuer.contains(SUBJECT) && is_word(subject, MAX_SUB);
        match good {
            true => Ok(Dn(format!("{OF_TOKEN}{issuer}{SUBJECT}{subject}"))),
            false => Err(Malformed("name of a token's user")),
        }
    }

    /// `iss` and `sub` of the name of a token's user.
    pub fn token_parts(&self) -> Option<(&str, &str)> {
        self.0.strip_prefix(OF_TOKEN)?.split_once(SUBJECT)
    }

    /// Whether it is the name of a token's user. Such a name has one spelling: what is a separator or a backslash in the name
    /// of a certificate is a character of an issuer or a subject here.
    pub fn is_of_token(&self) -> bool {
        is_of_token(&self.0)
    }
}

/// The same of a text that may be a name.
pub fn is_of_token(name: &str) -> bool {
    name.starts_with(OF_TOKEN)
}

/// Whether a text is visible ASCII without blanks, and not empty.
pub fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
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
    LimitedProxy,
}

/// A SHA-256 digest in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(String);

impl TryFrom<String> for Sha256 {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(digit) { Ok(Sha256(text)) } else { Err(Malformed("digest")) }
    }
}
text!(Sha256);

/// By what a person is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// An X.509 proxy.
    X509 {
        /// Issuer of the end entity certificate (EEC).
        issuer: Dn,
        /// Serial number of the EEC.
        serial: Serial,
        /// Kind of the leaf.
        form: Form,
    },
    /// A bearer token.
    Token(Box<TokenProof>),
}

/// What is known of a token besides its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenProof {
    /// The VO that its issuer, or the token, speaks for.
    pub vo: Option<String>,
    /// `jti`, where there is one of visible ASCII.
    pub jti: Option<String>,
    /// The id of the key that signed it.
    pub kid: String,
    /// `scope`, as it stands in the token.
    pub scope: String,
    /// The digest of header, dot and payload: what records may say of the token itself.
    pub sha256: Sha256,
    /// The digest of the user's name, for leases whose name would be too long.
    pub name_sha256: Sha256,
}

/// The person that a credential stands for, with the attributes that were proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Subject of the EEC, or the name of a token's user.
    pub subject: Dn,
    /// By what they are known.
    pub proof: Proof,
    /// End of validity: the earliest of the chain, in seconds since 1970 UTC.
    pub not_after: i64,
    /// FQANs in the order of the AC or of the token's groups, all of one VO; empty without.
    pub fqans: Vec<Fqan>,
}

impl Identity {
    /// The VO, where there is one.
    pub fn vo(&self) -> Option<&str> {
        match &self.proof {
            Proof::Token(token) => token.vo.as_deref(),
            Proof::X509 { .. } => self.fqans.first().map(Fqan::vo),
        }
    }

    /// Issuer of the EEC, where there is one.
    pub fn issuer(&self) -> Option<&Dn> {
        match &self.proof {
            Proof::X509 { issuer, .. } => Some(issuer),
            Proof::Token(_) => None,
        }
    }

    /// Serial number of the EEC, where there is one.
    pub fn serial(&self) -> Option<&Serial> {
        match &self.proof {
            Proof::X509 { serial, .. } => Some(serial),
            Proof::Token(_) => None,
        }
    }

    /// Kind of the leaf, where it is a certificate.
    pub fn form(&self) -> Option<Form> {
        match &self.proof {
            Proof::X509 { form, .. } => Some(*form),
            Proof::Token(_) => None,
        }
    }

    /// What is known of the token, where it is one.
    pub fn token(&self) -> Option<&TokenProof> {
        match &self.proof {
            Proof::Token(token) => Some(token),
            Proof::X509 { .. } => None,
        }
    }

    /// Whether both stand for the same person: the same EEC subject and issuer, or the same `iss` and `sub`. Nobody who is
    /// known by a token is anybody who is known by a proxy.
    pub fn is_same_person(&self, other: &Identity) -> bool {
        let same_way = self.token().is_some() == other.token().is_some();
        same_way && self.subject == other.subject && self.issuer() == other.issuer()
    }

    /// Says what contradicts itself in an identity that came from elsewhere.
    pub fn fault(&self) -> Option<&'static str> {
        let one_vo = self.fqans.iter().all(|fqan| Some(fqan.vo()) == self.vo());
        Some(match &self.proof {
            _ if self.fqans.len() > MAX_FQANS => "too many FQANs",
            _ if !one_vo => "FQANs of another VO",
            Proof::X509 { .. } if self.subject.is_of_token() => "a certificate with the name of a token's user",
            Proof::Token(_) if !self.subject.is_of_token() => "a token with the name of a certificate",
            Proof::Token(token) if !token.is_bounded() => "a token whose ids or scope are too long",
            _ => return None,
        })
    }
}

impl TokenProof {
    fn is_bounded(&self) -> bool {
        self.vo.as_deref().is_none_or(vo::is_vo)
            && self.jti.as_deref().is_none_or(|jti| is_word(jti, MAX_WORD))
            && self.kid.len() <= MAX_WORD
            && self.scope.len() <= MAX_SCOPE
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

    fn known(subject: &str, proof: Proof) -> Identity {
        Identity { subject: Dn::try_from(subject.to_owned()).unwrap(), proof, not_after: 0, fqans: Vec::new() }
    }

    fn by_token() -> Proof {
        let digest = Sha256::try_from("a".repeat(64)).unwrap();
        Proof::Token(Box::new(TokenProof {
            vo: None,
            jti: None,
            kid: "k".into(),
            scope: String::new(),
            sha256: digest.clone(),
            name_sha256: digest,
        }))
    }

    fn by_proxy() -> Proof {
        let issuer = Dn::try_from("/CN=CA".to_owned()).unwrap();
        Proof::X509 { issuer, serial: Serial::try_from("01".to_owned()).unwrap(), form: Form::FullProxy }
    }

    #[test]
    fn nobody_known_by_a_token_is_anybody_known_by_a_proxy() {
        let name = "/iss=https://vo/sub=a";
        assert!(known(name, by_token()).is_same_person(&known(name, by_token())));
        assert!(!known(name, by_token()).is_same_person(&known(name, by_proxy())));
        assert!(!known(name, by_token()).is_same_person(&known("/iss=https://vo/sub=A", by_token())));
        for (subject, proof, good) in [
            (name, by_token(), true),
            ("/CN=a", by_proxy(), true),
            (name, by_proxy(), false),
            ("/CN=a", by_token(), false),
        ] {
            assert_eq!(known(subject, proof).fault().is_none(), good, "{subject}");
        }
    }

    #[test]
    fn a_tokens_name_is_of_one_issuer_and_one_subject() {
        let name = |issuer: &str, subject: &str| Dn::of_token(issuer, subject).map(String::from).ok();
        assert_eq!(name("https://vo/", "a\\b/sub=c").as_deref(), Some("/iss=https://vo//sub=a\\b/sub=c"));
        for (issuer, subject) in [("", "a"), ("i", ""), ("i/sub=x", "a"), ("i", "a b"), ("i", "\u{fc}"), ("i", "a\n")] {
            assert_eq!(name(issuer, subject), None, "{issuer} {subject}");
        }
        assert!(name("i", &"s".repeat(255)).is_some() && name("i", &"s".repeat(256)).is_none());
        assert!(name(&"i".repeat(512), &"s".repeat(255)).is_some_and(|name| name.len() <= MAX_DN));
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
