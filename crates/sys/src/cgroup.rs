//! A cgroup v2 of a call's own (cgroups(7)): only root moves processes out of it, so all that a payload starts stays in it.

use crate::dir::{Directory, FileError, Writers};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use nix::unistd::{Pid, UnlinkatFlags, unlinkat, write};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Most bytes of a cgroup's file: more than a line for every process that the kernel can number (PID_MAX_LIMIT).
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The site's cgroup that every call makes its own in.
#[derive(Debug)]
pub struct Parent(Directory);

impl Parent {
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

    /// Makes an empty cgroup of this name.
    pub fn make(self, name: &str) -> Result<Cgroup, String> {
        let name = OsString::from(name);
        // The umask is ours; payloads, like those of Java, read of their cgroup how much memory they may use.
        let mode = Mode::from_bits_truncate(0o755);
        mkdirat(self.0.as_fd(), name.as_os_str(), mode).map_err(|errno| format!("mkdir: {errno}"))?;
        let made = self.0.subdirectory(&name).map_err(|error| error.to_string()).and_then(|own| {
            fchmod(own.as_fd(), mode).map_err(|errno| format!("chmod: {errno}"))?;
            let open = |file: &str| for_writing(&own, file).map_err(|errno| format!("{file}: {errno}"));
            // cgroup.kill is there since Linux 5.14.
            let (procs, kill) = (open("cgroup.procs")?, open("cgroup.kill")?);
            Ok((own, procs, kill))
        });
        match made {
            Ok((own, procs, kill)) => Ok(Cgroup { parent: self.0, name, own, procs, kill }),
            Err(why) => {
                // The refusal in progress is what counts.
                let _ = remove(&self.0, &name);
                Err(why)
            }
        }
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
    procs: OwnedFd,
    kill: OwnedFd,
}

impl Cgroup {
    /// Moves this process into it, and with it all that it will start.
    pub fn enter(&self) -> Result<(), Errno> {
        write(&self.procs, b"0").map(drop)
    }

    /// Who is in it, as far as this pid namespace has a number for it.
    pub fn processes(&self) -> Vec<Pid> {
        let numbers = self.text("cgroup.procs");
        numbers.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).map(Pid::from_raw).collect()
    }

    /// Kills all who are in it, at once: nobody escapes by forking meanwhile.
    pub fn kill(&self) {
        // Whether anybody is left is asked afterwards.
        let _ = write(&self.kill, b"1");
    }

    /// Whether nobody is in it, zombies aside; what somebody has removed is empty.
    pub fn is_empty(&self) -> bool {
        !self.text("cgroup.events").lines().any(|line| line == "populated 1")
    }

    /// Removes it; it must be empty.
    pub fn remove(self) -> Result<(), Errno> {
        remove(&self.parent, &self.name)
    }

    fn text(&self, file: &str) -> String {
        let bytes = self.own.read(OsStr::new(file), MAX_BYTES).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}
