//! The monitor: hands signals on, stops with the front, ends what the payload leaves behind.

#![forbid(unsafe_code)]

use super::SIGNAL;
use crate::sys::supervise::{self, Ended, Event, Heard, Line, Reaped};
use nix::libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often the monitor looks whether the front is stopped: nobody tells a process that another one was.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often leftovers are looked at while they have time to end by themselves.
const GRACE_STEP: Duration = Duration::from_millis(10);
/// How often what does not die is killed again; new descendants may have been forked meanwhile.
pub(super) const KILL_STEP: Duration = Duration::from_millis(1);

/// The payload's life is over.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    /// How its main process ended.
    pub ended: Ended,
    /// How many processes had to be killed.
    pub killed: u64,
}

/// Watches the payload until it and everything below it has ended.
pub fn watch(signals: &SignalFd, line: &Line, front: Pid, payload: Pid, grace: Duration) -> Over {
    let mut front_stopped = false;
    loop {
        match supervise::wait(signals, line, Some(LOOK_EVERY)) {
            Ok(Event::Line) => match line.hear() {
                Heard::Message([SIGNAL, a, b, c, d]) => {
                    supervise::signal(payload, i32::from_le_bytes([a, b, c, d]));
                }
                Heard::Message(_) => {}
                Heard::Gone => return end_all(payload, None, Duration::ZERO),
            },
            // Without a way to wait there is no supervision, and no payload without supervision.
            Err(_) => return end_all(payload, None, Duration::ZERO),
            Ok(Event::Signal(_) | Event::Nothing) => {}
        }
        while let Reaped::One(pid, ended) = supervise::reap() {
            if pid == payload {
                return end_all(payload, Some(ended), grace);
            }
        }
        let stopped = supervise::is_stopped(front);
        if stopped != front_stopped {
            front_stopped = stopped;
            let signal = if stopped { SIGSTOP } else { SIGCONT };
            for pid in supervise::descendants(supervise::own_pid()) {
                supervise::signal(pid, signal);
            }
        }
    }
}

/// Ends every process that is left: asks, waits, kills. Orphans become children of the monitor, so when it has no child
/// left there is nothing left.
pub fn end_all(payload: Pid, mut ended: Option<Ended>, grace: Duration) -> Over {
    let own = supervise::own_pid();
    let started = Instant::now();
    let mut asked = BTreeSet::new();
    let mut killed: u64 = 0;
    loop {
        match supervise::reap() {
            Reaped::NoChildren => break,
            Reaped::One(pid, how) if pid == payload => ended = Some(how),
            Reaped::One(_, Ended::Signaled(SIGTERM | SIGKILL)) => killed = killed.saturating_add(1),
            Reaped::One(..) => {}
            Reaped::Nobody if started.elapsed() >= grace => {
                for pid in supervise::descendants(own) {
                    supervise::signal(pid, SIGKILL);
                }
                std::thread::sleep(KILL_STEP);
            }
            Reaped::Nobody => {
                for pid in supervise::descendants(own) {
                    if asked.insert(pid) {
                        supervise::signal(pid, SIGTERM);
                        supervise::signal(pid, SIGCONT);
                    }
                }
                std::thread::sleep(GRACE_STEP);
            }
        }
    }
    // A payload whose end was not seen was killed with its tree.
    Over { ended: ended.unwrap_or(Ended::Signaled(SIGKILL)), killed }
}
