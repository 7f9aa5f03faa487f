//! The monitor: hands signals on, stops with the front, ends what the payload leaves behind.

use super::line::SIGNAL;
use glexec_sys::cgroup::Cgroup;
use glexec_sys::supervise::{self, Ended, Event, Heard, Held, Line, Reaped};
use nix::libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, getpid};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often the monitor looks whether the front is stopped: nobody tells a process that another one was.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the payload of somebody who is banned has to end by itself, at most.
const MOST_GRACE: Duration = Duration::from_secs(5);
/// How often leftovers are looked at while they have time to end by themselves.
const GRACE_STEP: Duration = Duration::from_millis(10);
/// How often what does not die is killed again; new descendants may have been forked meanwhile.
pub const KILL_STEP: Duration = Duration::from_millis(1);

/// How long ended processes that cannot be reaped are waited for.
const LET_GO: Duration = Duration::from_secs(1);
/// The same for those that are ending: to give back much memory takes seconds, a file system of a caller's (FUSE) that does
/// not answer to a close takes for ever.
const LET_END: Duration = Duration::from_secs(10);
/// How many processes of a cgroup are held by descriptor at a time.
const HELD_AT_ONCE: usize = 128;
/// How many ended processes are reaped before anything else is looked at: several processes that do nothing but fork let
/// more end than one can reap, and must not keep the monitor from ending them.
pub(super) const REAPED_AT_ONCE: usize = 1024;

/// The payload's life is over.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    /// How its main process ended.
    pub ended: Ended,
    /// How many processes had to be killed.
    pub killed: u64,
}

/// A main process and all that it starts.
#[derive(Debug)]
pub struct Tree {
    /// The main process.
    pub main: Pid,
    /// What nothing of it can leave, where the site has it so.
    pub cgroup: Option<Cgroup>,
}

impl Tree {
    /// Every process that is left: below the monitor, whose children orphans become, and in the cgroup.
    fn left(&self) -> Vec<Pid> {
        let mut left = supervise::descendants(getpid());
        left.extend(self.in_cgroup());
        left
    }

    fn in_cgroup(&self) -> Vec<Pid> {
        self.cgroup.as_ref().map(Cgroup::processes).unwrap_or_default()
    }

    fn has_empty_cgroup(&self) -> bool {
        self.cgroup.as_ref().is_none_or(Cgroup::is_empty)
    }

    fn kill(&self) {
        self.cgroup.iter().for_each(Cgroup::kill);
        // Those first that a single look shows, the youngest before it is somebody else: thousands that have ended make
        // the walk below them slow.
        for pid in supervise::children(getpid()).into_iter().rev() {
            supervise::signal(pid, SIGKILL);
        }
        self.signal_below(SIGKILL, |_| true);
    }

    /// Signals everybody who is left and whom it is meant for.
    fn signal(&self, number: i32, mut meant: impl FnMut(Pid) -> bool) {
        self.signal_below(number, &mut meant);
        for some in self.in_cgroup().chunks(HELD_AT_ONCE) {
            let held: Vec<Held> = some.iter().filter_map(|pid| Held::new(*pid)).collect();
            // Whoever is in it now is in it as whom it was taken hold of.
            let still = self.in_cgroup();
            for one in held.iter().filter(|one| still.contains(&one.pid()) && meant(one.pid())) {
                one.signal(number);
            }
        }
    }

    fn signal_below(&self, number: i32, mut meant: impl FnMut(Pid) -> bool) {
        for one in supervise::seen_below(getpid()).iter().filter(|one| meant(one.pid)) {
            one.signal(getpid(), number);
        }
    }
}

/// What has ended and only waits for somebody of the same account, in another call, who traces it: until a tracer has looked,
/// the kernel tells nobody else (ptrace(2)). Or what is ending, and does so for long. It must not keep the end record back.
#[derive(Debug)]
pub(super) struct Unreaped {
    since: Instant,
    seen: BTreeSet<Pid>,
}

impl Unreaped {
    /// To be asked about who is left from now on.
    pub(super) fn new() -> Self {
        Unreaped { since: Instant::now(), seen: BTreeSet::new() }
    }

    /// Whether all that is left is such. To be asked after each reaping: whoever is seen twice, ended and not reaped in
    /// between, is traced. To look once is not enough: a process that has just ended hides what it had started, which has
    /// another parent since.
    pub(super) fn are_all(&mut self, left: &[Pid]) -> bool {
        let counts = if self.since.elapsed() < LET_END { supervise::is_over } else { supervise::is_ending };
        let now: BTreeSet<Pid> = left.iter().copied().filter(|pid| counts(*pid)).collect();
        let all = now.len() == left.len() && now == self.seen;
        self.seen = now;
        all
    }
}

/// Watches the payload until it and everything below it has ended. Where it is to end sooner, `is_to_end` says so.
pub fn watch(
    signals: &SignalFd,
    line: &Line,
    front: Pid,
    payload: &Tree,
    grace: Duration,
    is_to_end: &mut dyn FnMut() -> bool,
) -> Over {
    let mut front_stopped = false;
    loop {
        match supervise::wait(signals, line, Some(LOOK_EVERY)) {
            Ok(Event::Line) => match line.hear() {
                Heard::Message([SIGNAL, a, b, c, d]) => {
                    supervise::signal(payload.main, i32::from_le_bytes([a, b, c, d]));
                }
                Heard::Message(_) => {}
                Heard::Gone => return end_all(payload, None, Duration::ZERO, None),
            },
            // Without a way to wait there is no supervision, and no payload without supervision.
            Err(_) => return end_all(payload, None, Duration::ZERO, None),
            Ok(Event::Signal(_) | Event::Nothing) => {}
        }
        for _ in 0..REAPED_AT_ONCE {
            let Reaped::One(pid, ended) = supervise::reap() else { break };
            if pid == payload.main {
                return end_all(payload, Some(ended), grace, Some(line));
            }
        }
        if is_to_end() {
            return end_all(payload, None, grace.min(MOST_GRACE), Some(line));
        }
        let stopped = supervise::is_stopped(front);
        // Again and again while it is stopped: what is forked meanwhile is not stopped yet.
        if stopped || front_stopped {
            front_stopped = stopped;
            let signal = if stopped { SIGSTOP } else { SIGCONT };
            payload.signal(signal, |_| true);
        }
    }
}

/// Ends every process that is left: asks, waits, kills. Orphans become children of the monitor, so when it has no child
/// left, and nobody is in the cgroup, there is nothing left. Whoever kills the front, at the other end of the line, waits no
/// longer.
pub fn end_all(tree: &Tree, ended: Option<Ended>, mut grace: Duration, line: Option<&Line>) -> Over {
    let started = Instant::now();
    let mut ending = Ending { main: ended, ..Ending::default() };
    let mut unreaped = None;
    while !ending.is_complete(tree) {
        if started.elapsed() < grace {
            ending.ask(tree);
            match line {
                Some(line) if line.ends_within(GRACE_STEP) => grace = Duration::ZERO,
                Some(_) => {}
                None => std::thread::sleep(GRACE_STEP),
            }
            continue;
        }
        if started.elapsed() >= grace.saturating_add(LET_GO) {
            let left = tree.left();
            if !left.is_empty() && unreaped.get_or_insert_with(Unreaped::new).are_all(&left) {
                break;
            }
        }
        ending.notice_strangers(tree);
        tree.kill();
        std::thread::sleep(KILL_STEP);
    }
    ending.over()
}

/// What is known of processes that are being ended.
#[derive(Default)]
struct Ending {
    main: Option<Ended>,
    asked: BTreeSet<Pid>,
    killed: u64,
    /// Those in the cgroup that are not below the monitor, who so never learns how they ended: they have joined the
    /// namespaces of another call, or somebody has put them there.
    strangers: BTreeSet<Pid>,
}

impl Ending {
    /// Reaps what has ended; true when nothing is left.
    fn is_complete(&mut self, tree: &Tree) -> bool {
        for _ in 0..REAPED_AT_ONCE {
            match supervise::reap() {
                Reaped::One(pid, how) if pid == tree.main => self.main = Some(how),
                Reaped::One(pid, how) => {
                    // It has become a child between two looks.
                    self.strangers.remove(&pid);
                    let was_killed = matches!(how, Ended::Signaled(SIGTERM | SIGKILL));
                    self.killed = self.killed.saturating_add(was_killed.into());
                }
                Reaped::Nobody => return false,
                Reaped::NoChildren => {
                    let complete = tree.has_empty_cgroup();
                    if !complete {
                        self.notice_strangers(tree);
                    }
                    return complete;
                }
            }
        }
        false
    }

    /// To be called before what is left is killed, strangers included.
    fn notice_strangers(&mut self, tree: &Tree) {
        let inside = tree.in_cgroup();
        if !inside.is_empty() {
            let below: BTreeSet<Pid> = supervise::descendants(getpid()).into_iter().collect();
            // Whoever has ended meanwhile is no stranger.
            let still = tree.in_cgroup();
            self.strangers.extend(inside.into_iter().filter(|pid| still.contains(pid) && !below.contains(pid)));
        }
    }

    /// Asks everybody once, whoever is stopped too.
    fn ask(&mut self, tree: &Tree) {
        let mut new = BTreeSet::new();
        tree.signal(SIGTERM, |pid| !self.asked.contains(&pid) && new.insert(pid));
        if !new.is_empty() {
            tree.signal(SIGCONT, |pid| new.contains(&pid));
        }
        self.asked.append(&mut new);
    }

    fn over(&self) -> Over {
        let strangers = u64::try_from(self.strangers.len()).unwrap_or(u64::MAX);
        // A payload whose end was not seen was killed with its tree.
        let ended = self.main.unwrap_or(Ended::Signaled(SIGKILL));
        Over { ended, killed: self.killed.saturating_add(strangers) }
    }
}
