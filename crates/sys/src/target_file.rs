//! A file that becomes the target account's: created or replaced atomically while acting as the target.

use crate::dir::kind;
use crate::left_file::LeftFile;
use crate::lock::{self, Mechanism, Purpose};
use crate::place::Place;
use crate::{errno_of, random};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Why the file was not written.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The system does not let the target account write there.
    NotWritable(Errno),
    /// Something is there that is no regular file of the target account.
    Foreign,
    /// Somebody keeps the existing file locked.
    Locked,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Refused::NotWritable(errno)
    }
}

/// A file that was written, with the means to take it back.
#[derive(Debug)]
pub struct Written {
    dir: OwnedFd,
    name: OsString,
    replaced: bool,
}

impl Written {
    /// The file's name, without its directory.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Where it lies, for the process that removes it later; `None` where it replaced another one, or lies where nobody
    /// else gets to.
    pub fn left(&self) -> Option<LeftFile> {
        LeftFile::in_directory(&self.dir, &self.name).filter(|_| !self.replaced)
    }

    /// Device and inode, where it is a new file; to be called while acting as the target.
    pub fn identity(&self) -> Option<(u64, u64)> {
        let stat = fstatat(&self.dir, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW).ok();
        stat.filter(|_| !self.replaced).map(|stat| (stat.st_dev, stat.st_ino))
    }

    /// Removes the file again, unless it replaced another one: that may be in use, and is gone. To be called while
    /// acting as the target.
    pub fn remove(&self) -> Result<(), Errno> {
        if self.replaced {
            return Ok(());
        }
        unlinkat(&self.dir, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir)
    }
}

/// Writes `bytes` to a place, mode 0600, replacing a file of the same owner atomically; never through a symbolic link.
/// To be called while acting as the target.
pub fn replace(place: &Place<'_>, bytes: &[u8], mechanism: Mechanism) -> Result<Written, Refused> {
    let name = file_name(place.path()).ok_or(Refused::NotWritable(Errno::EISDIR))?;
    let dir = open_parent(place)?;
    // Held until the new file is in place.
    let lock = lock_existing(&dir, name, mechanism)?;
    // Nothing of the name itself, which may be as long as names can be.
    let temporary = OsString::from(format!(".glexec.{}", suffix()?));
    create(&dir, &temporary, bytes)?;
    if let Err(errno) = renameat(&dir, temporary.as_os_str(), &dir, name) {
        // Nothing can be done about a temporary file that cannot be removed either; the error is told.
        let _ = unlinkat(&dir, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
        return Err(errno.into());
    }
    Ok(Written { dir, name: name.into(), replaced: lock.is_some() })
}

/// Writes `bytes` to a new file `prefix` + six random characters and returns its name. To be called while acting as
/// the target.
pub fn create_new(prefix: &Place<'_>, bytes: &[u8]) -> Result<Written, Refused> {
    let mut name = prefix.path().file_name().ok_or(Refused::NotWritable(Errno::EISDIR))?.to_os_string();
    name.push(suffix()?);
    let dir = open_parent(prefix)?;
    create(&dir, &name, bytes)?;
    Ok(Written { dir, name, replaced: false })
}

/// The last component, which must be a file's name as it is written: Rust takes `x` for that of `x/` and of `x/.`, but
/// whoever opens these gets no file.
fn file_name(path: &Path) -> Option<&OsStr> {
    let name = path.file_name()?;
    path.as_os_str().as_bytes().ends_with(name.as_bytes()).then_some(name)
}

fn open_parent(place: &Place<'_>) -> Result<OwnedFd, Errno> {
    place.parent().open(OFlag::O_DIRECTORY | OFlag::O_PATH)
}

fn create(dir: &OwnedFd, name: &OsStr, bytes: &[u8]) -> Result<(), Refused> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = openat(dir, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let fill = || {
        // A default ACL of the directory may have widened the mode.
        fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let mut file = File::from(fd);
        file.write_all(bytes).map_err(|error| errno_of(&error))
    };
    fill().map_err(|errno| {
        // As in `replace`: the error is told.
        let _ = unlinkat(dir, name, UnlinkatFlags::NoRemoveDir);
        Refused::NotWritable(errno)
    })
}

/// Locks a file that is there already, when it is a regular file of the target account.
fn lock_existing(dir: &OwnedFd, name: &OsStr, mechanism: Mechanism) -> Result<Option<File>, Refused> {
    let status = match fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => return Ok(None),
        status => status?,
    };
    if kind(&status) != SFlag::S_IFREG || status.st_uid != geteuid().as_raw() {
        return Err(Refused::Foreign);
    }
    let open = |access| {
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        openat(dir, name, flags, Mode::empty()).map(File::from)
    };
    // An exclusive fcntl lock needs write access. Where the file is 0400 a shared one waits for whoever still writes;
    // who only reads keeps the old file, whole.
    let (file, purpose) = match mechanism {
        Mechanism::Fcntl => match open(OFlag::O_RDWR) {
            Err(Errno::EACCES) => (open(OFlag::O_RDONLY)?, Purpose::Read),
            file => (file?, Purpose::Replace),
        },
        Mechanism::Flock | Mechanism::Disabled => (open(OFlag::O_RDONLY)?, Purpose::Replace),
    };
    match lock::acquire(&file, mechanism, purpose) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::EAGAIN) => Err(Refused::Locked),
        Err(errno) => Err(errno.into()),
    }
}

/// Six random characters of a portable file name.
fn suffix() -> Result<String, Errno> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let bytes: [u8; 6] = random()?;
    Ok(bytes.iter().filter_map(|b| ALPHABET.get(usize::from(b & 63))).copied().map(char::from).collect())
}
