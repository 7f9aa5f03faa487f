//! What the verifier answers: the one form in which it crosses to the privileged side, and its only parser there.
//!
//! # The form
//!
//! A line of ASCII, `glexec-verdict VERSION` and a line feed; then JSON to the end: what was asked for, or a [`Refused`].
//! VERSION is the question's ([`crate::question`]). Nothing in a verdict is used as a number, a path or an index; names and
//! FQANs check their own form as they are read.

use crate::identity::Identity;
use crate::question::{MAX_FILE, VERSION};
use crate::reason::{Outcome, Reason, Refusal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest verdict on a credential in bytes: an identity with all the FQANs that it may have, and the certificates of a file.
pub const MAX_VERDICT: usize = 192 * 1024 + MAX_FILE;
/// Longest description of a proxy file, and of the trust directories, in bytes.
pub const MAX_DESCRIPTION: usize = 16 * 1024 * 1024;
/// Longest sentence and detail of a refusal, and longest note, in bytes.
const MAX_TEXT: usize = 4096;
/// Most notes.
const MAX_NOTES: usize = 32;

/// What a verdict begins with.
const MAGIC: &str = "glexec-verdict ";

/// Whom a credential stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    pub identity: Identity,
    /// Lines for the log.
    pub notes: Vec<String>,
    /// The certificates, leaf first, each as base64 of its DER, where they were wanted.
    pub certificates: Vec<String>,
}

/// A refusal on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    code: String,
    sentence: String,
    detail: Option<String>,
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let shortened = |text: &str| text.chars().take(MAX_TEXT / 4).collect();
        Refused {
            code: refusal.reason().code().into(),
            sentence: shortened(refusal.sentence()),
            detail: refusal.only_for_log().map(shortened),
        }
    }
}

impl Refused {
    /// The refusal that it stands for; one of [`Reason::VerifierFailed`] where it is none of the catalogue's, or too long.
    pub fn refusal(self) -> Refusal {
        let Some(reason) = Reason::from_code(&self.code) else { return failed("an unknown reason") };
        let texts = [Some(&self.sentence), self.detail.as_ref()];
        if texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
            return failed("a reason that is too long");
        }
        let refusal = Refusal::new(reason, self.sentence);
        match self.detail {
            Some(detail) => refusal.detail(detail),
            None => refusal,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict<T> {
    Answered(T),
    Refused(Refused),
}

/// Writes a verdict down.
pub fn encode<T: Serialize>(outcome: Outcome<T>) -> Vec<u8> {
    let verdict = match outcome {
        Ok(answer) => Verdict::Answered(answer),
        Err(refusal) => Verdict::Refused((&refusal).into()),
    };
    let mut bytes = format!("{MAGIC}{VERSION}\n").into_bytes();
    // Without its JSON it is no verdict: the privileged side refuses it.
    bytes.extend(serde_json::to_vec(&verdict).unwrap_or_default());
    bytes
}

/// Reads a verdict.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Outcome<T> {
    let line = bytes.strip_prefix(MAGIC.as_bytes()).unwrap_or_default();
    let end = line.iter().take(16).position(|byte| *byte == b'\n').unwrap_or_default();
    let (version, json) = line.split_at_checked(end).unwrap_or_default();
    match std::str::from_utf8(version).ok().and_then(|version| version.parse::<u32>().ok()) {
        Some(VERSION) => {}
        Some(other) => return Err(of_other_version(other)),
        None => return Err(failed("no verdict")),
    }
    match serde_json::from_slice(json).map_err(|error| failed(&format!("no verdict: {error}")))? {
        Verdict::Answered(answer) => Ok(answer),
        Verdict::Refused(refused) => Err(refused.refusal()),
    }
}

/// Reads the verdict on a credential.
pub fn judged(bytes: &[u8]) -> Outcome<Judged> {
    let judged: Judged = decode(bytes)?;
    let Judged { identity, notes, certificates } = &judged;
    if let Some(fault) = identity.fault() {
        return Err(failed(fault));
    }
    if notes.len() > MAX_NOTES || notes.iter().any(|note| note.len() > MAX_TEXT) {
        return Err(failed("too many notes"));
    }
    let is_base64 = |text: &String| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    if !certificates.iter().all(is_base64) {
        return Err(failed("certificates that are none"));
    }
    Ok(judged)
}

/// A refusal because the verifier speaks another version.
pub fn of_other_version(other: u32) -> Refusal {
    let sentence = "glexec is being updated, or its update was interrupted: its verifier is of another version";
    Refusal::new(Reason::VerifierVersion, sentence)
        .detail(format!("glexec asks in version {VERSION}, the verifier answers in version {other}"))
}

/// A refusal because the verifier did not work.
pub fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::VerifierFailed, "the verification of the credentials did not work").detail(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &str) -> Reason {
        judged(bytes.as_bytes()).unwrap_err().reason()
    }

    fn answered(subject: &str, fqans: &str) -> String {
        format!(
            "glexec-verdict 3\n{{\"answered\":{{\"identity\":{{\"subject\":\"{subject}\",\"proof\":{{\"x509\":{{\
             \"issuer\":\"/CN=CA\",\"serial\":\"01\",\"form\":\"full-proxy\"}}}},\"not_after\":1,\
             \"fqans\":[{fqans}]}},\"notes\":[],\"certificates\":[]}}}}"
        )
    }

    #[test]
    fn nonsense_is_never_a_pass() {
        let unknown_code = "glexec-verdict 3\n{\"refused\":{\"code\":\"no.such\",\"sentence\":\"x\",\"detail\":null}}";
        let good = answered("/CN=Alice", "");
        let bare = good.strip_prefix("glexec-verdict 3\n").unwrap();
        let long = format!("glexec-verdict 3{}\n{bare}", " ".repeat(20));
        let nothing = "glexec-verdict 3\n{\"answered\":{}}";
        let nonsense = ["", "{}", "glexec-verdict 3\n", "glexec-verdict \n{}", "glexec-verdict x\n{}", "\u{0}"];
        for nonsense in nonsense.into_iter().chain([unknown_code, bare, &long, nothing]) {
            assert_eq!(reason(nonsense), Reason::VerifierFailed, "{nonsense}");
        }
    }

    #[test]
    fn a_verdict_of_another_version_is_refused_by_name_whatever_it_says() {
        let of_another = answered("/CN=Alice", "").replacen(" 3\n", " 4\n", 1);
        assert_eq!(reason(&of_another), Reason::VerifierVersion);
        assert_eq!(reason("glexec-verdict 0\n"), Reason::VerifierVersion);
    }

    #[test]
    fn identities_of_the_wrong_form_are_nonsense() {
        assert!(judged(answered("/CN=Alice", r#""/vo/Role=NULL/Capability=NULL""#).as_bytes()).is_ok());
        let two_vos = r#""/vo/Role=NULL/Capability=NULL","/other/Role=NULL/Capability=NULL""#;
        let table = [("CN=Alice", ""), ("/CN=A\\nB", ""), ("/CN=Alice", "\"/vo/\""), ("/CN=Alice", two_vos)];
        for (subject, fqans) in table {
            assert_eq!(reason(&answered(subject, fqans)), Reason::VerifierFailed, "{subject} {fqans}");
        }
    }

    #[test]
    fn the_form_of_a_tokens_identity_is_this_one() {
        let digest = "a".repeat(64);
        let text = format!(
            "glexec-verdict 3\n{{\"answered\":{{\"identity\":{{\"subject\":\"/iss=https://vo/sub=a\",\"proof\":{{\"token\":{{\
             \"vo\":\"vo\",\"jti\":null,\"kid\":\"k\",\"scope\":\"compute.create\",\"sha256\":\"{digest}\",\
             \"name_sha256\":\"{digest}\"}}}},\"not_after\":1,\"fqans\":[\"/vo\"]}},\"notes\":[],\"certificates\":[]}}}}"
        );
        let read = judged(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(encode(Ok(read))).unwrap(), text);
        for (from, to) in [
            ("/iss=https://vo/sub=a", "/CN=a"),
            ("\"vo\":\"vo\"", "\"vo\":\"other\""),
            ("\"vo\":\"vo\"", "\"vo\":null"),
            (digest.as_str(), "../x"),
            ("\"kid\":\"k\"", &format!("\"kid\":\"{}\"", "k".repeat(300))),
            ("\"jti\":null", "\"jti\":\"a b\""),
        ] {
            assert_eq!(reason(&text.replacen(from, to, 1)), Reason::VerifierFailed, "{from} {to}");
        }
    }

    #[test]
    fn a_refusal_crosses_the_boundary_unchanged() {
        let refusal = Refusal::new(Reason::CredentialExpired, "the proxy expired").detail("position 0");
        assert_eq!(judged(&encode::<Judged>(Err(refusal.clone()))).unwrap_err(), refusal);
    }

    /// Where this fails, the form has changed: another VERSION, and this text anew.
    #[test]
    fn the_form_of_this_version_is_this_one() {
        let text = answered("/CN=Alice", r#""/vo/Role=NULL/Capability=NULL""#);
        let read = judged(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(encode(Ok(read))).unwrap(), text);
    }
}
