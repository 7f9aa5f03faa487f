//! `--sandbox DIR`: a directory of the caller's, judged as the caller, that the payload works in as if it were its own.

use crate::payload::view::{Entry, broken, lost, unsupported};
use glexec_config::isolation::Isolation;
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::identity::{Actor, acting_as};
use glexec_sys::mount::{Owner, Owners, Tree};
use glexec_sys::place::Place;
use glexec_sys::way::{Found, Lost};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Permission bits of group and others. Where there are ACLs the group's are the most that any named entry gives (acl(5)).
const OF_OTHERS: u32 = 0o077;

/// The path of the directory, absolute; a refusal where there is none.
pub fn path(directory: &Path, cwd: Option<&Path>) -> Outcome<PathBuf> {
    if directory.as_os_str().is_empty() {
        return Err(Refusal::new(Reason::SandboxNotADirectory, "the directory of --sandbox is empty"));
    }
    let path = cwd.map_or_else(|| directory.into(), |cwd| cwd.join(directory));
    if path.is_absolute() { Ok(path) } else { Err(lost(directory, Lost::Barred(Errno::ENOENT))) }
}

/// Makes the directory ready for the payload's view.
pub fn prepare(path: PathBuf, caller: &Actor, target: &Actor, config: &Isolation) -> Outcome<Entry> {
    if !config.sandbox {
        let sentence = "this site does not allow --sandbox ([isolation] sandbox = false)";
        return Err(Refusal::new(Reason::SandboxForbidden, sentence));
    }
    let found = acting_as(caller, || Found::at(&path)).map_err(broken)?.map_err(|why| lost(&path, why))?;
    check_owner(&path, &found, caller)?;
    let cover = acting_as(target, || found.barred_at()).map_err(broken)?;
    let (disk, seen) = (owner(caller), owner(target));
    let owners = if disk == seen { Owners::AsOnDisk } else { Owners::Mapped { disk, seen } };
    match (cover, owners) {
        (Some(0), _) => return Err(lost(&path, Lost::Barred(Errno::EACCES))),
        // It has been opened up since it was looked at.
        (None, Owners::Mapped { .. }) if disk.uid != seen.uid => return Err(exposed(&found.way.path_above())),
        _ => {}
    }
    let tree = Tree::clone_of(found.directory(), owners).map_err(|errno| unsupported("an id-mapped mount", errno))?;
    let enter = || Place::below(tree.as_fd(), Path::new(".")).open(OFlag::O_PATH | OFlag::O_DIRECTORY).map(drop);
    acting_as(target, enter).map_err(broken)?.map_err(|errno| lost(&path, Lost::Barred(errno)))?;
    let on_disk = found.directory().try_clone_to_owned();
    let on_disk = on_disk.map_err(|_| lost(&path, Lost::Barred(Errno::EMFILE)))?;
    Ok(Entry { on_disk, way: found.way, called: vec![path], cover, tree, caller: caller.clone() })
}

fn owner(actor: &Actor) -> Owner {
    Owner { uid: actor.uid, gid: actor.gid }
}

/// Refuses what is not the caller's, and what others than the caller can come to except through the view.
fn check_owner(path: &Path, found: &Found, caller: &Actor) -> Outcome<()> {
    let shown = in_sentence(path);
    let barred = |errno| lost(path, Lost::Barred(errno));
    let (own, above) = (found.standing().map_err(barred)?, found.standing_above().map_err(barred)?);
    let refused = |sentence: String| Err(Refusal::new(Reason::SandboxNotYours, sentence));
    if caller.uid.is_root() || caller.gid.as_raw() == 0 {
        return refused(
            "a directory that belongs to root, or to root's group, is never shown as another account's".into(),
        );
    }
    if own.uid != caller.uid.as_raw() {
        return refused(format!("{shown} does not belong to you"));
    }
    if own.gid != caller.gid.as_raw() {
        return refused(format!("{shown} does not belong to your group: chgrp {} {shown}", caller.gid));
    }
    match above {
        Some(above) if above.uid == caller.uid.as_raw() && above.mode & OF_OTHERS == 0 => Ok(()),
        Some(above) if above.uid == caller.uid.as_raw() => Err(exposed(&found.way.path_above())),
        _ => {
            let shown = in_sentence(found.way.path_above());
            let sentence = format!(
                "the directory above the sandbox, {shown}, is not yours: put the sandbox into one that is, with mode 0700"
            );
            Err(Refusal::new(Reason::SandboxExposed, sentence))
        }
    }
}

fn exposed(above: &Path) -> Refusal {
    let shown = in_sentence(above);
    let sentence = format!("others may enter {shown}, the directory above the sandbox: chmod 700 {shown}");
    Refusal::new(Reason::SandboxExposed, sentence)
}
