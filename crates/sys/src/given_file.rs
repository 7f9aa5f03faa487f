//! A file that a program of the site's has made as root, and that is given to the target account: it stays where only
//! root can rename and remove.

use crate::dir::{FileError, kind, locate};
use crate::left_file::LeftFile;
use crate::mount::Owner;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, fchownat, unlinkat};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Such a file, found and held by its directory.
#[derive(Debug)]
pub struct GivenFile {
    directory: OwnedFd,
    name: OsString,
    identity: (libc::dev_t, libc::ino_t),
}

fn identity(stat: &FileStat) -> (libc::dev_t, libc::ino_t) {
    (stat.st_dev, stat.st_ino)
}

impl GivenFile {
    /// Finds it: a regular file owned by root, mode 0600, with no other name, below directories that only root may
    /// write.
    pub fn find(path: &Path) -> Result<GivenFile, FileError> {
        let unusable = |why: String| FileError::Unusable { path: path.into(), why };
        let (directory, name) = locate(path)?;
        let stat = fstatat(&directory, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| unusable(errno.desc().to_owned()))?;
        // A link is not what was made for the account, whatever it leads to.
        let is_link = std::fs::symlink_metadata(path).map_or(true, |status| status.is_symlink());
        let (mode, links) = (stat.st_mode & 0o7777, stat.st_nlink);
        if is_link || kind(&stat) != SFlag::S_IFREG || links != 1 {
            return Err(unusable("is no regular file with one name".into()));
        }
        if stat.st_uid != 0 || mode != 0o600 {
            return Err(unusable(format!("is not root's with mode 0600, but of uid {} with {mode:04o}", stat.st_uid)));
        }
        Ok(GivenFile { directory, name, identity: identity(&stat) })
    }

    /// Gives it to somebody. Needs CAP_CHOWN.
    pub fn give(&self, owner: Owner) -> Result<(), Errno> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&self.directory, self.name.as_os_str(), flags, Mode::empty())?;
        match identity(&fstat(&file)?) == self.identity {
            true => fchownat(&file, "", Some(owner.uid), Some(owner.gid), AtFlags::AT_EMPTY_PATH),
            false => Err(Errno::ESTALE),
        }
    }

    /// Removes it, if that can be: there is nobody left to tell. To be called as root. What root has put in its place
    /// stays.
    pub fn remove(&self) {
        let there = fstatat(&self.directory, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
        if there.is_ok_and(|there| identity(&there) == self.identity) {
            let _ = unlinkat(&self.directory, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
    }

    /// Where it lies, for the process that removes it later.
    pub fn left(&self) -> Option<LeftFile> {
        LeftFile::in_directory(&self.directory, &self.name)
    }
}
