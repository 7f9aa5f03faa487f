//! The prologue: a program of the site's that runs as root before the switch, and may hand the payload variables and
//! files, as a Kerberos ticket.
//!
//! It is run by a process that is root in every id, in a session of its own, and has no other children, so that nobody
//! of the caller's can disturb it and all that it leaves behind is found. That process stays until another one looks
//! after the files, and removes them where glexec is killed before. What it prints is the site's word, and checked all
//! the same: it may say nothing about who the payload is, or how programs are loaded.

use super::told::{Facts, environment, variable};
use glexec_config::glexec::Glexec;
use glexec_config::variables::is_dangerous;
use glexec_core::escape::in_sentence;
use glexec_core::program::{NoAnswer, Said};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::given_file::GivenFile;
use glexec_sys::helper::Helper;
use glexec_sys::identity::Need;
use glexec_sys::mount::Owner;
use glexec_sys::program::{self, Executable, Program};
use glexec_sys::{dir, supervise};
use nix::unistd::getpid;
use std::cell::RefCell;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

const PREFIX: &str = "GLEXEC_PROLOG_";
/// How a line begins that names a file.
const FILE: &[u8] = b"file:";
/// How a value begins that old versions of bash take for a function.
const FUNCTION: &[u8] = b"()";
/// How much it may print, in bytes.
const MAX_OUTPUT: usize = 64 * 1024;
/// How long it may take, beyond its own time, to end all that it has started.
const ENDING: Duration = Duration::from_secs(15);
/// What the payload has from its account and from its caller's credential, and nobody else.
const RESERVED: [&str; 8] =
    ["HOME", "USER", "LOGNAME", "SHELL", "PATH", "X509_USER_PROXY", "BEARER_TOKEN_FILE", "BEARER_TOKEN"];

/// What a configured prologue needs glexec to keep: to execute a program owned by root, and to give its files to the
/// account.
pub fn needs(config: &Glexec) -> Vec<Need> {
    config.prologue.iter().flat_map(|_| [Need::RootProgram, Need::Giving]).collect()
}

/// A program, checked, and everything about the call that it will be told.
#[derive(Debug)]
pub struct Prologue {
    program: PathBuf,
    timeout: Duration,
    environment: Vec<CString>,
}

/// What it hands to the payload.
#[derive(Debug, Default)]
pub struct Handed {
    /// Variables of the payload's environment.
    pub variables: Vec<(OsString, OsString)>,
    /// Files that are the payload's until it ends.
    pub files: Vec<GivenFile>,
    /// Who removes the files where this process is killed.
    pub keeper: Option<Helper>,
}

/// The files of a prologue, as long as glexec may be killed: whoever drops it removes them.
#[derive(Debug, Default)]
struct Made(RefCell<Vec<GivenFile>>);

impl Made {
    fn note(&self, said: &[u8]) {
        self.0.replace(found(&files(said)));
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.0.get_mut().iter().for_each(GivenFile::remove);
    }
}

impl Prologue {
    /// Finds the configured program. It must be a file owned by root that, like every directory above it, only root may
    /// write.
    pub fn find(config: &Glexec, facts: &Facts<'_>, accounts: &dyn AccountDatabase) -> Outcome<Option<Prologue>> {
        let Some(path) = &config.prologue else { return Ok(None) };
        let program = path.as_path();
        dir::check_program(program).map_err(|why| unusable(why.to_string()))?;
        let root = accounts.login("root")?.ok_or_else(|| unusable("there is no account root".into()))?;
        let mut environment = environment(PREFIX, config, &root, facts, accounts)?;
        let own = supervise::ids(getpid());
        for (name, number) in [("GLEXEC_PID", own.pid), ("GLEXEC_SID", own.session), ("GLEXEC_PGID", own.group)] {
            environment.extend(variable(PREFIX, name, number.to_string().as_bytes()));
        }
        let timeout = Duration::from_secs(config.prologue_timeout.get().into());
        Ok(Some(Prologue { program: program.into(), timeout, environment }))
    }

    /// Runs it to its end, and gives its files to the payload's account.
    pub fn run(&self, owner: Owner) -> Outcome<Handed> {
        let made = Made::default();
        let work = move |_: &[u8]| match self.ask() {
            Ok(said) => {
                made.note(&said);
                [b"+", said.as_slice()].concat()
            }
            Err(why) => format!("-{why}").into_bytes(),
        };
        let mut helper = Helper::start(work).map_err(|why| failed(why.to_string()))?;
        let deadline = self.timeout.saturating_add(ENDING);
        let answer = helper.ask(b"", deadline, MAX_OUTPUT.saturating_add(1)).map_err(|why| failed(why.to_string()))?;
        let said = match answer.split_first() {
            Some((b'+', said)) => said,
            Some((b'-', why)) => return Err(failed(String::from_utf8_lossy(why).into_owned())),
            _ => return Err(failed("its process died".into())),
        };
        let handed = words(said).and_then(|variables| Ok((variables, give(&files(said), owner)?)));
        match handed {
            Ok((variables, files)) => Ok(Handed { variables, files, keeper: Some(helper) }),
            Err(why) => {
                found(&files(said)).iter().for_each(GivenFile::remove);
                Err(failed(why))
            }
        }
    }

    /// What it prints, run by a process of its own.
    fn ask(&self) -> Result<Vec<u8>, NoAnswer> {
        let system = |errno: nix::errno::Errno| NoAnswer::System("leaving the caller", errno.to_string());
        let apart = supervise::leave_session().and_then(|()| supervise::leave_callers_ids());
        apart.and_then(|()| supervise::outlive_parent()).map_err(system)?;
        let program = Program {
            actor: None,
            executable: Executable::OfRoot { environment: &self.environment },
            name: self.program.as_os_str(),
            arguments: &[],
            descriptors: &[],
            deadline: self.timeout,
            max_answer: MAX_OUTPUT,
        };
        let Said { status, output, errors } = program::ask(&program, b"")?;
        match status {
            0 => Ok(output),
            status => {
                let errors = String::from_utf8_lossy(&errors);
                Err(NoAnswer::Died(format!("it ended with exit code {status}: {}", errors.trim())))
            }
        }
    }
}

/// The files that it names, in lines `file:PATH`.
fn files(printed: &[u8]) -> Vec<PathBuf> {
    let paths = printed.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(FILE));
    paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()
}

/// The variables that it sets, in lines `NAME=value`. No other lines are allowed.
fn words(printed: &[u8]) -> Result<Vec<(OsString, OsString)>, String> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    for line in printed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(FILE)) {
        let shown = || in_sentence(OsStr::from_bytes(line));
        let at = line.iter().position(|byte| *byte == b'=').ok_or_else(|| format!("it printed {}", shown()))?;
        let (name, value) = line.split_at_checked(at).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default();
        if !may_set(name) || value.contains(&0) || value.starts_with(FUNCTION) {
            return Err(format!("it printed a variable that no prologue may set: {}", shown()));
        }
        let name = OsStr::from_bytes(name).to_owned();
        variables.retain(|(other, _)| *other != name);
        variables.push((name, OsStr::from_bytes(value).to_owned()));
    }
    Ok(variables)
}

fn may_set(name: &[u8]) -> bool {
    let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        && name.first().is_some_and(|first| !first.is_ascii_digit());
    let reserved = name.starts_with(b"GLEXEC_") || RESERVED.iter().any(|own| own.as_bytes() == name);
    is_name && !reserved && !is_dangerous(name)
}

/// Gives the files to the account, all or none.
fn give(files: &[PathBuf], owner: Owner) -> Result<Vec<GivenFile>, String> {
    let found = files.iter().map(|path| GivenFile::find(path).map_err(|why| why.to_string()));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    for (file, path) in found.iter().zip(files) {
        if let Err(errno) = file.give(owner) {
            found.iter().for_each(GivenFile::remove);
            return Err(format!("{} cannot be given to the account: {errno}", path.display()));
        }
    }
    Ok(found)
}

/// Those that are there, and could be given.
fn found(files: &[PathBuf]) -> Vec<GivenFile> {
    files.iter().filter_map(|path| GivenFile::find(path).ok()).collect()
}

fn unusable(why: String) -> Refusal {
    Refusal::new(Reason::PrologueUnusable, "the site's prologue cannot be used; nothing was run").detail(why)
}

fn failed(why: String) -> Refusal {
    Refusal::new(Reason::PrologueFailed, "the site's prologue failed; nothing was run").detail(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prologue_sets_variables_and_names_files_and_says_nothing_else() {
        let printed = b"KRB5CCNAME=FILE:/run/t/1\n\nfile:/run/t/1\nA=\nA=b=c\n";
        let variables = [("KRB5CCNAME".into(), "FILE:/run/t/1".into()), ("A".into(), "b=c".into())];
        assert_eq!(words(printed).unwrap(), variables);
        assert_eq!(files(printed), [PathBuf::from("/run/t/1")]);
        for bad in ["HOME=/", "PATH=/x", "X509_USER_PROXY=/x", "BEARER_TOKEN_FILE=/x", "BEARER_TOKEN=x", "GLEXEC_ID=x"]
        {
            assert!(words(bad.as_bytes()).is_err(), "{bad}");
        }
        for bad in ["LD_PRELOAD=x", "BASH_ENV=x", "hello", "=x", "1A=x", "A B=x", "A=() { :;}", "A=\0", "file"] {
            assert!(words(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
