//! Directories that belong to one account and are closed to all others.

use crate::dir::{Directory, FileError, kind};
use crate::mount::Owner;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat, stat};
use nix::unistd::{AccessFlags, Gid, Uid, faccessat, fchownat, getegid, geteuid};
use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// Held, not opened: that needs no permission on the directory itself.
const HOLD: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Whether it is a directory of this owner's that nobody else may enter.
fn is_private(stat: &FileStat, owner: Owner) -> bool {
    let closed = !Mode::from_bits_truncate(stat.st_mode).intersects(Mode::S_IRWXG | Mode::S_IRWXO);
    let owned = stat.st_uid == owner.uid.as_raw() && stat.st_gid == owner.gid.as_raw();
    kind(stat) == SFlag::S_IFDIR && closed && owned
}

fn make(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    match mkdirat(parent, name, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => openat(parent, name, HOLD, Mode::empty()),
        Err(errno) => Err(errno),
    }
}

/// A directory of the effective user and group's own, made where it is missing. `EPERM` where what is there is somebody
/// else's or open to others.
pub fn own(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let directory = make(parent, name)?;
    let owner = Owner { uid: geteuid(), gid: getegid() };
    if is_private(&fstat(&directory)?, owner) { Ok(directory) } else { Err(Errno::EPERM) }
}

/// The same below a directory owned by root for somebody else, to whom it is given. Needs CAP_CHOWN.
pub fn given(parent: BorrowedFd<'_>, name: &OsStr, owner: Owner) -> Result<OwnedFd, Errno> {
    let directory = make(parent, name)?;
    let found = fstat(&directory)?;
    // Made just now, or by a call that ended before it could give it. The group is the process's.
    if is_private(&found, Owner { uid: Uid::from_raw(0), gid: Gid::from_raw(found.st_gid) }) {
        fchownat(&directory, "", Some(owner.uid), Some(owner.gid), AtFlags::AT_EMPTY_PATH)?;
    }
    if is_private(&fstat(&directory)?, owner) { Ok(directory) } else { Err(Errno::EPERM) }
}

/// Where private directories are kept: root's, to be gone through by all and listed by nobody else; made where it is
/// missing, and the directory above.
pub fn store(path: &Path) -> Result<Directory, FileError> {
    if let Some(above) = path.parent() {
        Directory::open_passage(above)?;
    }
    Directory::open_passage(path)
}

/// Whether the effective identity may make files in a directory and look them up.
pub fn is_usable(directory: &Path) -> bool {
    faccessat(nix::fcntl::AT_FDCWD, directory, AccessFlags::W_OK | AccessFlags::X_OK, AtFlags::AT_EACCESS).is_ok()
}

/// Whether everybody may.
pub fn is_common(directory: &Path) -> bool {
    let everybody = Mode::S_IWOTH | Mode::S_IXOTH;
    stat(directory).is_ok_and(|stat| Mode::from_bits_truncate(stat.st_mode).contains(everybody))
}
