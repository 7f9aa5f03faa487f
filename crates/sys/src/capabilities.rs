//! The capability sets of the process, capabilities(7).

use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

/// A set of capabilities: one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// To read what the mode of a file forbids.
    pub const DAC_READ_SEARCH: Capabilities = Capabilities(1 << 2);
    /// To signal processes of other users.
    pub const KILL: Capabilities = Capabilities(1 << 5);
    /// To change groups.
    pub const SETGID: Capabilities = Capabilities(1 << 6);
    /// To change users.
    pub const SETUID: Capabilities = Capabilities(1 << 7);
    /// To change the bounding set.
    pub const SETPCAP: Capabilities = Capabilities(1 << 8);

    /// What is in either.
    pub const fn and(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// What is in this one only.
    pub const fn without(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & !other.0)
    }

    /// Whether all of the other is in this one.
    pub const fn holds(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What capget(2) tells and capset(2) changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Those that count.
    pub effective: Capabilities,
    /// Those that may be made to count.
    pub permitted: Capabilities,
    /// Those that execve(2) may keep.
    pub inheritable: Capabilities,
}

/// `_LINUX_CAPABILITY_VERSION_3` (linux/capability.h): two words of 32 bits a set.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`; process 0 is the calling one.
#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

/// `struct __user_cap_data_struct`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The process's own sets.
pub fn read() -> Result<Sets, Errno> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut words = [Word::default(); 2];
    // SAFETY: the kernel writes a header and, for this version, two words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    let [low, high] = words;
    let set = |low: u32, high: u32| Capabilities(u64::from(low) | (u64::from(high) << 32));
    Ok(Sets {
        effective: set(low.effective, high.effective),
        permitted: set(low.permitted, high.permitted),
        inheritable: set(low.inheritable, high.inheritable),
    })
}

/// Changes the process's own sets.
pub fn write(sets: Sets) -> Result<(), Errno> {
    let mut header = Header { version: VERSION, pid: 0 };
    // The low half of a set, or the high one; the cut is meant.
    let word = |shift: u32| {
        let half = |set: Capabilities| (set.0 >> shift) as u32;
        Word { effective: half(sets.effective), permitted: half(sets.permitted), inheritable: half(sets.inheritable) }
    };
    let words = [word(0), word(32)];
    // SAFETY: the kernel reads a header and, for this version, two words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) }).map(drop)
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

/// Empties the ambient set.
pub fn clear_ambient_set() -> Result<(), Errno> {
    // SAFETY: PR_CAP_AMBIENT_CLEAR_ALL touches no memory.
    let rc = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    Errno::result(rc).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_are_those_that_the_kernel_shows() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            Capabilities(u64::from_str_radix(line.trim(), 16).unwrap())
        };
        let expected = Sets { effective: field("CapEff:"), permitted: field("CapPrm:"), inheritable: field("CapInh:") };
        assert_eq!(read(), Ok(expected));
        assert_eq!(write(expected), Ok(()), "what one has one may keep");
        assert_eq!(read(), Ok(expected));
    }
}
