//! What authorization plug-ins work with, and what they say of files.

use crate::circumstances::Circumstances;
use crate::files::Files;
use crate::programs::Programs;
use crate::site::Site;
use crate::trail::Seen;
use glexec_config::lcas::Plan;
use glexec_core::file_error::FileError;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;

/// What a plug-in works with.
pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan,
    pub(super) files: &'a dyn Files,
    pub(super) call: &'a Circumstances,
    pub(super) programs: &'a dyn Programs,
    pub(super) site: &'a dyn Site,
    pub(super) seen: Vec<Seen>,
}

impl Context<'_> {
    /// Reads a file that only root can have written.
    pub(super) fn read(&self, path: &AbsolutePath) -> Outcome<Vec<u8>> {
        self.files.read(path).map_err(|error| file_refusal(&error))
    }
}

/// Turns what is wrong with a site's file into a refusal.
pub(super) fn file_refusal(error: &FileError) -> Refusal {
    let reason = match error {
        FileError::Insecure { .. } => Reason::LcasFileInsecure,
        FileError::Missing(_) | FileError::Unreadable { .. } | FileError::Unusable { .. } => Reason::LcasFileMissing,
    };
    Refusal::new(reason, UNUSABLE).detail(error.to_string())
}

const UNUSABLE: &str = "a file of the site's authorization cannot be used";

/// The refusal for a file that cannot be understood where it must be.
pub(super) fn malformed(path: &AbsolutePath, why: &str) -> Refusal {
    Refusal::new(Reason::LcasFileMalformed, UNUSABLE).detail(format!("{}: {why}", path.as_path().display()))
}
