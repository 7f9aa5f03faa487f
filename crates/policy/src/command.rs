//! Which files a command may mean.

use glexec_config::values::SearchPath;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The files that a command may mean, in the order in which they are tried.
pub fn candidates(command: &OsStr, path: &SearchPath, cwd: Option<&Path>) -> Vec<PathBuf> {
    if command.is_empty() {
        Vec::new()
    } else if !command.as_bytes().contains(&b'/') {
        path.directories().map(|dir| dir.join(command)).collect()
    } else if command.as_bytes().starts_with(b"/") {
        vec![command.into()]
    } else {
        cwd.into_iter().map(|cwd| cwd.join(command)).collect()
    }
}
