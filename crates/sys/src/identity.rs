//! Capabilities, acting as somebody for a moment, and becoming somebody for good.

use crate::capabilities::{self, clear_ambient_set, empty_bounding_set};
use caps::Capability;
use nix::errno::Errno;
use nix::sys::prctl::{set_dumpable, set_keepcaps, set_no_new_privs};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::{self, Gid, Uid, getegid, getresgid, getresuid, setgroups};

/// What the privileged process always needs: to change its identity, and to end processes of other users.
const ALWAYS: [Capability; 3] = [Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_KILL];

/// For the look into the shadow database, whose mode is 0000 on some systems: it is held, and does not count but there.
const LOOK: Capability = Capability::CAP_DAC_READ_SEARCH;

/// What an option that is in use needs besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To execute, in the end, a program of the site's as root: the bounding set stays what it is, for the kernel gives
    /// a program owned by root what is in it (capabilities(7)). Processes that become somebody else empty their own.
    RootProgram,
    /// To make mounts, and a mount namespace for them.
    Mounts,
    /// To make a directory and give it to the caller.
    Giving,
}

impl Need {
    fn capability(self) -> Capability {
        match self {
            // To empty the bounding sets.
            Need::RootProgram => Capability::CAP_SETPCAP,
            Need::Mounts => Capability::CAP_SYS_ADMIN,
            Need::Giving => Capability::CAP_CHOWN,
        }
    }
}

/// Drops every capability but those that some configuration or option may need, before either is read: the first of two
/// steps. What [`overriding`] needs is held, and does not count but there.
pub fn reduce_capabilities() -> Result<(), String> {
    clear_ambient_set().map_err(|e| format!("ambient set: {e}"))?;
    keep(&[Need::RootProgram, Need::Mounts, Need::Giving], &[LOOK, Capability::CAP_DAC_OVERRIDE])
}

/// Runs `work` with the permission to write in any directory; possible between the two steps. For root's own files
/// only.
pub fn overriding<T>(work: impl FnOnce() -> T) -> Result<T, Errno> {
    capabilities::raise(Capability::CAP_DAC_OVERRIDE)?;
    let done = work();
    capabilities::lower(Capability::CAP_DAC_OVERRIDE)?;
    Ok(done)
}

/// Keeps what is needed in fact: the second step. Without a program owned by root the bounding set becomes empty, so
/// that nothing executed from here on can ever have a capability.
pub fn settle_capabilities(needs: &[Need]) -> Result<(), String> {
    if !needs.contains(&Need::RootProgram) {
        empty_bounding_set().map_err(|e| format!("bounding set: {e}"))?;
    }
    keep(needs, &[LOOK])
}

/// Drops every capability but those that are always needed and these; the inheritable set becomes empty.
pub fn keep_capabilities(needs: &[Need]) -> Result<(), String> {
    keep(needs, &[])
}

fn keep(needs: &[Need], held: &[Capability]) -> Result<(), String> {
    // A container may lack what only some options need: whoever uses these is told so when it comes to it.
    let there = |capability: &Capability| capabilities::holds(*capability).unwrap_or(false);
    let needed = needs.iter().map(|need| need.capability()).filter(there);
    let counting: Vec<_> = ALWAYS.into_iter().chain(needed).collect();
    capabilities::keep(&counting, held).map_err(|e| format!("capabilities: {e}"))
}

// A change of ids makes the process as dumpable as fs.suid_dumpable says, which EL and SLES set to 2 (prctl(2)): a
// crash would hand keys and the caller's environment to whatever takes the cores. Therefore all ids are changed by
// these four.

/// setresuid(2), and not dumpable.
pub(super) fn setresuid(real: Uid, effective: Uid, saved: Uid) -> Result<(), Errno> {
    unistd::setresuid(real, effective, saved)?;
    set_dumpable(false)
}

/// setresgid(2), and not dumpable.
pub(super) fn setresgid(real: Gid, effective: Gid, saved: Gid) -> Result<(), Errno> {
    unistd::setresgid(real, effective, saved)?;
    set_dumpable(false)
}

fn seteuid(user: Uid) -> Result<(), Errno> {
    unistd::seteuid(user)?;
    set_dumpable(false)
}

fn setegid(group: Gid) -> Result<(), Errno> {
    unistd::setegid(group)?;
    set_dumpable(false)
}

/// Runs `work` with the right to read what the mode of a file forbids, where the process holds it.
pub(crate) fn reading_everything<T>(work: impl FnOnce() -> T) -> T {
    if !capabilities::holds(LOOK).unwrap_or(false) {
        return work();
    }
    let counted = capabilities::counts(LOOK).unwrap_or(false);
    // Where this fails, the look says so.
    let _ = capabilities::raise(LOOK);
    let result = work();
    if !counted {
        // To lower it cannot be refused.
        let _ = capabilities::lower(LOOK);
    }
    result
}

/// Gives up a group that a setgid bit on the program brought along.
pub fn drop_setgid(gid: Gid) -> Result<(), Errno> {
    setresgid(gid, gid, gid)
}

/// The supplementary groups, getgroups(2). The function of nix asks sysconf(3) first, which opens a file in /proc.
pub fn getgroups() -> Result<Vec<Gid>, Errno> {
    // SAFETY: a size of zero asks for the number of groups; no memory is touched.
    let count = Errno::result(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups: Vec<libc::gid_t> = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: at most `count` ids are written, for which there is room.
    let count = Errno::result(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups.into_iter().map(Gid::from_raw).collect())
}

/// Whose permissions to act with.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Effective user.
    pub uid: Uid,
    /// Effective group.
    pub gid: Gid,
    /// Supplementary groups; `None` leaves those of the process, which are the caller's.
    pub groups: Option<Vec<Gid>>,
}

/// Runs `work` with the permissions of `actor` and no capabilities in effect, then comes back.
///
/// The saved user stays root, so only the real user (the caller) can signal us meanwhile, and nobody can trace us.
/// An error means that the process may be left with less privilege than before, never more: the caller of this
/// function must give up.
pub fn acting_as<T>(actor: &Actor, work: impl FnOnce() -> T) -> Result<T, Errno> {
    let own_group = getegid();
    let own_groups = getgroups()?;
    let counted = capabilities::counts(LOOK)?;
    if let Some(groups) = &actor.groups {
        setgroups(groups)?;
    }
    setegid(actor.gid)?;
    seteuid(actor.uid)?;
    let result = work();
    seteuid(Uid::from_raw(0))?;
    // The kernel lets every capability count that is held when the effective user becomes root again.
    if !counted && capabilities::counts(LOOK)? {
        capabilities::lower(LOOK)?;
    }
    setegid(own_group)?;
    if actor.groups.is_some() {
        setgroups(&own_groups)?;
    }
    Ok(result)
}

/// Runs `work` where nobody but root can stop or end the process half-way: kill(2) asks for the real and the saved
/// user, and a terminal's signals wait. `None`, with nothing done, where the process is not root any more.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> Option<T> {
    let own = getresuid().ok()?;
    let root = Uid::from_raw(0);
    if own.effective != root {
        return None;
    }
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).ok()?;
    let alone = setresuid(root, root, root).is_ok();
    let result = alone.then(work);
    // Should these fail, the caller cannot signal the process, and each later change of identity sets every id anew.
    let _ = setresuid(own.real, own.effective, own.saved);
    let _ = mask.thread_set_mask();
    result
}

/// `KEYCTL_JOIN_SESSION_KEYRING` (linux/keyctl.h).
const JOIN_SESSION_KEYRING: libc::c_int = 1;

/// Leaves the caller's session keyring, which execve(2) hands on and whose keys whoever possesses it can read, for a
/// new and empty one (session-keyring(7)). Done as root, whose quota for keys is not the accounts'.
///
/// A kernel without keys, or a container that forbids them, has nothing to leave.
fn leave_keyring() -> Result<(), Errno> {
    // SAFETY: a null name asks for an anonymous keyring; no memory is touched.
    let rc = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    match Errno::result(rc) {
        Ok(_) | Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Takes the identity of `actor` for good and proves it: the caller's keyring is left behind, all ids are the new ones,
/// root cannot be regained, and no capability is left in any set, the bounding set included.
///
/// On an error the process must run nothing and end.
pub fn become_for_good(actor: &Actor) -> Result<(), String> {
    let step = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    let (uid, gid) = (actor.uid, actor.gid);
    let privileged = uid.is_root() || gid.as_raw() == 0;
    if privileged || uid.as_raw() == u32::MAX || gid.as_raw() == u32::MAX {
        return Err("not an identity to become".into());
    }
    leave_keyring().map_err(step("keyring"))?;
    empty_bounding_set().map_err(step("bounding set"))?;
    let groups = actor.groups.clone().unwrap_or_default();
    setgroups(&groups).map_err(step("setgroups"))?;
    setresgid(gid, gid, gid).map_err(step("setresgid"))?;
    setresuid(uid, uid, uid).map_err(step("setresuid"))?;

    let (users, owned) = (getresuid().map_err(step("getresuid"))?, getresgid().map_err(step("getresgid"))?);
    if [users.real, users.effective, users.saved] != [uid; 3] || [owned.real, owned.effective, owned.saved] != [gid; 3]
    {
        return Err("the ids are not the new ones".into());
    }
    if sorted(getgroups().map_err(step("getgroups"))?) != sorted(groups) {
        return Err("the groups are not the new ones".into());
    }
    let root = Uid::from_raw(0);
    let regained = [seteuid(root), setresuid(root, root, root), setresgid(Gid::from_raw(0), gid, gid)];
    if regained.iter().any(Result::is_ok) {
        return Err("root could be regained".into());
    }
    if !capabilities::are_gone().map_err(step("capget"))? {
        return Err("capabilities are left".into());
    }
    Ok(())
}

/// What a service may still do with files owned by root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesOfRoot {
    /// What anybody may.
    Read,
    /// Write them, and link to them where the kernel protects hard links (proc_sys_fs(5)): gridmapdirs.
    Write,
}

/// Takes the identity of `actor` for good in a process that will have threads, before it has any: all ids are the new
/// ones, and of the capabilities those for `files` are left and no other, in any set.
///
/// On an error the process must serve nobody and end.
pub fn become_service(actor: &Actor, files: FilesOfRoot) -> Result<(), String> {
    let step = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    let (uid, gid) = (actor.uid, actor.gid);
    if uid.is_root() || gid.as_raw() == 0 || uid.as_raw() == u32::MAX || gid.as_raw() == u32::MAX {
        return Err("not an identity to become".into());
    }
    let kept: &[Capability] = match files {
        FilesOfRoot::Read => &[],
        FilesOfRoot::Write => &[Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER],
    };
    leave_keyring().map_err(step("keyring"))?;
    empty_bounding_set().map_err(step("bounding set"))?;
    clear_ambient_set().map_err(step("ambient set"))?;
    setgroups(actor.groups.as_deref().unwrap_or_default()).map_err(step("setgroups"))?;
    setresgid(gid, gid, gid).map_err(step("setresgid"))?;
    set_keepcaps(true).map_err(step("keeping capabilities"))?;
    setresuid(uid, uid, uid).map_err(step("setresuid"))?;
    set_keepcaps(false).map_err(step("keeping capabilities"))?;
    capabilities::keep(kept, &[]).map_err(step("capset"))?;
    set_no_new_privs().map_err(step("no_new_privs"))?;

    let root = Uid::from_raw(0);
    if [seteuid(root), setresuid(root, root, root)].iter().any(Result::is_ok) {
        return Err("root could be regained".into());
    }
    Ok(())
}

/// Becomes root with this group and no other, in every id: for a program of the site's that runs as root.
pub fn become_root(gid: Gid) -> Result<(), String> {
    let step = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    let root = Uid::from_raw(0);
    leave_keyring().map_err(step("keyring"))?;
    setgroups(&[]).map_err(step("setgroups"))?;
    setresgid(gid, gid, gid).map_err(step("setresgid"))?;
    setresuid(root, root, root).map_err(step("setresuid"))
}

/// The front's identity: the caller's real ids and the target's effective and saved ones, so that both may signal it
/// (kill(2)) and neither may trace it (ptrace(2)); no capability is left even when the caller is root.
pub fn become_front(caller: (Uid, Gid), target: (Uid, Gid)) -> Result<(), String> {
    let step = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    empty_bounding_set().map_err(step("bounding set"))?;
    setgroups(&[]).map_err(step("setgroups"))?;
    setresgid(caller.1, target.1, target.1).map_err(step("setresgid"))?;
    setresuid(caller.0, target.0, target.0).map_err(step("setresuid"))?;
    capabilities::keep(&[], &[]).map_err(step("capabilities"))
}

/// Gives up every privilege and becomes the caller again, before anything is said to it: what is written on the
/// caller's descriptors is then written with no more than its own rights.
pub fn return_to_caller(uid: Uid, gid: Gid) -> Result<(), Errno> {
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

fn sorted(mut groups: Vec<Gid>) -> Vec<u32> {
    groups.sort_unstable_by_key(|gid| gid.as_raw());
    let mut raw: Vec<u32> = groups.into_iter().map(Gid::as_raw).collect();
    raw.dedup();
    raw
}
