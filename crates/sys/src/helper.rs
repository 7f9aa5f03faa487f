//! A helper that answers questions for as long as the process asks, with a deadline: for what may hang, as libraries do
//! that ask a name service.
//!
//! It is a process, not a thread. What hangs must end when its time is up, and only a process can be killed alone. The C
//! library makes every thread take part in a change of ids (nptl(7)): one that waits uninterruptibly would hold up the next
//! switch, also the one back to the caller after the deadline; with raw system calls the thread would stay root in the
//! memory of a process that has become somebody else. A fork would copy the locks that it holds. A process is forked once a
//! call, and libraries that it loads never are in the memory of the one that switches.

use crate::supervise::{self, Held, Side};
use crate::{descriptors, errno_of};
use glexec_core::program::NoAnswer;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// Longest question in bytes.
const MAX_QUESTION: usize = 64 * 1024;
/// How long a helper that was killed is waited for. One that waits for a disk or a server that is gone (state `D`) ends
/// later, and is nobody's to wait for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A helper. It ends with this value, and with this process.
#[derive(Debug)]
pub struct Helper {
    pid: Pid,
    /// `None` when an answer is missing: the next one would be that one.
    line: Option<UnixStream>,
}

impl Helper {
    /// Starts a process with the rights of this one, which answers by `work`. It holds nothing that the caller gave. Where
    /// nobody is left to ask, it drops `work` before it ends; where its value is dropped, it is killed before that.
    pub fn start(work: impl Fn(&[u8]) -> Vec<u8>) -> Result<Helper, NoAnswer> {
        let system = |what| move |errno: Errno| NoAnswer::System(what, errno.to_string());
        let (ours, theirs) = UnixStream::pair().map_err(|e| NoAnswer::System("socketpair", e.to_string()))?;
        let parent = getpid();
        match supervise::split().map_err(system("fork"))? {
            Side::Child => {
                let serve = AssertUnwindSafe(|| {
                    let released = descriptors::release_standard()
                        .and_then(|()| descriptors::close_all_but(&[theirs.as_raw_fd()]))
                        .map_err(|errno| errno.to_string());
                    let ready = released.and_then(|()| supervise::die_with(parent));
                    ready.map(|()| while serve_one(&theirs, &work).is_ok() {})
                });
                let served = std::panic::catch_unwind(serve);
                drop(work);
                supervise::end(i32::from(!matches!(served, Ok(Ok(())))))
            }
            Side::Parent(pid) => Ok(Helper { pid, line: Some(ours) }),
        }
    }

    /// Asks. After an error there are no more answers.
    pub fn ask(&mut self, question: &[u8], deadline: Duration, max_answer: usize) -> Result<Vec<u8>, NoAnswer> {
        let gone = || NoAnswer::Died("the process that looks up has ended".into());
        let line = self.line.take().ok_or_else(gone)?;
        // It might answer at once.
        if deadline.is_zero() {
            return Err(NoAnswer::Deadline(deadline));
        }
        send(&line, question).map_err(|_| gone())?;
        let answer = receive(&line, deadline, max_answer)?.ok_or_else(gone)?;
        self.line = Some(line);
        Ok(answer)
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets go of it in a process that was forked from the one that started it, whose it stays.
    pub fn leave(mut self) {
        drop(self.line.take());
        std::mem::forget(self);
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It is not reaped yet, so the number cannot be somebody else's.
        supervise::signal(self.pid, Signal::SIGKILL as i32);
        if Held::new(self.pid).is_none_or(|process| process.ends_within(PATIENCE)) {
            supervise::reap_this(self.pid);
        }
    }
}

/// Answers one question; an error is the end.
fn serve_one(line: &UnixStream, work: impl Fn(&[u8]) -> Vec<u8>) -> io::Result<()> {
    match receive(line, Duration::MAX, MAX_QUESTION) {
        Ok(Some(question)) => send(line, &work(&question)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Sends a text behind its length.
fn send(mut line: &UnixStream, text: &[u8]) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    line.write_all(&[&length.to_le_bytes(), text].concat())
}

/// Receives a text, within the deadline and the bound; `None` where the other side ends before.
fn receive(mut line: &UnixStream, deadline: Duration, max: usize) -> Result<Option<Vec<u8>>, NoAnswer> {
    let started = Instant::now();
    let (mut text, mut chunk) = (Vec::new(), [0_u8; 4096]);
    loop {
        if let Some((length, rest)) = text.split_first_chunk() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            if length > max {
                return Err(NoAnswer::TooLong(max));
            }
            if rest.len() >= length {
                return Ok(Some(rest.to_vec()));
            }
        }
        let left = deadline.saturating_sub(started.elapsed());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(line.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err(NoAnswer::Deadline(deadline)),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(NoAnswer::System("poll", errno.to_string())),
            Ok(_) => {}
        }
        match line.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(n) => text.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // It was killed with a question unread.
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(e) => return Err(NoAnswer::System("read", errno_of(&e).to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(100);

    #[test]
    fn one_helper_answers_all_questions_long_answers_too() {
        let mut helper = Helper::start(|question| question.repeat(100_000)).unwrap();
        let pid = helper.pid;
        for question in ["a", "", "bcd"] {
            assert_eq!(helper.ask(question.as_bytes(), LONG, 300_000), Ok(question.repeat(100_000).into_bytes()));
        }
        drop(helper);
        assert!(Held::new(pid).is_none(), "it is gone with its value");
    }

    #[test]
    fn no_answer_is_taken_for_that_to_a_later_question() {
        let late = |question: &[u8]| {
            match question {
                b"hang" => std::thread::sleep(LONG),
                b"panic" => panic!("on purpose"),
                _ => {}
            }
            question.to_vec()
        };
        let gone = NoAnswer::Died("the process that looks up has ended".into());
        let soon = Duration::from_millis(1);
        for (question, deadline, max, why) in [
            ("hang", soon, 100, NoAnswer::Deadline(soon)),
            ("at once", Duration::ZERO, 100, NoAnswer::Deadline(Duration::ZERO)),
            ("panic", LONG, 100, gone.clone()),
            ("too long", LONG, 7, NoAnswer::TooLong(7)),
        ] {
            let mut helper = Helper::start(late).unwrap();
            assert_eq!(helper.ask(question.as_bytes(), deadline, max), Err(why));
            assert_eq!(helper.ask(b"next", LONG, 100), Err(gone.clone()));
        }
    }
}
