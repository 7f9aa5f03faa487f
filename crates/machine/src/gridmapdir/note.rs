//! What accounts are called whose leases have no record: those that the C library made. Whoever has gone through a large
//! directory for one notes its name for the next calls of this machine. A note is a guess, as the name in a record is:
//! it counts where the file of that name turns out to be the lease's.

use crate::notes::DIRECTORY;
use glexec_sys::dir::{Directory, Writers};
use std::ffi::OsString;
use std::path::Path;

/// From so many entries on, going through a directory costs more than looking for a note.
const LARGE: usize = 200;
/// Longest name of an account in bytes, [`glexec_core::account::is_name`].
const MAX_NAME: u64 = 255;

fn name(inode: u64) -> OsString {
    format!("lease-{inode:x}").into()
}

/// What the account of a lease is called, as a call before this one found it.
pub(super) fn read(inode: u64) -> Option<String> {
    let directory = Directory::open_trusted(Path::new(DIRECTORY), Writers::RootOnly).ok()?;
    String::from_utf8(directory.read(&name(inode), MAX_NAME).ok()?).ok()
}

/// Notes what the account of a lease is called that was found among so many entries.
pub(super) fn write(inode: u64, account: &str, entries: usize) {
    if entries >= LARGE {
        // Where it cannot be noted, the next call looks for it again.
        let _ = Directory::open_private(Path::new(DIRECTORY))
            .map(|directory| directory.put(&name(inode), account.as_bytes()));
    }
}
