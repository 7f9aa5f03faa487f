//! What is asked and answered: JSON over HTTP/1.1 over mutual TLS. docs/site-service.md describes it.

use crate::certificates::Chain;
use glexec_core::account::is_name;
use glexec_core::identity::Dn;
use glexec_core::reason::{Reason, Retry};
use serde::{Deserialize, Serialize};

/// Where mappings are asked for, with POST.
pub const MAP: &str = "/v1/map";
/// The version of the form.
pub const VERSION: u32 = 1;
/// Longest question in bytes: two chains of 100 KiB certificates in base64 stay below.
pub const MAX_QUESTION: usize = 1024 * 1024;
/// Longest answer in bytes: a list of bans.
pub const MAX_ANSWER: usize = crate::bans::MAX_LIST;
/// Most supplementary groups of an answer.
const MAX_GROUPS: usize = 100;
/// Longest name of a lease in bytes, NAME_MAX.
const MAX_LEASE: usize = 255;
/// Longest sentence in bytes.
const MAX_SENTENCE: usize = 4096;

/// Whether a lease may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It may.
    GetAccount,
    /// The account must be the user's already.
    VerifyAccount,
}

/// Who may run here, and as whom?
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// [`VERSION`].
    pub version: u32,
    /// The user's certificates, with the VOMS attributes inside.
    pub user: Chain,
    /// The pilot's, where it has a proxy of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot: Option<Chain>,
    /// Whether a lease may be made.
    pub mode: Mode,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Yes, and as whom.
    Permit(Permit),
    /// No.
    Deny(Denial),
}

/// Which groups of the account itself the payload gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnGroups {
    /// None as supplementary groups.
    None,
    /// Its primary group.
    Primary,
    /// All.
    All,
}

/// As whom, by name: what the names stand for is the node's to look up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// The subject of the user that was judged.
    pub subject: Dn,
    /// Its issuer.
    pub issuer: Dn,
    /// The account.
    pub account: String,
    /// The primary group; without one it is the account's own.
    pub group: Option<String>,
    /// Supplementary groups.
    pub groups: Vec<String>,
    /// Supplementary groups that are the account's own.
    pub own_groups: OwnGroups,
    /// The name of the lease, where it is a pool account.
    pub lease: Option<String>,
    /// When the credential ends, in seconds since 1970 UTC.
    pub not_after: i64,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// The code of the catalogue.
    pub code: String,
    /// Whether the same question may be answered otherwise later.
    pub transient: bool,
    /// What is wrong, in a sentence.
    pub sentence: String,
}

impl Question {
    /// Reads a question.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let question: Question = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match question.version {
            VERSION => Ok(question),
            other => Err(format!("version {other} of the question is not known here")),
        }
    }
}

impl Answer {
    /// Reads an answer to a question: nothing in it is taken that has not the form of a name.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match &answer {
            Answer::Permit(permit) => permit.check()?,
            Answer::Deny(denial) => denial.check()?,
        }
        Ok(answer)
    }
}

impl Permit {
    fn check(&self) -> Result<(), String> {
        let names = std::iter::once(&self.account).chain(&self.group).chain(&self.groups);
        if let Some(bad) = names.into_iter().find(|name| !is_name(name)) {
            return Err(format!("{bad:?} is not the name of an account or a group"));
        }
        if self.groups.len() > MAX_GROUPS {
            return Err("too many groups".to_owned());
        }
        let is_lease =
            |name: &String| name.len() <= MAX_LEASE && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
        match self.lease.as_ref().is_none_or(is_lease) {
            true => Ok(()),
            false => Err("the lease has no such name".to_owned()),
        }
    }
}

impl Denial {
    fn check(&self) -> Result<(), String> {
        let reason = Reason::from_code(&self.code).ok_or_else(|| "an unknown reason".to_owned())?;
        if self.sentence.len() > MAX_SENTENCE || self.sentence.chars().any(char::is_control) {
            return Err("a sentence that is too long, or no text".to_owned());
        }
        match self.transient == (reason.retry() == Retry::MayHelp) {
            true => Ok(()),
            false => Err("a reason that says otherwise whether trying again can help".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"permit":{"subject":"/CN=Alice","issuer":"/CN=CA","account":"p01","group":null,"groups":["vo"],
        "own_groups":"none","lease":"%2fcn%3dalice","not_after":1}}"#;

    #[test]
    fn names_that_are_none_are_not_taken() {
        assert!(Answer::read(GOOD.as_bytes()).is_ok());
        for (good, bad) in [
            ("\"p01\"", "\"0\""),
            ("\"p01\"", "\"\""),
            ("\"p01\"", "\"../x\""),
            ("\"p01\"", "1001"),
            ("\"vo\"", "\"-1\""),
            ("\"group\":null", "\"group\":\"+\""),
            ("%2fcn", "/fcn"),
            ("%2fcn", "\\n"),
            ("/CN=Alice", "Alice"),
            ("\"not_after\":1", "\"not_after\":1,\"uid\":0"),
            ("permit", "allow"),
        ] {
            assert!(Answer::read(GOOD.replace(good, bad).as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_denial_says_what_the_catalogue_says() {
        let deny = |code: &str, transient: bool, sentence: &str| {
            let text = format!(r#"{{"deny":{{"code":"{code}","transient":{transient},"sentence":"{sentence}"}}}}"#);
            Answer::read(text.as_bytes())
        };
        assert!(deny("lcas.userban", false, "no").is_ok());
        assert!(deny("lcmaps.pool-exhausted", true, "no").is_ok());
        assert!(deny("lcas.userban", true, "no").is_err());
        assert!(deny("no.such", false, "no").is_err());
        assert!(deny("lcas.userban", false, "\\n").is_err());
    }

    #[test]
    fn a_question_of_another_version_is_not_guessed_at() {
        let question = r#"{"version":1,"user":["AAAA"],"mode":"get_account"}"#;
        assert!(Question::read(question.as_bytes()).is_ok());
        assert!(Question::read(question.replace("n\":1", "n\":2").as_bytes()).is_err());
        assert!(Question::read(question.replace("\"mode\"", "\"more\":1,\"mode\"").as_bytes()).is_err());
    }
}
