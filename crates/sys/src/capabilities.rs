//! The capability sets of the process, capabilities(7), which the crate caps reads and changes.
//!
//! It knows the capabilities of its day. What has to be right for newer ones, too, is done here: the bounding set, which is
//! emptied one by one as far as the kernel knows any, and the proof that nothing is left.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

/// The crate's errors are texts; capset(2) refuses what one may not do, and else only what is malformed.
fn refused(_: CapsError) -> Errno {
    Errno::EPERM
}

/// Lets these capabilities count and holds some besides; the process loses all others, and hands none on.
pub fn keep(counting: &[Capability], held: &[Capability]) -> Result<(), Errno> {
    let permitted: CapsHashSet = counting.iter().chain(held).copied().collect();
    let effective: CapsHashSet = counting.iter().copied().collect();
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new()).map_err(refused)?;
    caps::set(None, CapSet::Effective, &effective).map_err(refused)?;
    caps::set(None, CapSet::Permitted, &permitted).map_err(refused)
}

/// Whether a capability is held, whether or not it counts.
pub fn holds(capability: Capability) -> Result<bool, Errno> {
    caps::has_cap(None, CapSet::Permitted, capability).map_err(refused)
}

/// Whether a capability counts.
pub fn counts(capability: Capability) -> Result<bool, Errno> {
    caps::has_cap(None, CapSet::Effective, capability).map_err(refused)
}

/// Lets a capability count that is held.
pub fn raise(capability: Capability) -> Result<(), Errno> {
    caps::raise(None, CapSet::Effective, capability).map_err(refused)
}

/// Goes on holding a capability that shall not count.
pub fn lower(capability: Capability) -> Result<(), Errno> {
    caps::drop(None, CapSet::Effective, capability).map_err(refused)
}

/// Empties the ambient set.
pub fn clear_ambient_set() -> Result<(), Errno> {
    caps::clear(None, CapSet::Ambient).map_err(refused)
}

/// The last capability that every kernel glexec runs on has, CAP_CHECKPOINT_RESTORE (Linux 5.9).
const LAST_OF_ALL: libc::c_int = 40;

/// Whether the bounding set has been emptied: nothing adds to it again, here or in a child (capabilities(7)).
static EMPTIED: AtomicBool = AtomicBool::new(false);

/// Empties the bounding set of every capability that the running kernel knows, also those newer than any library.
pub fn empty_bounding_set() -> Result<(), Errno> {
    if !EMPTIED.load(Ordering::Relaxed) {
        (0..64).find_map(remove_from_bounding_set).unwrap_or(Ok(()))?;
        EMPTIED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Tells how the removal ends, where it does with this capability.
fn remove_from_bounding_set(capability: libc::c_int) -> Option<Result<(), Errno>> {
    // SAFETY: PR_CAPBSET_DROP takes a number and touches no memory.
    match Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }) {
        Ok(_) => None,
        // The kernel knows no more; before that it would be hiding one from us.
        Err(Errno::EINVAL) if capability > LAST_OF_ALL => Some(Ok(())),
        // SAFETY: as PR_CAPBSET_DROP. What is not there need not be removed, and then no privilege is needed either.
        Err(Errno::EPERM) if unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) } == 0 => None,
        Err(errno) => Some(Err(errno)),
    }
}

/// `_LINUX_CAPABILITY_VERSION_3` (linux/capability.h): two words of 32 bits a set.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`; process 0 is the calling one.
#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

/// Whether no capability is left, not even one that no library knows: capget(2), all sets at once and all their bits.
pub fn are_gone() -> Result<bool, Errno> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut words = [u32::MAX; 6];
    // SAFETY: the kernel writes a header and, for this version, two structures of three words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    Ok(words == [0; 6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_the_kernel_shows() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let none = ["CapEff:", "CapPrm:", "CapInh:"].iter().all(|name| field(name).trim() == "0000000000000000");
        assert_eq!(are_gone(), Ok(none));
    }
}
