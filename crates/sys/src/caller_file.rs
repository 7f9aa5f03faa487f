//! A file that the caller names: opened once, as the caller, judged on that descriptor, read to its end.

use crate::errno_of;
use crate::lock::{self, Mechanism, Purpose};
use crate::place::Place;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Largest credential file in bytes: 20 certificates with large attribute certificates stay below 100 KiB.
pub const MAX_BYTES: usize = 256 * 1024;

/// Why a credential file is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// open(2) or read(2) failed.
    Unreadable(Errno),
    /// A directory, device, FIFO, socket.
    NotRegular,
    /// The owner's user id.
    Owner(u32),
    /// The permission bits.
    Permissions(u32),
    /// More bytes than it may have.
    TooLarge,
    /// Somebody keeps it locked.
    Locked,
}

/// Group, others, setuid, setgid, sticky (historically "at most 0700").
const FORBIDDEN: u32 = 0o7077;

/// Reads a credential file of at most `max` bytes. To be called while acting as its owner, `owner`; relative paths are
/// resolved against the working directory.
pub fn read(path: &Path, owner: Uid, mechanism: Mechanism, max: usize) -> Result<Zeroizing<Vec<u8>>, Refused> {
    read_without(FORBIDDEN, &Place::ordinary(path), owner, mechanism, max)
}

/// The same where nobody is asked to trust the file: its mode is its owner's business.
pub fn read_of_any_mode(
    place: &Place<'_>,
    owner: Uid,
    mechanism: Mechanism,
    max: usize,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    read_without(0, place, owner, mechanism, max)
}

fn read_without(
    forbidden: u32,
    place: &Place<'_>,
    owner: Uid,
    mechanism: Mechanism,
    max: usize,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let unreadable = |error: std::io::Error| Refused::Unreadable(errno_of(&error));
    // Neither a FIFO without a writer nor a terminal may hold us up or become ours.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut file = File::from(place.open(flags).map_err(Refused::Unreadable)?);
    let status = file.metadata().map_err(unreadable)?;
    if !status.is_file() {
        return Err(Refused::NotRegular);
    }
    if status.uid() != owner.as_raw() {
        return Err(Refused::Owner(status.uid()));
    }
    if status.mode() & forbidden != 0 {
        return Err(Refused::Permissions(status.mode() & 0o7777));
    }
    lock::acquire(&file, mechanism, Purpose::Read).map_err(|errno| match errno {
        Errno::EAGAIN => Refused::Locked,
        errno => Refused::Unreadable(errno),
    })?;
    // One allocation, so that no copy of the key stays behind in freed memory: a file that grows meanwhile ends there.
    // Whoever held the lock may have written it: the size counts that it has now.
    let size = file.metadata().map_err(unreadable)?.len();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > max {
        return Err(Refused::TooLarge);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    (&mut file).take(size as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
