//! Whether a file can be executed with the effective identity of the process.

use nix::fcntl::AtFlags;
use nix::unistd::{AccessFlags, faccessat};
use std::path::Path;

/// What the effective identity can do with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executable {
    /// Execute it.
    Yes,
    /// It is there, but no regular file or not executable.
    Forbidden,
    /// Nothing is there, or the way to it is barred.
    Missing,
}

/// Looks at a path, symbolic links followed.
pub fn executable(path: &Path) -> Executable {
    match std::fs::metadata(path) {
        Err(_) => Executable::Missing,
        Ok(status) if !status.is_file() => Executable::Forbidden,
        Ok(_) => match faccessat(nix::fcntl::AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS) {
            Ok(()) => Executable::Yes,
            Err(_) => Executable::Forbidden,
        },
    }
}
