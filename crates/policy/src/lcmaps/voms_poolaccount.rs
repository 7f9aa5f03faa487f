//! `voms_poolaccount`: an account of a pool for an FQAN.

use super::context::{Context, Gathered, Leased, Who};
use super::groups::no_fqans;
use super::pools;
use crate::accounts;
use crate::files::lease_name::LeaseName;
use crate::files::map_file::Wanted;
use crate::files::subject::Subject;
use glexec_config::lcmaps::gids::PrimaryBefore;
use glexec_config::lcmaps::{LeaseGroups, Matching, VomsPoolaccount};
use glexec_core::account::TargetGid;
use glexec_core::reason::{Class, Outcome, Reason, Refusal};
use std::collections::BTreeSet;

pub(super) fn run(options: &VomsPoolaccount, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    if context.identity.fqans.is_empty() {
        return Err(no_fqans());
    }
    if options.primary_before == PrimaryBefore::Required && gathered.primary.is_none() {
        let sentence = "the site's policy has no primary group for your VOMS attributes";
        return Err(Refusal::new(Reason::LcmapsNoGroup, sentence).detail("require_primary_gid"));
    }
    let lease = LeaseName::new(context.identity, &group_names(options, context, gathered)?)?;
    let leased = first_that_maps(options, &lease, context, gathered)?;
    gathered.choose(Who::Pool(leased), options.gids)
}

/// Tries the FQANs in their order. Like the C library, it goes on with the next one where a pool has no account.
fn first_that_maps(
    options: &VomsPoolaccount,
    lease: &LeaseName,
    context: &Context<'_>,
    gathered: &mut Gathered,
) -> Outcome<Leased> {
    let map = context.map(&options.gridmapfile)?;
    let mut failure = None;
    for fqan in &context.identity.fqans {
        let file = (&options.gridmapfile, &*map);
        let subject = Subject::fqan(fqan);
        let Some(pool) = context.look_up(file, &subject, Matching::Wildcards, Wanted::Pool, gathered)? else {
            continue;
        };
        match pools::look(&options.pools, &pool, lease.clone(), context, gathered) {
            Ok(leased) => return Ok(leased),
            Err(refusal) if refusal.reason().class() == Class::System => return Err(refusal),
            Err(refusal) => failure = failure.or(Some(refusal)),
        }
    }
    Err(failure.unwrap_or_else(|| {
        let sentence = "the site's policy has no account for your VOMS attributes";
        Refusal::new(Reason::LcmapsNoMapping, sentence)
            .detail(format!("{} has no pool for any FQAN", options.gridmapfile.as_path().display()))
    }))
}

/// The groups as the lease's name has them: the primary one first, the others by id as the C library sorts them, each
/// by the name that the database has for its id.
fn group_names(options: &VomsPoolaccount, context: &Context<'_>, gathered: &Gathered) -> Outcome<Vec<String>> {
    let secondary: BTreeSet<TargetGid> = match options.lease_groups {
        LeaseGroups::All => gathered.secondary.iter().copied().collect(),
        LeaseGroups::Primary => BTreeSet::new(),
    };
    let name = |gid: &TargetGid| {
        let unknown = || accounts::unknown_group(format!("gid {}", gid.get()));
        context.accounts.group_by_gid(gid.get())?.ok_or_else(unknown)
    };
    gathered.primary.iter().chain(&secondary).map(name).collect()
}
