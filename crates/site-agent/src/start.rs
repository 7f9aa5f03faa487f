//! The start: root's part, which ends before anything is parsed but glexec.conf.

use crate::record::tell;
use crate::serve::serve;
use crate::settled::{self, Host, Settled};
use glexec_config::Config;
use glexec_core::site::SOCKET_SUFFIX;
use glexec_machine::accounts::Nss;
use glexec_machine::configuration;
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::bans::FILE_SUFFIX;
use glexec_sys::dir::{open_for_appending, read_trusted};
use glexec_sys::identity::{Actor, FilesOfRoot, become_service};
use glexec_sys::{start, supervise};
use glexec_sys_more::answering::Listener;
use nix::unistd::{Gid, Uid, getppid};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Largest file of glexec.conf and of the host's, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Runs it. It takes no arguments.
pub fn main() -> ExitCode {
    let inherited = start::take();
    match run(inherited.uid) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = stderr().write_all(format!("glexec-site-agent: {why}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run(uid: Uid) -> Result<(), String> {
    let parent = getppid();
    if !uid.is_root() {
        return Err("it has to be started as root: it becomes service_user by itself".to_owned());
    }
    start::forbid_dumps().map_err(|errno| format!("PR_SET_DUMPABLE: {errno}"))?;
    // Before anything that counts is read, so that no change is missed.
    let version = settled::version_of_config();
    let config = configuration::load().map_err(|refusal| refusal.for_log())?;
    let site = config.site.as_ref().ok_or("glexec.conf has no table [site]")?;
    let host = Host { certificate: read(site.certificate.as_path())?, key: Zeroizing::new(read(site.key.as_path())?) };
    let actor = service_account(&config)?;
    let beside = |suffix: &str| {
        let mut path = config.agent.socket.as_path().as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let (socket, bans) = (beside(SOCKET_SUFFIX), beside(FILE_SUFFIX));
    let bans = open_for_appending(&bans).map_err(|error| error.to_string())?;
    let listener = Listener::bind(&socket).map_err(|errno| format!("{}: {errno}", socket.display()))?;
    become_service(&actor, FilesOfRoot::Read)?;
    start::forbid_dumps().map_err(|errno| format!("PR_SET_DUMPABLE: {errno}"))?;
    supervise::die_with(parent)?;
    listener.listen().map_err(|errno| format!("listening at {}: {errno}", socket.display()))?;
    let listener = listener.for_runtime().map_err(|error| error.to_string())?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::from_std(listener).map_err(|error| error.to_string())?;
        let settled = Settled::new(host, bans, version, &config)?;
        tell(&format!("asks for calls at {}", socket.display()));
        serve(listener, Arc::new(settled)).await;
        Ok(())
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    read_trusted(path, MAX_FILE).map(|file| file.bytes).map_err(|error| error.to_string())
}

fn service_account(config: &Config) -> Result<Actor, String> {
    let name = &config.glexec.service_user;
    let login = Nss.login(name).map_err(|error| error.to_string())?;
    let login = login.ok_or_else(|| format!("service_user {name}: no such account"))?;
    Ok(Actor { uid: Uid::from_raw(login.uid), gid: Gid::from_raw(login.gid), groups: Some(Vec::new()) })
}
