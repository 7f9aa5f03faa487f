//! What mapping gives.

use glexec_core::account::{TargetGid, TargetUid};
use std::path::PathBuf;

/// Who the payload will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: TargetUid,
    /// Primary group.
    pub gid: TargetGid,
    /// Supplementary groups, each once.
    pub groups: Vec<TargetGid>,
    pub home: PathBuf,
    pub shell: PathBuf,
    /// The lease of a pool account.
    pub lease: Option<String>,
}
