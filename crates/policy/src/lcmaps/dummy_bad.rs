//! `dummy_bad`: fails.

use super::context::no_mapping;
use glexec_core::reason::Outcome;

/// Fails for everybody.
pub(super) fn run() -> Outcome<()> {
    Err(no_mapping().detail("a plug-in of type dummy_bad"))
}
