//! `poolaccount`: an account of a pool for a distinguished name.

#![forbid(unsafe_code)]

use super::{AccountGids, Context, Gathered, Pools, Who, no_mapping};
use crate::config::values::AbsolutePath;
use crate::lcmaps::lease_name::LeaseName;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::Outcome;

/// The options of `poolaccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poolaccount {
    /// The grid-mapfile.
    pub gridmapfile: AbsolutePath,
    /// Whether its names are patterns.
    pub matching: Matching,
    /// Where and how accounts are leased.
    pub pools: Pools,
}

impl Poolaccount {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
        let map = context.map(&self.gridmapfile)?;
        let subject = Subject::mapped(&context.identity.subject);
        let file = (&self.gridmapfile, &map);
        let pool = context.look_up(file, &subject, self.matching, Wanted::Pool, gathered)?;
        let pool = pool.ok_or_else(|| {
            no_mapping().detail(format!(
                "{} has no pool for {}",
                self.gridmapfile.as_path().display(),
                context.identity.subject
            ))
        })?;
        let lease = LeaseName::new(&context.identity.subject, &[])?;
        let leased = self.pools.look(&pool, lease, context, gathered)?;
        gathered.choose(Who::Pool(leased), AccountGids::ALL)
    }
}
