//! Taking accounts back: gridmapdir/release.rs says how, and why it is safe.

use glexec_core::reason::Outcome;
use glexec_machine::accounts::Nss;
use glexec_machine::gridmapdir::{Gridmapdir, PoolAccount, PutBack, Standing};
use glexec_policy::accounts::AccountDatabase;
use glexec_sys_more::plain::processes;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// For how long a lease must not have been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    /// It does not matter.
    Whenever,
    /// For so long.
    For(Duration),
}

/// What became of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is free.
    Freed,
    /// It was used or changed meanwhile, and keeps its lease.
    Used,
    /// A process of it runs, and it keeps its lease.
    Runs,
    /// A process of it runs, but its holder has another lease: it stays out of use.
    Aside,
}

impl Taken {
    /// In words.
    pub fn says(self) -> &'static str {
        match self {
            Taken::Freed => "free",
            Taken::Used => "kept: somebody has just used it; try again",
            Taken::Runs => "kept: processes of it run; end them first",
            Taken::Aside => "set aside: processes of it run, and its holder has got another account",
        }
    }
}

/// Whether a process of the account runs. Without an account there is none.
fn runs(account: &str) -> bool {
    let uid = Nss.user(account).map(|user| user.map(|user| user.uid));
    // Where the database does not answer it is better to keep the lease.
    uid.map_or(true, |uid| uid.is_some_and(|uid| processes().contains_key(&uid)))
}

/// The leases that were not used for so long and whose account has no process.
pub fn expired(accounts: &[PoolAccount], unused: Unused) -> Vec<PoolAccount> {
    let Unused::For(long) = unused else { return Vec::new() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let latest = i64::try_from(now.saturating_sub(long).as_secs()).unwrap_or(i64::MAX);
    let is_old = |account: &&PoolAccount| match &account.standing {
        Standing::Leased(lease) => lease.used < latest && !runs(&account.name),
        _ => false,
    };
    accounts.iter().filter(is_old).cloned().collect()
}

/// Takes accounts back, all with one wait.
pub fn take_back(
    directory: &Path,
    accounts: &[PoolAccount],
    unused: Unused,
    grace: Duration,
) -> Outcome<Vec<(String, Taken)>> {
    let directory = Gridmapdir::open(directory)?;
    let mut aside = Vec::new();
    let mut taken = Vec::new();
    for account in accounts {
        let Standing::Leased(lease) = &account.standing else { continue };
        if runs(&account.name) {
            taken.push((account.name.clone(), Taken::Runs));
            continue;
        }
        match directory.set_aside(lease)? {
            Some(one) => aside.push((account.name.clone(), one)),
            None => taken.push((account.name.clone(), Taken::Used)),
        }
    }
    if !aside.is_empty() {
        std::thread::sleep(grace);
    }
    for (account, one) in aside {
        let used = unused != Unused::Whenever && !directory.is_unused(&one)?;
        let outcome = match runs(&account) || used {
            false => directory.free(one).map(|()| Taken::Freed)?,
            true => match directory.put_back(one)? {
                PutBack::Back if used => Taken::Used,
                PutBack::Back => Taken::Runs,
                PutBack::Aside => Taken::Aside,
            },
        };
        taken.push((account, outcome));
    }
    taken.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(taken)
}
