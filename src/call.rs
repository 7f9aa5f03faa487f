//! One call from outside: hardening the process at its start, and telling its outcome to the log, the caller and the
//! report.

use crate::audit::log::Log;
use crate::audit::record::Record;
use crate::decision::Known;
use crate::invocation::environment::{Environment, ReportFd};
use crate::payload::switch::Prepared;
use crate::report::Reporter;
use glexec_config::glexec::Glexec;
use glexec_config::values::LogLevel;
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::mapping::Mapping;
use glexec_policy::trail::Trail;
use glexec_sys::identity::Need;
use glexec_sys::self_check::Failed;
use glexec_sys::start::{self, Inherited, Limits};
use glexec_sys::{identity, self_check};
use nix::unistd::{Gid, Uid, geteuid, getpid};
use std::fmt::Display;
use std::io::Write;

/// What the kernel says for an id that means nothing where it is asked for (user_namespaces(7), overflowuid).
const NOBODY_KNOWS_WHO: u32 = 65534;

/// What is known of a call so far.
pub struct Call {
    /// The caller's environment.
    pub environment: Environment,
    pub record: Record,
    id: String,
    uid: Uid,
    gid: Gid,
    log: Option<Log>,
    report: Reporter,
    descriptors: Outcome<()>,
    report_fd: Outcome<()>,
    recorded: bool,
}

impl Call {
    /// Takes the environment, and closes every descriptor that the caller left open but the report's.
    pub fn begin(inherited: &Inherited) -> Self {
        let environment = Environment::new(inherited.environment.clone());
        let wanted = environment.report_fd();
        let (report, closed) = start::close_descriptors(match wanted {
            ReportFd::Number(fd) => Some(fd),
            ReportFd::Unset | ReportFd::Nonsense => None,
        });
        // The kernel's random numbers do not fail; an id of zeros is better than no record.
        let id = Record::id().unwrap_or_else(|_| "0".repeat(16));
        let mut record = Record::start(&id);
        let (uid, gid) = match self_check::in_initial_user_namespace() {
            // Whoever makes a user namespace is whom they like in it, root for instance.
            Some(false) => (NOBODY_KNOWS_WHO, NOBODY_KNOWS_WHO),
            _ => (inherited.uid.as_raw(), inherited.gid.as_raw()),
        };
        record.process(uid, gid, getpid().as_raw());
        let report_fd = match wanted == ReportFd::Unset || report.is_some() {
            true => Ok(()),
            false => {
                let sentence = "GLEXEC_REPORT_FD is not the number of an open descriptor of 3 or above";
                Err(Refusal::new(Reason::InvocationReportFd, sentence))
            }
        };
        Call {
            descriptors: closed.map_err(|errno| not_started("close_range", errno)),
            report_fd,
            report: Reporter::new(report),
            uid: inherited.uid,
            gid: inherited.gid,
            log: None,
            recorded: false,
            environment,
            record,
            id,
        }
    }

    /// Refuses a call that would hand the caller's descriptors on.
    pub fn check_descriptors(&self) -> Outcome<()> {
        self.descriptors.clone()
    }

    /// Refuses a GLEXEC_REPORT_FD that names no descriptor: the caller would wait for a line that never comes.
    pub fn check_report(&self) -> Outcome<()> {
        self.report_fd.clone()
    }

    /// From here on the configured destination is used.
    pub fn open_log(&mut self, config: &Glexec) {
        self.log = Some(Log::open(config));
    }

    fn log(&mut self) -> &Log {
        self.log.get_or_insert_with(Log::early)
    }

    /// Puts down what came out of the decision, also where it refused.
    pub fn know(&mut self, known: &Known) {
        if let Some(caller) = &known.caller {
            self.record.caller(caller);
        }
        if let Some(verified) = &known.verified {
            let pilots = verified.pilots();
            self.record.identities(&verified.user, pilots.first().copied());
            for pilot in pilots.iter().skip(1) {
                self.note(&format!("the pilot has a credential of {} as well", pilot.subject));
            }
            self.record.judge(verified.judge);
            for note in &verified.notes {
                self.note(note);
            }
        }
        for note in known.trail.notes() {
            self.note(&note);
        }
        if self.log().wants(LogLevel::Info) {
            self.follow(&known.trail);
        }
    }

    /// Tells the log what each plug-in found and answered.
    fn follow(&mut self, trail: &Trail) {
        for step in &trail.steps {
            let title = format!("{} plug-in {}", step.side, step.plugin);
            for seen in &step.seen {
                self.tell(LogLevel::Debug, &format!("{title}: {seen}"));
            }
            self.tell(LogLevel::Info, &format!("{title}: {}", step.in_words()));
        }
    }

    /// Tells the log what an administrator may want to know.
    pub fn note(&mut self, text: &str) {
        self.tell(LogLevel::Warning, text);
    }

    /// Tells a log that wants to know more.
    pub fn inform(&mut self, text: &str) {
        self.tell(LogLevel::Info, text);
    }

    fn tell(&mut self, level: LogLevel, text: &str) {
        let text = format!("call={}: {text}", self.id);
        self.log().message(level, &text);
    }

    /// Writes the record that permits the call; with `audit_required` nothing runs without it.
    pub fn audit(&mut self, config: &Glexec) -> Outcome<()> {
        self.record.permit();
        self.recorded = true;
        let record = std::mem::take(&mut self.record);
        match self.log().record(&record, LogLevel::Notice) {
            Err(why) if config.audit_required => {
                let sentence = "the audit record cannot be written, and nothing runs without it";
                Err(Refusal::new(Reason::AuditUnavailable, sentence).detail(why))
            }
            _ => Ok(()),
        }
    }

    /// Notes what the caller's report will say of a success.
    pub fn prepare_report(&mut self, target: &Mapping, user: &Identity, prepared: &Prepared) {
        self.report.prepare(&self.id, target, user, prepared);
    }

    /// Whether the caller wants a report.
    pub fn reports(&self) -> bool {
        self.report.is_wanted()
    }

    /// Tells the caller's report that the process is the target account now.
    pub fn report_success(&mut self) {
        self.report.success();
    }

    /// The call's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The caller's real ids.
    pub fn ids(&self) -> (Uid, Gid) {
        (self.uid, self.gid)
    }

    /// Closes the report in a process that has nothing to say on it.
    pub fn release_report(&mut self) {
        self.report = Reporter::default();
    }

    /// Writes the record that ends the call. The log may have been rotated or its daemon started anew since the call
    /// began, so the destination is opened again; where that fails, the old one may still do.
    pub fn record_end(&mut self, record: &Record, config: &Glexec) {
        if Log::open(config).record(record, LogLevel::Notice).is_err() {
            // There is nobody left to refuse anything to.
            let _ = self.log().record(record, LogLevel::Notice);
        }
    }

    /// Tells the log of a failure of a call whose record has been written.
    pub fn complain(&mut self, failure: &Refusal) {
        let text = format!("call={} code={}: {}", self.id, failure.reason(), failure.for_log());
        self.log().message(LogLevel::Fatal, &text);
    }

    /// Ends the call with a refusal: the record first, then, with the caller's own rights, its sentence and report.
    /// Returns the exit code.
    pub fn refuse(mut self, refusal: &Refusal) -> u8 {
        if self.recorded {
            self.complain(refusal);
        } else {
            self.record.deny(refusal);
            let record = std::mem::take(&mut self.record);
            // There is nothing more to refuse when a refusal cannot be recorded.
            let _ = self.log().record(&record, LogLevel::Warning);
        }
        let own_rights = !geteuid().is_root() || identity::return_to_caller(self.uid, self.gid).is_ok();
        if own_rights {
            let sentence: String = refusal.sentence().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            // A caller that does not listen still has the exit code.
            let _ = std::io::stderr().write_all(format!("[gLExec]: {sentence} ({})\n", refusal.reason()).as_bytes());
            self.report.refused(&self.id, refusal);
        }
        refusal.reason().class().exit_code()
    }
}

/// Prints a text for the caller, with the caller's own rights.
pub fn say(inherited: &Inherited, text: &str) -> u8 {
    let printed = identity::return_to_caller(inherited.uid, inherited.gid).is_ok()
        && std::io::stdout().write_all(text.as_bytes()).is_ok()
        && std::io::stdout().flush().is_ok();
    u8::from(!printed)
}

/// Makes the process safe to hold privileges: checks itself, raises limits that could stop it half-way, forbids core
/// dumps, keeps only the capabilities that some configuration may need.
pub fn harden(inherited: &Inherited) -> Outcome<Limits> {
    self_check::check().map_err(|failed| {
        let (reason, sentence) = match failed {
            Failed::NotRoot => {
                (Reason::SelfNotSetuid, "glexec does not run as root: not installed setuid root, or on a nosuid mount")
            }
            Failed::NoNewPrivs => (
                Reason::SelfNoNewPrivs,
                "glexec cannot switch identity under no_new_privs (a container or a security profile sets it)",
            ),
            Failed::NoProc => (Reason::SelfStartup, "glexec needs /proc, which is not mounted here"),
            Failed::UserNamespace => (Reason::SelfUserNamespace, "glexec cannot switch identity in a user namespace"),
            Failed::Traced => (Reason::SelfTraced, "glexec does not run while it is traced"),
        };
        Refusal::new(reason, sentence)
    })?;
    start::forbid_dumps().map_err(|errno| not_started("PR_SET_DUMPABLE", errno))?;
    let mut limits = start::raise_limits().map_err(|errno| not_started("setrlimit", errno))?;
    identity::drop_setgid(inherited.gid).map_err(|errno| not_started("setresgid", errno))?;
    identity::reduce_capabilities().map_err(|why| not_started("privileges", why))?;
    limits.ask_parent();
    Ok(limits)
}

/// The second step, with the configuration known: keeps the capabilities that what is in use needs.
pub fn settle(needs: &[Need]) -> Outcome<()> {
    identity::settle_capabilities(needs).map_err(|why| not_started("privileges", why))
}

fn not_started(what: &str, why: impl Display) -> Refusal {
    Refusal::new(Reason::SelfStartup, "glexec could not start safely").detail(format!("{what}: {why}"))
}
