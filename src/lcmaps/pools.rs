//! What the pool plug-ins have in common: from a pool's name to an account.

#![forbid(unsafe_code)]

use super::{Context, Gathered, Mode, no_mapping};
use crate::account::{self, Account, TargetGid, account};
use crate::config::values::AbsolutePath;
use crate::lcmaps::gridmapdir::Pool;
use crate::lcmaps::lease_name::LeaseName;
use crate::reason::{Outcome, Reason, Refusal};
use crate::trail::Seen;
use glexec_config::lcmaps::Pools;

/// A lease that exists, or one that has to be made.
#[derive(Clone, Debug)]
pub(super) struct Leased {
    gridmapdir: AbsolutePath,
    pool: Pool,
    lease: LeaseName,
    account: Option<Account>,
}

/// A group that was found free in its pool, to be leased when the whole policy has succeeded.
#[derive(Clone, Debug)]
pub(super) struct UnleasedGroup {
    gridmapdir: AbsolutePath,
    pool: Pool,
    lease: LeaseName,
    guess: String,
}

/// Whether an account or a group of a pool may be handed out: it exists, has no forbidden id and has not expired. One that
/// may not is passed over, or its file would keep people out although good ones are free.
fn usable<T>(found: Outcome<T>) -> Outcome<bool> {
    match found {
        Ok(_) => Ok(true),
        Err(refusal)
            if matches!(
                refusal.reason(),
                Reason::AccountUnknown | Reason::AccountNoGroup | Reason::AccountForbidden | Reason::AccountLocked
            ) =>
        {
            Ok(false)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Finds the existing lease, or sees whether one can be made. Changes nothing but the time of last use.
pub(super) fn look(
    pools: &Pools,
    mapping: &str,
    lease: LeaseName,
    context: &Context<'_>,
    gathered: &mut Gathered,
) -> Outcome<Leased> {
    let pool = pool_of(pools, mapping)?;
    let directory = pools.gridmapdir.as_path();
    let found = match context.mode {
        Mode::GetAccount => {
            let usable = |name: &str| usable(account(context.accounts, name, context.limits));
            context.leases.look(directory, &pool, &lease, &usable)?
        }
        Mode::VerifyAccount => {
            Some(context.leases.existing(directory, &pool, &lease)?.ok_or_else(|| no_lease(&lease))?)
        }
    };
    gathered.seen.push(seen(pools, &pool, &lease, found.clone()));
    let account = found.map(|name| account(context.accounts, &name, context.limits)).transpose()?;
    Ok(Leased { gridmapdir: pools.gridmapdir.clone(), pool, lease, account })
}

fn seen(pools: &Pools, pool: &Pool, lease: &LeaseName, found: Option<String>) -> Seen {
    let path = pools.gridmapdir.as_path().join(lease.as_str());
    match found {
        Some(of) => Seen::Lease { path, of },
        None => Seen::NoLease { path, pool: pool.prefix.clone() },
    }
}

fn pool_of(pools: &Pools, mapping: &str) -> Outcome<Pool> {
    let prefix = mapping.strip_prefix('.').unwrap_or(mapping);
    if !account::is_name(prefix) {
        return Err(no_mapping().detail(format!("{mapping:?} is not the name of a pool")));
    }
    Ok(Pool { prefix: prefix.to_owned(), members: pools.members, inconsistency: pools.inconsistency })
}

/// The same for a group: the leased one, or the one that will most likely be leased, and how.
pub(super) fn group(
    pools: &Pools,
    mapping: &str,
    lease: LeaseName,
    context: &Context<'_>,
    gathered: &mut Gathered,
) -> Outcome<TargetGid> {
    let pool = pool_of(pools, mapping)?;
    let directory = pools.gridmapdir.as_path();
    let held = context.leases.existing(directory, &pool, &lease)?;
    gathered.seen.push(seen(pools, &pool, &lease, held.clone()));
    let name = match (held, context.mode) {
        (Some(name), _) => name,
        (None, Mode::VerifyAccount) => return Err(no_lease(&lease)),
        (None, Mode::GetAccount) => {
            let usable = |name: &str| usable(account::group(context.accounts, name, context.limits));
            let guess = context.leases.first_free(directory, &pool, &lease, &usable)?;
            let gridmapdir = pools.gridmapdir.clone();
            gathered.unleased.push(UnleasedGroup { gridmapdir, pool, lease, guess: guess.clone() });
            guess
        }
    };
    account::group(context.accounts, &name, context.limits)
}

fn no_lease(lease: &LeaseName) -> Refusal {
    let sentence = "you have no pool account here yet, and none is made in this mode";
    Refusal::new(Reason::LcmapsNoLease, sentence).detail(lease.as_str().to_owned())
}

impl UnleasedGroup {
    /// Makes the lease; false where it leads to another group than had been found free.
    pub(super) fn lease(&self, context: &Context<'_>) -> Outcome<bool> {
        let usable = |name: &str| usable(account::group(context.accounts, name, context.limits));
        let name = context.leases.lease(self.gridmapdir.as_path(), &self.pool, &self.lease, &usable)?;
        Ok(name == self.guess)
    }
}

impl Leased {
    /// The account and the lease's name; makes the lease if it did not exist.
    pub(super) fn account(self, context: &Context<'_>) -> Outcome<(Account, Option<String>)> {
        let found = match self.account {
            Some(account) => account,
            None => {
                let usable = |name: &str| usable(account(context.accounts, name, context.limits));
                let name = context.leases.lease(self.gridmapdir.as_path(), &self.pool, &self.lease, &usable)?;
                account(context.accounts, &name, context.limits)?
            }
        };
        Ok((found, Some(self.lease.as_str().to_owned())))
    }
}
