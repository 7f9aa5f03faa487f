//! The way to a directory, from / through every directory to itself, known well enough to be found again and recognised
//! in another mount namespace.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlink};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::unistd::{AccessFlags, faccessat};
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// What tells one directory from every other.
type Identity = (libc::dev_t, libc::ino_t);

/// Directories are held, not opened: that needs no permission on themselves.
const HOLD: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
/// The same through a symbolic link.
const HOLD_BEHIND: OFlag = HOLD.difference(OFlag::O_NOFOLLOW);

/// Why there is no way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It is there, but no directory, or a symbolic link.
    NotADirectory,
    /// The way to it is barred, or nothing is there.
    Barred(Errno),
    /// Something on the way was moved or replaced meanwhile.
    Changed,
}

/// A way: names, and who they were. It has no symbolic links.
#[derive(Clone, Debug)]
pub struct Way {
    root: Identity,
    steps: Vec<(OsString, Identity)>,
}

/// A directory that was found, with all above it held.
#[derive(Debug)]
pub struct Found {
    pub way: Way,
    /// Every directory on the way, / first, itself last.
    held: Vec<OwnedFd>,
}

/// What a directory says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permission bits.
    pub mode: u32,
}

fn identity(stat: &FileStat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// Whether the effective identity may look things up in a directory.
fn is_searchable(directory: BorrowedFd<'_>) -> bool {
    faccessat(directory, ".", AccessFlags::X_OK, AtFlags::AT_EACCESS).is_ok()
}

impl Found {
    /// Finds a directory with the effective permissions; symbolic links are followed but for the last component. The path is
    /// absolute.
    pub fn at(path: &Path) -> Result<Found, Lost> {
        // Without a slash at its end, which would have a link followed.
        let path: PathBuf = path.components().collect();
        Found::held_by(&path, HOLD)
    }

    /// The same, but that the last component may be a symbolic link, too.
    pub fn behind(path: &Path) -> Result<Found, Lost> {
        Found::held_by(path, HOLD_BEHIND)
    }

    fn held_by(path: &Path, flags: OFlag) -> Result<Found, Lost> {
        let directory = nix::fcntl::open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ENOTDIR | Errno::ELOOP => Lost::NotADirectory,
            errno => Lost::Barred(errno),
        })?;
        let real = readlink(format!("/proc/self/fd/{}", directory.as_raw_fd()).as_str()).map_err(Lost::Barred)?;
        let found = Found::by_names(Path::new(&real))?;
        let meant = fstat(&directory).map_err(Lost::Barred)?;
        if found.way.last() == identity(&meant) { Ok(found) } else { Err(Lost::Changed) }
    }

    /// Walks a path without symbolic links.
    fn by_names(path: &Path) -> Result<Found, Lost> {
        let mut here = nix::fcntl::open("/", HOLD, Mode::empty()).map_err(Lost::Barred)?;
        let root = identity(&fstat(&here).map_err(Lost::Barred)?);
        let (mut held, mut steps) = (Vec::new(), Vec::new());
        for part in path.components() {
            let name = match part {
                Component::RootDir => continue,
                Component::Normal(name) => name,
                // Unreachable from /, or not what the kernel tells of a directory.
                _ => return Err(Lost::Changed),
            };
            let next = openat(&here, name, HOLD, Mode::empty()).map_err(|errno| match errno {
                Errno::EACCES => Lost::Barred(errno),
                _ => Lost::Changed,
            })?;
            steps.push((name.to_owned(), identity(&fstat(&next).map_err(Lost::Barred)?)));
            held.push(std::mem::replace(&mut here, next));
        }
        held.push(here);
        Ok(Found { way: Way { root, steps }, held })
    }

    pub fn directory(&self) -> BorrowedFd<'_> {
        // There is always / itself; AT_FDCWD is no directory of a caller's choice that could be taken for it.
        self.held.last().map_or(AT_FDCWD, AsFd::as_fd)
    }

    /// The directory's own standing.
    pub fn standing(&self) -> Result<Standing, Errno> {
        standing(self.directory())
    }

    /// That of the directory above it; `None` for /.
    pub fn standing_above(&self) -> Result<Option<Standing>, Errno> {
        self.held.iter().rev().nth(1).map(|above| standing(above.as_fd())).transpose()
    }

    /// How many steps it is from / to the first directory above it that the effective identity may not search; `None`
    /// where it may search them all.
    pub fn barred_at(&self) -> Option<usize> {
        let above = self.held.len().saturating_sub(1);
        self.held.iter().take(above).position(|directory| !is_searchable(directory.as_fd()))
    }
}

fn standing(directory: BorrowedFd<'_>) -> Result<Standing, Errno> {
    let stat = fstat(directory)?;
    Ok(Standing { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 })
}

impl Way {
    fn last(&self) -> Identity {
        self.steps.last().map_or(self.root, |(_, identity)| *identity)
    }

    /// The path, absolute and without symbolic links.
    pub fn path(&self) -> PathBuf {
        std::iter::once(OsString::from("/")).chain(self.names_from(0)).collect()
    }

    pub fn path_above(&self) -> PathBuf {
        let mut path = self.path();
        path.pop();
        path
    }

    /// How many steps it has.
    pub fn length(&self) -> usize {
        self.steps.len()
    }

    /// The names that follow after this many steps.
    pub fn names_from(&self, depth: usize) -> Vec<OsString> {
        self.steps.iter().skip(depth).map(|(name, _)| name.clone()).collect()
    }

    /// Goes the first steps of the way again with the effective permissions, for instance in another mount namespace; each
    /// must lead to the same directory as before.
    pub fn again(&self, depth: usize) -> Result<OwnedFd, Lost> {
        let check = |fd: OwnedFd, meant: Identity| match fstat(&fd) {
            Ok(stat) if identity(&stat) == meant => Ok(fd),
            Ok(_) => Err(Lost::Changed),
            Err(errno) => Err(Lost::Barred(errno)),
        };
        let root = nix::fcntl::open("/", HOLD, Mode::empty()).map_err(Lost::Barred)?;
        let root = check(root, self.root)?;
        self.steps.iter().take(depth).try_fold(root, |here, (name, meant)| {
            let next = openat(&here, name.as_os_str(), HOLD, Mode::empty()).map_err(|_| Lost::Changed)?;
            check(next, *meant)
        })
    }
}
