//! Becoming a program: the last step of a process. It returns only on failure.
//!
//! Every signal gets its default disposition first.

use crate::start::default_signals;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::unistd::{execve, execveat};
use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

/// Replaces the process by the command at a path.
pub fn execute(path: &CStr, arguments: &[CString], environment: &[CString]) -> Errno {
    default_signals();
    match execve(path, arguments, environment) {
        Err(errno) => errno,
        Ok(never) => match never {},
    }
}

/// Replaces the process by an open program, without any environment: what was looked at is what is executed.
pub fn execute_open(program: BorrowedFd<'_>, arguments: &[CString]) -> Errno {
    default_signals();
    let environment: &[&CStr] = &[];
    match execveat(program, c"", arguments, environment, AtFlags::AT_EMPTY_PATH) {
        Err(errno) => errno,
        Ok(never) => match never {},
    }
}
