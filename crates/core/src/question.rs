//! What the verifier is asked: the one form in which a question goes from glexec to the verifier's program.
//!
//! # The form
//!
//! A line of ASCII, `glexec-question VERSION HEADER FILE` with two lengths in bytes and a line feed; so many bytes of
//! JSON, a [`Question`]; so many bytes of a credential file, as they were read; the end. Each length has a bound. A
//! question holds one credential: the process that judges it sees no other.
//!
//! VERSION is the form's and the meaning's, of question and verdict together. It grows with every change of either, and
//! a test holds that. Programs of different versions understand nothing of each other but that line: the verifier
//! answers with its own version and a refusal, and glexec refuses by that name ([`crate::verdict`]).

use crate::credentials::Credentials;
use crate::identity::Dn;
use crate::tokens::Tokens;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The version of question and verdict.
pub const VERSION: u32 = 3;
/// Longest credential file in bytes.
pub const MAX_FILE: usize = 256 * 1024;
/// Longest first line in bytes.
const MAX_LINE: usize = 64;
/// Longest JSON in bytes.
const MAX_HEADER: usize = 64 * 1024;
/// Longest question in bytes.
pub const MAX_QUESTION: usize = MAX_LINE + MAX_HEADER + MAX_FILE;

/// What a question begins with.
const MAGIC: &str = "glexec-question";

/// A question, but for the credential file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub asked: Asked,
    /// The site's settings.
    pub settings: Credentials,
    /// This host's name, for attributes that are meant for certain hosts; empty where it is not known.
    pub host: String,
    /// The time, in seconds since 1970 UTC.
    pub now: i64,
}

/// What is asked of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Asked {
    /// Whom it stands for, if it is to be trusted. The answer is a [`crate::verdict::Judged`].
    Judge {
        /// Whose it is said to be.
        holder: Holder,
        /// Whether it must hold its private key.
        key: KeyRule,
        /// Whether the verdict has its certificates.
        certificates: Certificates,
    },
    /// Whom a token stands for, if it is to be trusted. The answer is a [`crate::verdict::Judged`].
    JudgeToken {
        /// Whose it is said to be.
        holder: Holder,
        /// The site's settings for tokens.
        tokens: Tokens,
    },
    /// Whether a token is of the user of this name; nothing is trusted. The answer is an [`Owner`].
    WhoseToken {
        /// The user's name.
        subject: Dn,
    },
    /// Whether one of its certificates is this person's; nothing is trusted. The answer is an [`Owner`].
    Whose {
        /// The person's name.
        subject: Dn,
        /// The CA.
        issuer: Dn,
    },
    /// How the site's files about issuers of tokens and their keys look; there is no credential. The answer is a list
    /// of [`crate::surveyed::IssuerFile`].
    SurveyTokens {
        /// The site's settings for tokens.
        tokens: Tokens,
    },
    /// Whether a JWK set (RFC 7517 section 5) will do for an issuer; nothing is trusted. The answer is how many of its
    /// keys can be used.
    JudgeKeySet {
        /// The algorithms that the site accepts from the issuer.
        algorithms: Vec<String>,
    },
    /// What it holds, without judging it. The answer is a [`crate::described::ProxyFile`].
    Describe,
    /// How the trust directories look, now and at a later time; there is no credential. The answer is a
    /// [`crate::surveyed::Surveyed`].
    Survey {
        /// The later time, in seconds since 1970 UTC.
        later: i64,
    },
    /// How the agent is that answers; there is no credential. The answer is a [`crate::agent_state::AgentState`].
    Agent,
}

/// Whose credential one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// The user's: GLEXEC_CLIENT_CERT or GLEXEC_CLIENT_TOKEN.
    User,
    /// The user's, to be copied for the payload: GLEXEC_SOURCE_PROXY or GLEXEC_SOURCE_TOKEN.
    Source,
    /// The pilot's: X509_USER_PROXY or BEARER_TOKEN_FILE.
    Pilot,
}

/// Whether a proxy file must hold its private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRule {
    Required,
    /// The caller is in `omission_private_key_white_list`: it need not, but a key that is there must be the right one.
    MayBeAbsent,
}

/// Whether a verdict has the certificates that were judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certificates {
    /// It has: they go to the site's mapping service.
    With,
    Without,
}

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The person's that was asked for.
    Same,
    /// Somebody else's.
    Other,
    /// Nobody's: no certificate of it can be read.
    Nobody,
}

/// Why some bytes are no question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoQuestion {
    /// It is of another version.
    #[error("a question of version {0}")]
    Version(u32),
    /// It is not in the form.
    #[error("no question: {0}")]
    Malformed(String),
}

/// Writes a question down; `None` where it is longer than it may be. It is wiped when it is let go, as the file holds a
/// key.
pub fn encode(question: &Question, file: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let header = serde_json::to_vec(question).ok().filter(|header| header.len() <= MAX_HEADER)?;
    if file.len() > MAX_FILE {
        return None;
    }
    let line = format!("{MAGIC} {VERSION} {} {}\n", header.len(), file.len());
    // Reserved at once, so that no copy of the key stays behind as it grows.
    let length = line.len().saturating_add(header.len()).saturating_add(file.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.extend_from_slice(line.as_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(file);
    Some(bytes)
}

/// Reads a question and its credential file.
pub fn decode(bytes: &[u8]) -> Result<(Question, &[u8]), NoQuestion> {
    let malformed = |what: &str| NoQuestion::Malformed(what.to_owned());
    let line = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n').ok_or_else(|| malformed("no first line"))?;
    let (line, rest) = bytes.split_at_checked(line).ok_or_else(|| malformed("no first line"))?;
    let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
    if words.next() != Some(MAGIC) {
        return Err(malformed("another first word"));
    }
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
    match number() {
        Some(VERSION) => {}
        Some(other) => return Err(NoQuestion::Version(other)),
        None => return Err(malformed("no version")),
    }
    let mut length = || number().and_then(|length| usize::try_from(length).ok());
    let (Some(header), Some(file)) = (length(), length()) else { return Err(malformed("no lengths")) };
    if header > MAX_HEADER || file > MAX_FILE || words.next().is_some() {
        return Err(malformed("lengths beyond their bounds"));
    }
    let parts = rest.get(1..).and_then(|rest| rest.split_at_checked(header)).filter(|(_, rest)| rest.len() == file);
    let (header, file) = parts.ok_or_else(|| malformed("other lengths than it says"))?;
    let question = serde_json::from_slice(header).map_err(|error| NoQuestion::Malformed(error.to_string()))?;
    Ok((question, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::try_from(text.to_owned()).unwrap()
    }

    fn question() -> Question {
        let asked = Asked::Judge { holder: Holder::Pilot, key: KeyRule::MayBeAbsent, certificates: Certificates::With };
        Question { asked, settings: Credentials::default(), host: "worker001".into(), now: 1_700_000_000 }
    }

    #[test]
    fn a_question_comes_out_as_it_went_in() {
        let all = [
            question().asked,
            Asked::Whose { subject: dn("/CN=A"), issuer: dn("/CN=CA") },
            Asked::JudgeToken { holder: Holder::Source, tokens: Tokens::default() },
            Asked::WhoseToken { subject: Dn::of_token("https://vo/", "a\\b").unwrap() },
            Asked::SurveyTokens { tokens: Tokens::default() },
            Asked::JudgeKeySet { algorithms: vec!["ES256".into()] },
            Asked::Describe,
            Asked::Survey { later: 5 },
            Asked::Agent,
        ];
        for asked in all {
            let bytes = encode(&Question { asked: asked.clone(), ..question() }, b"\0bytes\n").unwrap();
            let (found, file) = decode(&bytes).unwrap();
            assert_eq!((found.asked, file), (asked, &b"\0bytes\n"[..]));
            assert_eq!(format!("{:?}", found.settings), format!("{:?}", Credentials::default()));
        }
    }

    #[test]
    fn what_is_cut_longer_or_other_than_it_says_is_no_question() {
        let good = encode(&question(), b"file").unwrap();
        for length in 0..good.len() {
            assert!(decode(&good[..length]).is_err(), "{length}");
        }
        assert!(decode(&[&good[..], b"x"].concat()).is_err());
        let text = String::from_utf8(good.to_vec()).unwrap();
        let other = |from: &str, to: &str| decode(text.replacen(from, to, 1).as_bytes()).map(drop);
        assert_eq!(other(" 3 ", " 4 "), Err(NoQuestion::Version(4)));
        for (from, to) in [
            ("glexec-question", "glexec-verdict"),
            (" 3 ", " x "),
            (" 3 ", " 3 -1 "),
            (" 4\n", " 4 4\n"),
            (" 4\n", " 99999999\n"),
            ("\n", " "),
            ("pilot", "root"),
            ("\"now\"", "\"then\""),
            ("certdir", "certdirs"),
        ] {
            assert!(matches!(other(from, to), Err(NoQuestion::Malformed(_))), "{from} {to}");
        }
        assert!(encode(&question(), &vec![0; MAX_FILE]).is_some());
        assert!(encode(&question(), &vec![0; MAX_FILE + 1]).is_none());
    }

    /// Where this fails, the form has changed: another VERSION, and this text anew.
    #[test]
    fn the_form_of_this_version_is_this_one() {
        let json = r#"{"asked":{"judge":{"holder":"pilot","key":"may-be-absent","certificates":"with"}},"settings":{"certdir":"/etc/grid-security/certificates","vomsdir":"/etc/grid-security/vomsdir","linked_directories":[],"proxy_types":["rfc3820"],"limited_proxy":"accept","pilot_proxy":"optional","crl":"require","signing_policy":"require","bad_ac":"refuse","min_rsa_bits":2048,"min_proxy_rsa_bits":1024,"digests":["sha256","sha384","sha512"],"proxy_digests":["sha256","sha384","sha512"],"ac_digests":["sha256","sha384","sha512"],"max_chain":20,"max_proxy_lifetime":null,"max_ac_lifetime":null},"host":"worker001","now":1700000000}"#;
        let bytes = encode(&question(), b"file").unwrap();
        let expected = format!("glexec-question 3 {} 4\n{json}file", json.len());
        assert_eq!(String::from_utf8(bytes.to_vec()).unwrap(), expected);
    }
}
