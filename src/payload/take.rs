//! `--take DIR`: a directory tree of the caller's that the target account has for the time of the call.

#![forbid(unsafe_code)]

use crate::audit::escape::in_sentence;
use crate::config::glexec::Glexec;
use crate::invocation::caller::Caller;
use crate::lcmaps::Mapping;
use crate::payload::switch;
use crate::reason::{Outcome, Reason, Refusal};
use crate::sys::handover::{Back, MAX_DEPTH, MAX_ENTRIES, Obstacle, Owner, Tree, Why};
use crate::sys::identity::{Actor, acting_as};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid};
use std::path::{Path, PathBuf};

/// A tree that can be handed over.
#[derive(Debug)]
pub struct Take {
    tree: Tree,
    path: PathBuf,
    caller: Owner,
    target: Owner,
    whose: Whose,
}

/// Who has the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Callers,
    Targets,
}

impl Take {
    /// Finds the directory, as the caller, and makes sure that the target account can reach it.
    pub fn find(
        path: &Path,
        cwd: Option<&Path>,
        caller: &Caller,
        target: &Mapping,
        config: &Glexec,
    ) -> Outcome<Option<Take>> {
        if !config.linger {
            let sentence = "--take cannot be used here: this site's glexec does not stay to hand the directory back";
            return Err(Refusal::new(Reason::TakeNotLingering, sentence));
        }
        if caller.uid == 0 {
            return Err(Refusal::new(Reason::InvocationUsage, "--take is not for root, who can chown(1)"));
        }
        if caller.uid == target.uid.get() {
            // It has the tree already.
            return Ok(None);
        }
        // Without `.` components: to go through one of the directory itself the target would have to have it already.
        let path: PathBuf = cwd.map_or_else(|| path.to_path_buf(), |cwd| cwd.join(path)).components().collect();
        let shown = in_sentence(&path);
        let unreachable = |why: &str| Refusal::new(Reason::TakeUnreachable, format!("{shown} cannot be taken: {why}"));
        let mine = Owner { uid: Uid::from_raw(caller.uid), gid: Gid::from_raw(caller.gid) };
        let theirs = Owner { uid: Uid::from_raw(target.uid.get()), gid: Gid::from_raw(target.gid.get()) };
        let as_caller = Actor { uid: mine.uid, gid: mine.gid, groups: None };
        let tree = acting_as(&as_caller, || Tree::open(&path)).map_err(failed)?;
        let tree = tree.map_err(|errno| match errno {
            Errno::ENOTDIR | Errno::ELOOP => unreachable("it is not a directory"),
            errno => unreachable(errno.desc()),
        })?;
        if tree.owner().map_err(failed)? != mine.uid {
            let sentence = format!("{shown} cannot be taken: it does not belong to you");
            return Err(Refusal::new(Reason::TakeForeign, sentence));
        }
        if !acting_as(&switch::actor(target), || tree.is_reached_by(&path)).map_err(failed)? {
            let why = "the target account cannot reach it; a directory above it is closed to others (chmod a+x)";
            return Err(unreachable(why));
        }
        Ok(Some(Take { tree, path, caller: mine, target: theirs, whose: Whose::Callers }))
    }

    /// Gives the tree to the target; all of it or nothing. To be called by a process that the caller cannot signal.
    pub fn hand_over(&mut self) -> Outcome<()> {
        self.tree.hand_over(self.caller, self.target).map_err(|obstacle| self.refusal(&obstacle))?;
        self.whose = Whose::Targets;
        Ok(())
    }

    /// Gives the tree back to the caller, where the target has it.
    pub fn hand_back(&mut self) -> Option<Outcome<Back>> {
        match self.whose {
            Whose::Callers => None,
            Whose::Targets => {
                self.whose = Whose::Callers;
                Some(self.tree.hand_back(self.target, self.caller).map_err(|why| {
                    let why = match why {
                        Why::System(errno) => errno.to_string(),
                        _ => "it is not the target account's any more".to_owned(),
                    };
                    Refusal::new(Reason::TakeFailed, "the directory of --take did not go back to the caller as a whole")
                        .detail(why)
                }))
            }
        }
    }

    fn refusal(&self, obstacle: &Obstacle) -> Refusal {
        let path =
            if obstacle.path.as_os_str().is_empty() { self.path.clone() } else { self.path.join(&obstacle.path) };
        let shown = in_sentence(&path);
        let (reason, why) = match obstacle.why {
            Why::Foreign => (Reason::TakeForeign, "it does not belong to you".to_owned()),
            Why::Device => (Reason::TakeForeign, "it is a device".to_owned()),
            Why::HardLink => (Reason::TakeHardLink, "it has another name (hard link)".to_owned()),
            Why::MountPoint => (Reason::TakeMountPoint, "another file system begins there".to_owned()),
            Why::TooMany => (Reason::TakeTooLarge, format!("there are more than {MAX_ENTRIES} files")),
            Why::TooDeep => (Reason::TakeTooLarge, format!("the directories are deeper than {MAX_DEPTH}")),
            Why::System(errno) => (Reason::TakeFailed, errno.desc().to_owned()),
        };
        Refusal::new(reason, format!("{shown} cannot be taken: {why}"))
    }
}

fn failed(errno: Errno) -> Refusal {
    Refusal::new(Reason::TakeFailed, "the directory could not be looked at").detail(errno.to_string())
}
