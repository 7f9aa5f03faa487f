//! Where a path leads: from /, or below a tree that is mounted nowhere yet, which the payload will see under that path.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A path, and where it begins.
#[derive(Clone, Debug)]
pub struct Place<'d> {
    root: Option<BorrowedFd<'d>>,
    path: PathBuf,
}

impl<'d> Place<'d> {
    /// A path of the file system as it is.
    pub fn ordinary(path: &Path) -> Place<'d> {
        Place { root: None, path: path.into() }
    }

    /// A relative path below a directory. What leads out of it, like an absolute symbolic link, cannot be opened: `EXDEV`.
    pub fn below(root: BorrowedFd<'d>, path: &Path) -> Place<'d> {
        // The empty path is the directory itself.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Place { root: Some(root), path: path.into() }
    }

    /// Opens what is there.
    pub fn open(&self, flags: OFlag) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlag::O_CLOEXEC;
        match self.root {
            None => nix::fcntl::open(&self.path, flags, Mode::empty()),
            Some(root) => openat2(root, &self.path, OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_BENEATH)),
        }
    }

    /// The tree that it is in, if it is in one.
    pub fn root(&self) -> Option<BorrowedFd<'d>> {
        self.root
    }

    /// The path as it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its last component is in; the working directory, or the tree, where it has no other.
    pub fn parent(&self) -> Place<'d> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Place { root: self.root, path: parent.into() }
    }
}
