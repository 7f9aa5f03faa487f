//! A file that is to be removed later, by another process, which may be in another mount namespace.

use crate::dir::{Writers, check_writers, kind};
use crate::identity::{self, Actor};
use crate::start::proc_text;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{SFlag, fstat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, unlinkat};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Where a file lies, said so that a process that has its file system mounted somewhere finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftFile {
    /// Its owner.
    pub uid: u32,
    /// Device and inode.
    pub identity: (u64, u64),
    /// The file system, as /proc/self/mountinfo has it: major and minor number.
    pub system: String,
    /// Its path from the root of that file system.
    pub path: PathBuf,
}

/// What became of a file that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone now.
    Removed,
    /// It is not there: removed before, or its file system is not mounted here.
    NotFound,
}

impl LeftFile {
    /// The file of this name in an open directory; `None` where that is mounted nowhere.
    pub fn in_directory(directory: impl AsFd, name: &OsStr) -> Option<LeftFile> {
        let stat = fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        LeftFile::below(directory, Path::new(name), (stat.st_dev, stat.st_ino), stat.st_uid)
    }

    /// A file that is seen elsewhere, under another owner, and lies below this open directory: device, inode, and its
    /// owner on disk; `None` where the directory is mounted nowhere.
    pub fn below(directory: impl AsFd, name: &Path, identity: (u64, u64), uid: u32) -> Option<LeftFile> {
        let number = directory.as_fd().as_raw_fd();
        let info = proc_text(&format!("/proc/self/fdinfo/{number}")).ok()?;
        let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
        let mounts = mounts();
        let mount = mounts.iter().find(|mount| mount.id == id)?;
        let seen = nix::fcntl::readlink(format!("/proc/self/fd/{number}").as_str()).ok()?;
        let below = Path::new(&seen).strip_prefix(&mount.point).ok()?;
        let path = mount.root.join(below).join(name);
        Some(LeftFile { uid, identity, system: mount.system.clone(), path })
    }

    /// Removes it, wherever its file system is mounted: with no more rights than its owner has, but where the directory
    /// is root's alone, who then put it there.
    pub fn remove(&self) -> Result<Removal, Errno> {
        let Some(name) = self.path.file_name() else { return Ok(Removal::NotFound) };
        for mount in mounts().iter().filter(|mount| mount.system == self.system) {
            let Ok(below) = self.path.strip_prefix(&mount.root) else { continue };
            let Some(directory) = open_parent(&mount.point.join(below)) else { continue };
            let Ok(stat) = fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            let same = (stat.st_dev, stat.st_ino) == self.identity && stat.st_uid == self.uid;
            if same && kind(&stat) == SFlag::S_IFREG {
                let removed = || unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir);
                if check_writers(&self.path, &fstat(&directory)?, Writers::RootOnly).is_ok() {
                    removed()?;
                    return Ok(Removal::Removed);
                }
                let owner =
                    Actor { uid: Uid::from_raw(self.uid), gid: Gid::from_raw(stat.st_gid), groups: Some(Vec::new()) };
                identity::acting_as(&owner, removed)??;
                return Ok(Removal::Removed);
            }
        }
        Ok(Removal::NotFound)
    }
}

fn open_parent(path: &Path) -> Option<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(nix::fcntl::AT_FDCWD, path.parent()?, how).ok()
}

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug)]
struct Mount {
    id: String,
    system: String,
    root: PathBuf,
    point: PathBuf,
}

fn mounts() -> Vec<Mount> {
    proc_text("/proc/self/mountinfo").unwrap_or_default().lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ');
    let id = fields.next()?.to_owned();
    let system = fields.nth(1)?.to_owned();
    Some(Mount { id, system, root: unescaped(fields.next()?), point: unescaped(fields.next()?) })
}

/// Blanks, tabs, ends of lines and backslashes are written as `\` and three octal digits.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let octal = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

impl LeftFile {
    /// As one line of bytes, which [`LeftFile::read`] reads again.
    pub fn write(&self) -> Vec<u8> {
        let (device, inode) = self.identity;
        let mut text = format!("{} {device} {inode} {} ", self.uid, self.system).into_bytes();
        text.extend_from_slice(self.path.as_os_str().as_bytes());
        text
    }

    /// Reads what [`LeftFile::write`] wrote.
    pub fn read(bytes: &[u8]) -> Option<LeftFile> {
        let mut parts = bytes.splitn(5, |byte| *byte == b' ');
        let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
        let (uid, device, inode) = (text()?.parse().ok()?, text()?.parse().ok()?, text()?.parse().ok()?);
        let system = text()?.to_owned();
        let path = PathBuf::from(OsStr::from_bytes(parts.next()?));
        Some(LeftFile { uid, identity: (device, inode), system, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_left_file_is_read_as_it_was_written() {
        let path = PathBuf::from(OsStr::from_bytes(b"/a b/\xff\n/x509up"));
        let file = LeftFile { uid: 3000, identity: (7, 8), system: "0:30".into(), path };
        assert_eq!(LeftFile::read(&file.write()), Some(file));
        assert_eq!(LeftFile::read(b"3000 7 8 0:30"), None);
    }

    #[test]
    fn a_mount_point_with_a_blank_is_read() {
        let mount = mount(r"36 35 98:0 /a /b\040c rw,noatime master:1 - ext3 /dev/root rw").unwrap();
        assert_eq!((mount.system.as_str(), mount.root, mount.point), ("98:0", "/a".into(), "/b c".into()));
    }
}
