//! What the site's mapping service answers, and the form in which glexec asks the node's part of it.
//!
//! # The form on the node
//!
//! Over the socket beside the agent's: JSON, an [`Asked`], to the end; then JSON, a [`Reply`], to the end. VERSION grows with
//! every change of either. A question has certificates and never a key; an answer has names, which glexec looks up itself.

use crate::account::is_name;
use crate::identity::{Dn, Identity};
use crate::reason::{Reason, Retry};
use serde::{Deserialize, Serialize};

/// The version of the form on the node.
pub const VERSION: u32 = 1;
/// What the path of the socket has after that of the agent's.
pub const SOCKET_SUFFIX: &str = ".site";
/// Longest question on the node in bytes: two chains, each as long as a credential file may be.
pub const MAX_ASKED: usize = 1024 * 1024;
/// Longest reply on the node in bytes.
pub const MAX_REPLY: usize = 128 * 1024;
/// Most supplementary groups of an answer.
const MAX_GROUPS: usize = 100;
/// Longest name of a lease in bytes, NAME_MAX.
const MAX_LEASE: usize = 255;
/// Longest sentence in bytes.
const MAX_SENTENCE: usize = 4096;

/// Somebody whose credential was judged on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub identity: Identity,
    /// The certificates of the credential, leaf first, each as base64 of its DER.
    pub certificates: Vec<String>,
}

/// What glexec asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub version: u32,
    pub user: Person,
    /// The pilot, where it was judged.
    pub pilot: Option<Person>,
    /// Whether a lease may be made.
    pub mode: Mode,
}

/// What glexec hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Reply {
    /// What the service has answered.
    Answered(Answer),
    /// Nobody could be asked, and nothing is known from before.
    Unavailable(String),
}

impl Asked {
    /// Reads a question.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let asked: Asked = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match asked.version {
            VERSION => Ok(asked),
            other => Err(format!("version {other} of the question is not known here")),
        }
    }
}

impl Reply {
    /// Reads a reply: nothing in it is taken that has not the form of a name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let reply: Reply = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if let Reply::Answered(answer) = &reply {
            answer.check()?;
        }
        Ok(reply)
    }
}

/// Whether a lease may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It may.
    GetAccount,
    /// The account must be the user's already.
    VerifyAccount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Yes, and as whom.
    Permit(Permit),
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
    All,
}

/// As whom, by name: what the names stand for is the node's to look up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// The subject of the user that was judged.
    pub subject: Dn,
    pub issuer: Dn,
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

/// Whether this is the name of a lease: of a file in a gridmapdir.
pub fn is_lease(name: &str) -> bool {
    (1..=MAX_LEASE).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
}

impl Answer {
    /// Reads an answer to a question: nothing in it is taken that has not the form of a name.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        answer.check()?;
        Ok(answer)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Answer::Permit(permit) => permit.check(),
            Answer::Deny(denial) => denial.check(),
        }
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
        match self.lease.as_deref().is_none_or(is_lease) {
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
            ("%2fcn%3dalice", ""),
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
}
