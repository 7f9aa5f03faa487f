//! Finding the command, with the eyes of the account that will run it.

use crate::payload::view::View;
use glexec_config::values::SearchPath;
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::command::candidates;
use glexec_sys::lookup::{self, Executable};
use nix::errno::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Finds the file to execute: a name without `/` in the payload's PATH, a relative path below `cwd`, all as they are in the
/// payload's view. To be called while acting as the target; symbolic links are followed.
pub fn find(
    command: &OsStr,
    path: &SearchPath,
    cwd: Option<&Path>,
    view: &View,
    allowed: impl Fn(&Path) -> bool,
) -> Outcome<PathBuf> {
    let shown = in_sentence(command);
    let not_found =
        || Refusal::new(Reason::CommandNotFound, format!("{shown}: the target account finds no such command"));
    let forbidden =
        || Refusal::new(Reason::CommandNotExecutable, format!("{shown}: the target account may not execute it"));
    let noexec = |path: &Path| {
        let sentence = format!("{shown}: {} lies on a file system that is mounted noexec", in_sentence(path));
        Refusal::new(Reason::CommandNotExecutable, sentence)
    };
    let mut outcome = Err(not_found());
    for candidate in candidates(command, path, cwd).into_iter().filter(|path| allowed(path)) {
        match lookup::executable(&view.place(&candidate)) {
            Executable::Yes => return Ok(candidate),
            Executable::Forbidden if lookup::is_on_noexec(&candidate) => outcome = Err(noexec(&candidate)),
            Executable::Forbidden => outcome = Err(forbidden()),
            Executable::Missing => {}
        }
    }
    outcome
}

/// The command as a wrapper gets it, which finds it by itself: an absolute path, or a name to be looked for in PATH where the
/// site lets all be run that it may mean.
pub fn for_wrapper(
    command: &OsStr,
    path: &SearchPath,
    cwd: Option<&Path>,
    allowed: impl Fn(&Path) -> bool,
) -> Outcome<PathBuf> {
    let possible = candidates(command, path, cwd);
    let is_name = !command.as_bytes().contains(&b'/');
    if is_name && !possible.is_empty() && possible.iter().all(|path| allowed(path)) {
        return Ok(command.into());
    }
    possible.into_iter().find(|path| allowed(path)).ok_or_else(|| {
        let sentence = format!("{}: there is no such command that may be run", in_sentence(command));
        Refusal::new(Reason::CommandNotFound, sentence)
    })
}

/// The first directory on the way to a command, given with its path, that the target cannot search. To be called while
/// acting as the target.
pub fn barrier(command: &OsStr, cwd: Option<&Path>, view: &View) -> Option<PathBuf> {
    let path = match command.as_bytes() {
        [b'/', ..] => PathBuf::from(command),
        name if name.contains(&b'/') => cwd?.join(command),
        _ => return None,
    };
    // Above what is in the view there is nothing that bars the target.
    view.place(&path).root().is_none().then(|| lookup::barrier(&path)).flatten()
}

/// What to say of a command that the kernel did not execute. To be called as the target.
pub fn not_executed(path: &Path, errno: Errno) -> Refusal {
    let shown = in_sentence(path);
    let why = match (errno, lookup::interpreter(path)) {
        (Errno::ENOENT, Some(interpreter)) if interpreter.ends_with(b"\r") => {
            let named = in_sentence(OsStr::from_bytes(interpreter.strip_suffix(b"\r").unwrap_or(&interpreter)));
            format!(
                "its first line names the interpreter {named}\\r: its lines end as those of Windows do, take away each \\r"
            )
        }
        (Errno::ENOENT, Some(interpreter)) => {
            format!(
                "there is no interpreter {}, which its first line names",
                in_sentence(OsStr::from_bytes(&interpreter))
            )
        }
        (Errno::EAGAIN, _) => {
            "the account has as many processes as the limit RLIMIT_NPROC (ulimit -u) of this call allows".to_owned()
        }
        _ => errno.desc().to_owned(),
    };
    Refusal::new(Reason::CommandExec, format!("{shown} cannot be executed: {why}"))
}
