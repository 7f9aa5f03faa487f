//! A lingering call is three processes.
//!
//! - *front*: the process id that the caller knows. Real user the caller's, effective and saved user the target's, so
//!   that both may signal it and neither may trace it. Hands signals on, and ends as the payload ended.
//! - *monitor*: root with three capabilities, in a session of its own, the parent of every orphan of the payload. Holds
//!   nothing of the caller's; neither caller nor payload can signal it. Ends what the payload leaves behind and writes
//!   the end record.
//! - *payload*: in the caller's process group and session.
//!
//! The payload starts when front and monitor have let go of the caller's descriptors: closing one takes as long as its file
//! system likes, which may be the caller's own (FUSE), and until then nobody supervises.
//!
//! Where the caller wants a report, a fourth process writes the success of an execution ([`teller`]); what is refused the
//! process reports that refuses it.
//!
//! When the front dies the monitor ends the payload's tree; when the monitor dies the kernel ends the payload's main
//! process, and the front, who then is the parent of every orphan, the others.

pub mod banned;
pub mod cgroups;
pub mod epilogue;
mod failure;
pub mod front;
mod line;
pub mod monitor;
pub mod remains;
pub mod teller;

use crate::audit::record::Record;
use crate::call::Call;
use crate::payload::becoming::{Watched, become_payload};
use crate::payload::switch::Prepared;
use banned::{Banned, Standing};
use cgroups::{Cgroups, MonitorCgroup};
use epilogue::Epilogue;
use failure::failed;
use glexec_config::glexec::Glexec;
use glexec_core::reason::{self, Reason, Refusal};
use glexec_policy::mapping::Mapping;
use glexec_sys::cgroup::Cgroup;
use glexec_sys::start::Limits;
use glexec_sys::supervise::{self, Ended, Heard, Line, Side};
use glexec_sys::{descriptors, identity};
use line::{Outcome, READY, REFUSED, message};
use monitor::Tree;
use nix::errno::Errno;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Gid, Pid, Uid, chdir, getpid};
use remains::Kept;
use std::time::{Duration, Instant};
use teller::Teller;

/// What the three processes need to know.
pub struct Lingering<'a> {
    pub call: Call,
    /// The payload, ready to run.
    pub prepared: Prepared,
    /// The caller's resource limits.
    pub limits: Limits,
    /// The target account.
    pub target: &'a Mapping,
    pub config: &'a Glexec,
    /// Where the payload gets a cgroup of its own.
    pub cgroups: Option<Cgroups>,
    /// What is to be run afterwards.
    pub epilogue: Option<Epilogue>,
    /// Whether somebody of the call is banned meanwhile.
    pub banned: Option<Banned>,
}

/// Splits into the three processes. Ends each of them itself; returns only when the split did not work.
pub fn supervise(mut lingering: Lingering<'_>) -> (Call, Refusal) {
    let started = Instant::now();
    let keeper = lingering.prepared.take_keeper();
    let prepared = || -> reason::Outcome<_> {
        let signals = supervise::hold_signals().map_err(failed("signalfd"))?;
        let (ours, theirs) = Line::pair().map_err(failed("socketpair"))?;
        let report = lingering.call.reports().then(Line::pair).transpose().map_err(failed("socketpair"))?.unzip();
        let front = getpid();
        let mut before = supervise::children(front);
        // It ends now, and its number may be an orphan's.
        before.retain(|pid| keeper.as_ref().is_none_or(|keeper| keeper.pid() != *pid));
        supervise::adopt_orphans().map_err(failed("PR_SET_CHILD_SUBREAPER"))?;
        let (side, place) = cgroups::split_off_monitor(lingering.cgroups.as_ref()).map_err(failed("fork"))?;
        Ok((signals, ours, theirs, report, (front, before), (side, place)))
    };
    match prepared() {
        Ok((signals, ours, theirs, (executed, reported), (front, _), (Side::Child, place))) => {
            drop((signals, ours, executed));
            if let Some(keeper) = keeper {
                keeper.leave();
            }
            supervise::end(monitor(lingering, &theirs, front, (reported, place)))
        }
        Ok((signals, ours, theirs, (executed, reported), (_, before), (Side::Parent(monitor), _))) => {
            // The monitor looks after everything now.
            drop((theirs, reported, keeper));
            be_front(lingering, (signals, ours), executed, monitor, &before)
        }
        Err(refusal) => {
            lingering.prepared.undo();
            record_refused(&mut lingering.call, lingering.config, &refusal, started);
            (lingering.call, refusal)
        }
    }
}

fn be_front(
    lingering: Lingering<'_>,
    supervision: (SignalFd, Line),
    executed: Option<Line>,
    monitor: Pid,
    before: &[Pid],
) -> (Call, Refusal) {
    let Lingering { mut call, prepared, target, cgroups, .. } = lingering;
    drop(cgroups);
    let target = (Uid::from_raw(target.uid.get()), Gid::from_raw(target.gid.get()));
    let started = match executed {
        Some(executed) => teller::start(&mut call, executed, supervision).map(|(teller, kept)| (Some(teller), kept)),
        None => Ok((None, supervision)),
    };
    call.release_report();
    let (teller, (signals, line)) = match started {
        Ok(started) => started,
        // With the line dropped the monitor ends the payload.
        Err(errno) => {
            supervise::reap_this(monitor);
            return (call, unsupervised(&errno.to_string()));
        }
    };
    let released = identity::become_front(call.ids(), target)
        .and_then(|()| descriptors::release_standard().and_then(|()| chdir("/")).map_err(|errno| errno.to_string()));
    let outcome = match released {
        Ok(()) => match line.say(message(READY, 0)) {
            // Where the monitor has ended, the line says next what it said last.
            Ok(()) | Err(Errno::EPIPE) => front::relay(&signals, &line, monitor).map_err(|errno| errno.to_string()),
            Err(errno) => Err(errno.to_string()),
        },
        Err(why) => Err(why),
    };
    match outcome {
        Ok(Some(outcome)) => {
            // The caller may look for the report when the call has ended.
            teller.into_iter().for_each(Teller::end);
            front::end_as(outcome)
        }
        Ok(None) => {
            front::end_orphans(target.0, before);
            prepared.remove_temporary_as_target();
            (call, unsupervised("the monitor died"))
        }
        // Dropping the line tells the monitor to end the payload.
        Err(why) => {
            drop(line);
            supervise::reap_this(monitor);
            (call, unsupervised(&why))
        }
    }
}

fn unsupervised(why: &str) -> Refusal {
    let sentence = "the supervision of the payload failed, and the payload was ended";
    Refusal::new(Reason::SystemFailed, sentence).detail(why)
}

/// The monitor's life; returns its exit code, which nobody looks at.
fn monitor(
    mut lingering: Lingering<'_>,
    line: &Line,
    front: Pid,
    (reported, place): (Option<Line>, MonitorCgroup),
) -> i32 {
    let started = Instant::now();
    let name = format!("call-{}", lingering.call.id());
    let cgroups = lingering.cgroups.take();
    let prepared = || -> reason::Outcome<_> {
        supervise::adopt_orphans().map_err(failed("PR_SET_CHILD_SUBREAPER"))?;
        let signals = supervise::hold_child_signal().map_err(failed("signalfd"))?;
        supervise::leave_callers_ids().map_err(failed("setresuid"))?;
        let gate = Line::pair().map_err(failed("socketpair"))?;
        let monitor = getpid();
        let (side, cgroup) = cgroups::split_off_payload(cgroups, &name, place)?;
        Ok((signals, gate, cgroup, monitor, side))
    };
    match prepared() {
        Ok((signals, (ours, theirs), cgroup, _, Side::Parent(main))) => {
            drop((theirs, reported));
            watch(lingering, &signals, (line, front), Tree { main, cgroup }, ours, started)
        }
        Ok((_, (ours, theirs), _, monitor, Side::Child)) => {
            // So that the monitor's death ends the gate.
            drop(ours);
            supervise::end(be_payload(lingering, monitor, &theirs, reported.as_ref()))
        }
        Err(refusal) => {
            lingering.prepared.undo();
            record_refused(&mut lingering.call, lingering.config, &refusal, started);
            let code = i32::from(lingering.call.refuse(&refusal));
            tell(line, Outcome::Refused(code));
            code
        }
    }
}

/// Writes the end record of a call that is refused after its start record: it has the exit code of the call.
fn record_refused(call: &mut Call, config: &Glexec, refusal: &Refusal, started: Instant) {
    let ended = Ended::Exited(refusal.reason().class().exit_code().into());
    let mut record = Record::end(call.id());
    record.ended(ended, 0, started.elapsed(), &supervise::usage());
    call.record_end(&record, config);
}

/// The payload's process until it is the payload; returns its exit code when it could not become it.
fn be_payload(lingering: Lingering<'_>, monitor: Pid, gate: &Line, reported: Option<&Line>) -> i32 {
    let announce = || reported.into_iter().for_each(teller::announce);
    let watched = Watched { monitor, announce: &announce };
    let Lingering { mut call, prepared, limits, .. } = lingering;
    let became = match is_ready(gate) {
        true => become_payload(&mut call, prepared, &limits, Some(&watched)),
        false => {
            prepared.undo();
            Err(unsupervised("the monitor is gone"))
        }
    };
    match became {
        Ok(()) => 0,
        Err(refusal) => {
            let code = call.refuse(&refusal);
            // Should this not be heard, the code counts as the payload's own, and 201 to 204 become 204.
            let refused = Outcome::Refused(code.into()).message();
            for line in [Some(gate), reported].into_iter().flatten() {
                let _ = line.say(refused);
            }
            code.into()
        }
    }
}

/// Waits until the other side says so; false where it ends before.
fn is_ready(line: &Line) -> bool {
    loop {
        match line.hear() {
            Heard::Message([READY, ..]) => return true,
            Heard::Message(_) => {}
            Heard::Gone => return false,
        }
    }
}

/// Tells the payload's process to begin when the front lives and holds nothing of the caller's any more. Whoever killed the
/// front meanwhile wants no payload.
fn begin(line: &Line, gate: &Line) -> Result<(), String> {
    if !is_ready(line) || line.ends_within(Duration::ZERO) {
        return Err("the process that the caller knows has ended".into());
    }
    gate.say(message(READY, 0)).map_err(|errno| errno.to_string())
}

/// Tells the front how the call ended; where it is gone nobody asks.
fn tell(line: &Line, outcome: Outcome) {
    let _ = line.say(outcome.message());
}

/// Lets go of what is the caller's, and of every capability that is not needed any more.
fn let_go() -> Result<(), String> {
    supervise::leave_session()
        .and_then(|()| descriptors::release_standard())
        .and_then(|()| chdir("/"))
        .map_err(|errno| errno.to_string())
        .and_then(|()| identity::keep_capabilities(&[]))
}

/// Whether the payload is to be ended because somebody of the call is banned; tells the log.
fn is_to_end(banned: &mut Option<Banned>, call: &mut Call) -> bool {
    let standing = banned.as_mut().map_or(Standing::Fine, Banned::look);
    match &standing {
        Standing::Fine => {}
        Standing::Named(why) | Standing::Ends(why) => call.note(why),
    }
    matches!(standing, Standing::Ends(_))
}

/// The monitor's life from the payload's beginning to its end record.
fn watch(
    lingering: Lingering<'_>,
    signals: &SignalFd,
    (line, front): (&Line, Pid),
    payload: Tree,
    gate: Line,
    started: Instant,
) -> i32 {
    let Lingering { mut call, prepared, config, mut epilogue, mut banned, .. } = lingering;
    call.release_report();
    epilogue.iter_mut().for_each(|epilogue| epilogue.note(supervise::ids(front), supervise::ids(payload.main)));
    let grace = config.linger_grace.duration();
    let mut kept = None;
    let ready = let_go().and_then(|()| {
        kept = Some(remains::keep(call.id(), front, &payload, &prepared, epilogue.as_ref()));
        begin(line, &gate)
    });
    let kept = kept.and_then(|kept| {
        kept.map_err(|why| call.note(&format!("should all of the call be killed, nobody can clean up: {why}"))).ok()
    });
    let (over, executed) = match ready {
        Ok(()) => {
            let over = monitor::watch(signals, line, front, &payload, grace, &mut || is_to_end(&mut banned, &mut call));
            // An exec closes the other end without a word.
            (over, !matches!(gate.heard(), Some([REFUSED, ..])))
        }
        Err(why) => {
            call.note(&format!("the payload does not begin: {why}"));
            // No payload without supervision: its process refuses by itself, where its caller still listens.
            drop(gate);
            (monitor::end_all(&payload, None, grace, Some(line)), false)
        }
    };
    if let Some(Err(errno)) = payload.cgroup.map(Cgroup::remove) {
        call.note(&format!("the payload's cgroup cannot be removed: {errno}"));
    }
    prepared.remove_temporary();
    let mut outcome = match over.ended {
        Ended::Exited(code) if !executed => Outcome::Refused(code),
        ended => Outcome::Ran(ended),
    };
    let mut record = Record::end(call.id());
    record.payload(payload.main.as_raw());
    record.ended(over.ended, over.killed, started.elapsed(), &supervise::usage());
    // Where nothing was executed there is nothing to clean up.
    if let Some(epilogue) = epilogue.filter(|_| executed) {
        let done = epilogue.run(signals, over.ended);
        record.epilogue(&done.word());
        if let Some(failure) = done.failure() {
            call.complain(&failure);
            outcome = front::of_failed_epilogue(&done);
        }
    }
    call.record_end(&record, config);
    if let Some(Err(why)) = kept.map(Kept::done) {
        call.note(&format!("what is written down of the call cannot be removed: {why}"));
    }
    tell(line, outcome);
    0
}
