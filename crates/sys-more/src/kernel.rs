//! What the running kernel can do.

use nix::errno::Errno;
use std::os::fd::{FromRawFd, OwnedFd};

/// The version of Landlock (landlock_create_ruleset(2)); `None` where it is not there or switched off.
pub fn landlock() -> Option<i64> {
    const VERSION: libc::c_ulong = 1;
    // SAFETY: with this flag the kernel reads no memory and makes no descriptor.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    Errno::result(version).ok().filter(|version| *version > 0)
}

/// Whether filters of system calls can be set (seccomp(2)).
pub fn seccomp() -> bool {
    // SAFETY: PR_GET_SECCOMP reads nothing.
    Errno::result(unsafe { libc::prctl(libc::PR_GET_SECCOMP) }).is_ok()
}

/// Whether processes can be held by a descriptor (pidfd_open(2)).
pub fn pidfd() -> bool {
    // SAFETY: two numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) };
    let Some(fd) = Errno::result(fd).ok().and_then(|fd| i32::try_from(fd).ok()) else { return false };
    // SAFETY: the descriptor was made just now, and nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    true
}
