//! Waiting a bounded time for the lock of a file or directory.

pub use glexec_core::lock::Mechanism;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// What the lock is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading: a shared lock.
    Read,
    /// Replacing: an exclusive lock.
    Replace,
}

/// Renewing a proxy takes milliseconds; whoever holds a lock for longer than this is not renewing.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many looks at a lock in the time that somebody is willing to wait for it.
const LOOKS: u32 = 250;

/// Locks an open file, waiting at most [`PATIENCE`]; `EAGAIN` when it stays locked.
pub fn acquire(file: impl AsFd, mechanism: Mechanism, purpose: Purpose) -> Result<(), Errno> {
    wait(file.as_fd(), mechanism, purpose, PATIENCE)
}

/// Locks an open file if nobody else has locked it; `EAGAIN` otherwise.
pub fn at_once(file: impl AsFd, mechanism: Mechanism, purpose: Purpose) -> Result<(), Errno> {
    wait(file.as_fd(), mechanism, purpose, Duration::ZERO)
}

/// The same with a patience of one's own.
pub(super) fn wait(
    file: BorrowedFd<'_>,
    mechanism: Mechanism,
    purpose: Purpose,
    patience: Duration,
) -> Result<(), Errno> {
    patiently(patience, || try_once(file, mechanism, purpose))
}

fn patiently(patience: Duration, try_once: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    let started = Instant::now();
    loop {
        match try_once() {
            Err(Errno::EAGAIN | Errno::EACCES) if started.elapsed() < patience => {
                std::thread::sleep(patience.checked_div(LOOKS).unwrap_or(patience));
            }
            Err(Errno::EACCES) => return Err(Errno::EAGAIN),
            outcome => return outcome,
        }
    }
}

/// Releases a flock(2) lock of a file that stays open.
pub fn release(file: impl AsFd) {
    // SAFETY: flock takes two numbers. Unlocking an open file cannot fail.
    unsafe { libc::flock(file.as_fd().as_raw_fd(), libc::LOCK_UN) };
}

fn try_once(file: BorrowedFd<'_>, mechanism: Mechanism, purpose: Purpose) -> Result<(), Errno> {
    match mechanism {
        Mechanism::Disabled => Ok(()),
        Mechanism::Flock => {
            let operation = match purpose {
                Purpose::Read => libc::LOCK_SH,
                Purpose::Replace => libc::LOCK_EX,
            };
            // SAFETY: flock takes two numbers; the descriptor is open as long as `file` lives.
            Errno::result(unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) }).map(drop)
        }
        Mechanism::Fcntl => {
            // SAFETY: flock is plain data; all zeros is "from the start, to the end".
            let mut lock: libc::flock = unsafe { std::mem::zeroed() };
            lock.l_type = match purpose {
                Purpose::Read => libc::F_RDLCK as libc::c_short,
                Purpose::Replace => libc::F_WRLCK as libc::c_short,
            };
            fcntl(file, FcntlArg::F_SETLK(&lock)).map(drop)
        }
    }
}
