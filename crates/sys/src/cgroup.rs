//! A cgroup v2 of a call's own (cgroups(7)): only root moves processes out of it, so all that a payload starts stays in it.
//!
//! Processes are started in a cgroup (CLONE_INTO_CGROUP), never moved: to move one makes the kernel wait for all processors,
//! which takes milliseconds.

use crate::dir::{Directory, FileError, Writers};
use crate::start::proc_text;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs, statfs};
use nix::unistd::{Pid, UnlinkatFlags, getpid, unlinkat, write};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Most bytes of a cgroup's file: more than a line for every process that the kernel can number (PID_MAX_LIMIT).
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Where systems have the cgroup v2 tree: alone, or beside the trees of version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// Where monitors are, at the top of the tree.
const OWN: &str = "glexec";
/// Payloads, like those of Java, read of their cgroup how much memory they may use.
const MODE: Mode = Mode::from_bits_truncate(0o755);

/// Where the system has the cgroup v2 tree; `None` where it has none.
pub fn mount() -> Option<&'static Path> {
    let is_one = |path: &&&str| statfs(**path).is_ok_and(|system| system.filesystem_type() == CGROUP2_SUPER_MAGIC);
    MOUNTS.iter().find(is_one).map(Path::new)
}

/// The cgroup that monitors are in; `None` where the system has none.
pub fn of_monitors() -> Option<Directory> {
    Directory::open_trusted(mount()?, Writers::RootOnly).ok()?.subdirectory(OsStr::new(OWN)).ok()
}

/// Makes the cgroup that monitors are in, where it is missing. The kernel lets not even root write at the top of the tree, so
/// that this needs [`overriding`](crate::identity::overriding).
pub fn make_for_monitors(mount: &Path) -> Result<(), String> {
    let top = Directory::open_trusted(mount, Writers::RootOnly).map_err(|error| error.to_string())?;
    match mkdirat(top.as_fd(), OWN, MODE) {
        Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(format!("mkdir: {errno}")),
        Ok(()) => {
            let own = top.subdirectory(OsStr::new(OWN)).map_err(|error| error.to_string())?;
            // The umask is ours.
            fchmod(own.as_fd(), MODE).map_err(|errno| format!("chmod: {errno}"))
        }
    }
}

/// A cgroup that calls make their own in.
#[derive(Debug)]
pub struct Parent(Directory);

impl Parent {
    /// The cgroup that this process is in, where it is root's alone; `None` where the system has no cgroup v2.
    pub fn of_this_process() -> Result<Option<Parent>, String> {
        let Some(mount) = mount() else { return Ok(None) };
        let text = proc_text("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let path =
            text.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("/proc/self/cgroup has no cgroup v2")?;
        let top = Directory::open_trusted(mount, Writers::RootOnly).map_err(|error| error.to_string())?;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV;
        let how = OpenHow::new().flags(OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(resolve);
        let below = if path.is_empty() { "." } else { path };
        let fd = openat2(top.as_fd(), below, how).map_err(|errno| format!("{path}: {errno}"))?;
        let own = Directory::judged(fd, mount.join(path)).map_err(|error| error.to_string())?;
        // Where a container sees another part of the tree, the path may be somebody else's.
        match processes(&own).contains(&getpid()) {
            true => Ok(Some(Parent(own))),
            false => Err(format!("{} does not show this process", own.path().display())),
        }
    }

    /// Opens a directory of the cgroup v2 file system that, like every directory above it, only root may write.
    pub fn find(path: &Path) -> Result<Parent, FileError> {
        let directory = Directory::open_trusted(path, Writers::RootOnly)?;
        let system = fstatfs(directory.as_fd())
            .map_err(|errno| FileError::Unreadable { path: path.into(), error: errno.into() })?;
        if system.filesystem_type() != CGROUP2_SUPER_MAGIC {
            let why = "is no directory of a cgroup v2 file system".into();
            return Err(FileError::Unusable { path: path.into(), why });
        }
        Ok(Parent(directory))
    }

    /// Makes an empty cgroup of this name; gives itself back where that cannot be.
    pub fn make(self, name: &str) -> Result<Cgroup, (Parent, String)> {
        let name = OsString::from(name);
        if let Err(errno) = mkdirat(self.0.as_fd(), name.as_os_str(), MODE) {
            return Err((self, format!("mkdir: {errno}")));
        }
        let made = self.0.subdirectory(&name).map_err(|error| error.to_string()).and_then(|own| {
            // The umask is ours.
            fchmod(own.as_fd(), MODE).map_err(|errno| format!("chmod: {errno}"))?;
            // cgroup.kill is there since Linux 5.14.
            let kill = for_writing(&own, "cgroup.kill").map_err(|errno| format!("cgroup.kill: {errno}"))?;
            Ok((own, kill))
        });
        match made {
            Ok((own, kill)) => Ok(Cgroup { parent: self.0, name, own, kill }),
            Err(why) => {
                // The failure in progress is what counts.
                let _ = remove(&self.0, &name);
                Err((self, why))
            }
        }
    }
}

impl AsFd for Parent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn for_writing(directory: &Directory, file: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory.as_fd(), OsStr::new(file), flags, Mode::empty())
}

fn remove(parent: &Directory, name: &OsStr) -> Result<(), Errno> {
    unlinkat(parent.as_fd(), name, UnlinkatFlags::RemoveDir)
}

/// The cgroup of one call.
#[derive(Debug)]
pub struct Cgroup {
    parent: Directory,
    name: OsString,
    own: Directory,
    kill: OwnedFd,
}

impl Cgroup {
    /// Who is in it, as far as this pid namespace has a number for it.
    pub fn processes(&self) -> Vec<Pid> {
        processes(&self.own)
    }

    /// Kills all who are in it, at once: nobody escapes by forking meanwhile.
    pub fn kill(&self) {
        // Whether anybody is left is asked afterwards.
        let _ = write(&self.kill, b"1");
    }

    /// Whether nobody is in it, zombies aside; what somebody has removed is empty.
    pub fn is_empty(&self) -> bool {
        !text(&self.own, "cgroup.events").lines().any(|line| line == "populated 1")
    }

    /// Finds one again by its path and inode.
    pub fn find(path: &Path, inode: u64) -> Option<Cgroup> {
        let (parent, name) = (Directory::open_trusted(path.parent()?, Writers::RootOnly).ok()?, path.file_name()?);
        let own =
            parent.subdirectory(name).ok().filter(|own| fstat(own.as_fd()).is_ok_and(|stat| stat.st_ino == inode))?;
        let kill = for_writing(&own, "cgroup.kill").ok()?;
        Some(Cgroup { parent, name: name.into(), own, kill })
    }

    /// Its path and inode.
    pub fn place(&self) -> (&Path, u64) {
        (self.own.path(), fstat(self.own.as_fd()).map_or(0, |stat| stat.st_ino))
    }

    /// Removes it, before anybody has been in it.
    pub fn give_up(self) -> Parent {
        // Nobody is told: what it was made for is given up, too.
        let _ = remove(&self.parent, &self.name);
        Parent(self.parent)
    }

    /// Removes it; it must be empty.
    pub fn remove(self) -> Result<(), Errno> {
        remove(&self.parent, &self.name)
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.own.as_fd()
    }
}

fn processes(cgroup: &Directory) -> Vec<Pid> {
    let numbers = text(cgroup, "cgroup.procs");
    numbers.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).map(Pid::from_raw).collect()
}

fn text(cgroup: &Directory, file: &str) -> String {
    let bytes = cgroup.read(OsStr::new(file), MAX_BYTES).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}
