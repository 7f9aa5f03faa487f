//! The verifier: a forked, confined process that judges credentials and answers one bounded verdict.

use crate::credential_files::RawCredentials;
use crate::invocation::caller::Caller;
use crate::service::ServiceAccount;
use glexec_config::Config;
use glexec_config::white_list;
use glexec_core::file_error::FileError;
use glexec_core::identity::{Identity, MAX_FQANS};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::dir::{Directory, Writers};
use glexec_sys::identity::Actor;
use glexec_sys::process::{self, Confinement};
use glexec_verify::{Answer, KeyRule, Question, Trust, judge};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Longest verdict in bytes: two identities with all the FQANs that they may have.
const MAX_VERDICT: usize = 192 * 1024;
/// Longest sentence and detail of a refusal, and longest note, in bytes.
const MAX_TEXT: usize = 4096;
/// Most notes.
const MAX_NOTES: usize = 32;

/// Who the credentials stand for, judged by the verifier and checked for shape on this side.
#[derive(Debug)]
pub struct VerifiedIdentity {
    /// The user.
    pub user: Identity,
    /// The pilot, where its proxy was judged.
    pub pilot: Option<Identity>,
    /// For the log.
    pub notes: Vec<String>,
}

/// What crosses the process boundary.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Verdict {
    Trusted(Answer),
    Refused { code: String, sentence: String, detail: Option<String> },
}

/// Has the credentials judged by a confined process of the service user.
pub fn verify(
    raw: &RawCredentials,
    service: &ServiceAccount,
    caller: &Caller,
    config: &Config,
    now: i64,
) -> Outcome<VerifiedIdentity> {
    let trust = open_trust(config)?;
    let question = question(raw, caller, config);
    let work = || encode(judge(&question, &config.credentials, &trust, now));
    decode(&confined(&service.actor(), config, &trust, MAX_VERDICT, work)?)
}

/// What `work` answers in a process that is confined as the one that judges credentials.
pub fn confined(
    actor: &Actor,
    config: &Config,
    trust: &Trust,
    max_answer: usize,
    work: impl FnOnce() -> Vec<u8>,
) -> Outcome<Vec<u8>> {
    let linked = config.credentials.linked_directories.paths().iter().map(|path| open_trusted(path.as_path()));
    let linked = linked.collect::<Result<Vec<_>, _>>().map_err(|error| unusable(&error))?;
    let mut readable = vec![trust.cas.as_fd()];
    readable.extend(trust.voms.as_ref().map(Directory::as_fd));
    readable.extend(linked.iter().map(Directory::as_fd));
    let how = Confinement { actor, readable: &readable, deadline: process::DEADLINE, max_answer };
    process::ask_confined(&how, work).map_err(|why| failed(&why.to_string()))
}

/// Judges the credentials in this process: for programs without privilege only.
pub fn verify_here(raw: &RawCredentials, caller: &Caller, config: &Config, now: i64) -> Outcome<VerifiedIdentity> {
    let trust = open_trust(config)?;
    decode(&encode(judge(&question(raw, caller, config), &config.credentials, &trust, now)))
}

fn question<'a>(raw: &'a RawCredentials, caller: &Caller, config: &Config) -> Question<'a> {
    let may_omit = white_list::contains(&config.glexec.omission_private_key_white_list, &caller.name, &caller.groups);
    Question {
        user: raw.client.bytes(),
        source: raw.source.as_ref().map(|source| source.bytes()),
        pilot: raw.pilot.as_ref().map(|pilot| pilot.bytes()),
        key: if may_omit { KeyRule::MayBeAbsent } else { KeyRule::Required },
    }
}

fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::VerifierFailed, "the verification of the credentials did not work").detail(why)
}

fn open_trusted(path: &Path) -> Result<Directory, FileError> {
    Directory::open_trusted(path, Writers::RootOnly)
}

fn unusable(error: &FileError) -> Refusal {
    let reason = match error {
        FileError::Insecure { .. } => Reason::TrustInsecure,
        _ => Reason::TrustUnreadable,
    };
    Refusal::new(reason, "the site's trust directories cannot be used").detail(error.to_string())
}

/// Opens the site's trust directories.
pub fn open_trust(config: &Config) -> Outcome<Trust> {
    let cas = open_trusted(config.credentials.certdir.as_path()).map_err(|error| unusable(&error))?;
    let voms = match open_trusted(config.credentials.vomsdir.as_path()) {
        Err(FileError::Missing(_)) => None,
        voms => Some(voms.map_err(|error| unusable(&error))?),
    };
    // Attributes may be meant for certain hosts only.
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    Ok(Trust { cas, voms, host })
}

fn encode(judgement: Outcome<Answer>) -> Vec<u8> {
    let verdict = match judgement {
        Ok(answer) => Verdict::Trusted(answer),
        Err(refusal) => Verdict::Refused {
            code: refusal.reason().code().into(),
            sentence: shortened(refusal.sentence()),
            detail: refusal.only_for_log().map(shortened),
        },
    };
    // An empty answer is not a verdict: the privileged side refuses it.
    serde_json::to_vec(&verdict).unwrap_or_default()
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT / 4).collect()
}

/// Reads a verdict: the only parser of the verifier's bytes on the privileged side. Nothing in it is used as a number,
/// a path or an index; names and FQANs check their own form.
pub fn decode(bytes: &[u8]) -> Outcome<VerifiedIdentity> {
    let verdict: Verdict = serde_json::from_slice(bytes).map_err(|error| failed(&format!("no verdict: {error}")))?;
    match verdict {
        Verdict::Refused { code, sentence, detail } => {
            let reason = Reason::from_code(&code).ok_or_else(|| failed("an unknown reason"))?;
            let texts = [Some(&sentence), detail.as_ref()];
            if texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
                return Err(failed("a reason that is too long"));
            }
            let refusal = Refusal::new(reason, sentence);
            Err(match detail {
                Some(detail) => refusal.detail(detail),
                None => refusal,
            })
        }
        Verdict::Trusted(Answer { user, pilot, notes }) => {
            if !has_shape(&user) || !pilot.as_ref().is_none_or(has_shape) {
                return Err(failed("an identity with FQANs of several VOs, or too many"));
            }
            if notes.len() > MAX_NOTES || notes.iter().any(|note| note.len() > MAX_TEXT) {
                return Err(failed("too many notes"));
            }
            Ok(VerifiedIdentity { user, pilot, notes })
        }
    }
}

fn has_shape(identity: &Identity) -> bool {
    identity.fqans.len() <= MAX_FQANS && identity.fqans.iter().all(|fqan| Some(fqan.vo()) == identity.vo())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &str) -> Reason {
        decode(bytes.as_bytes()).unwrap_err().reason()
    }

    fn trusted(subject: &str, fqans: &str) -> String {
        format!(
            r#"{{"trusted":{{"user":{{"subject":"{subject}","issuer":"/CN=CA","serial":"01","form":"full-proxy",
            "not_after":1,"fqans":[{fqans}]}},"pilot":null,"notes":[]}}}}"#
        )
    }

    #[test]
    fn nonsense_is_never_a_pass() {
        let unknown_code = r#"{"refused":{"code":"no.such","sentence":"x","detail":null}}"#;
        for nonsense in ["", "{}", "null", "[]", "{\"trusted\":{}}", "\u{0}", unknown_code] {
            assert_eq!(reason(nonsense), Reason::VerifierFailed, "{nonsense}");
        }
    }

    #[test]
    fn identities_of_the_wrong_form_are_nonsense() {
        assert!(decode(trusted("/CN=Alice", r#""/vo/Role=NULL/Capability=NULL""#).as_bytes()).is_ok());
        let two_vos = r#""/vo/Role=NULL/Capability=NULL","/other/Role=NULL/Capability=NULL""#;
        let table = [("CN=Alice", ""), ("/CN=A\\nB", ""), ("/CN=Alice", "\"/vo/\""), ("/CN=Alice", two_vos)];
        for (subject, fqans) in table {
            assert_eq!(reason(&trusted(subject, fqans)), Reason::VerifierFailed, "{subject} {fqans}");
        }
    }

    #[test]
    fn a_refusal_crosses_the_boundary_unchanged() {
        let refusal = Refusal::new(Reason::CredentialExpired, "the proxy expired").detail("position 0");
        assert_eq!(decode(&encode(Err(refusal.clone()))).unwrap_err(), refusal);
    }
}
