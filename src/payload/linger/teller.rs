//! Writes the success on the caller's report, when the command has been executed.
//!
//! Whether it was, the kernel tells only whoever is not the payload then: the payload's process says that it is about to
//! execute, and says so where that was refused; an execution closes its end without a word.
//!
//! It is a process of its own, with the caller's rights and out of the payload's reach. To write to the report and to close it
//! takes as long as its reader likes, or its file system, which may be the caller's own (FUSE): nobody who supervises may
//! wait for that.

use super::line::{EXECUTING, message};
use crate::call::Call;
use glexec_sys::supervise::{self, Heard, Held, Line, Side};
use glexec_sys::{descriptors, identity};
use nix::errno::Errno;
use nix::libc::SIGKILL;
use nix::unistd::chdir;
use std::time::Duration;

/// How long a report that nobody reads may keep the call from ending, when all else has ended.
const PATIENCE: Duration = Duration::from_secs(1);

/// The process that tells.
pub struct Teller(Held);

/// Starts it; `supervision` is the front's, and nothing of that may be held by another process.
pub fn start<S>(call: &mut Call, executed: Line, supervision: S) -> Result<(Teller, S), Errno> {
    match supervise::split()? {
        Side::Parent(pid) => Ok((Teller(Held::new(pid).ok_or(Errno::ESRCH)?), supervision)),
        Side::Child => {
            drop(supervision);
            let ids = call.ids();
            let quiet = identity::become_front(ids, ids).is_ok()
                && descriptors::release_standard().is_ok()
                && chdir("/").is_ok();
            if quiet && is_executed(&executed) {
                call.report_success();
            }
            supervise::end(0)
        }
    }
}

/// Whether the payload's process has become the payload.
fn is_executed(line: &Line) -> bool {
    let mut last = None;
    while let Heard::Message([kind, ..]) = line.hear() {
        last = Some(kind);
    }
    last == Some(EXECUTING)
}

/// Says that the process is about to execute the command.
pub fn announce(line: &Line) {
    // Where nobody listens nobody reports.
    let _ = line.say(message(EXECUTING, 0));
}

impl Teller {
    /// Sees to its end.
    pub fn end(self) {
        if !self.0.ends_within(PATIENCE) {
            self.0.signal(SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Outcome;
    use super::*;

    #[test]
    fn only_an_announced_end_without_a_word_is_an_execution() {
        for (words, executed) in [
            (vec![], false),
            (vec![message(EXECUTING, 0)], true),
            (vec![message(EXECUTING, 0), Outcome::Refused(126).message()], false),
            (vec![Outcome::Refused(202).message()], false),
        ] {
            let (hears, tells) = Line::pair().unwrap();
            words.iter().for_each(|word| tells.say(*word).unwrap());
            drop(tells);
            assert_eq!(is_executed(&hears), executed, "{words:?}");
        }
    }
}
