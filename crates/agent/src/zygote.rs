//! The zygote: forks workers, knows which of them wait, and ends those that take too long.

use crate::learning::Learning;
use crate::worker::{self, Start};
use glexec_sys::supervise::{self, Event, Line, Reaped, Side};
use glexec_sys_more::answering::Listener;
use glexec_sys_more::sandbox;
use nix::errno::Errno;
use nix::libc::{SIGCHLD, SIGKILL};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, getpid};
use std::collections::BTreeMap;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many workers may be busy for each that waits: who takes a call and gets stuck must not keep others from being taken.
const BUSY_FOR_EACH: usize = 8;
/// When a busy worker is ended that should have ended itself.
const LIFE: Duration = Duration::from_secs(20);
/// How long it learns before it takes calls: what the first workers do not know they find out themselves.
const FIRST: Duration = Duration::from_secs(1);
/// How long it does without the process that asks the site's service, counted from its start.
const MISSED: Duration = Duration::from_secs(30);
/// How long the zygote sleeps at most.
const PATIENCE: Duration = Duration::from_secs(1);

pub struct Zygote {
    listener: Listener,
    /// Held to the end: who has it is the only agent at this place.
    _alone: Option<File>,
    signals: SignalFd,
    ours: Line,
    theirs: Line,
    /// How many workers are to wait.
    wanted: usize,
    /// The workers that there are; since when they are busy, where they are.
    workers: BTreeMap<Pid, Option<Instant>>,
    learning: Learning,
    /// The process that asks the site's service, where there is one.
    companion: Option<Companion>,
    /// Whether nobody was busy when workers were last looked for.
    idle: bool,
}

/// A process that was started beside the zygote, and cannot be started again by it.
pub struct Companion {
    pid: Pid,
    started: Instant,
    ended: bool,
}

impl Companion {
    /// One that was just started.
    pub fn new(pid: Pid) -> Self {
        Companion { pid, started: Instant::now(), ended: false }
    }

    /// Whether the zygote is to end for its sake, to be started anew with it: not so often that a service manager gives up.
    fn is_missed(&self) -> bool {
        self.ended && self.started.elapsed() > MISSED
    }
}

impl Zygote {
    /// Closes the sandbox around the process, which must be the service user's already.
    pub fn enter(
        (listener, alone): (Listener, Option<File>),
        wanted: usize,
        learning: Learning,
        companion: Option<Companion>,
    ) -> Result<Self, String> {
        let signals = supervise::hold_ends().map_err(|errno| format!("signals: {errno}"))?;
        supervise::let_be_interrupted().map_err(|errno| format!("signals: {errno}"))?;
        let (ours, theirs) = Line::pair().map_err(|errno| format!("socketpair: {errno}"))?;
        sandbox::enter_as_parent()?;
        Ok(Zygote {
            listener,
            _alone: alone,
            signals,
            ours,
            theirs,
            wanted,
            workers: BTreeMap::new(),
            learning,
            companion,
            idle: true,
        })
    }

    /// Serves until it is told to end.
    pub fn serve(mut self) -> Result<(), String> {
        let zygote = getpid();
        let started = Instant::now();
        while self.learning.go_on() && started.elapsed() < FIRST {}
        // There are no workers yet that would not know it.
        self.learning.has_news();
        loop {
            match self.fork_workers() {
                Ok(Side::Child) => self.live(zygote),
                // Where there is no room for another process the next look may find some.
                Ok(Side::Parent(_)) | Err(Errno::EAGAIN | Errno::ENOMEM) => {}
                Err(errno) => return Err(format!("fork: {errno}")),
            }
            let patience = if self.learning.go_on() { Duration::ZERO } else { PATIENCE };
            if self.learning.has_news() {
                self.retire_waiting();
            }
            let event = supervise::wait(&self.signals, &self.ours, Some(patience));
            match event.map_err(|errno| format!("poll: {errno}"))? {
                Event::Signal(arrived) if arrived.number != SIGCHLD => return Ok(()),
                _ => self.note(),
            }
            if self.companion.as_ref().is_some_and(Companion::is_missed) {
                return Err(
                    "the process that asks the site's service has ended: both have to be started anew".to_owned()
                );
            }
        }
    }

    /// Sees to it that enough workers wait; in a new one it says so at once. While others are busy half of them are enough: a
    /// fork would take the processor from those who judge, and who asked waits for them.
    fn fork_workers(&mut self) -> Result<Side, Errno> {
        let most = self.wanted.saturating_mul(BUSY_FOR_EACH.saturating_add(1));
        let waiting = |workers: &BTreeMap<_, Option<Instant>>| workers.values().filter(|busy| busy.is_none()).count();
        self.idle = waiting(&self.workers) == self.workers.len();
        let enough = if self.idle { self.wanted } else { self.wanted.div_ceil(2) };
        while waiting(&self.workers) < enough && self.workers.len() < most {
            match supervise::split()? {
                Side::Child => return Ok(Side::Child),
                Side::Parent(worker) => self.workers.insert(worker, None),
            };
        }
        Ok(Side::Parent(getpid()))
    }

    /// Has workers that wait end, so that others take their place, which know what is known now. One that has just taken a call
    /// goes on.
    fn retire_waiting(&self) {
        self.workers.iter().filter(|(_, busy)| busy.is_none()).for_each(|(pid, _)| supervise::interrupt(*pid));
    }

    /// The life of a worker, which keeps nothing of the zygote's.
    fn live(self, zygote: Pid) -> ! {
        let Zygote { listener, theirs, learning, idle, .. } = self;
        let ahead = Rc::clone(&learning.ahead);
        // Where many ask at once nobody waits long for a call, and a warm-up would take the time of one.
        let start = if idle { Start::Warm } else { Start::Cold };
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| worker::work(zygote, listener, theirs, ahead, start)));
        supervise::end(i32::from(!matches!(ended, Ok(Ok(())))))
    }

    /// Notes which workers have taken calls, and which have ended.
    fn note(&mut self) {
        while let Some(message) = self.ours.heard() {
            if let Some(busy) =
                self.workers.iter_mut().find_map(|(pid, busy)| (worker::taken(*pid) == message).then_some(busy))
            {
                *busy = Some(Instant::now());
            }
        }
        while let Reaped::One(pid, _) = supervise::reap() {
            self.workers.remove(&pid);
            self.companion.iter_mut().filter(|one| one.pid == pid).for_each(|one| one.ended = true);
        }
        let stuck = self.workers.iter().filter(|(_, busy)| busy.is_some_and(|since| since.elapsed() > LIFE));
        stuck.for_each(|(pid, _)| supervise::signal(*pid, SIGKILL));
    }
}
