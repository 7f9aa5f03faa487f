//! A worker: takes one call, judges one credential, ends.

use glexec_sys::supervise::{self, Line};
use glexec_sys_more::answering::{Connection, Listener};
use glexec_sys_more::sandbox;
use glexec_verify::answer;
use glexec_verify::trust::ahead::Ahead;
use glexec_verify::warm::warm_up;
use nix::errno::Errno;
use nix::unistd::{Pid, getpid};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

/// Longest life from the moment that a call is taken: judging takes milliseconds, and who asks has its own deadline.
const LIFE: Duration = Duration::from_secs(10);

/// What a worker tells the zygote: that it has taken a call, and which it is.
pub fn taken(pid: Pid) -> [u8; 5] {
    let [a, b, c, d] = pid.as_raw().to_ne_bytes();
    [b'T', a, b, c, d]
}

/// How a worker begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It takes the steps of a judgement once before it waits.
    Warm,
    /// It waits for a call at once.
    Cold,
}

/// Waits for a call by root and answers it; ends without one where the zygote has a better informed one in its place.
pub fn work(zygote: Pid, listener: Listener, line: Line, ahead: Rc<Ahead>, start: Start) -> Result<(), String> {
    supervise::die_with(zygote)?;
    supervise::release_signals().map_err(|errno| format!("signals: {errno}"))?;
    sandbox::enter_waiting()?;
    if start == Start::Warm {
        warm_up(&ahead);
    }
    let Some(mut call) = take(&listener)? else { return Ok(()) };
    // From here on there is one connection, and nothing of the zygote's or of another worker.
    line.say(taken(getpid())).map_err(|errno| format!("telling the zygote: {errno}"))?;
    drop((listener, line));
    supervise::die_within(LIFE).map_err(|errno| format!("setitimer: {errno}"))?;
    let given = call.descriptors().map_err(|errno| format!("descriptors: {errno}"))?;
    let readable: Vec<_> = given.iter().flatten().map(AsFd::as_fd).collect();
    sandbox::only_read(&readable).map_err(|why| format!("no sandbox: {why}"))?;
    drop(readable);
    let question = answer::read(&mut call)?;
    call.answer(&answer::answer(&question, given, Some(ahead))).map_err(|error| format!("answering: {error}"))
}

fn take(listener: &Listener) -> Result<Option<Connection>, String> {
    loop {
        match listener.accept() {
            // The socket is root's alone. Should it not be: nobody else is answered.
            Ok(call) if call.peer().is_ok_and(|uid| uid.is_root()) => return Ok(Some(call)),
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(format!("accept: {errno}")),
        }
    }
}
