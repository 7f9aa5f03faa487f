//! Files and directories that only root may write: opened by a walk that checks every directory on the way.

use crate::errno_of;
use crate::lock::{self, Mechanism, Purpose};
pub use glexec_core::file_error::FileError;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, openat, readlinkat, renameat, renameat2};
use nix::sys::stat::{FileStat, Mode, SFlag, UtimensatFlags, fchmod, fstat, fstatat, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, fsync, ftruncate, geteuid, linkat, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Most symbolic links that one path may go through (path_resolution(7) says 40).
const MAX_LINKS: usize = 40;

/// What an error says of a path.
fn file_error(path: &Path, errno: Errno) -> FileError {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => FileError::Missing(path.into()),
        errno => FileError::Unreadable { path: path.into(), error: errno.into() },
    }
}

/// Who besides root may write to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// Nobody.
    RootOnly,
    /// A group that the site chose: sites keep the gridmapdir 0775 for services that lease as non-root.
    RootAndGroup,
}

/// Checks that something belongs to root and that nobody else may write it. ACLs that let others write show as group
/// bits (acl(5), "correspondence between ACL entries and file permission bits").
pub(super) fn check_writers(path: &Path, stat: &FileStat, writers: Writers) -> Result<(), FileError> {
    let insecure = |why: String| Err(FileError::Insecure { path: path.into(), why });
    let others = match writers {
        Writers::RootOnly => Mode::S_IWGRP | Mode::S_IWOTH,
        Writers::RootAndGroup => Mode::S_IWOTH,
    };
    if stat.st_uid != 0 {
        return insecure(format!("belongs to uid {}, not to root", stat.st_uid));
    }
    if Mode::from_bits_truncate(stat.st_mode).intersects(others) {
        return insecure(format!("can be written by others than root (mode {:04o})", stat.st_mode & 0o7777));
    }
    Ok(())
}

/// Whether it is a regular file, a directory and so on.
pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Walks to the last component of an absolute path, through symbolic links, and checks every directory on the way.
/// Returns the open parent and the last component, which is not a link and may be missing.
pub(super) fn locate(path: &Path) -> Result<(OwnedFd, OsString), FileError> {
    let fail = |errno| file_error(path, errno);
    let root = nix::fcntl::open("/", DIRECTORY | OFlag::O_PATH, Mode::empty()).map_err(fail)?;
    check_writers(Path::new("/"), &fstat(&root).map_err(fail)?, Writers::RootOnly)?;
    let mut here = vec![(root, PathBuf::from("/"))];
    let mut todo = steps(path);
    let mut links = 0_usize;
    while let Some(step) = todo.pop() {
        if step == ".." {
            if here.len() > 1 {
                here.pop();
            }
            continue;
        }
        let Some((dir, name)) = here.last() else { break };
        let name = name.join(&step);
        let stat = match fstatat(dir, step.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            // What is missing may still be made in its parent.
            Err(Errno::ENOENT) if todo.is_empty() => None,
            stat => Some(stat.map_err(fail)?),
        };
        if stat.is_some_and(|stat| kind(&stat) == SFlag::S_IFLNK) {
            links = links.saturating_add(1);
            if links > MAX_LINKS {
                return Err(fail(Errno::ELOOP));
            }
            let target = PathBuf::from(readlinkat(dir, step.as_os_str()).map_err(fail)?);
            if target.is_absolute() {
                here.truncate(1);
            }
            todo.extend(steps(&target));
        } else if todo.is_empty() {
            let Some((parent, _)) = here.pop() else { break };
            return Ok((parent, step));
        } else {
            let next = openat(dir, step.as_os_str(), DIRECTORY | OFlag::O_PATH, Mode::empty()).map_err(fail)?;
            check_writers(&name, &fstat(&next).map_err(fail)?, Writers::RootOnly)?;
            here.push((next, name));
        }
    }
    match here.pop() {
        Some((dir, _)) => Ok((dir, OsString::from("."))),
        None => Err(FileError::Missing(path.into())),
    }
}

/// The components of a path, last first.
fn steps(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_os_string()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect()
}

/// Checks that an open file is a regular one of at most `limit` bytes that only root may write.
fn check_regular(path: &Path, fd: impl AsFd, limit: u64) -> Result<FileStat, FileError> {
    let stat = fstat(fd).map_err(|errno| file_error(path, errno))?;
    let unusable = |why: String| FileError::Unusable { path: path.into(), why };
    if kind(&stat) != SFlag::S_IFREG {
        return Err(unusable("is not a regular file".into()));
    }
    check_writers(path, &stat, Writers::RootOnly)?;
    if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > limit {
        return Err(unusable(format!("is larger than {limit} bytes")));
    }
    Ok(stat)
}

/// Reads at most `limit` bytes of a regular file that only root may write.
fn read_regular(path: &Path, fd: OwnedFd, limit: u64) -> Result<(Vec<u8>, FileStat), FileError> {
    read_open(path, &File::from(fd), limit)
}

fn read_open(path: &Path, file: &File, limit: u64) -> Result<(Vec<u8>, FileStat), FileError> {
    let fail = |errno| file_error(path, errno);
    let unusable = |why: String| FileError::Unusable { path: path.into(), why };
    let stat = check_regular(path, file, limit)?;
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    let mut file = file.take(limit.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(|error| fail(errno_of(&error)))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(unusable(format!("is larger than {limit} bytes")));
    }
    Ok((bytes, stat))
}

const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// A file's bytes, and whether anybody on the machine may read them anyway.
#[derive(Debug)]
pub struct TrustedFile {
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether others have read permission: then its text is no secret.
    pub world_readable: bool,
}

/// Reads a file of at most `limit` bytes that belongs to root and that, like every directory above it (symbolic links
/// resolved), only root may write.
pub fn read_trusted(path: &Path, limit: u64) -> Result<TrustedFile, FileError> {
    let (bytes, stat) = read_regular(path, open_file(path)?, limit)?;
    Ok(TrustedFile { bytes, world_readable: Mode::from_bits_truncate(stat.st_mode).contains(Mode::S_IROTH) })
}

fn open_file(path: &Path) -> Result<OwnedFd, FileError> {
    let (parent, name) = locate(path)?;
    openat(&parent, name.as_os_str(), READ | OFlag::O_NOFOLLOW, Mode::empty()).map_err(|errno| file_error(path, errno))
}

/// Which version of which file: device, inode, size, and the times of its last modification and change in seconds and
/// nanoseconds.
pub type Version = [i128; 7];

/// A file that only root may write, open to be read in parts.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    path: PathBuf,
    limit: u64,
    stat: FileStat,
}

impl OpenFile {
    /// Opens a file under the conditions of [`read_trusted`].
    pub fn open(path: &Path, limit: u64) -> Result<Self, FileError> {
        OpenFile::judged(path.into(), open_file(path)?, limit)
    }

    fn judged(path: PathBuf, fd: OwnedFd, limit: u64) -> Result<Self, FileError> {
        let stat = check_regular(&path, &fd, limit)?;
        Ok(OpenFile { file: File::from(fd), path, limit, stat })
    }

    /// Its size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or(0)
    }

    /// The version that was opened.
    pub fn version(&self) -> Version {
        version(&self.stat)
    }

    /// Whether it is still that version, and was before `second` (seconds since 1970): time stamps are coarse, and a
    /// change just after another one may leave them as they are.
    pub fn is_unchanged_since(&self, second: i64) -> bool {
        let same = fstat(&self.file).is_ok_and(|stat| version(&stat) == self.version());
        same && self.stat.st_mtime.max(self.stat.st_ctime) < second
    }

    /// All of it, under the conditions of [`read_trusted`].
    pub fn read(&self) -> Result<Vec<u8>, FileError> {
        read_open(&self.path, &self.file, self.limit).map(|(bytes, _)| bytes)
    }

    /// All of it, piece by piece. Should it grow meanwhile, what is beyond the limit is not there.
    pub fn stream(&self) -> impl Read + use<'_> {
        (&self.file).take(self.limit)
    }

    /// So many bytes from a place on; `None` where they are not all there.
    pub fn read_at(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).ok().map(|()| bytes)
    }
}

/// When it was modified or changed last, in seconds since 1970.
pub fn last_change(version: &Version) -> i64 {
    let [.., modified, _, changed, _] = version;
    i64::try_from(*modified.max(changed)).unwrap_or(i64::MAX)
}

fn version(stat: &FileStat) -> Version {
    let times = [stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec].map(i128::from);
    let [modified, modified_nsec, changed, changed_nsec] = times;
    [stat.st_dev.into(), stat.st_ino.into(), stat.st_size.into(), modified, modified_nsec, changed, changed_nsec]
}

/// Checks that a program is what [`check_file`] wants, and that somebody may execute it.
pub fn check_program(path: &Path) -> Result<(), FileError> {
    check_executable(path, &stat_file(path)?)
}

/// Opens a program under the conditions of [`check_program`], to be executed: what was looked at, and nothing else.
pub fn open_program(path: &Path) -> Result<OwnedFd, FileError> {
    let fail = |errno| file_error(path, errno);
    let (parent, name) = locate(path)?;
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let program = openat(&parent, name.as_os_str(), flags, Mode::empty()).map_err(fail)?;
    let stat = fstat(&program).map_err(fail)?;
    check_owner_and_kind(path, &stat)?;
    check_executable(path, &stat)?;
    Ok(program)
}

fn check_executable(path: &Path, stat: &FileStat) -> Result<(), FileError> {
    let anybody = Mode::S_IXUSR | Mode::S_IXGRP | Mode::S_IXOTH;
    match Mode::from_bits_truncate(stat.st_mode).intersects(anybody) {
        true => Ok(()),
        false => Err(FileError::Unusable { path: path.into(), why: "is not executable (chmod a+x)".into() }),
    }
}

/// Checks that something is a regular file owned by root that, like every directory above it, only root may write. Then
/// nobody else can change between this look and its use what the path leads to.
pub fn check_file(path: &Path) -> Result<(), FileError> {
    stat_file(path).map(drop)
}

/// Checks that something is a socket owned by root that nobody else may connect to, and that only root can have put
/// there.
pub fn check_socket(path: &Path) -> Result<(), FileError> {
    let fail = |errno| file_error(path, errno);
    let (parent, name) = locate(path)?;
    check_writers(path, &fstat(&parent).map_err(fail)?, Writers::RootOnly)?;
    let stat = fstatat(&parent, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW).map_err(fail)?;
    if kind(&stat) != SFlag::S_IFSOCK {
        return Err(FileError::Unusable { path: path.into(), why: "is not a socket".into() });
    }
    check_writers(path, &stat, Writers::RootOnly)
}

fn stat_file(path: &Path) -> Result<FileStat, FileError> {
    let fail = |errno| file_error(path, errno);
    let (parent, name) = locate(path)?;
    let stat = fstatat(&parent, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW).map_err(fail)?;
    check_owner_and_kind(path, &stat)?;
    Ok(stat)
}

fn check_owner_and_kind(path: &Path, stat: &FileStat) -> Result<(), FileError> {
    if kind(stat) != SFlag::S_IFREG {
        return Err(FileError::Unusable { path: path.into(), why: "is not a regular file".into() });
    }
    check_writers(path, stat, Writers::RootOnly)
}

/// Opens a log or a lock for appending, and makes it (mode 0600) where it is missing: a regular file owned by root
/// that, like every directory above it, only root may write.
pub fn open_for_appending(path: &Path) -> Result<File, FileError> {
    let fail = |errno| file_error(path, errno);
    let (parent, name) = locate(path)?;
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let fd =
        openat(&parent, name.as_os_str(), flags | OFlag::O_CLOEXEC, Mode::S_IRUSR | Mode::S_IWUSR).map_err(fail)?;
    let stat = fstat(&fd).map_err(fail)?;
    check_writers(path, &stat, Writers::RootOnly)?;
    if kind(&stat) != SFlag::S_IFREG {
        return Err(FileError::Unusable { path: path.into(), why: "is not a regular file".into() });
    }
    Ok(File::from(fd))
}

/// What stat(2) says about a directory entry, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Inode number.
    pub inode: u64,
    /// Number of hard links.
    pub links: u64,
    /// Whether it is a regular file.
    pub regular: bool,
    /// Last modification of the content, in seconds and nanoseconds; utimensat(2) sets it.
    pub modified: (i64, i64),
    /// Last change of content, names or time stamps.
    pub changed: (i64, i64),
}

impl Entry {
    /// Whether it is a regular file with no other name.
    pub fn is_free(&self) -> bool {
        self.regular && self.links == 1
    }
}

impl From<FileStat> for Entry {
    fn from(stat: FileStat) -> Self {
        Entry {
            inode: stat.st_ino,
            links: stat.st_nlink,
            regular: kind(&stat) == SFlag::S_IFREG,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// An open directory; everything in it is reached through its descriptor, never again by path.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens a directory as the process may, without asking who else may write to it: for unprivileged tools.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = nix::fcntl::open(path, flags, Mode::empty()).map_err(|e| file_error(path, e))?;
        Ok(Directory { fd, path: path.into() })
    }

    /// A directory that is open already; `path` is what messages call it.
    pub fn at(fd: OwnedFd, path: &Path) -> Self {
        Directory { fd, path: path.into() }
    }

    /// Opens a directory that, like every directory above it (symbolic links resolved), only root may write; `writers`
    /// says who besides root may write to the directory itself.
    pub fn open_trusted(path: &Path, writers: Writers) -> Result<Self, FileError> {
        let fail = |errno| file_error(path, errno);
        let (parent, name) = locate(path)?;
        let fd = openat(&parent, name.as_os_str(), DIRECTORY, Mode::empty()).map_err(fail)?;
        check_writers(path, &fstat(&fd).map_err(fail)?, writers)?;
        Ok(Directory { fd, path: path.into() })
    }

    /// A directory that is open already: root's, and nobody else may write to it.
    pub(super) fn judged(fd: OwnedFd, path: PathBuf) -> Result<Self, FileError> {
        check_writers(&path, &fstat(&fd).map_err(|errno| file_error(&path, errno))?, Writers::RootOnly)?;
        Ok(Directory { fd, path })
    }

    /// The path that it was opened by, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Opens a directory inside this one.
    pub fn subdirectory(&self, name: &OsStr) -> Result<Directory, FileError> {
        let path = self.path.join(name);
        let fail = |errno| file_error(&path, errno);
        let fd = openat(&self.fd, name, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).map_err(fail)?;
        check_writers(&path, &fstat(&fd).map_err(fail)?, Writers::RootOnly)?;
        Ok(Directory { fd, path })
    }

    /// Reads a file of at most `limit` bytes in this directory; symbolic links are followed, but the file must belong
    /// to root and be writable by nobody else.
    pub fn read(&self, name: &OsStr, limit: u64) -> Result<Vec<u8>, FileError> {
        let path = self.path.join(name);
        let fd = openat(&self.fd, name, READ, Mode::empty()).map_err(|e| file_error(&path, e))?;
        read_regular(&path, fd, limit).map(|(bytes, _)| bytes)
    }

    /// Opens a file in this directory to be read in parts, no link followed, under the conditions of
    /// [`Directory::read`].
    pub fn open_file(&self, name: &OsStr, limit: u64) -> Result<OpenFile, FileError> {
        let path = self.path.join(name);
        let fd = openat(&self.fd, name, READ | OFlag::O_NOFOLLOW, Mode::empty());
        let fd = fd.map_err(|e| file_error(&path, e))?;
        OpenFile::judged(path, fd, limit)
    }

    /// Opens a directory that only root may write and all may go through, and makes it where it is missing and its
    /// parent is trusted.
    pub fn open_passage(path: &Path) -> Result<Self, FileError> {
        let fail = |errno| file_error(path, errno);
        let (parent, name) = locate(path)?;
        let made = match mkdirat(&parent, name.as_os_str(), Mode::S_IRWXU) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(fail(errno)),
        };
        let fd = openat(&parent, name.as_os_str(), DIRECTORY, Mode::empty()).map_err(fail)?;
        check_writers(path, &fstat(&fd).map_err(fail)?, Writers::RootOnly)?;
        if made {
            fchmod(&fd, Mode::S_IRWXU | Mode::S_IXGRP | Mode::S_IXOTH).map_err(fail)?;
        }
        Ok(Directory { fd, path: path.into() })
    }

    /// Opens a file in this directory to be read in parts, under the conditions of [`Directory::read`].
    pub fn open_linked(&self, name: &OsStr, limit: u64) -> Result<OpenFile, FileError> {
        let path = self.path.join(name);
        let fd = openat(&self.fd, name, READ, Mode::empty()).map_err(|e| file_error(&path, e))?;
        OpenFile::judged(path, fd, limit)
    }

    /// Which version of a file there is, symbolic links followed; `None` where there is none.
    pub fn version(&self, name: &OsStr) -> Option<Version> {
        fstatat(&self.fd, name, AtFlags::empty()).ok().map(|stat| version(&stat))
    }

    /// Opens a directory owned by root that nobody else may enter, and makes it where it is missing and its parent is
    /// trusted.
    pub fn open_private(path: &Path) -> Result<Self, FileError> {
        let fail = |errno| file_error(path, errno);
        let (parent, name) = locate(path)?;
        match mkdirat(&parent, name.as_os_str(), Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
        let fd = openat(&parent, name.as_os_str(), DIRECTORY, Mode::empty()).map_err(fail)?;
        let stat = fstat(&fd).map_err(fail)?;
        check_writers(path, &stat, Writers::RootOnly)?;
        if Mode::from_bits_truncate(stat.st_mode).intersects(Mode::S_IRWXG | Mode::S_IRWXO) {
            return Err(FileError::Insecure { path: path.into(), why: "can be entered by others than root".into() });
        }
        Ok(Directory { fd, path: path.into() })
    }

    /// Puts a file (mode 0600) in the place of whatever has the name. It has no name until it is whole, so that whoever
    /// is killed meanwhile leaves nothing behind.
    pub fn put(&self, name: &OsStr, content: &[u8]) -> Result<(), Errno> {
        let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&self.fd, ".", flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        file.write_all(content).map_err(|error| errno_of(&error))?;
        match self.unlink(name) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
        linkat(AT_FDCWD, nameless.as_str(), &self.fd, name, AtFlags::AT_SYMLINK_FOLLOW)
    }

    /// Puts a file (mode 0644) in the place of what has the name, at once: whoever reads sees the old one or the new
    /// one, also after a crash.
    pub fn replace(&self, name: &OsStr, content: &[u8]) -> Result<(), Errno> {
        let random = u64::from_ne_bytes(crate::random()?);
        let new = format!(".{}.{random:016x}", name.to_string_lossy());
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH;
        let mut file = File::from(openat(&self.fd, new.as_str(), flags, mode)?);
        let mut written = || {
            fchmod(&file, mode)?;
            file.write_all(content).and_then(|()| file.sync_all()).map_err(|error| errno_of(&error))?;
            renameat(&self.fd, new.as_str(), &self.fd, name)?;
            fsync(&self.fd)
        };
        let done: Result<(), Errno> = written();
        if done.is_err() {
            // What could not be finished means nothing to anybody.
            let _ = self.unlink(new.as_ref());
        }
        done
    }

    /// The content of a file owned by root or of the process's own user that nobody else may write, no link followed;
    /// `None` where there is none.
    pub fn read_own(&self, name: &OsStr, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        let path = self.path.join(name);
        let fail = |errno| file_error(&path, errno);
        let fd = match openat(&self.fd, name, READ | OFlag::O_NOFOLLOW, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(None),
            fd => fd.map_err(fail)?,
        };
        let stat = fstat(&fd).map_err(fail)?;
        let insecure = |why: &str| Err(FileError::Insecure { path: path.clone(), why: why.to_owned() });
        if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
            return insecure("belongs neither to root nor to the account that reads it");
        }
        if Mode::from_bits_truncate(stat.st_mode).intersects(Mode::S_IWGRP | Mode::S_IWOTH) {
            return insecure("can be written by others");
        }
        let unusable = |why: String| FileError::Unusable { path: path.clone(), why };
        if kind(&stat) != SFlag::S_IFREG {
            return Err(unusable("is not a regular file".into()));
        }
        let mut bytes = Vec::new();
        let read = File::from(fd).take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| fail(errno_of(&error)))?;
        match u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
            true => Ok(Some(bytes)),
            false => Err(unusable(format!("is larger than {limit} bytes"))),
        }
    }

    /// Makes a file (mode 0600) that this process holds locked from the moment it has its name, which must be free.
    pub fn put_locked(&self, name: &OsStr, content: &[u8]) -> Result<File, Errno> {
        let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&self.fd, ".", flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        file.write_all(content).map_err(|error| errno_of(&error))?;
        lock::acquire(&file, Mechanism::Flock, Purpose::Replace)?;
        let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
        linkat(AT_FDCWD, nameless.as_str(), &self.fd, name, AtFlags::AT_SYMLINK_FOLLOW)?;
        Ok(file)
    }

    /// Locks and reads a file of this name; `None` where somebody has it locked, or has removed it.
    pub fn read_if_unlocked(&self, name: &OsStr, limit: u64) -> Result<Option<(File, Vec<u8>)>, FileError> {
        let file = match self.open_file(name, limit) {
            Err(FileError::Missing(_)) => return Ok(None),
            file => file?,
        };
        let held = lock::wait(file.file.as_fd(), Mechanism::Flock, Purpose::Replace, Duration::ZERO).is_ok();
        let is_there = self.identity(name) == Some((file.stat.st_dev, file.stat.st_ino));
        if !held || !is_there {
            return Ok(None);
        }
        let bytes = file.read()?;
        Ok(Some((file.file, bytes)))
    }

    /// Device and inode of the file that a name leads to, symbolic links followed; `None` where that cannot be told.
    pub fn identity(&self, name: &OsStr) -> Option<(libc::dev_t, libc::ino_t)> {
        fstatat(&self.fd, name, AtFlags::empty()).ok().map(|stat| (stat.st_dev, stat.st_ino))
    }

    /// The names of all entries but `.` and `..`, in no particular order.
    pub fn names(&self) -> Result<Vec<OsString>, FileError> {
        Ok(self.listing()?.into_iter().map(|(name, _)| name).collect())
    }

    /// The names of all entries but `.` and `..`, in no particular order, each with the inode number that the directory
    /// has for it: usually the one that stat(2) gives, but some layered file systems differ.
    pub fn listing(&self) -> Result<Vec<(OsString, u64)>, FileError> {
        use std::os::unix::ffi::OsStrExt;
        let fail = |errno| file_error(&self.path, errno);
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = Dir::openat(&self.fd, ".", flags, Mode::empty()).map_err(fail)?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(fail)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_os_string();
            if name != "." && name != ".." {
                names.push((name, entry.ino()));
            }
        }
        Ok(names)
    }

    /// What an entry is; `None` where there is none.
    pub fn entry(&self, name: &OsStr) -> Result<Option<Entry>, Errno> {
        match fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat.into())),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Makes a hard link, link(2): the one atomic step that leases rest on; `EEXIST` where the new name is taken.
    pub fn link(&self, existing: &OsStr, new: &OsStr) -> Result<(), Errno> {
        linkat(&self.fd, existing, &self.fd, new, AtFlags::empty())
    }

    /// Sets access and modification time to now, links not followed.
    pub fn touch(&self, name: &OsStr) -> Result<(), Errno> {
        utimensat(&self.fd, name, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW, UtimensatFlags::NoFollowSymlink)
    }

    /// Renames to a name that nothing has yet; `EEXIST` where something has. The number of links never changes.
    ///
    /// NFS has no RENAME_NOREPLACE (renameat2(2)): there the new name is looked for just before.
    pub fn rename_new(&self, existing: &OsStr, new: &OsStr) -> Result<(), Errno> {
        match renameat2(&self.fd, existing, &self.fd, new, RenameFlags::RENAME_NOREPLACE) {
            Err(Errno::EINVAL | Errno::ENOSYS) if self.entry(new)?.is_some() => Err(Errno::EEXIST),
            Err(Errno::EINVAL | Errno::ENOSYS) => renameat(&self.fd, existing, &self.fd, new),
            result => result,
        }
    }

    /// Renames to a name that nothing has yet, for certain: `EEXIST` where something has, on every file system. Where
    /// it has no RENAME_NOREPLACE, the file has both names for a moment.
    pub fn move_new(&self, existing: &OsStr, new: &OsStr) -> Result<(), Errno> {
        match renameat2(&self.fd, existing, &self.fd, new, RenameFlags::RENAME_NOREPLACE) {
            Err(Errno::EINVAL | Errno::ENOSYS) => self.link(existing, new).and_then(|()| self.unlink(existing)),
            result => result,
        }
    }

    /// Locks the directory against others who lock it, flock(2), and waits for so long at most; `None` where it stays
    /// locked or the file system has no such locks. Whoever may read the directory can hold the lock, so nothing may
    /// rest on it.
    pub fn lock(&self, patience: Duration) -> Option<DirectoryLock<'_>> {
        lock::wait(self.as_fd(), Mechanism::Flock, Purpose::Replace, patience).ok().map(|()| DirectoryLock(self))
    }

    /// Removes a name.
    pub fn unlink(&self, name: &OsStr) -> Result<(), Errno> {
        unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)
    }

    /// Replaces the content of the regular file with this name and inode number.
    pub fn overwrite(&self, name: &OsStr, inode: u64, content: &[u8]) -> Result<(), Errno> {
        let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())?;
        let entry = Entry::from(fstat(&fd)?);
        if !entry.regular || entry.inode != inode {
            return Err(Errno::ESTALE);
        }
        ftruncate(&fd, 0)?;
        File::from(fd).write_all(content).map_err(|error| errno_of(&error))
    }
}

/// A lock of a directory, released when it is dropped.
#[derive(Debug)]
pub struct DirectoryLock<'d>(&'d Directory);

impl Drop for DirectoryLock<'_> {
    fn drop(&mut self) {
        lock::release(self.0.as_fd());
    }
}
