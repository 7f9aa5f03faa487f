//! Does what is left to be done for calls that lost their monitor.

use glexec::audit::log::Log;
use glexec::audit::record::Record;
use glexec::payload::linger::monitor::KILL_STEP;
use glexec::payload::linger::remains::{MAX_BYTES, Remains, directory};
use glexec_config::glexec::Glexec;
use glexec_config::values::LogLevel;
use glexec_sys::cgroup::Cgroup;
use glexec_sys::left_file::Removal;
use glexec_sys::supervise::{self, Ended, Held};
use nix::libc::{SIGCONT, SIGKILL};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::time::{Duration, Instant};

/// How long a front without its monitor has to end what is left below it.
const FRONT_ENDS: Duration = Duration::from_secs(5);
/// How long what is killed may take to end.
const END: Duration = Duration::from_secs(10);

/// What was done for a lost call.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Its id.
    pub call: String,
    /// How many processes were ended.
    pub ended: u64,
    /// How many files were removed.
    pub removed: usize,
    /// How its epilogue ended.
    pub epilogue: Option<String>,
    /// What could not be done; the call is looked at again the next time where its end could not be recorded.
    pub problems: Vec<String>,
}

/// Cleans up after every call that has lost its monitor, and leaves those that run alone. To be called as root.
///
/// # Errors
/// Where the calls cannot be looked at, or nothing can be supervised.
pub fn all(config: &Glexec, each: &mut dyn FnMut(Swept)) -> Result<(), String> {
    let calls = directory().map_err(|error| error.to_string())?;
    supervise::adopt_orphans().map_err(|errno| errno.to_string())?;
    let signals = supervise::hold_child_signal().map_err(|errno| errno.to_string())?;
    for name in calls.names().map_err(|error| error.to_string())? {
        match calls.read_if_unlocked(&name, MAX_BYTES) {
            Ok(None) => {}
            Ok(Some((_locked, bytes))) => match Remains::read(&bytes) {
                Some(remains) => {
                    let (swept, recorded) = one(remains, config, &signals);
                    if recorded {
                        // Another sweep has waited for our lock, and finds it gone.
                        let _ = calls.unlink(&name);
                    }
                    each(swept);
                }
                None => each(unreadable(&name, "what is written down of it cannot be read")),
            },
            Err(error) => each(unreadable(&name, &error.to_string())),
        }
    }
    Ok(())
}

fn unreadable(name: &OsStr, why: &str) -> Swept {
    Swept { call: name.to_string_lossy().into_owned(), problems: vec![why.to_owned()], ..Swept::default() }
}

/// Cleans up after one call; true where its end is recorded.
fn one(mut remains: Remains, config: &Glexec, signals: &SignalFd) -> (Swept, bool) {
    let mut swept = Swept { call: remains.call.clone(), ..Swept::default() };
    end_processes(&remains, &mut swept);
    for file in &remains.files {
        match file.remove() {
            Ok(Removal::Removed) => swept.removed = swept.removed.saturating_add(1),
            Ok(Removal::NotFound) => {}
            Err(errno) => swept.problems.push(format!("{}: {errno}", file.path.display())),
        }
    }
    // Its end is not known; whatever ended the others will have killed it.
    let epilogue = remains.epilogue.take().map(|epilogue| epilogue.run(signals, Ended::Signaled(SIGKILL)));
    swept.epilogue = epilogue.as_ref().map(|done| done.word()).or_else(|| remains.epilogue_ended.clone());
    swept.problems.extend(epilogue.and_then(|done| done.failure()).map(|failure| failure.for_log()));

    let mut record = Record::end(&remains.call);
    record.lost(remains.payload.pid.as_raw(), swept.ended);
    swept.epilogue.iter().for_each(|word| record.epilogue(word));
    let recorded = Log::open(config).record(&record, LogLevel::Notice);
    if let Err(why) = &recorded {
        swept.problems.push(format!("its end cannot be recorded: {why}"));
        let word = swept.epilogue.as_deref().unwrap_or_default();
        if let Err(why) = remains.note_epilogue(word) {
            swept.problems.push(format!("its epilogue will be run again: {why}"));
        }
    }
    (swept, recorded.is_ok())
}

/// Ends the front, the payload's main process and every process in its cgroup. The others had the monitor as their
/// parent, or the front, who ends them.
fn end_processes(remains: &Remains, swept: &mut Swept) {
    if remains.world == supervise::world() {
        let of = |pid: Pid, started: &str| Held::started_then(pid, started);
        if let Some(front) = of(remains.front.pid, &remains.front.started) {
            // It cannot end anybody while it is stopped.
            front.signal(SIGCONT);
            if !front.ends_within(FRONT_ENDS) {
                end(&front, swept);
            }
        }
        if let Some(payload) = of(remains.payload.pid, &remains.payload.started) {
            end(&payload, swept);
        }
    }
    let Some((path, inode)) = &remains.cgroup else { return };
    let Some(cgroup) = Cgroup::find(path, *inode) else { return };
    swept.ended = swept.ended.saturating_add(u64::try_from(cgroup.processes().len()).unwrap_or(u64::MAX));
    let started = Instant::now();
    while !cgroup.is_empty() && started.elapsed() < END {
        cgroup.kill();
        std::thread::sleep(KILL_STEP);
    }
    if let Err(errno) = cgroup.remove() {
        swept.problems.push(format!("{}: {errno}", path.display()));
    }
}

fn end(process: &Held, swept: &mut Swept) {
    // Ended, and not reaped yet.
    if process.ends_within(Duration::ZERO) {
        return;
    }
    process.signal(SIGKILL);
    match process.ends_within(END) {
        true => swept.ended = swept.ended.saturating_add(1),
        false => swept.problems.push(format!("process {} does not end", process.pid())),
    }
}
