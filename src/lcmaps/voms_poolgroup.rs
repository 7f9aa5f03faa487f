//! `voms_poolgroup`: a group of a pool for each FQAN.
//!
//! A pool group is leased like a pool account, in a directory of its own; the lease belongs to the FQAN, whoever comes
//! with it. Since no lease is made before the whole policy has succeeded, the group that would be leased is a guess at
//! first; when the policy has succeeded with the guess, the lease is made and the policy runs again on what it gave.

#![forbid(unsafe_code)]

use super::{Context, Gathered, groups, pools};
use crate::lcmaps::lease_name::LeaseName;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::Outcome;
use glexec_config::lcmaps::VomsPoolgroup;

/// Runs the plug-in.
pub(super) fn run(options: &VomsPoolgroup, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let map = context.map(&options.groupmapfile)?;
    groups::gather(options.rules, &options.groupmapfile, context, gathered, |fqan, gathered| {
        let file = (&options.groupmapfile, &map);
        let pool = context.look_up(file, &Subject::fqan(fqan), Matching::Wildcards, Wanted::Pool, gathered)?;
        let Some(pool) = pool else { return Ok(None) };
        pools::group(&options.pools, &pool, LeaseName::for_fqan(fqan)?, context, gathered).map(Some)
    })
}
