//! Where leases and bans are kept. Everything here may wait: not for a thread that serves connections.

mod answer;
mod ban_file;
mod postgresql;

pub use answer::{Changed, unavailable};
use ban_file::BanFile;
use glexec_config::site_service::Engine as Configured;
use glexec_core::reason::{Outcome, Refusal};
use glexec_machine::gridmapdir::Leasing;
use glexec_policy::leases::Leases;
use glexec_site_client::accounts::Account;
use glexec_site_client::bans::{Change, List};
use postgresql::Database;
use tokio::runtime::Handle;

/// The engine that the site has chosen.
pub enum Engine {
    /// Gridmapdirs, which other hosts and the C library may use at the same time, and a file of bans.
    Gridmapdir(Leasing, BanFile),
    /// A database.
    Postgresql(Box<Database>),
}

impl Engine {
    /// Starts what is configured.
    pub fn start(configured: &Configured, runtime: Handle) -> Result<Self, String> {
        Ok(match configured {
            Configured::Gridmapdir { bans } => Engine::Gridmapdir(Leasing, BanFile::new(bans.clone())),
            Configured::Postgresql { connect } => Engine::Postgresql(Box::new(Database::new(connect, runtime)?)),
        })
    }

    /// Makes what is missing before the first question.
    pub fn prepare(&self) -> Outcome<()> {
        match self {
            Engine::Gridmapdir(..) => Ok(()),
            Engine::Postgresql(database) => database.migrate(),
        }
    }

    /// Its leases.
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

    /// Changes the bans.
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

    /// Takes accounts with their leases over, all or none; how many of them are new.
    pub fn import(&self, accounts: &[Account]) -> Outcome<u64> {
        match self {
            Engine::Gridmapdir(..) => Err(in_directory()),
            Engine::Postgresql(database) => database.import(accounts),
        }
    }
}

fn in_directory() -> Refusal {
    unavailable("with engine gridmapdir the leases are in the directory: glexec-admin leases list shows them")
        .about("engine gridmapdir")
}
