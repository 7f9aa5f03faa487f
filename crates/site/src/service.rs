//! Starting: everything that needs root is read, then it is given up, then the first connection is taken.

use crate::engine::{Engine, Files, unavailable};
use crate::figures::Figures;
use crate::record::Record;
use crate::server::{Form, MAX_TURNS, follow, serve};
use crate::shared::Shared;
use crate::status;
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
use glexec_machine::accounts::Nss;
use glexec_machine::files::IndexedFiles;
use glexec_policy::accounts::AccountDatabase;
use glexec_site_client::configuration::{Engine as Configured, SiteService, parse};
use glexec_site_client::peer::Rules;
use glexec_site_client::tls::{self, Own, Speaks};
use glexec_sys::dir::read_trusted;
use glexec_sys::identity::{Actor, FilesOfRoot, become_service};
use glexec_sys::start;
use nix::unistd::{Gid, Uid};
use std::io::{Write, stderr, stdout};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

/// Where the configuration is.
const CONFIG_FILE: &str = "/etc/glexec-site.toml";
/// Largest file of the service's own in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The command line.
fn definition() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .default_value(CONFIG_FILE)
        .help("The configuration");
    let check = Arg::new("check").long("check").action(ArgAction::SetTrue).help("Reads the configuration and stops");
    let migrate = Arg::new("migrate")
        .long("migrate")
        .action(ArgAction::SetTrue)
        .help("Makes the tables of the database where they are missing, and stops");
    Command::new("glexec-site")
        .about("The site's mapping service: answers nodes which account a user has.")
        .version(env!("CARGO_PKG_VERSION"))
        .args([config, check, migrate])
}

/// Runs the service; its exit code.
pub fn main() -> u8 {
    let inherited = start::take();
    let matches = match definition().try_get_matches_from(&inherited.arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            return u8::from(stdout().write_all(error.to_string().as_bytes()).is_err());
        }
        Err(error) => return failed(&error.to_string()),
    };
    let path = matches.get_one::<PathBuf>("config").cloned().unwrap_or_else(|| CONFIG_FILE.into());
    let done = match (matches.get_flag("check"), matches.get_flag("migrate")) {
        (true, _) => load(&path).map(drop),
        (_, true) => migrate(&path),
        _ => run(&path),
    };
    done.map_or_else(|why| failed(&why), |()| 0)
}

fn failed(why: &str) -> u8 {
    // Somebody who does not listen still has the exit code.
    let _ = stderr().write_all(format!("{}\n", why.trim_end()).as_bytes());
    1
}

/// Reads the configuration, which must be root's.
fn load(path: &Path) -> Result<SiteService, String> {
    let text = String::from_utf8(trusted(path)?).map_err(|_| format!("{}: it is not UTF-8 text", path.display()))?;
    parse(&text).map_err(|mistake| {
        let (line, column) = mistake.position;
        format!("{}:{line}:{column}: {}", path.display(), mistake.message)
    })
}

fn trusted(path: &Path) -> Result<Vec<u8>, String> {
    read_trusted(path, MAX_FILE).map(|file| file.bytes).map_err(|error| error.to_string())
}

/// What the service does at each start, for who wants it done before.
fn migrate(path: &Path) -> Result<(), String> {
    let site = load(path)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let files = Files::read(&site.engine, trusted)?;
    Engine::start(&site.engine, files, runtime.handle().clone())?.prepare().map_err(|refusal| refusal.for_log())
}

fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let failed = |error: std::io::Error| format!("listening on {address}: {error}");
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn run(path: &Path) -> Result<(), String> {
    let site = load(path)?;
    let own = Own::read(&trusted(site.certificate.as_path())?, &trusted(site.key.as_path())?);
    let certificates = own.map_err(|error| error.to_string())?;
    let own = certificates.leaf().to_vec();
    let rules = Arc::new(Rules::new(&site.credentials, &site.certdir));
    let tls = |speaks| tls::server(&certificates, Arc::clone(&rules), speaks).map_err(|error| error.to_string());
    let (ours, theirs) = (tls(Speaks::Tls13)?, tls(Speaks::Tls12)?);
    let (listener, status) = (listen(site.listen)?, listen(site.status)?);
    let xacml = site.xacml.as_ref().map(|xacml| listen(xacml.listen)).transpose()?;
    let files = Files::read(&site.engine, trusted)?;
    give_up_root(&site)?;

    // From here on there are threads, and nothing changes who they are.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let engine = Engine::start(&site.engine, files, runtime.handle().clone())?;
    let bans = watch::Sender::new(Err(unavailable("it was not asked yet")));
    let (turns, figures) = (Arc::new(Semaphore::new(MAX_TURNS)), Figures::default());
    let shared = Arc::new(Shared { site, engine, files: IndexedFiles::default(), rules, own, turns, figures, bans });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
        let mut end = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let status = tokio::net::TcpListener::from_std(status).map_err(|error| error.to_string())?;
        let seen_at = status.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let line = Record::new("start").with("listen", &address).with("status", &seen_at);
        tokio::spawn(follow(Arc::clone(&shared)));
        let xacml = xacml.map(tokio::net::TcpListener::from_std).transpose().map_err(|error| error.to_string())?;
        let asked_at = xacml.as_ref().and_then(|xacml| xacml.local_addr().ok()).map(|address| address.to_string());
        line.maybe("xacml", asked_at.as_deref()).write();
        if let Some(xacml) = xacml {
            // It ends with the process, as the other does.
            tokio::spawn(serve(xacml, theirs, Form::Xacml, Arc::clone(&shared), std::future::pending()));
        }
        tokio::spawn(status::serve(status, Arc::clone(&shared)));
        let stop = async {
            tokio::select! {
                _ = end.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serve(listener, ours, Form::Json, shared, stop).await;
        Record::new("stop").write();
        Ok(())
    })
}

/// Becomes the service user. Gridmapdirs are root's: for them two capabilities stay.
fn give_up_root(site: &SiteService) -> Result<(), String> {
    let name = &site.service_user;
    let unusable = |why: &str| format!("service_user {name}: {why}");
    let user = Nss.login(name).map_err(|error| error.to_string())?.ok_or_else(|| unusable("no such account"))?;
    let actor = Actor { uid: Uid::from_raw(user.uid), gid: Gid::from_raw(user.gid), groups: Some(Vec::new()) };
    let files = match site.engine {
        Configured::Gridmapdir { .. } => FilesOfRoot::Write,
        Configured::Postgresql { .. } => FilesOfRoot::Read,
    };
    become_service(&actor, files).map_err(|why| unusable(&why))
}
