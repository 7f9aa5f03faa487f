//! Giving a directory tree to another account, and back: safely against whoever else can reach it meanwhile.
//!
//! Every directory is *frozen* before it is looked into: it becomes root's, mode 0700, so that nobody can put a name into
//! it, take one away, or reach one through it, not even by a descriptor or working directory that is open already (every
//! look-up asks for permission anew). A name in a frozen directory that is no directory and has no other hard link can be
//! reached in no other way, so what is seen of it stays true while its owner changes. Directories have other ways in: a
//! working directory below. Therefore a lock keeps other glexecs that take from the same owner out of the moment between
//! looking at a directory's owner and freezing it, and the work is done by a process that the caller cannot signal.
//!
//! Nothing is reached by path: entries are opened with O_PATH below the directory's descriptor, links are never followed,
//! and mount points never crossed. All of this needs CAP_CHOWN, CAP_FOWNER (for files with a setuid bit, which the kernel
//! takes away) and no other capability.

use crate::sys::dir::{self, kind};
use crate::sys::lock;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmodat, fstat, lstat};
use nix::unistd::{Gid, Uid, fchownat};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Nobody but root can open it, so nobody but glexec can hold its locks, one for each user.
const LOCK: &str = "/run/glexec.lock";
/// Most entries of a tree that is handed over.
pub const MAX_ENTRIES: usize = 100_000;
/// Most entries that are handed back: a payload may have made more.
const MAX_BACK: usize = 1_000_000;
/// Deepest tree; every level needs two descriptors while it is walked.
pub const MAX_DEPTH: usize = 64;
/// What others may do with what is handed back, at most: read and execute.
const BACK_MODE: u32 = 0o755;
/// What stays of a mode on the way to the target: no setuid, setgid or sticky bit.
const OVER_MODE: u32 = 0o777;

/// Somebody who can own a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: Uid,
    /// The group that the entries get.
    pub gid: Gid,
}

const ROOT: Owner = Owner { uid: Uid::from_raw(0), gid: Gid::from_raw(0) };

/// Why a tree is not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It belongs to somebody else.
    Foreign,
    /// It is a device.
    Device,
    /// It has another name, perhaps elsewhere.
    HardLink,
    /// Another file system begins there.
    MountPoint,
    /// More than [`MAX_ENTRIES`] entries.
    TooMany,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The system refused something.
    System(Errno),
}

impl From<Errno> for Why {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EXDEV => Why::MountPoint,
            errno => Why::System(errno),
        }
    }
}

/// What is in the way, and where in the tree; the top is the empty path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Below the top.
    pub path: PathBuf,
    /// What it is.
    pub why: Why,
}

/// What came of handing a tree back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Back {
    /// Entries that changed hands, the top among them.
    pub given: u64,
    /// Entries that stay as they are: somebody else's, with another hard link, on another file system, beyond a bound.
    pub kept: u64,
}

/// A directory, by descriptor.
#[derive(Debug)]
pub struct Tree {
    top: OwnedFd,
    mode: u32,
}

impl Tree {
    /// Opens a directory. To be called while acting as its owner.
    pub fn open(path: &Path) -> Result<Tree, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let top = nix::fcntl::open(path, flags, Mode::empty())?;
        let mode = fstat(&top)?.st_mode & 0o7777;
        Ok(Tree { top, mode })
    }

    /// The user that it belongs to.
    pub fn owner(&self) -> Result<Uid, Errno> {
        Ok(Uid::from_raw(fstat(&self.top)?.st_uid))
    }

    /// Whether a path leads to it with the permissions of the effective user.
    pub fn is_reached_by(&self, path: &Path) -> bool {
        match (lstat(path), fstat(&self.top)) {
            (Ok(there), Ok(here)) => (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino),
            _ => false,
        }
    }

    /// Gives everything to `to`, who alone can look into the top from then on. Everything must belong to `from`; where it
    /// does not, all is given back.
    pub fn hand_over(&self, from: Owner, to: Owner) -> Result<(), Obstacle> {
        let lock = own_lock().map_err(|errno| Obstacle { path: PathBuf::new(), why: Why::System(errno) })?;
        let mut walk = Walk::new(from, to, Rule::Everything, &lock, MAX_ENTRIES);
        let outcome = walk.directory(self.top.as_fd(), &Here::top(0o700));
        if outcome.is_err() {
            let mut undo = Walk { given: walk.given, ..Walk::new(to, from, Rule::Undo, &lock, MAX_BACK) };
            // There is nobody to tell but the refusal in progress.
            let _ = undo.directory(self.top.as_fd(), &Here::top(self.mode));
        }
        outcome
    }

    /// Gives what belongs to `from` back to `to`. Nothing of it can be written by anybody else afterwards. An error is about
    /// the top: what is in the way below it is counted.
    pub fn hand_back(&self, from: Owner, to: Owner) -> Result<Back, Why> {
        let lock = own_lock()?;
        let mut walk = Walk::new(from, to, Rule::WhatIsTheirs, &lock, MAX_BACK);
        walk.directory(self.top.as_fd(), &Here::top(self.mode)).map_err(|obstacle| obstacle.why)?;
        Ok(walk.back)
    }
}

fn own_lock() -> Result<File, Errno> {
    // The error's text would name a path that is no caller's business.
    dir::open_for_appending(Path::new(LOCK)).map_err(|_| Errno::ENOLCK)
}

/// What to do with an entry that cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Give up: the way to the target.
    Everything,
    /// Leave it as it is, and everything that the walk before has not given: the way back of a tree that the target has
    /// never seen.
    Undo,
    /// Leave it as it is, and let the giver keep no way to write: the way back from the target.
    WhatIsTheirs,
}

/// Where a walk is.
struct Here<'a> {
    path: &'a Path,
    depth: usize,
    /// The directory's mode afterwards, where it is not to be its own.
    mode: Option<u32>,
}

impl Here<'_> {
    fn top(mode: u32) -> Self {
        Here { path: Path::new(""), depth: 0, mode: Some(mode) }
    }
}

struct Walk<'a> {
    from: Owner,
    to: Owner,
    rule: Rule,
    lock: &'a File,
    room: usize,
    back: Back,
    /// The inodes that have changed hands, and the groups that they had.
    given: BTreeMap<libc::ino_t, libc::gid_t>,
}

impl<'a> Walk<'a> {
    fn new(from: Owner, to: Owner, rule: Rule, lock: &'a File, room: usize) -> Self {
        Walk { from, to, rule, lock, room, back: Back::default(), given: BTreeMap::new() }
    }

    /// Whether something is there to be given.
    fn is_theirs(&self, stat: &FileStat) -> bool {
        stat.st_uid == self.from.uid.as_raw() && (self.rule != Rule::Undo || self.given.contains_key(&stat.st_ino))
    }

    fn note(&mut self, stat: &FileStat) {
        self.back.given = self.back.given.saturating_add(1);
        if self.rule == Rule::Everything {
            self.given.insert(stat.st_ino, stat.st_gid);
        }
    }

    /// Whom something goes to; what was given in vain gets the group that it had.
    fn receiver(&self, stat: &FileStat) -> Owner {
        match self.given.get(&stat.st_ino).filter(|_| self.rule == Rule::Undo) {
            Some(&gid) => Owner { gid: Gid::from_raw(gid), ..self.to },
            None => self.to,
        }
    }

    /// Gives a directory with all that is in it. Whatever happens inside, the directory itself does not stay frozen.
    fn directory(&mut self, dir: BorrowedFd<'_>, here: &Here<'_>) -> Result<(), Obstacle> {
        let obstacle = |why: Why| Obstacle { path: here.path.into(), why };
        let own = self.freeze(dir).map_err(obstacle)?;
        self.note(&own);
        let inside = self.inside(dir, here);
        let kept = if self.rule == Rule::WhatIsTheirs { BACK_MODE } else { OVER_MODE };
        let mode = here.mode.unwrap_or(own.st_mode & kept);
        let given =
            chmod(dir, mode).and_then(|()| chown(dir, self.receiver(&own))).map_err(|errno| obstacle(errno.into()));
        inside.and(given)
    }

    /// Makes a directory root's, if it is the giver's; returns what it was.
    fn freeze(&self, dir: BorrowedFd<'_>) -> Result<FileStat, Why> {
        // Who changes the owner of this directory freezes it first, and so has the same lock: its giver's. A cgroup of a
        // caller's may stop the holder for ever, and then no more than what is that giver's waits for it.
        lock::acquire_for(self.from.uid, self.lock)?;
        let frozen = fstat(dir).map_err(Why::from).and_then(|stat| {
            if self.is_theirs(&stat) {
                chown(dir, ROOT)?;
                Ok(stat)
            } else {
                Err(Why::Foreign)
            }
        });
        lock::release_for(self.from.uid, self.lock);
        frozen
    }

    /// Everything in a directory that has become root's.
    fn inside(&mut self, dir: BorrowedFd<'_>, here: &Here<'_>) -> Result<(), Obstacle> {
        let obstacle = |errno: Errno| Obstacle { path: here.path.into(), why: errno.into() };
        chmod(dir, 0o700).map_err(obstacle)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let open = openat(dir, ".", flags, Mode::empty()).map_err(obstacle)?;
        if self.rule == Rule::WhatIsTheirs {
            remove_default_acl(&open);
        }
        let mut listing = Dir::from_fd(open).map_err(obstacle)?;
        for entry in listing.iter() {
            let entry = entry.map_err(obstacle)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let path = here.path.join(name);
            let given = self.entry(dir, name, &Here { path: &path, depth: here.depth.saturating_add(1), mode: None });
            match (self.rule, given) {
                (Rule::Everything, Err(obstacle)) => return Err(obstacle),
                (Rule::Undo | Rule::WhatIsTheirs, Err(_)) => self.back.kept = self.back.kept.saturating_add(1),
                (_, Ok(())) => {}
            }
        }
        Ok(())
    }

    fn entry(&mut self, dir: BorrowedFd<'_>, name: &OsStr, here: &Here<'_>) -> Result<(), Obstacle> {
        let obstacle = |why: Why| Obstacle { path: here.path.into(), why };
        self.room = self.room.checked_sub(1).ok_or_else(|| obstacle(Why::TooMany))?;
        let resolve = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS
            | ResolveFlag::RESOLVE_NO_XDEV;
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let how = OpenHow::new().flags(flags).resolve(resolve);
        let entry = openat2(dir, name, how).map_err(|errno| obstacle(errno.into()))?;
        let stat = fstat(&entry).map_err(|errno| obstacle(errno.into()))?;
        if self.rule != Rule::Everything && stat.st_uid == self.to.uid.as_raw() {
            return Ok(());
        }
        match kind(&stat) {
            SFlag::S_IFDIR if here.depth > MAX_DEPTH => Err(obstacle(Why::TooDeep)),
            SFlag::S_IFDIR => self.directory(entry.as_fd(), here),
            _ => self.leaf(entry.as_fd(), &stat).map_err(obstacle),
        }
    }

    /// Gives a name in a frozen directory that is no directory.
    fn leaf(&mut self, leaf: BorrowedFd<'_>, stat: &FileStat) -> Result<(), Why> {
        if !self.is_theirs(stat) {
            return Err(Why::Foreign);
        }
        if matches!(kind(stat), SFlag::S_IFBLK | SFlag::S_IFCHR) {
            return Err(Why::Device);
        }
        if stat.st_nlink != 1 {
            return Err(Why::HardLink);
        }
        if self.rule == Rule::WhatIsTheirs && kind(stat) != SFlag::S_IFLNK {
            // Root's for a moment: then nobody changes the mode any more.
            chown(leaf, ROOT)?;
            let mode = fstat(leaf)?.st_mode & 0o7777;
            if mode & !BACK_MODE != 0 {
                chmod(leaf, mode & BACK_MODE)?;
            }
        }
        // The kernel takes away setuid and setgid bits and file capabilities (chown(2)).
        chown(leaf, self.receiver(stat))?;
        self.note(stat);
        Ok(())
    }
}

fn chown(fd: BorrowedFd<'_>, owner: Owner) -> Result<(), Errno> {
    fchownat(fd, "", Some(owner.uid), Some(owner.gid), AtFlags::AT_EMPTY_PATH)
}

/// Changes the mode of what a descriptor made with O_PATH stands for, which is no symbolic link (open(2), O_PATH).
fn chmod(fd: BorrowedFd<'_>, mode: u32) -> Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    fchmodat(nix::fcntl::AT_FDCWD, path.as_str(), Mode::from_bits_truncate(mode), FchmodatFlags::FollowSymlink)
}

/// Removes the ACL that new files in a directory would get, so that nobody has a right to files of its next owner.
fn remove_default_acl(dir: &OwnedFd) {
    // SAFETY: the name is a C string, the descriptor is open. Where there is no such ACL there is nothing to do.
    unsafe { libc::fremovexattr(dir.as_raw_fd(), c"system.posix_acl_default".as_ptr()) };
}
