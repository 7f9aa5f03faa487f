//! What the payload sees instead of what others see: directories in a mount namespace of its own, made ready before there is
//! one, and put into it by the process that becomes the payload. Nobody else's view changes.

use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::identity::{Actor, acting_as};
use glexec_sys::left_file::LeftFile;
use glexec_sys::mount::{self, Tree};
use glexec_sys::place::Place;
use glexec_sys::way::{Lost, Way};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::fchdir;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A directory of the caller's that the payload sees as its own.
#[derive(Debug)]
pub struct Entry {
    /// The way to it, as the caller goes it.
    pub way: Way,
    pub called: Vec<PathBuf>,
    /// After how many steps of the way the target may not look any further. What is there is covered, for the payload.
    pub cover: Option<usize>,
    /// What the payload sees there.
    pub tree: Tree,
    /// The same directory as everybody else sees it.
    pub on_disk: OwnedFd,
    /// Who can go the way.
    pub caller: Actor,
}

/// With whom a payload shares System V and POSIX IPC, and /dev/shm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipc {
    /// With everybody.
    #[default]
    Shared,
    /// With nobody.
    Own,
}

/// All that a payload sees otherwise.
#[derive(Debug, Default)]
pub struct View {
    sandbox: Option<Entry>,
    temporary: Vec<Entry>,
    ipc: Ipc,
}

/// The refusal where the system does not make a step of a view.
pub fn unsupported(step: &str, errno: Errno) -> Refusal {
    let sentence = "files cannot be shown here as the payload's own; give them to it by a pipe: tar c . | glexec tar x";
    Refusal::new(Reason::SandboxUnsupported, sentence).detail(format!("{step}: {}", errno.desc()))
}

/// The refusal where a directory cannot be found.
pub fn lost(path: &Path, lost: Lost) -> Refusal {
    let shown = in_sentence(path);
    match lost {
        Lost::NotADirectory => {
            let sentence = format!("{shown} is no directory, or a symbolic link");
            Refusal::new(Reason::SandboxNotADirectory, sentence)
        }
        Lost::Barred(errno) => {
            let sentence = format!("the sandbox {shown} cannot be reached: {}", errno.desc());
            Refusal::new(Reason::SandboxUnreachable, sentence)
        }
        Lost::Changed => {
            let sentence = format!("{shown} was moved while glexec looked at it");
            Refusal::new(Reason::SandboxUnreachable, sentence)
        }
    }
}

/// The refusal where the process cannot act as somebody.
pub fn broken(errno: Errno) -> Refusal {
    unsupported("acting as somebody", errno)
}

impl View {
    /// A view in which the payload works in one directory and has others in the place of /tmp and its like.
    pub fn new(sandbox: Option<Entry>, temporary: Vec<Entry>, ipc: Ipc, target: &Actor) -> Outcome<View> {
        let view = View { sandbox, temporary, ipc };
        if let Some((tree, path)) = view.inside() {
            let made = acting_as(target, || tree.make_all(&path)).map_err(broken)?;
            made.map_err(|errno| unsupported("the way to the sandbox in the payload's /tmp", errno))?;
        }
        Ok(view)
    }

    /// Where the sandbox is in a /tmp of the payload's own, if it is in one.
    fn inside(&self) -> Option<(&Tree, PathBuf)> {
        let path = self.sandbox.as_ref()?.way.path();
        self.temporary.iter().find_map(|entry| Some((&entry.tree, path.strip_prefix(entry.way.path()).ok()?.into())))
    }

    /// Where the payload works, if the caller has said so.
    pub fn sandbox(&self) -> Option<PathBuf> {
        self.sandbox.as_ref().map(|entry| entry.way.path())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.sandbox.iter().chain(&self.temporary)
    }

    /// The path that the payload has for what the caller calls so: the same, but for symbolic links above an entry.
    pub fn path(&self, path: &Path) -> PathBuf {
        let below = |entry: &Entry| {
            let rest = entry.called.iter().find_map(|called| path.strip_prefix(called).ok())?;
            Some(entry.way.path().join(rest))
        };
        self.entries().find_map(below).unwrap_or_else(|| path.into())
    }

    /// Where to find now what the payload will find under this path.
    pub fn place(&self, path: &Path) -> Place<'_> {
        let below = |entry| {
            let Entry { way, tree, .. }: &Entry = entry;
            path.strip_prefix(way.path()).ok().map(|rest| Place::below(tree.as_fd(), rest))
        };
        self.entries().find_map(below).unwrap_or_else(|| Place::ordinary(path))
    }

    /// A file of this path and identity in the payload's view, as everybody else finds it; `None` where it is no entry's.
    pub fn left(&self, path: &Path, identity: (u64, u64)) -> Option<LeftFile> {
        let below = |entry: &Entry| {
            let rest = path.strip_prefix(entry.way.path()).ok()?;
            LeftFile::below(&entry.on_disk, rest, identity, entry.caller.uid.as_raw())
        };
        self.entries().find_map(below)
    }

    /// Makes it the process's own: for the process that becomes the payload, just before it does.
    pub fn enter(&self, target: &Actor) -> Outcome<()> {
        if self.entries().next().is_none() && self.ipc == Ipc::Shared {
            return Ok(());
        }
        mount::leave_shared_view().map_err(|errno| unsupported("a mount namespace", errno))?;
        if self.ipc == Ipc::Own {
            mount::leave_shared_ipc().map_err(|errno| {
                let sentence = "the payload cannot be given IPC and a /dev/shm of its own";
                Refusal::new(Reason::SandboxUnsupported, sentence).detail(errno.desc())
            })?;
        }
        self.temporary.iter().try_for_each(Entry::attach)?;
        match (&self.sandbox, self.inside()) {
            (Some(sandbox), Some((tree, path))) => {
                let hold = OFlag::O_PATH | OFlag::O_DIRECTORY;
                let place = acting_as(target, || Place::below(tree.as_fd(), &path).open(hold)).map_err(broken)?;
                let place = place.map_err(|errno| lost(&sandbox.way.path(), Lost::Barred(errno)))?;
                sandbox.tree.attach(place.as_fd()).map_err(|errno| unsupported("mounting", errno))
            }
            (Some(sandbox), None) => sandbox.attach(),
            (None, _) => Ok(()),
        }
    }

    /// Goes to where the payload works. To be called as the target, in the view. False where the caller has said nothing.
    pub fn go_to_work(&self) -> Result<bool, Errno> {
        self.sandbox.as_ref().map_or(Ok(false), |entry| fchdir(&entry.tree).map(|()| true))
    }
}

impl Entry {
    /// Mounts it, and covers what is above it, where that must not be seen.
    fn attach(&self) -> Outcome<()> {
        let failed = |errno| unsupported("mounting", errno);
        let depth = self.cover.unwrap_or(self.way.length());
        let place = acting_as(&self.caller, || self.way.again(depth)).map_err(failed)?;
        let place = place.map_err(|why| lost(&self.way.path(), why))?;
        match self.cover {
            None => self.tree.attach(place.as_fd()),
            Some(depth) => Tree::cover(place.as_fd(), &self.way.names_from(depth))
                .and_then(|innermost| self.tree.attach(innermost.as_fd())),
        }
        .map_err(failed)
    }
}
