//! Asking the agent over its socket: who answers is checked, several questions go side by side, and all have one deadline.

use crate::dir::{self, FileError};
pub use glexec_core::program::NoAnswer;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, connect, getsockopt, recv, send,
    sendmsg, shutdown, socket, sockopt::PeerCredentials,
};
use nix::unistd::Uid;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// Most descriptors that go with a question.
pub const MAX_DESCRIPTORS: usize = 6;

/// How much of an answer is read at once, in bytes: more than most have.
const CHUNK: usize = 4096;

/// Whom to ask, and how.
#[derive(Clone, Copy, Debug)]
pub struct Agent<'a> {
    pub socket: &'a Path,
    /// Whom it must run as: nobody else is believed.
    pub user: Uid,
    /// How long all the answers may take together.
    pub deadline: Duration,
    /// How long an answer may be, in bytes.
    pub max_answer: usize,
}

/// A question that has been sent, in part or in whole.
struct Conversation<'d> {
    line: OwnedFd,
    unsent: &'d [u8],
    answer: Vec<u8>,
    over: bool,
}

fn system(what: &'static str) -> impl FnOnce(Errno) -> NoAnswer {
    move |errno| NoAnswer::System(what, errno.to_string())
}

/// The socket, which must lie where only root can have put it.
pub fn check(path: &Path) -> Result<(), FileError> {
    dir::check_socket(path)
}

/// Asks every question on a connection of its own, with these descriptors; all the answers, or why one is missing.
pub fn ask_all(
    agent: &Agent<'_>,
    given: &[Option<BorrowedFd<'_>>],
    questions: &[&[u8]],
) -> Result<Vec<Vec<u8>>, NoAnswer> {
    let started = Instant::now();
    let mut all = questions.iter().map(|question| begin(agent, given, question)).collect::<Result<Vec<_>, _>>()?;
    while all.iter().any(|one| !one.over) {
        wait(&all, agent.deadline.saturating_sub(started.elapsed()))?;
        if started.elapsed() >= agent.deadline {
            return Err(NoAnswer::Deadline(agent.deadline));
        }
        all.iter_mut().filter(|one| !one.over).try_for_each(|one| go_on(one, agent.max_answer))?;
    }
    Ok(all.into_iter().map(|one| one.answer).collect())
}

/// Connects, looks who is there, and hands the descriptors over, with a byte that says which there are.
fn begin<'d>(
    agent: &Agent<'_>,
    given: &[Option<BorrowedFd<'_>>],
    question: &'d [u8],
) -> Result<Conversation<'d>, NoAnswer> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let line = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(system("socket"))?;
    let address = UnixAddr::new(agent.socket).map_err(system("the socket's path"))?;
    // Where all its places to wait are taken the kernel says so at once.
    connect(line.as_raw_fd(), &address).map_err(system("connect"))?;
    let peer = getsockopt(&line, PeerCredentials).map_err(system("SO_PEERCRED"))?;
    if Uid::from_raw(peer.uid()) != agent.user {
        return Err(NoAnswer::Died(format!("uid {} answers there, and not service_user", peer.uid())));
    }
    let fds: Vec<_> = given.iter().flatten().map(|fd| fd.as_raw_fd()).collect();
    let which = given.iter().take(MAX_DESCRIPTORS).rev().fold(0_u8, |bits, fd| (bits << 1) | u8::from(fd.is_some()));
    let rights = [ControlMessage::ScmRights(&fds)];
    let which = [which];
    let parts = [IoSlice::new(&which), IoSlice::new(question)];
    let sent = sendmsg::<()>(line.as_raw_fd(), &parts, &rights, MsgFlags::MSG_NOSIGNAL, None);
    let of_question = sent.map_err(system("sendmsg"))?.saturating_sub(1);
    let unsent = question.get(of_question..).unwrap_or_default();
    let conversation = Conversation { line, unsent, answer: Vec::new(), over: false };
    conversation.close_when_sent();
    Ok(conversation)
}

impl Conversation<'_> {
    /// Tells the other side that the question ends here, where all of it is sent.
    fn close_when_sent(&self) {
        if self.unsent.is_empty() {
            // Where the other side is gone, reading tells so.
            let _ = shutdown(self.line.as_raw_fd(), Shutdown::Write);
        }
    }
}

/// Waits until something can be sent or received.
fn wait(all: &[Conversation<'_>], patience: Duration) -> Result<(), NoAnswer> {
    let wanted = |one: &Conversation<'_>| match one.unsent.is_empty() {
        true => PollFlags::POLLIN,
        false => PollFlags::POLLIN | PollFlags::POLLOUT,
    };
    let going = all.iter().filter(|one| !one.over);
    let mut fds: Vec<_> = going.map(|one| PollFd::new(one.line.as_fd(), wanted(one))).collect();
    match poll(&mut fds, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(system("poll")(errno)),
    }
}

fn go_on(one: &mut Conversation<'_>, max_answer: usize) -> Result<(), NoAnswer> {
    if !one.unsent.is_empty() {
        match send(one.line.as_raw_fd(), one.unsent, MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) => one.unsent = one.unsent.get(sent..).unwrap_or_default(),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // It may have answered without reading to the end.
            Err(_) => one.unsent = &[],
        }
        one.close_when_sent();
    }
    let mut chunk = [0_u8; CHUNK];
    loop {
        match recv(one.line.as_raw_fd(), &mut chunk, MsgFlags::empty()) {
            Ok(0) => one.over = true,
            Ok(n) => one.answer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(Errno::EAGAIN) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(system("read")(errno)),
        }
        if one.answer.len() > max_answer {
            return Err(NoAnswer::TooLong(max_answer));
        }
        if one.over {
            return Ok(());
        }
    }
}
