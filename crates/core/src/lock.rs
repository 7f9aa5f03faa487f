//! How files are locked.

use serde::Deserialize;

/// How proxy files are locked; a lock is released when the file is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// flock(2).
    Flock,
    /// fcntl(2) record locks, which also work over NFS.
    Fcntl,
    /// No locks.
    Disabled,
}
