//! Limits of a process, setrlimit(2).

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Limits a process for good, once it has its last identity. Where the caller's hard limit is lower, and root could not raise
/// it (in a container), that one stays.
pub fn lower_limit(which: Resource, max: libc::rlim_t) -> Result<(), String> {
    let lowered = match setrlimit(which, max, max) {
        Err(Errno::EPERM) => getrlimit(which).and_then(|(_, hard)| match hard < max {
            true => setrlimit(which, hard, hard),
            false => Err(Errno::EPERM),
        }),
        outcome => outcome,
    };
    lowered.map_err(|errno| format!("{which:?}: {errno}"))
}
