//! `poolaccount`: an account of a pool for a distinguished name.

use super::context::{Context, Gathered, Who, no_mapping};
use super::pools;
use crate::files::lease_name::LeaseName;
use crate::files::map_file::Wanted;
use crate::files::subject::Subject;
use glexec_config::lcmaps::Poolaccount;
use glexec_config::lcmaps::gids::AccountGids;
use glexec_core::reason::Outcome;

pub(super) fn run(options: &Poolaccount, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let map = context.map(&options.gridmapfile)?;
    let subject = Subject::mapped(&context.identity.subject);
    let file = (&options.gridmapfile, &*map);
    let pool = context.look_up(file, &subject, options.matching, Wanted::Pool, gathered)?;
    let pool = pool.ok_or_else(|| {
        no_mapping().detail(format!(
            "{} has no pool for {}",
            options.gridmapfile.as_path().display(),
            context.identity.subject
        ))
    })?;
    let lease = LeaseName::new(context.identity, &[])?;
    let leased = pools::look(&options.pools, &pool, lease, context, gathered)?;
    gathered.choose(Who::Pool(leased), AccountGids::ALL)
}
