//! What the pool plug-ins have in common: from a pool's name to an account.

use super::context::{Context, Gathered, Leased, UnleasedGroup, no_mapping, usable};
use crate::accounts::{self, account};
use crate::files::lease_name::LeaseName;
use crate::leases::Pool;
use crate::trail::Seen;
use glexec_config::lcmaps::{Mode, Pools};
use glexec_core::account::{self, TargetGid};
use glexec_core::reason::{Outcome, Reason, Refusal};

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
    let lease = context.leases.spelled(directory, lease)?;
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
            let usable = |name: &str| usable(accounts::group(context.accounts, name, context.limits));
            let guess = context.leases.first_free(directory, &pool, &lease, &usable)?;
            let gridmapdir = pools.gridmapdir.clone();
            gathered.unleased.push(UnleasedGroup { gridmapdir, pool, lease, guess: guess.clone() });
            guess
        }
    };
    accounts::group(context.accounts, &name, context.limits)
}

fn no_lease(lease: &LeaseName) -> Refusal {
    let sentence = "you have no pool account here yet, and none is made in this mode";
    Refusal::new(Reason::LcmapsNoLease, sentence).detail(lease.as_str().to_owned())
}
