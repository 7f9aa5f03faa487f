//! `localaccount`: a fixed account for a distinguished name.

use super::context::{Context, Gathered, Who, no_mapping};
use crate::accounts::account;
use crate::files::map_file::Wanted;
use crate::files::subject::Subject;
use glexec_config::lcmaps::gids::AccountGids;
use glexec_config::lcmaps::{Localaccount, Matching};
use glexec_core::reason::Outcome;

pub(super) fn run(options: &Localaccount, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let map = context.map(&options.gridmapfile)?;
    let subject = Subject::mapped(&context.identity.subject);
    let file = (&options.gridmapfile, &*map);
    let name = context.look_up(file, &subject, Matching::Exact, Wanted::Name, gathered)?;
    let name = name.ok_or_else(|| {
        no_mapping().detail(format!(
            "{} has no account for {}",
            options.gridmapfile.as_path().display(),
            context.identity.subject
        ))
    })?;
    gathered.choose(Who::Local(account(context.accounts, &name, context.limits)?), AccountGids::ALL)
}
