//! Where leases and bans are kept. Everything here may wait: not for a thread that serves connections.

mod answer;
mod ban_file;
mod postgresql;
mod postgresql_tls;

pub use answer::{Changed, unavailable};
use ban_file::BanFile;
use glexec_config::lcmaps::{Plan, Plugin};
use glexec_core::reason::{Outcome, Refusal};
use glexec_machine::gridmapdir::{Leasing, Standing, View};
use glexec_policy::leases::Leases;
use glexec_site_client::accounts::{Account, End};
use glexec_site_client::bans::{Change, List};
use glexec_site_client::configuration::Engine as Configured;
use postgresql::Database;
use postgresql_tls::Tls;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tokio::runtime::Handle;

/// The engine that the site has chosen.
pub enum Engine {
    /// Gridmapdirs, which other hosts and the C library may use at the same time, and a file of bans.
    Gridmapdir(Leasing, BanFile),
    Postgresql(Box<Database>),
}

/// What an engine needs of files that only root can read.
#[derive(Default)]
pub struct Files {
    tls: Option<Tls>,
}

impl Files {
    /// Reads them with `read`, which takes none that others could have written.
    pub fn read(configured: &Configured, read: impl Fn(&Path) -> Result<Vec<u8>, String>) -> Result<Self, String> {
        let Configured::Postgresql { ca: Some(ca), certificate, key, .. } = configured else {
            return Ok(Files::default());
        };
        let own = match certificate.as_ref().zip(key.as_ref()) {
            Some((certificate, key)) => Some((read(certificate.as_path())?, read(key.as_path())?)),
            None => None,
        };
        let own = own.as_ref().map(|(certificate, key)| (certificate.as_slice(), key.as_slice()));
        let tls = Tls::new(&read(ca.as_path())?, own).map_err(|why| format!("[engine]: {why}"))?;
        Ok(Files { tls: Some(tls) })
    }
}

impl Engine {
    pub fn start(configured: &Configured, files: Files, runtime: Handle) -> Result<Self, String> {
        Ok(match configured {
            Configured::Gridmapdir { bans } => Engine::Gridmapdir(Leasing, BanFile::new(bans.clone())),
            Configured::Postgresql { connect, .. } => {
                Engine::Postgresql(Box::new(Database::new(connect, files.tls, runtime)?))
            }
        })
    }

    /// Makes what is missing before the first question.
    pub fn prepare(&self) -> Outcome<()> {
        match self {
            Engine::Gridmapdir(..) => Ok(()),
            Engine::Postgresql(database) => database.migrate(),
        }
    }

    pub fn leases(&self) -> &dyn Leases {
        match self {
            Engine::Gridmapdir(leasing, _) => leasing,
            Engine::Postgresql(database) => &**database,
        }
    }

    /// The bans as they are kept now.
    pub fn bans(&self) -> Outcome<List> {
        match self {
            Engine::Gridmapdir(_, file) => file.read(),
            Engine::Postgresql(database) => database.bans(),
        }
    }

    pub fn change_bans(&self, change: &Change, by: &str, now: i64) -> Outcome<Changed> {
        match self {
            Engine::Gridmapdir(_, file) => file.change(change, by, now),
            Engine::Postgresql(database) => database.change_bans(change, by, now),
        }
    }

    /// The accounts of all pools after this one, in the order of their names, as many as fit into an answer.
    pub fn accounts(&self, after: &str) -> Outcome<Vec<Account>> {
        match self {
            Engine::Gridmapdir(..) => Err(in_directory()),
            Engine::Postgresql(database) => database.accounts(after),
        }
    }

    /// Each pool of accounts, by what their names have before the number: all of them, and how many are leased.
    pub fn pools(&self, plan: &Plan) -> Outcome<BTreeMap<String, (u64, u64)>> {
        let mut pools: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        match self {
            Engine::Gridmapdir(..) => {
                let directories: BTreeSet<&Path> = plan.plugins.values().filter_map(directory).collect();
                for directory in directories {
                    for account in View::open(directory)?.accounts()? {
                        let pool = pools.entry(account.name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned());
                        let (all, leased) = pool.or_default();
                        *all = all.saturating_add(1);
                        *leased = leased.saturating_add(u64::from(account.standing != Standing::Free));
                    }
                }
            }
            Engine::Postgresql(database) => pools.extend(database.pools()?),
        }
        Ok(pools)
    }

    /// Lets leases end; the accounts of which it is so now.
    pub fn end(&self, end: &End) -> Outcome<Vec<String>> {
        match self {
            Engine::Gridmapdir(..) => Err(in_directory()),
            Engine::Postgresql(database) => database.end(end),
        }
    }

    /// Takes accounts with their leases over, all or none; how many of them are new.
    pub fn import(&self, accounts: &[Account]) -> Outcome<u64> {
        match self {
            Engine::Gridmapdir(..) => Err(in_directory()),
            Engine::Postgresql(database) => database.import(accounts),
        }
    }
}

fn directory(plugin: &Plugin) -> Option<&Path> {
    match plugin {
        Plugin::Poolaccount(plugin) => Some(plugin.pools.gridmapdir.as_path()),
        Plugin::VomsPoolaccount(plugin) => Some(plugin.pools.gridmapdir.as_path()),
        _ => None,
    }
}

fn in_directory() -> Refusal {
    unavailable("with engine gridmapdir the leases are in the directory: glexec-admin leases list shows them")
        .about("engine gridmapdir")
}
