//! Letting go of descriptors.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use std::os::fd::{AsRawFd, RawFd};

/// Puts /dev/null on descriptors 0 to 2, so that nothing of the caller's is held.
pub fn release_standard() -> Result<(), Errno> {
    let null = nix::fcntl::open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    for fd in 0..=2 {
        // SAFETY: dup2 onto 0, 1 or 2, which no object of this process owns.
        Errno::result(unsafe { libc::dup2(null.as_raw_fd(), fd) })?;
    }
    Ok(())
}

/// Closes every descriptor from 3 on but those to keep, close_range(2).
///
/// Whatever owns one of the others must never be used or dropped again: to be called before anything is opened, or in a
/// child that ends by `_exit` or execve(2).
pub fn close_all_but(keep: &[RawFd]) -> Result<(), Errno> {
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|fd| *fd >= 3).collect();
    keep.sort_unstable();
    let mut next: RawFd = 3;
    for fd in keep {
        close_range(next, fd.saturating_sub(1))?;
        next = fd.saturating_add(1);
    }
    close_range(next, RawFd::MAX)
}

fn close_range(first: RawFd, last: RawFd) -> Result<(), Errno> {
    if first > last {
        return Ok(());
    }
    // SAFETY: the callers see to it that nobody uses these numbers any more.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}
