//! A /tmp and a /var/tmp of the payload's own: sandboxes that glexec makes by itself. What is in them is the caller's
//! on disk, and later calls of the same caller for the same account find it again.
//!
//! Where /tmp is the job's own, the caller's and closed to others, they lie in that, count for its space and go with
//! it. Else they lie where root keeps them, one directory for each caller, which nobody else can enter or block by a
//! name.

use crate::payload::view::{Entry, broken};
use glexec_config::isolation::PrivateTmp;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::identity::{Actor, acting_as};
use glexec_sys::mount::{Owner, Owners, Tree};
use glexec_sys::private_dir::{self, is_common, is_usable};
use glexec_sys::way::{Found, Lost};
use nix::errno::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

/// The job's own.
const TMP: &str = "/tmp";
/// What the payload sees otherwise, and how that is called in its room.
const SEEN: [(&str, &str); 2] = [(TMP, "tmp"), ("/var/tmp", "var-tmp")];
/// Where root keeps what cannot lie in /tmp.
const STORE: &str = "/var/lib/glexec/tmp";
/// Permission bits of group and others.
const OF_OTHERS: u32 = 0o077;

/// When they are wanted in this call, as far as can be told while the account is not known: never, where everybody can
/// use what there is and that is enough.
pub fn when(configured: PrivateTmp) -> PrivateTmp {
    let all_common = || SEEN.iter().all(|(path, _)| is_common(Path::new(path)));
    if configured == PrivateTmp::WhenNeeded && all_common() { PrivateTmp::Never } else { configured }
}

/// Makes them ready for the payload's view, those that it is to have.
pub fn prepare(when: PrivateTmp, account: &str, caller: &Actor, target: &Actor) -> Outcome<Vec<Entry>> {
    let wanted = |path: &str| match when {
        PrivateTmp::Never => Ok(false),
        PrivateTmp::WhenNeeded => acting_as(target, || !is_usable(Path::new(path))),
        PrivateTmp::Always => Ok(true),
    };
    let mut entries: Vec<Entry> = Vec::new();
    for (path, name) in SEEN {
        if !wanted(path).map_err(broken)? {
            continue;
        }
        let found = match acting_as(caller, || Found::behind(Path::new(path))).map_err(broken)? {
            Ok(found) => found,
            // Nobody has one.
            Err(Lost::NotADirectory | Lost::Barred(Errno::ENOENT)) => continue,
            Err(why) => return Err(failed(&format!("{path}: {why:?}"))),
        };
        // Where one is a symbolic link it may lead to, or into, the other.
        match entries.iter_mut().find(|entry| found.way.path().starts_with(entry.way.path())) {
            Some(entry) if found.way.path() == entry.way.path() => entry.called.push(path.into()),
            Some(_) => {}
            None => entries.push(entry((path, found), name, account, caller, target)?),
        }
    }
    Ok(entries)
}

fn entry((path, found): (&str, Found), name: &str, account: &str, caller: &Actor, target: &Actor) -> Outcome<Entry> {
    if caller.uid.is_root() || caller.gid.as_raw() == 0 {
        // The payload could leave a setuid program owned by root there.
        return Err(failed(
            "a directory that belongs to root, or to root's group, is never shown as another account's",
        ));
    }
    let room = room(account, caller)?;
    let directory = acting_as(caller, || private_dir::own(room.as_fd(), OsStr::new(name))).map_err(broken)?;
    let directory = directory.map_err(|errno| failed(errno.desc()))?;
    let (disk, seen) = (owner(caller), owner(target));
    let owners = if disk == seen { Owners::AsOnDisk } else { Owners::Mapped { disk, seen } };
    let tree = Tree::clone_of(directory.as_fd(), owners).map_err(|errno| failed(errno.desc()))?;
    Ok(Entry {
        way: found.way,
        called: vec![path.into()],
        cover: None,
        tree,
        on_disk: directory,
        caller: caller.clone(),
    })
}

fn owner(actor: &Actor) -> Owner {
    Owner { uid: actor.uid, gid: actor.gid }
}

fn failed(why: &str) -> Refusal {
    let sentence = "the payload cannot be given a /tmp of its own";
    Refusal::new(Reason::SandboxUnsupported, sentence).detail(why)
}

/// Where this caller's for this account lie.
fn room(account: &str, caller: &Actor) -> Outcome<OwnedFd> {
    let mut parts = Path::new(account).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Err(failed("the account has a name that no directory can have"));
    }
    let refused = |errno: Errno| failed(errno.desc());
    let tmp = acting_as(caller, || Found::behind(Path::new(TMP))).map_err(broken)?;
    let is_callers = |tmp: &Found| {
        tmp.standing().is_ok_and(|standing| {
            let (uid, gid) = (caller.uid.as_raw(), caller.gid.as_raw());
            standing.uid == uid && standing.gid == gid && standing.mode & OF_OTHERS == 0
        })
    };
    let room = match tmp {
        Ok(tmp) if is_callers(&tmp) => {
            let name = format!(".glexec-{account}");
            acting_as(caller, || private_dir::own(tmp.directory(), OsStr::new(&name)))
        }
        Ok(_) | Err(_) => {
            let store = private_dir::store(Path::new(STORE)).map_err(|error| failed(&error.to_string()))?;
            let callers = caller.uid.to_string();
            let callers = private_dir::given(store.as_fd(), OsStr::new(&callers), owner(caller)).map_err(refused)?;
            acting_as(caller, || private_dir::own(callers.as_fd(), OsStr::new(account)))
        }
    };
    room.map_err(broken)?.map_err(refused)
}
