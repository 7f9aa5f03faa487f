//! What an agent tells of itself to who looks after it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentState {
    /// The version of the program.
    pub version: String,
    /// When it last went through the CA directory, in seconds since 1970 UTC; `None` before the first time.
    pub learned: Option<i64>,
    /// How many certificates of CAs it knows.
    pub certificates: usize,
    /// How many verified CRLs it knows.
    pub crls: usize,
    /// How much it keeps, in bytes.
    pub bytes: usize,
}
