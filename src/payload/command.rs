//! Finding the command, with the eyes of the account that will run it.

#![forbid(unsafe_code)]

use crate::audit::escape::in_sentence;
use crate::config::values::SearchPath;
use crate::reason::{Outcome, Reason, Refusal};
use crate::sys::lookup::{self, Executable};
use glexec_policy::command::candidates;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Finds the file to execute: a name without `/` in the payload's PATH, a relative path below the caller's working
/// directory. To be called while acting as the target; symbolic links are followed.
pub fn find(
    command: &OsStr,
    path: &SearchPath,
    cwd: Option<&Path>,
    allowed: impl Fn(&Path) -> bool,
) -> Outcome<PathBuf> {
    let shown = in_sentence(command);
    let not_found =
        || Refusal::new(Reason::CommandNotFound, format!("{shown}: the target account finds no such command"));
    let forbidden =
        || Refusal::new(Reason::CommandNotExecutable, format!("{shown}: the target account may not execute it"));
    let mut outcome = Err(not_found());
    for candidate in candidates(command, path, cwd).into_iter().filter(|path| allowed(path)) {
        match lookup::executable(&candidate) {
            Executable::Yes => return Ok(candidate),
            Executable::Forbidden => outcome = Err(forbidden()),
            Executable::Missing => {}
        }
    }
    outcome
}
