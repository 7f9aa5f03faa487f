//! `dummy_bad`: fails.

#![forbid(unsafe_code)]

use super::no_mapping;
use crate::reason::Outcome;

/// Fails for everybody.
pub(super) fn run() -> Outcome<()> {
    Err(no_mapping().detail("a plug-in of type dummy_bad"))
}
