//! Landlock: what a process may still do with files, landlock(7).

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// `LANDLOCK_CREATE_RULESET_VERSION` (linux/landlock.h): asks for the version, makes nothing.
const VERSION: u32 = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: u32 = 1;
/// `LANDLOCK_ACCESS_FS_READ_FILE` and `…_READ_DIR`.
const READ: u64 = (1 << 2) | (1 << 3);
/// Every right of the first version (Linux 5.13), from executing to making links.
const OF_VERSION_1: u64 = (1 << 13) - 1;
/// Rights of later versions, and those: linking elsewhere, cutting off, ioctl(2) on devices.
const LATER: [(libc::c_long, u64); 3] = [(2, 1 << 13), (3, 1 << 14), (5, 1 << 15)];

/// `struct landlock_ruleset_attr` of the first version: what is forbidden but for rules.
#[repr(C)]
struct Ruleset {
    handled_access_fs: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: RawFd,
}

/// Leaves the calling process, which must have no_new_privs, nothing that can be done with files but reading what is below
/// some directories. The rights of the first version are a must, newer ones are taken where the kernel has them.
pub fn only_read_below(directories: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    // SAFETY: with this flag the kernel takes no structure and tells its version.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0_usize, VERSION) };
    let version = Errno::result(version)?;
    let later = LATER.iter().filter(|(since, _)| version >= *since).fold(0, |all, (_, right)| all | right);
    let ruleset = create(&Ruleset { handled_access_fs: OF_VERSION_1 | later })?;
    for directory in directories {
        allow(&ruleset, &PathBeneath { allowed_access: READ, parent_fd: directory.as_raw_fd() })?;
    }
    // SAFETY: takes two numbers and touches no memory.
    Errno::result(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) }).map(drop)
}

fn create(ruleset: &Ruleset) -> Result<OwnedFd, Errno> {
    let size = size_of::<Ruleset>();
    // SAFETY: the kernel reads a structure of this size and gives a descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::from_ref(ruleset), size, 0_u32) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made the descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn allow(ruleset: &OwnedFd, rule: &PathBeneath) -> Result<(), Errno> {
    let rule = std::ptr::from_ref(rule);
    // SAFETY: the kernel reads a structure of this kind, and both descriptors are open.
    let rc = unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, rule, 0_u32) };
    Errno::result(rc).map(drop)
}
