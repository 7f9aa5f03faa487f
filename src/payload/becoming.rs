//! The last steps of a call: to become the account, and the command.

use crate::call::Call;
use crate::payload::switch::{Prepared, Ran};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::start::Limits;
use glexec_sys::supervise;
use nix::unistd::Pid;

/// What a payload's process has to do with those that supervise it.
pub struct Watched<'a> {
    /// It lives no longer than this one.
    pub monitor: Pid,
    /// Tells them that it executes the command now.
    pub announce: &'a dyn Fn(),
}

/// Becomes the target account and then the payload; without anybody who watches it reports the success itself. Returns
/// `Ok` only when there is no command.
pub fn become_payload(
    call: &mut Call,
    prepared: Prepared,
    limits: &Limits,
    watched: Option<&Watched<'_>>,
) -> Outcome<()> {
    let switched = prepared.switch(limits)?;
    match watched {
        Some(watched) => {
            let ready = supervise::release_signals().map_err(|errno| errno.to_string());
            ready.and_then(|()| supervise::die_with(watched.monitor)).map_err(|why| {
                Refusal::new(Reason::SystemFailed, "the supervision of the payload failed; nothing was run").detail(why)
            })?;
            (watched.announce)();
        }
        None => call.report_success(),
    }
    match switched.run() {
        Ran::Nothing => Ok(()),
        Ran::Failed(refusal) => Err(refusal),
    }
}
