//! The last steps of a call: to become the account, and the command.

use crate::call::Call;
use crate::payload::switch::{Prepared, Ran};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::start::Limits;
use glexec_sys::supervise;
use nix::unistd::Pid;

/// Becomes the target account and then the payload; with a `monitor`, for as long as that lives. Returns `Ok` only when
/// there is no command.
pub fn become_payload(call: &mut Call, prepared: Prepared, limits: &Limits, monitor: Option<Pid>) -> Outcome<()> {
    let switched = prepared.switch(limits)?;
    if let Some(monitor) = monitor {
        // The report may be a pipe that nobody reads.
        let ready = supervise::release_signals().map_err(|errno| errno.to_string());
        ready.and_then(|()| supervise::die_with(monitor)).map_err(|why| {
            Refusal::new(Reason::SystemFailed, "the supervision of the payload failed; nothing was run").detail(why)
        })?;
    }
    call.report_success();
    match switched.run() {
        Ran::Nothing => Ok(()),
        Ran::Failed(refusal) => Err(refusal),
    }
}
