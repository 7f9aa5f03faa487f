//! The start: root's part, which ends before anything is parsed but glexec.conf.

use crate::learning::Learning;
use crate::zygote::{Companion, Zygote};
use glexec_config::Config;
use glexec_machine::accounts::Nss;
use glexec_machine::configuration;
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::dir::{self, Directory};
use glexec_sys::identity::{self, Actor};
use glexec_sys::lock::{Mechanism, Purpose};
use glexec_sys::start::{self, Inherited};
use glexec_sys_more::answering::Listener;
use glexec_sys_more::beside;
use nix::unistd::{Gid, Uid};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// What asks the site's service; the path is fixed when it is built.
const SITE_AGENT: &str = match option_env!("GLEXEC_SITE_AGENT") {
    Some(path) => path,
    None => "/usr/libexec/glexec/site-agent",
};

/// The command line, for `--help` and the manual page.
pub const HELP: &str = "\
usage: glexec-agent [-h | --help] [-v | --version]

Judges credentials for glexec, warm: a call then costs less. Started as root it becomes service_user for good; [agent] in
glexec.conf says where it listens.

  -h, --help     this help
  -v, --version  the version
";

/// Runs the agent.
pub fn main() -> ExitCode {
    let given = Listener::given();
    let inherited = start::take();
    let words: Vec<_> = inherited.arguments.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let said = match words.as_slice() {
        ["-h" | "--help"] => Ok(Some(HELP.to_owned())),
        ["-v" | "--version"] => Ok(Some(format!("glexec-agent {}\n", env!("CARGO_PKG_VERSION")))),
        [] if inherited.arguments.len() <= 1 => run(&inherited, given).map(|()| None),
        _ => Err("it takes no arguments; see --help".to_owned()),
    };
    let told = match &said {
        Ok(text) => std::io::stdout().write_all(text.as_deref().unwrap_or_default().as_bytes()),
        Err(why) => std::io::stderr().write_all(format!("glexec-agent: {why}\n").as_bytes()),
    };
    if said.is_ok() && told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(inherited: &Inherited, given: Option<Listener>) -> Result<(), String> {
    if !inherited.uid.is_root() {
        return Err("it has to be started as root: it becomes service_user by itself".to_owned());
    }
    start::forbid_dumps().map_err(|errno| format!("PR_SET_DUMPABLE: {errno}"))?;
    let config = configuration::load().map_err(|refusal| refusal.for_log())?;
    let actor = service_account(&config)?;
    let path = config.agent.socket.as_path();
    let (listener, alone) = match given {
        Some(given) => (given, None),
        None => {
            let lock = lock(path)?;
            (Listener::bind(path).map_err(|errno| format!("{}: {errno}", path.display()))?, Some(lock))
        }
    };
    let companion = config.site.as_ref().map(|_| start_companion());
    identity::become_for_good(&actor)?;
    listener.listen().map_err(|errno| format!("listening at {}: {errno}", path.display()))?;
    let learning = Learning::new(config.credentials);
    Zygote::enter((listener, alone), config.agent.workers.number(), learning, companion.flatten())?.serve()
}

/// Starts what asks the site's service: a program of its own, which has the network and no trust data. Without it
/// credentials are judged all the same.
fn start_companion() -> Option<Companion> {
    let started = beside::start(Path::new(SITE_AGENT)).inspect_err(|why| {
        let _ =
            std::io::stderr().write_all(format!("glexec-agent: the site's service is not asked: {why}\n").as_bytes());
    });
    started.ok().map(Companion::new)
}

fn service_account(config: &Config) -> Result<Actor, String> {
    let name = &config.glexec.service_user;
    let login = Nss.login(name).map_err(|error| format!("{error:?}"))?;
    let login = login.ok_or_else(|| format!("service_user {name}: no such account"))?;
    Ok(Actor { uid: Uid::from_raw(login.uid), gid: Gid::from_raw(login.gid), groups: Some(Vec::new()) })
}

/// The lock beside the socket, which must lie in a directory owned by root.
fn lock(socket: &Path) -> Result<File, String> {
    // Made where it is missing; what is wrong with it is said below.
    let _ = socket.parent().map(Directory::open_private);
    let mut lock = socket.as_os_str().to_owned();
    lock.push(OsStr::new(".lock"));
    let file = dir::open_for_appending(Path::new(&lock)).map_err(|error| error.to_string())?;
    glexec_sys::lock::at_once(&file, Mechanism::Flock, Purpose::Replace)
        .map_err(|_| format!("another glexec-agent serves {}", socket.display()))?;
    Ok(file)
}
