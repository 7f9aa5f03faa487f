//! `voms_poolgroup`: a group of a pool for each FQAN.
//!
//! A pool group is leased like a pool account, in a directory of its own; the lease belongs to the FQAN, whoever comes
//! with it. Since no lease is made before the whole policy has succeeded, the group that would be leased is a guess at
//! first; when the policy has succeeded with the guess, the lease is made and the policy runs again on what it gave.

use super::context::{Context, Gathered};
use super::{groups, pools};
use crate::files::lease_name::LeaseName;
use crate::files::map_file::Wanted;
use crate::files::subject::Subject;
use glexec_config::lcmaps::{Matching, VomsPoolgroup};
use glexec_core::reason::Outcome;

pub(super) fn run(options: &VomsPoolgroup, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let map = context.map(&options.groupmapfile)?;
    groups::gather(options.rules, &options.groupmapfile, context, gathered, |fqan, gathered| {
        let file = (&options.groupmapfile, &*map);
        let pool = context.look_up(file, &Subject::fqan(fqan), Matching::Wildcards, Wanted::Pool, gathered)?;
        let Some(pool) = pool else { return Ok(None) };
        pools::group(&options.pools, &pool, LeaseName::for_fqan(fqan)?, context, gathered).map(Some)
    })
}
