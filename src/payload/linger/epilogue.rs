//! The epilogue: a program of the site's that runs when nothing of the payload is left.

use super::monitor::{self, Tree};
use crate::payload::told::{self, Facts};
use glexec_config::glexec::Glexec;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::detached::{self, RunAs};
use glexec_sys::dir;
use glexec_sys::identity::{Actor, Need};
use glexec_sys::supervise::{self, Ended, ProcessIds, Reaped};
use nix::errno::Errno;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Gid, Pid, Uid};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

const PREFIX: &str = "GLEXEC_EPILOG_";
/// How often a running epilogue is looked at when no signal tells of its end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The capabilities that the configured epilogue needs glexec to keep.
pub fn need(config: &Glexec) -> Option<Need> {
    config.epilogue.as_ref().filter(|_| config.epilogue_user == "root").map(|_| Need::RootProgram)
}

/// A program, checked, and everything about the call that it will be told.
#[derive(Debug)]
pub struct Epilogue {
    program: CString,
    run_as: RunAs,
    timeout: Duration,
    grace: Duration,
    environment: Vec<CString>,
}

/// How an epilogue ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// By itself.
    Ended(Ended),
    /// It was ended, because it took too long.
    TooLong,
    /// It could not be started, for this reason.
    NotStarted(String),
}

impl Done {
    /// How it went, as one word of the end record.
    pub fn word(&self) -> String {
        match self {
            Done::Ended(Ended::Exited(code)) => code.to_string(),
            Done::Ended(Ended::Signaled(signal)) => format!("signal-{signal}"),
            Done::TooLong => "timeout".into(),
            Done::NotStarted(_) => "not-started".into(),
        }
    }

    /// What is wrong, where it did not do its work.
    pub fn failure(&self) -> Option<Refusal> {
        let how = match self {
            Done::Ended(Ended::Exited(0)) => return None,
            Done::NotStarted(why) => format!("it could not be started: {why}"),
            Done::Ended(_) | Done::TooLong => format!("it ended as {}", self.word()),
        };
        Some(Refusal::new(Reason::EpilogueFailed, "the payload ran, but the site's epilogue failed").detail(how))
    }
}

impl Epilogue {
    /// Finds the configured program and its account. It must be a file owned by root that, like every directory above
    /// it, only root may write.
    pub fn find(config: &Glexec, facts: &Facts<'_>, accounts: &dyn AccountDatabase) -> Outcome<Option<Epilogue>> {
        let Some(path) = &config.epilogue else { return Ok(None) };
        let path = path.get_ref().as_path();
        dir::check_program(path).map_err(|why| unusable(why.to_string()))?;
        let user = accounts.login(&config.epilogue_user)?;
        let user = user.ok_or_else(|| unusable(format!("{}: no such account", config.epilogue_user)))?;
        let own_gid = if user.uid == 0 { 0 } else { user.gid };
        let gid = match config.epilogue_group.as_str() {
            "" => own_gid,
            name => {
                let group = accounts.group(name)?;
                group.ok_or_else(|| unusable(format!("{name}: no such group")))?
            }
        };
        let gid = Gid::from_raw(gid);
        let run_as = match user.uid == 0 {
            true => RunAs::Root(gid),
            false => RunAs::Account(Actor { uid: Uid::from_raw(user.uid), gid, groups: Some(Vec::new()) }),
        };
        Ok(Some(Epilogue {
            program: c_string(path.as_os_str().as_bytes())?,
            run_as,
            timeout: Duration::from_secs(config.epilogue_timeout.get().into()),
            grace: config.linger_grace.duration(),
            environment: told::environment(PREFIX, config, &user, facts, accounts)?,
        }))
    }

    /// Notes where the processes of the call stand, while they are there.
    pub fn note(&mut self, front: ProcessIds, payload: ProcessIds) {
        for (name, number) in [
            ("GLEXEC_PID", front.pid),
            ("GLEXEC_SID", front.session),
            ("GLEXEC_PGID", front.group),
            ("TARGET_PID", payload.pid),
            ("TARGET_PGID", payload.group),
        ] {
            self.environment.extend(variable(name, number.to_string().as_bytes()));
        }
    }

    /// Writes it down, name by name, so that [`Epilogue::read`] has it again.
    pub fn write(&self, line: &mut dyn FnMut(&str, &[u8])) {
        let run_as = match &self.run_as {
            RunAs::Root(gid) => format!("0 {gid}"),
            RunAs::Account(actor) => format!("{} {}", actor.uid, actor.gid),
        };
        let times = format!("{} {}", self.timeout.as_secs(), self.grace.as_secs());
        line("epilogue", self.program.as_bytes());
        line("epilogue-as", run_as.as_bytes());
        line("epilogue-times", times.as_bytes());
        self.environment.iter().for_each(|variable| line("epilogue-env", variable.as_bytes()));
    }

    /// Finds one among lines that [`Epilogue::write`] has written.
    pub fn read(lines: &[(&str, &[u8])]) -> Option<Epilogue> {
        let all = |name: &'static str| lines.iter().filter(move |(other, _)| *other == name).map(|(_, value)| *value);
        let numbers = |name: &'static str| {
            let (one, other) = std::str::from_utf8(all(name).next()?).ok()?.split_once(' ')?;
            Some((one.parse::<u32>().ok()?, other.parse::<u32>().ok()?))
        };
        let (uid, gid) = numbers("epilogue-as")?;
        let (timeout, grace) = numbers("epilogue-times")?;
        let gid = Gid::from_raw(gid);
        let run_as = match uid {
            0 => RunAs::Root(gid),
            uid => RunAs::Account(Actor { uid: Uid::from_raw(uid), gid, groups: Some(Vec::new()) }),
        };
        Some(Epilogue {
            program: CString::new(all("epilogue").next()?).ok()?,
            run_as,
            timeout: Duration::from_secs(timeout.into()),
            grace: Duration::from_secs(grace.into()),
            environment: all("epilogue-env").filter_map(|variable| CString::new(variable).ok()).collect(),
        })
    }

    /// Runs it to its end, and ends what it leaves behind. To be called when the monitor has no other child.
    pub fn run(mut self, signals: &SignalFd, ended: Ended) -> Done {
        let code = match ended {
            Ended::Exited(code) => code,
            // As shells have it.
            Ended::Signaled(signal) => signal.saturating_add(128),
        };
        self.environment.extend(variable("TARGET_RC", code.to_string().as_bytes()));
        // Looked at again: days may have passed since the call was checked.
        if let Err(why) = dir::check_program(Path::new(OsStr::from_bytes(self.program.as_bytes()))) {
            return Done::NotStarted(why.to_string());
        }
        match detached::start(&self.program, &self.environment, &self.run_as) {
            Ok(child) => self.wait_for(child, signals),
            Err(errno) => Done::NotStarted(errno.to_string()),
        }
    }

    fn wait_for(&self, child: Pid, signals: &SignalFd) -> Done {
        let started = Instant::now();
        let tree = Tree { main: child, cgroup: None };
        loop {
            match supervise::reap() {
                Reaped::One(pid, ended) if pid == child => {
                    monitor::end_all(&tree, Some(ended), self.grace, None);
                    return Done::Ended(ended);
                }
                // It was the last child, so its end has been missed: never seen to happen.
                Reaped::NoChildren => return Done::NotStarted(Errno::ECHILD.to_string()),
                Reaped::One(..) => {}
                Reaped::Nobody => {
                    let left = self.timeout.saturating_sub(started.elapsed());
                    if left.is_zero() {
                        monitor::end_all(&tree, None, self.grace, None);
                        return Done::TooLong;
                    }
                    supervise::pause(signals, left.min(LOOK_EVERY));
                }
            }
        }
    }
}

fn unusable(why: String) -> Refusal {
    Refusal::new(Reason::EpilogueUnusable, "the site's epilogue cannot be used; nothing was run").detail(why)
}

fn c_string(bytes: &[u8]) -> Outcome<CString> {
    CString::new(bytes).map_err(|_| unusable("a NUL".into()))
}

/// A variable with the historic prefix.
fn variable(name: &str, value: &[u8]) -> Option<CString> {
    told::variable(PREFIX, name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_has_one_word_for_every_end() {
        for (done, word, good) in [
            (Done::Ended(Ended::Exited(0)), "0", true),
            (Done::Ended(Ended::Exited(3)), "3", false),
            (Done::Ended(Ended::Signaled(9)), "signal-9", false),
            (Done::TooLong, "timeout", false),
            (Done::NotStarted("x".into()), "not-started", false),
        ] {
            assert_eq!((done.word().as_str(), done.failure().is_none()), (word, good));
        }
    }
}
