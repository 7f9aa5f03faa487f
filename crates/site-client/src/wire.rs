//! What is asked and answered: JSON over HTTP/1.1 over mutual TLS. docs/use/site-service.md describes it.

use crate::certificates::Chain;
pub use glexec_core::site::{Answer, Denial, Mode, OwnGroups, Permit};
use serde::{Deserialize, Serialize};

/// Where mappings are asked for, with POST.
pub const MAP: &str = "/v1/map";
/// The version of the form.
pub const VERSION: u32 = 1;
/// Longest question in bytes: two chains of 100 KiB certificates in base64 stay below.
pub const MAX_QUESTION: usize = 1024 * 1024;
/// Longest answer in bytes: a list of bans.
pub const MAX_ANSWER: usize = crate::bans::MAX_LIST;

/// Who may run here, and as whom?
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub version: u32,
    /// The user's certificates, with the VOMS attributes inside.
    pub user: Chain,
    /// The pilot's, where it has a proxy of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot: Option<Chain>,
    /// Whether a lease may be made.
    pub mode: Mode,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_of_another_version_is_not_guessed_at() {
        let question = r#"{"version":1,"user":["AAAA"],"mode":"get_account"}"#;
        assert!(Question::read(question.as_bytes()).is_ok());
        assert!(Question::read(question.replace("n\":1", "n\":2").as_bytes()).is_err());
        assert!(Question::read(question.replace("\"mode\"", "\"more\":1,\"mode\"").as_bytes()).is_err());
    }
}
