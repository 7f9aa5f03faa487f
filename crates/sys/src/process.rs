//! Work that may hang, in a process of its own: forked, with a deadline and one bounded answer.

use crate::errno_of;
use crate::supervise::{self, Side};
pub use glexec_core::program::NoAnswer;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, pipe2};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// Exit code of a child that panicked.
const PANICKED: i32 = 4;
/// Exit code of a child that could not answer.
const UNHEARD: i32 = 5;

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
        WaitStatus::Exited(_, code) => Err(NoAnswer::Died(format!("exit code {code}"))),
        WaitStatus::Signaled(_, signal, _) => Err(NoAnswer::Died(format!("signal {signal}"))),
        other => Err(NoAnswer::Died(format!("{other:?}"))),
    }
}
