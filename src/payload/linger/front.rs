//! The front: relays signals to the payload and ends as the payload ended.

use super::epilogue::Done;
use super::line::{Outcome, SIGNAL, message};
use super::monitor;
use glexec_core::reason::Reason;
use glexec_sys::supervise::{self, Arrived, Ended, Event, Heard, Line, Reaped, Sender};
use nix::errno::Errno;
use nix::libc::SIGKILL;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, Uid, getpid};

/// Exit codes of a payload that would look like glexec's own, and the code they become (design: outcomes).
const OWN_CODES: std::ops::RangeInclusive<i32> = 201..=204;
const PAYLOAD_HAD_OUR_CODE: i32 = 204;

/// Relays until the monitor says how the payload ended; `None` when the monitor died without a word.
pub fn relay(signals: &SignalFd, line: &Line, monitor: Pid) -> Result<Option<Outcome>, Errno> {
    let outcome = loop {
        match supervise::wait(signals, line, None)? {
            // What the payload sends to its process group has reached everybody in it; handed on, it would come again.
            Event::Signal(Arrived { sender: Sender::Process(sender), .. }) if supervise::is_below(sender, monitor) => {}
            Event::Signal(signal) => {
                // Should the monitor be gone, the line says so next.
                let _ = line.say(message(SIGNAL, signal.number));
                if signal.is_typed_stop() {
                    // The monitor stops the payload, which has left the terminal, when it finds this process stopped.
                    supervise::stop_as_typed()?;
                }
            }
            Event::Nothing => {}
            Event::Line => match line.hear() {
                Heard::Message(bytes) => break Outcome::from_message(bytes),
                Heard::Gone => break None,
            },
        }
    };
    // The times of the payload's tree become ours, and so the caller's, by this.
    supervise::reap_this(monitor);
    Ok(outcome)
}

/// Ends what the payload has left when its monitor is dead: orphans of the monitor are the front's children now. What was
/// below this process before there was a payload belongs to the caller and is left alone.
pub fn end_orphans(target: Uid, before: &[Pid]) {
    let mut unreaped = monitor::Unreaped::new();
    loop {
        for _ in 0..monitor::REAPED_AT_ONCE {
            let Reaped::One(..) = supervise::reap() else { break };
        }
        let mut children = supervise::children(getpid());
        children.retain(|pid| !before.contains(pid));
        let mut left = supervise::seen_from(getpid(), children);
        left.retain(|one| supervise::runs_as(one.pid, target));
        if unreaped.are_all(&left.iter().map(|one| one.pid).collect::<Vec<_>>()) {
            return;
        }
        for one in left {
            one.signal(getpid(), SIGKILL);
        }
        std::thread::sleep(monitor::KILL_STEP);
    }
}

/// A failed epilogue makes the call one of the site's failures, except with a code that would look like glexec's own:
/// that stands for itself, like a payload's.
pub fn of_failed_epilogue(done: &Done) -> Outcome {
    match done {
        Done::Ended(Ended::Exited(code)) if OWN_CODES.contains(code) => Outcome::Ran(Ended::Exited(*code)),
        _ => Outcome::Refused(Reason::EpilogueFailed.class().exit_code().into()),
    }
}

/// Ends the process as the payload ended.
pub fn end_as(outcome: Outcome) -> ! {
    match outcome {
        Outcome::Ran(Ended::Exited(code)) if OWN_CODES.contains(&code) => supervise::end(PAYLOAD_HAD_OUR_CODE),
        Outcome::Ran(Ended::Exited(code)) | Outcome::Refused(code) => supervise::end(code),
        Outcome::Ran(Ended::Signaled(signal)) => supervise::end_by(signal),
    }
}
