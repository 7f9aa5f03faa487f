//! The start: root's part, which ends before anything is parsed but glexec.conf.

use crate::node::Node;
use crate::record::tell;
use crate::serve::serve;
use glexec_config::Config;
use glexec_core::site::SOCKET_SUFFIX;
use glexec_machine::accounts::Nss;
use glexec_machine::configuration::{self, CONFIG_FILE};
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::bans::FILE_SUFFIX;
use glexec_site_client::tls::Own;
use glexec_sys::dir::{OpenFile, Version, open_for_appending, read_trusted};
use glexec_sys::identity::{Actor, FilesOfRoot, become_service};
use glexec_sys::{start, supervise};
use glexec_sys_more::answering::Listener;
use nix::unistd::{Gid, Uid, getppid};
use std::fs::File;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
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
    let version = version_of_config();
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
        let settled = Settled { host, bans: Arc::new(Mutex::new(bans)), now: Mutex::new(Now { version, node: None }) };
        settled.set(&config)?;
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

fn version_of_config() -> Option<Version> {
    OpenFile::open(Path::new(CONFIG_FILE), MAX_FILE).ok().map(|file| file.version())
}

/// The host's certificate and key, as they were at the start.
struct Host {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// What the configuration of now comes to.
struct Now {
    version: Option<Version>,
    node: Option<Arc<Node>>,
}

/// What is settled until glexec.conf changes.
pub struct Settled {
    host: Host,
    bans: Arc<Mutex<File>>,
    now: Mutex<Now>,
}

impl Settled {
    fn set(&self, config: &Config) -> Result<(), String> {
        let start = |site: &glexec_config::site::Site| {
            let own = Own::read(&self.host.certificate, &self.host.key).map_err(|error| error.to_string())?;
            Node::start(site, &config.credentials, own, Some(Arc::clone(&self.bans))).map(Arc::new)
        };
        let node = config.site.as_ref().map(start).transpose()?;
        self.now.lock().unwrap_or_else(PoisonError::into_inner).node = node;
        Ok(())
    }

    /// The node's part as glexec.conf has it now. What only root may read counts as it was; so do certificate and key, which
    /// are read at the start.
    pub fn node(&self) -> Option<Arc<Node>> {
        let version = version_of_config();
        {
            let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            if version == now.version || version.is_none() {
                return now.node.clone();
            }
            now.version = version;
        }
        let set = configuration::load().map_err(|refusal| refusal.for_log()).and_then(|config| self.set(&config));
        if let Err(why) = set {
            tell(&format!("glexec.conf has changed, and cannot be used: {why}"));
        }
        self.now.lock().unwrap_or_else(PoisonError::into_inner).node.clone()
    }
}
