//! What a program of ours was given when it was started.

use nix::sys::stat::{SFlag, fstat};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The directories on descriptors from 3 on, as many as there may be; `None` where a descriptor is closed or something else.
///
/// Must be called once, before anything is opened.
pub fn directories(most: usize) -> Vec<Option<OwnedFd>> {
    let given = |number: RawFd| {
        // SAFETY: nobody else in this process owns the number; where it is not open fstat(2) fails and nothing is done.
        let stat = fstat(unsafe { BorrowedFd::borrow_raw(number) });
        let is_directory =
            stat.is_ok_and(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR);
        // SAFETY: the descriptor is open, and nobody else in this process owns it.
        is_directory.then(|| unsafe { OwnedFd::from_raw_fd(number) })
    };
    (3..).take(most).map(given).collect()
}
