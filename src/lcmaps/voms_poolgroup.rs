//! `voms_poolgroup`: a group of a pool for each FQAN.
//!
//! A pool group is leased like a pool account, in a directory of its own; the lease belongs to the FQAN, whoever comes
//! with it. Since no lease is made before the whole policy has succeeded, the group that would be leased is a guess at
//! first; when the policy has succeeded with the guess, the lease is made and the policy runs again on what it gave.

#![forbid(unsafe_code)]

use super::groups::GroupRules;
use super::{Context, Gathered, Pools};
use crate::config::values::AbsolutePath;
use crate::lcmaps::lease_name::LeaseName;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::Outcome;

/// The options of `voms_poolgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsPoolgroup {
    /// The groupmapfile; only its pools count.
    pub groupmapfile: AbsolutePath,
    /// What becomes of the groups.
    pub rules: GroupRules,
    /// Where (`groupmapdir`) and how groups are leased.
    pub pools: Pools,
}

impl VomsPoolgroup {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
        let map = context.map(&self.groupmapfile)?;
        self.rules.gather(&self.groupmapfile, context, gathered, |fqan, gathered| {
            let file = (&self.groupmapfile, &map);
            let pool = context.look_up(file, &Subject::fqan(fqan), Matching::Wildcards, Wanted::Pool, gathered)?;
            let Some(pool) = pool else { return Ok(None) };
            self.pools.group(&pool, LeaseName::for_fqan(fqan)?, context, gathered).map(Some)
        })
    }
}
