//! `check_executable`: the commands that may be run here.
//!
//! Judged is the path that will be executed, as it is written: a link that leads to a listed command is another path, and
//! whoever may change a link could change it after the look. A command without `/` is judged twice: here one of the files
//! that it may mean must be listed, so that nobody is mapped in vain; when the account is known and the search path has been
//! gone through with its eyes, the file that was found must be. Where no command is run there is nothing to judge.

#![forbid(unsafe_code)]

use crate::audit::escape::visible;
use crate::circumstances::Circumstances;
use crate::config::values::AbsolutePath;
use crate::payload::command::candidates;
use crate::reason::{Outcome, Reason, Refusal};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest command in a sentence, in bytes.
const MAX_SHOWN: usize = 200;

fn listed(commands: &[AbsolutePath], path: &Path) -> bool {
    commands.iter().any(|command| command.as_path() == path)
}

fn refused(command: &[u8]) -> Refusal {
    let shown = visible(command, MAX_SHOWN);
    Refusal::new(Reason::LcasCheckExecutable, format!("{shown}: the site does not let this command be run"))
}

/// Refuses a command that can only be something that is not listed.
pub(super) fn judge(commands: &[AbsolutePath], call: &Circumstances) -> Outcome<()> {
    let Some(command) = &call.command else { return Ok(()) };
    let possible = candidates(command, &call.path, call.cwd.as_deref());
    match possible.iter().any(|path| listed(commands, path)) {
        true => Ok(()),
        false => Err(refused(command.as_bytes())),
    }
}

/// Refuses a file that is not listed.
pub(super) fn check(commands: &[AbsolutePath], path: &Path) -> Outcome<()> {
    match listed(commands, path) {
        true => Ok(()),
        false => Err(refused(path.as_os_str().as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn the_path_that_is_executed_must_be_listed() {
        let commands: Vec<AbsolutePath> =
            ["/usr/bin/id", "/opt/x"].map(|path| PathBuf::from(path).try_into().unwrap()).into();
        let table = [
            (Some("/usr/bin/id"), true),
            (Some("/usr//bin/./id"), true),
            (Some("/bin/id"), false),
            (Some("/usr/bin/../bin/id"), false),
            (Some("id"), true), // in the search path
            (Some("x"), false),
            (Some("./x"), true), // below /opt
            (Some("../opt/x"), false),
            (Some(""), false),
            (None, true),
        ];
        for (command, passes) in table {
            let cwd = Some(PathBuf::from("/opt"));
            let call = Circumstances { command: command.map(Into::into), cwd, ..Circumstances::default() };
            assert_eq!(judge(&commands, &call).is_ok(), passes, "{command:?}");
        }
        assert!(check(&commands, Path::new("/usr/bin/id")).is_ok());
        assert_eq!(check(&commands, Path::new("/bin/id")).unwrap_err().reason(), Reason::LcasCheckExecutable);
    }
}
