//! Child processes of the privileged program: forked, confined, with a deadline and one bounded answer.

use crate::descriptors;
use crate::identity::{self, Actor};
use crate::supervise::{self, Side};
use crate::{errno_of, sandbox};
pub use glexec_core::program::NoAnswer;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, pipe2};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// Exit code of a child whose sandbox could not be closed; its answer is then the reason.
const NO_SANDBOX: i32 = 3;
/// Exit code of a child that panicked.
const PANICKED: i32 = 4;
/// Exit code of a child that could not answer.
const UNHEARD: i32 = 5;

/// How long reading what a caller gave may take on a crowded node; alone it needs milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How a confined child is to be run.
pub struct Confinement<'a> {
    /// Whom it runs as; never root.
    pub actor: &'a Actor,
    /// Directories below which it may read.
    pub readable: &'a [BorrowedFd<'a>],
    /// How long it may take.
    pub deadline: Duration,
    /// How much it may answer, in bytes.
    pub max_answer: usize,
}

/// Runs `work` in a forked child that is confined by [`sandbox::enter`] and returns what it answers.
pub fn ask_confined(how: &Confinement<'_>, work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, NoAnswer> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC).map_err(|e| NoAnswer::System("pipe", e.to_string()))?;
    let parent = getpid();
    // SAFETY: the process has one thread, so the child may do whatever the parent may.
    match unsafe { fork() }.map_err(|e| NoAnswer::System("fork", e.to_string()))? {
        ForkResult::Child => {
            drop(ours);
            let child = AssertUnwindSafe(|| confined(how, parent, theirs, work));
            // With unwinding panics the child must not return into the parent's code.
            let code = std::panic::catch_unwind(child).unwrap_or(PANICKED);
            // SAFETY: _exit ends the process without running anything of the parent's.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let answer = read_answer(&File::from(ours), how.deadline, how.max_answer);
            conclude(child, answer)
        }
    }
}

/// Runs `work` in a forked child with the rights of this process, and returns what it answers: for what may hang, as
/// libraries do that ask a name service.
pub fn ask_within(deadline: Duration, max_answer: usize, work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, NoAnswer> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC).map_err(|e| NoAnswer::System("pipe", e.to_string()))?;
    let parent = getpid();
    match supervise::split().map_err(|e| NoAnswer::System("fork", e.to_string()))? {
        Side::Child => {
            drop(ours);
            let answer = AssertUnwindSafe(|| {
                let alive = supervise::die_with(parent).is_ok();
                let heard = alive && File::from(theirs).write_all(&work()).is_ok();
                if heard { 0 } else { UNHEARD }
            });
            supervise::end(std::panic::catch_unwind(answer).unwrap_or(PANICKED))
        }
        Side::Parent(child) => {
            drop(theirs);
            let answer = read_answer(&File::from(ours), deadline, max_answer);
            conclude(child, answer)
        }
    }
}

/// The child's side; returns its exit code.
fn confined(how: &Confinement<'_>, parent: Pid, answer_on: OwnedFd, work: impl FnOnce() -> Vec<u8>) -> i32 {
    let close = || {
        keep_only(&answer_on, how.readable).map_err(|e| format!("descriptors: {e}"))?;
        identity::become_for_good(how.actor)?;
        supervise::die_with(parent)?;
        sandbox::enter(how.readable)
    };
    let (answer, code) = match close() {
        Ok(()) => (work(), 0),
        Err(why) => (why.into_bytes(), NO_SANDBOX),
    };
    // The parent reads to the end or ends us: an error here means that nobody listens any more.
    match File::from(answer_on).write_all(&answer) {
        Ok(()) => code,
        Err(_) => UNHEARD,
    }
}

/// Lets go of everything but the answer and the readable directories: the child must not be able to read the caller's
/// input or to speak to its terminal.
fn keep_only(answer_on: &OwnedFd, readable: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    descriptors::release_standard()?;
    let mut keep: Vec<RawFd> = readable.iter().map(AsRawFd::as_raw_fd).collect();
    keep.push(answer_on.as_raw_fd());
    descriptors::close_all_but(&keep)
}

/// Reads until the child closes its end, within the deadline and the bound.
fn read_answer(from: &File, deadline: Duration, max_answer: usize) -> Result<Vec<u8>, NoAnswer> {
    let started = Instant::now();
    let mut answer = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) => return Err(NoAnswer::Deadline(deadline)),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(NoAnswer::System("poll", errno.to_string())),
            Ok(_) => {}
        }
        match (&mut &*from).read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(n) => answer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(NoAnswer::System("read", errno_of(&e).to_string())),
        }
        if answer.len() > max_answer {
            return Err(NoAnswer::TooLong(max_answer));
        }
    }
}

/// Ends and reaps the child; its answer counts only when it ended well.
fn conclude(child: Pid, answer: Result<Vec<u8>, NoAnswer>) -> Result<Vec<u8>, NoAnswer> {
    if answer.is_err() {
        // It is our own child and not reaped yet, so the number cannot be somebody else's.
        let _ = kill(child, Signal::SIGKILL);
    }
    let status = loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            status => break status.map_err(|e| NoAnswer::System("waitpid", e.to_string()))?,
        }
    };
    let answer = answer?;
    match status {
        WaitStatus::Exited(_, 0) => Ok(answer),
        WaitStatus::Exited(_, NO_SANDBOX) => {
            Err(NoAnswer::Died(format!("no sandbox: {}", String::from_utf8_lossy(&answer))))
        }
        WaitStatus::Exited(_, code) => Err(NoAnswer::Died(format!("exit code {code}"))),
        WaitStatus::Signaled(_, signal, _) => Err(NoAnswer::Died(format!("signal {signal}"))),
        other => Err(NoAnswer::Died(format!("{other:?}"))),
    }
}

/// Replaces the process by a command: the last step.
///
/// Every signal gets its default disposition first. Returns only on failure.
pub fn execute(path: &std::ffi::CStr, arguments: &[std::ffi::CString], environment: &[std::ffi::CString]) -> Errno {
    crate::start::default_signals();
    match nix::unistd::execve(path, arguments, environment) {
        Err(errno) => errno,
        Ok(never) => match never {},
    }
}
