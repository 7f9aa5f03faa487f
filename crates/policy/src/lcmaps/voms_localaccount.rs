//! `voms_localaccount`: a fixed account for an FQAN.

use super::context::{Context, Gathered, Who};
use super::groups::no_fqans;
use crate::accounts::account;
use crate::files::map_file::Wanted;
use crate::files::subject::Subject;
use glexec_config::lcmaps::{Matching, VomsLocalaccount};
use glexec_core::reason::{Outcome, Reason, Refusal};

pub(super) fn run(options: &VomsLocalaccount, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    if context.identity.fqans.is_empty() {
        return Err(no_fqans());
    }
    let map = context.map(&options.gridmapfile)?;
    let file = (&options.gridmapfile, &*map);
    let mut name = None;
    for fqan in &context.identity.fqans {
        name = context.look_up(file, &Subject::fqan(fqan), Matching::Wildcards, Wanted::Name, gathered)?;
        if name.is_some() {
            break;
        }
    }
    let name = name.ok_or_else(|| {
        let sentence = "the site's policy has no account for your VOMS attributes";
        Refusal::new(Reason::LcmapsNoMapping, sentence)
            .detail(format!("{} has no account for any FQAN", options.gridmapfile.as_path().display()))
    })?;
    gathered.choose(Who::Local(account(context.accounts, &name, context.limits)?), options.gids)
}
