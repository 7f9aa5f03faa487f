//! `[isolation]`: what a payload shares with others.

use serde::Deserialize;

/// When a payload has a /tmp and /var/tmp of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrivateTmp {
    /// It shares those of the caller.
    Never,
    /// Where it could not use the caller's: a batch system gave the job one of its own.
    WhenNeeded,
    /// Whatever there is.
    Always,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Isolation {
    /// Whether callers may use `--sandbox`.
    pub sandbox: bool,
    /// When a payload has a /tmp of its own.
    pub private_tmp: PrivateTmp,
    /// Whether it has System V and POSIX IPC, and a /dev/shm, of its own.
    pub private_ipc: bool,
}

impl Default for Isolation {
    fn default() -> Self {
        Isolation { sandbox: true, private_tmp: PrivateTmp::WhenNeeded, private_ipc: false }
    }
}
