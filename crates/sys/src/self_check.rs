//! What must hold before a setuid program trusts its own privileges.

use crate::start::proc_text;
use nix::sys::prctl::get_no_new_privs;
use nix::unistd::geteuid;
use std::os::unix::fs::MetadataExt;

/// What does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The effective user is not root.
    NotRoot,
    /// no_new_privs is set: no identity switch can work, and a seccomp filter of the caller may be in force.
    NoNewPrivs,
    /// /proc is not mounted or hidden, so that nothing can be checked.
    NoProc,
    /// Not the initial user namespace: root here is not root.
    UserNamespace,
    /// A process that is not root's traces us.
    Traced,
}

/// Inode of /proc/self/ns/user in the initial user namespace: `PROC_USER_INIT_INO` (linux/proc_ns.h; the kernel's
/// interface since 6.17 as `USER_NS_INIT_INO` in linux/nsfs.h).
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// Checks the process itself.
pub fn check() -> Result<(), Failed> {
    if no_new_privs() {
        return Err(Failed::NoNewPrivs);
    }
    if !geteuid().is_root() {
        return Err(Failed::NotRoot);
    }
    if !in_initial_user_namespace().ok_or(Failed::NoProc)? {
        return Err(Failed::UserNamespace);
    }
    if is_traced_by_stranger() {
        return Err(Failed::Traced);
    }
    Ok(())
}

/// Whether the process, and so everything it starts, can gain no privilege.
pub fn no_new_privs() -> bool {
    get_no_new_privs().unwrap_or(true)
}

/// Whether ids mean here what they mean to the machine; `None` where /proc does not tell.
pub fn in_initial_user_namespace() -> Option<bool> {
    std::fs::metadata("/proc/self/ns/user").ok().map(|namespace| namespace.ino() == INITIAL_USER_NAMESPACE)
}

/// Whether somebody else than root traces us. The kernel does not honour the setuid bit under such a tracer, so this
/// says no more than [`Failed::NotRoot`]; an administrator's strace as root is no attack.
fn is_traced_by_stranger() -> bool {
    let Ok(status) = proc_text("/proc/self/status") else { return true };
    match status.lines().find_map(|line| line.strip_prefix("TracerPid:")).map(str::trim) {
        Some("0") => false,
        Some(pid) => std::fs::metadata(format!("/proc/{pid}")).map_or(true, |tracer| tracer.uid() != 0),
        None => true,
    }
}
