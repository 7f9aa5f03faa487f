//! glexec.conf and what it names that is neither trust nor map: service account, log.

use super::finding::{Finding, State};
use crate::site_files;
use glexec_config::Config;
use glexec_config::glexec::LogDestination;
use glexec_config::lcmaps::Plugin;
use glexec_config::values::Cgroup;
use glexec_config::white_list::Pattern;
use glexec_core::file_error::FileError;
use glexec_core::reason::Reason;
use glexec_machine::accounts::Nss;
use glexec_machine::configuration;
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::cgroup::{self, Parent};
use glexec_sys::dir::{Directory, Writers, check_file, check_program};
use glexec_sys_more::plain;
use nix::sys::statvfs::FsFlags;
use std::path::Path;

/// Read and execute permission for everybody.
const EXECUTABLE: u32 = 0o005;
const SYSLOG: &str = "/dev/log";

/// A configuration that is not in place yet; where it cannot be loaded, why.
pub fn candidate(path: &Path) -> (Option<Config>, Vec<Finding>) {
    let subject = path.display().to_string();
    match crate::reading::loaded(path) {
        Ok(config) => (Some(config), vec![Finding::ok(subject, "can be loaded")]),
        Err(why) => (None, vec![Finding::bad(State::Critical, subject, why, "correct it")]),
    }
}

/// The configuration; where it cannot be used as it lies there, why.
pub fn load() -> (Option<Config>, Vec<Finding>) {
    match configuration::load() {
        Ok(config) => (Some(config), vec![Finding::ok(configuration::CONFIG_FILE, "can be loaded")]),
        Err(refusal) => {
            let finding = Finding::of(State::Critical, configuration::CONFIG_FILE, &refusal);
            // What it says may be right although others could change it.
            let config = match refusal.reason() {
                Reason::ConfigInsecure => crate::reading::loaded(Path::new(configuration::CONFIG_FILE)).ok(),
                _ => None,
            };
            (config, vec![finding])
        }
    }
}

/// Checks what the `[glexec]` table names.
pub fn check(config: &Config) -> Vec<Finding> {
    let mut found = vec![callers(config), service_account(config), log(config)];
    found.extend(policy(config));
    found.extend(site_files::programs(config).into_iter().map(|program| own_program(program.as_path())));
    found.extend(cgroup(config));
    found.push(tracking(config));
    found
}

/// A plug-in, the prologue, the wrapper or the epilogue: what others can change never runs.
fn own_program(path: &Path) -> Finding {
    let subject = path.display().to_string();
    match check_program(path) {
        Err(FileError::Missing(_)) => {
            Finding::bad(State::Critical, subject, "does not exist", "write it, or take it out of glexec.conf")
        }
        Err(error) => Finding::bad(
            State::Critical,
            subject,
            error.to_string(),
            "chown root and chmod go-w it, and what is above it",
        ),
        Ok(()) if plain::permissions(path).is_ok_and(|(_, mode)| mode & EXECUTABLE == EXECUTABLE) => {
            Finding::ok(subject, "only root can write it")
        }
        Ok(()) => Finding::bad(State::Critical, subject, "not everybody can execute it", "chmod 755 it"),
    }
}

/// A policy that maps nobody, as it is after `migrate` where a call-out had decided.
fn policy(config: &Config) -> Option<Finding> {
    let plan = &config.lcmaps;
    let is_bad = |name: &str| matches!(plan.plugins.get(name), Some(Plugin::DummyBad));
    (!plan.get_account.can_succeed(is_bad)).then(|| {
        let says = "every way through the policy ends in a plug-in of type dummy_bad: nobody is mapped";
        let mend = "replace it by a plug-in that decides; one of type exec asks a service (docs/reference/plugins.md)";
        Finding::bad(State::Critical, "lcmaps_get_account_policy", says, mend)
    })
}

fn cgroup(config: &Config) -> Option<Finding> {
    const WITHOUT: &str =
        "a payload that enters the namespaces of another call of its account may outlive its own call";
    match config.glexec.cgroup.get_ref() {
        _ if !config.glexec.linger => None,
        Cgroup::None => Some(Finding::ok("cgroup", format!("none: {WITHOUT}"))),
        Cgroup::BelowCaller => Some(match cgroup::mount() {
            Some(mount) => Finding::ok(
                "cgroup",
                format!("payloads get one of their own below their caller's in {}", mount.display()),
            ),
            None => Finding::ok("cgroup", format!("no cgroup v2 is mounted here: {WITHOUT}")),
        }),
        Cgroup::Below(path) => Some(match Parent::find(path.as_path()) {
            Ok(_) => Finding::ok(path.as_path().display().to_string(), "a cgroup v2 that only root can write"),
            Err(error) => {
                let subject = path.as_path().display().to_string();
                Finding::refused(State::Critical, subject, error.to_string(), Reason::CgroupUnusable)
            }
        }),
    }
}

/// Whether a batch system that marks its jobs by a group goes on finding payloads.
fn tracking(config: &Config) -> Finding {
    let keeps = |plugin: &Plugin| match plugin {
        Plugin::TrackingGroupid(options) => Some(format!("{} to {}", options.range.start(), options.range.end())),
        _ => None,
    };
    let kept: Vec<String> = config.lcmaps.plugins.values().filter_map(keeps).collect();
    let says = match kept.as_slice() {
        [] => "no plug-in keeps a job's group: a batch system that tracks by one (SGE's gid_range, HTCondor's \
               USE_GID_PROCESS_TRACKING) neither counts nor ends payloads; one of type tracking_groupid in the policy keeps it"
            .to_owned(),
        ranges => format!("payloads keep their job's group: {}", ranges.join(", ")),
    };
    Finding::ok("tracking_groupid", says)
}

fn callers(config: &Config) -> Finding {
    let subject = "user_white_list";
    let list = &config.glexec.user_white_list;
    let unknown: Vec<&str> = list.iter().filter_map(unknown).collect();
    if !unknown.is_empty() {
        let says = format!("this machine does not know: {}", unknown.join(", "));
        // Nobody at all may call then.
        let state = if unknown.len() == list.len() { State::Critical } else { State::Warning };
        return Finding::bad(state, subject, says, "correct the name, or make the account or the group");
    }
    match list.len() {
        0 => Finding::refused(State::Critical, subject, "nobody may call glexec", Reason::CallerNotWhiteListed),
        1 => Finding::ok(subject, "1 entry"),
        many => Finding::ok(subject, format!("{many} entries")),
    }
}

/// The name in an entry that is certainly nobody's.
fn unknown(entry: &Pattern) -> Option<&str> {
    match entry {
        Pattern::Account(name) => matches!(Nss.user(name), Ok(None)).then_some(name),
        Pattern::Group(name) => matches!(Nss.group(name), Ok(None)).then_some(name),
        Pattern::Pool(_) | Pattern::Anybody => None,
    }
}

fn service_account(config: &Config) -> Finding {
    let name = &config.glexec.service_user;
    let subject = format!("service_user {name}");
    let bad = |says: &str| Finding::refused(State::Critical, subject.clone(), says, Reason::VerifierFailed);
    match Nss.user(name) {
        Err(error) => Finding::refused(State::Critical, subject, error.to_string(), Reason::AccountLookup),
        Ok(None) => bad("there is no such account"),
        Ok(Some(user)) if user.uid == 0 || user.gid == 0 => bad("it is root or in group root"),
        Ok(Some(_)) if config.glexec.user_white_list.iter().any(|entry| is_account(entry, name)) => {
            bad("it may itself call glexec (user_white_list)")
        }
        Ok(Some(user)) if is_login(&user.shell) => {
            let says = format!("people can log in with it ({})", user.shell.display());
            Finding::bad(State::Warning, subject, says, format!("usermod --shell /usr/sbin/nologin {name}"))
        }
        Ok(Some(user)) => Finding::ok(subject, format!("user id {}", user.uid)),
    }
}

fn is_account(entry: &Pattern, name: &str) -> bool {
    matches!(entry, Pattern::Account(account) if account == name)
}

fn is_login(shell: &Path) -> bool {
    !shell.file_name().is_some_and(|name| name == "nologin" || name == "false")
}

fn log(config: &Config) -> Finding {
    match config.glexec.log_destination {
        LogDestination::Syslog => match plain::is_listening(Path::new(SYSLOG)) {
            Ok(()) => Finding::ok(SYSLOG, "a syslog daemon listens"),
            Err(error) => Finding::refused(
                State::Critical,
                SYSLOG,
                format!("no syslog daemon can be reached: {error}"),
                Reason::AuditUnavailable,
            ),
        },
        LogDestination::File => {
            let path = config.glexec.log_file.as_path();
            let subject = path.display().to_string();
            let folder = path.parent().unwrap_or(Path::new("/"));
            let trusted = Directory::open_trusted(folder, Writers::RootOnly).map(drop);
            let there = plain::permissions(path).is_ok();
            let bad = |says: String| Finding::refused(State::Critical, subject.clone(), says, Reason::AuditUnavailable);
            match trusted.and_then(|()| if there { check_file(path) } else { Ok(()) }) {
                Err(error) => bad(error.to_string()),
                Ok(()) if plain::mounted(folder).is_ok_and(|flags| flags.contains(FsFlags::ST_RDONLY)) => {
                    bad("its file system is read-only".to_owned())
                }
                Ok(()) if plain::is_full(folder).is_ok_and(|full| full) => bad("its file system is full".to_owned()),
                Ok(()) => Finding::ok(subject, "only root can write it"),
            }
        }
    }
}
