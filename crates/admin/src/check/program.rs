//! The installed program, and what it needs of kernel and file systems.

use super::finding::{Finding, State};
use glexec_core::reason::Reason;
use glexec_sys::{dir, self_check};
use glexec_sys_more::{kernel, plain};
use nix::sys::statvfs::FsFlags;
use std::path::Path;

/// Set user id, nobody but root may write, everybody may execute.
const SETUID: u32 = 0o4000;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const EXECUTABLE: u32 = 0o001;

/// Checks program and kernel.
pub fn check(program: &Path) -> Vec<Finding> {
    let mut found = vec![permissions(program), mount(program)];
    found.extend(kernel());
    found
}

fn permissions(program: &Path) -> Finding {
    let subject = program.display().to_string();
    let bad = |says: String| Finding::refused(State::Critical, subject.clone(), says, Reason::SelfNotSetuid);
    match plain::permissions(program) {
        Err(error) => bad(error.to_string()),
        Ok((owner, _)) if !owner.is_root() => bad(format!("it belongs to user id {owner}, not to root")),
        Ok((_, mode)) if mode & SETUID == 0 => bad(format!("it is not setuid root (mode {mode:04o})")),
        Ok((_, mode)) if mode & EXECUTABLE == 0 => bad(format!("pilots cannot execute it (mode {mode:04o})")),
        Ok((_, mode)) if mode & WRITABLE_BY_OTHERS != 0 => {
            bad(format!("others than root can write it (mode {mode:04o})"))
        }
        Ok((_, mode)) => match dir::check_program(program) {
            Ok(()) => Finding::ok(subject, format!("setuid root (mode {mode:04o})")),
            Err(error) => bad(error.to_string()),
        },
    }
}

fn mount(program: &Path) -> Finding {
    let subject = format!("the file system of {}", program.display());
    match plain::mounted(program) {
        Err(error) => {
            Finding::bad(State::Unknown, subject, error.to_string(), "install glexec, or name it with --program")
        }
        Ok(flags) if flags.contains(FsFlags::ST_NOSUID) => {
            Finding::refused(State::Critical, subject, "it is mounted nosuid", Reason::SelfNotSetuid)
        }
        Ok(_) => Finding::ok(subject, "setuid programs work there"),
    }
}

fn kernel() -> Vec<Finding> {
    let feature = |name: &str, there: bool, needed: &str| match there {
        true => Finding::ok(name, "the kernel has it"),
        false => Finding::bad(
            State::Critical,
            name,
            format!("the kernel lacks it: {needed}"),
            "run Linux 5.13 or newer with it switched on",
        ),
    };
    let landlock = match kernel::landlock() {
        Some(version) => Finding::ok("Landlock", format!("version {version}")),
        None => {
            feature("Landlock", false, "the verifier cannot be confined (CONFIG_SECURITY_LANDLOCK, lsm=landlock,…)")
        }
    };
    let privileges = match self_check::no_new_privs() {
        true => Finding::refused(State::Critical, "no_new_privs", "it is set here", Reason::SelfNoNewPrivs),
        false => Finding::ok("no_new_privs", "not set"),
    };
    let namespace = match self_check::in_initial_user_namespace() {
        Some(true) => Finding::ok("user namespace", "the initial one"),
        Some(false) => {
            Finding::refused(State::Critical, "user namespace", "not the initial one", Reason::SelfUserNamespace)
        }
        None => Finding::bad(State::Critical, "/proc", "it is not mounted", "mount -t proc proc /proc"),
    };
    vec![
        landlock,
        feature("seccomp", kernel::seccomp(), "the verifier cannot be confined (CONFIG_SECCOMP_FILTER)"),
        feature("pidfd", kernel::pidfd(), "processes cannot be held safely"),
        privileges,
        namespace,
    ]
}
