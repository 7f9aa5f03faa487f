//! A worker: takes one call, judges one credential, ends.

use glexec_core::question::MAX_QUESTION;
use glexec_sys::supervise::{self, Line};
use glexec_sys_more::answering::{Connection, Listener};
use glexec_sys_more::sandbox;
use glexec_verify::answer::answer;
use glexec_verify::trust::ahead::Ahead;
use nix::unistd::{Pid, getpid};
use std::io::{Read, Write};
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

/// Waits for a call of root's and answers it.
pub fn work(zygote: Pid, listener: Listener, line: Line, ahead: Rc<Ahead>) -> Result<(), String> {
    supervise::die_with(zygote)?;
    supervise::release_signals().map_err(|errno| format!("signals: {errno}"))?;
    sandbox::prepare()?;
    let mut call = take(&listener)?;
    // From here on there is one connection, and nothing of the zygote's or of another worker.
    line.say(taken(getpid())).map_err(|errno| format!("telling the zygote: {errno}"))?;
    drop((listener, line));
    supervise::die_within(LIFE).map_err(|errno| format!("setitimer: {errno}"))?;
    let given = call.descriptors().map_err(|errno| format!("descriptors: {errno}"))?;
    let readable: Vec<_> = given.iter().flatten().map(AsFd::as_fd).collect();
    sandbox::close(&readable).map_err(|why| format!("no sandbox: {why}"))?;
    drop(readable);
    let question = read(&mut call)?;
    call.write_all(&answer(&question, given, Some(ahead))).map_err(|error| format!("answering: {error}"))
}

fn take(listener: &Listener) -> Result<Connection, String> {
    loop {
        let call = listener.accept().map_err(|errno| format!("accept: {errno}"))?;
        // The socket is root's alone. Should it not be: nobody else is answered.
        if call.peer().is_ok_and(|uid| uid.is_root()) {
            return Ok(call);
        }
    }
}

/// The question: it holds a private key, which is wiped when it is let go.
fn read(call: &mut Connection) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
    let most = MAX_QUESTION.saturating_add(1);
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(most));
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    call.take(limit).read_to_end(&mut bytes).map_err(|error| format!("reading: {error}"))?;
    match bytes.len() > MAX_QUESTION {
        true => Err("the question is too long".to_owned()),
        false => Ok(bytes),
    }
}
