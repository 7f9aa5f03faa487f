//! What a policy may know of a call besides whom the credentials stand for, as owned data.

use glexec_config::values::SearchPath;
use std::ffi::OsString;
use std::path::PathBuf;

/// What a decision is wanted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// A call: whoever is permitted runs.
    #[default]
    Call,
    /// An explanation: nobody runs, and nothing may change.
    Explanation,
}

/// The circumstances of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The caller's account.
    pub caller: String,
    /// The caller's user id.
    pub caller_uid: u32,
    /// The caller's group id.
    pub caller_gid: u32,
    /// The caller's supplementary groups, as its process has them.
    pub caller_groups: Vec<u32>,
    /// The command as the caller wrote it; none where only the target proxy is renewed.
    pub command: Option<OsString>,
    /// The caller's working directory, where a relative command is looked for.
    pub cwd: Option<PathBuf>,
    /// Where a command without `/` is looked for.
    pub path: SearchPath,
    /// Seconds since 1970 UTC.
    pub now: i64,
    /// What the decision is wanted for.
    pub purpose: Purpose,
}
