//! `poolaccount`: an account of a pool for a distinguished name.

#![forbid(unsafe_code)]

use super::{AccountGids, Context, Gathered, Who, no_mapping, pools};
use crate::lcmaps::lease_name::LeaseName;
use crate::lcmaps::map_file::Wanted;
use crate::lcmaps::subject::Subject;
use crate::reason::Outcome;
use glexec_config::lcmaps::Poolaccount;

/// Runs the plug-in.
pub(super) fn run(options: &Poolaccount, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let map = context.map(&options.gridmapfile)?;
    let subject = Subject::mapped(&context.identity.subject);
    let file = (&options.gridmapfile, &map);
    let pool = context.look_up(file, &subject, options.matching, Wanted::Pool, gathered)?;
    let pool = pool.ok_or_else(|| {
        no_mapping().detail(format!(
            "{} has no pool for {}",
            options.gridmapfile.as_path().display(),
            context.identity.subject
        ))
    })?;
    let lease = LeaseName::new(&context.identity.subject, &[])?;
    let leased = pools::look(&options.pools, &pool, lease, context, gathered)?;
    gathered.choose(Who::Pool(leased), AccountGids::ALL)
}
