//! `voms_poolaccount`: an account of a pool for an FQAN.

#![forbid(unsafe_code)]

use super::groups::no_fqans;
use super::pools::Leased;
use super::{AccountGids, Context, Gathered, Pools, Who};
use crate::account::{self, TargetGid};
use crate::config::values::AbsolutePath;
use crate::lcmaps::lease_name::LeaseName;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::{Class, Outcome, Reason, Refusal};
use std::collections::BTreeSet;

/// Which groups are part of the lease's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseGroups {
    /// All groups that were found.
    All,
    /// The primary one (`do_not_use_secondary_gids`).
    Primary,
}

/// Whether a group plug-in must have found a primary group before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimaryBefore {
    /// It must (`require_primary_gid`).
    Required,
    /// It need not.
    Optional,
}

/// The options of `voms_poolaccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsPoolaccount {
    /// The grid-mapfile, with patterns for FQANs.
    pub gridmapfile: AbsolutePath,
    /// Where and how accounts are leased.
    pub pools: Pools,
    /// Which of the account's own groups are used; none by default.
    pub gids: AccountGids,
    /// Whether a primary group must be there already.
    pub primary_before: PrimaryBefore,
    /// Which groups are part of the lease's name.
    pub lease_groups: LeaseGroups,
}

impl VomsPoolaccount {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
        if context.identity.fqans.is_empty() {
            return Err(no_fqans());
        }
        if self.primary_before == PrimaryBefore::Required && gathered.primary.is_none() {
            let sentence = "the site's policy has no primary group for your VOMS attributes";
            return Err(Refusal::new(Reason::LcmapsNoGroup, sentence).detail("require_primary_gid"));
        }
        let lease = LeaseName::new(&context.identity.subject, &self.group_names(context, gathered)?)?;
        let leased = self.first_that_maps(&lease, context, gathered)?;
        gathered.choose(Who::Pool(leased), self.gids)
    }

    /// Tries the FQANs in their order. Like the C library, it goes on with the next one where a pool has no account.
    fn first_that_maps(&self, lease: &LeaseName, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<Leased> {
        let map = context.map(&self.gridmapfile)?;
        let mut failure = None;
        for fqan in &context.identity.fqans {
            let file = (&self.gridmapfile, &map);
            let subject = Subject::fqan(fqan);
            let Some(pool) = context.look_up(file, &subject, Matching::Wildcards, Wanted::Pool, gathered)? else {
                continue;
            };
            match self.pools.look(&pool, lease.clone(), context, gathered) {
                Ok(leased) => return Ok(leased),
                Err(refusal) if refusal.reason().class() == Class::System => return Err(refusal),
                Err(refusal) => failure = failure.or(Some(refusal)),
            }
        }
        Err(failure.unwrap_or_else(|| {
            let sentence = "the site's policy has no account for your VOMS attributes";
            Refusal::new(Reason::LcmapsNoMapping, sentence)
                .detail(format!("{} has no pool for any FQAN", self.gridmapfile.as_path().display()))
        }))
    }

    /// The groups as the lease's name has them: the primary one first, the others by id as the C library sorts them, each
    /// by the name that the database has for its id.
    fn group_names(&self, context: &Context<'_>, gathered: &Gathered) -> Outcome<Vec<String>> {
        let secondary: BTreeSet<TargetGid> = match self.lease_groups {
            LeaseGroups::All => gathered.secondary.iter().copied().collect(),
            LeaseGroups::Primary => BTreeSet::new(),
        };
        let name = |gid: &TargetGid| {
            let unknown = || account::unknown_group(format!("gid {}", gid.get()));
            context.accounts.group_by_gid(gid.get())?.ok_or_else(unknown)
        };
        gathered.primary.iter().chain(&secondary).map(name).collect()
    }
}
