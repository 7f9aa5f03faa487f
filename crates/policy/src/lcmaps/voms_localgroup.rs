//! `voms_localgroup`: groups for FQANs.

use super::context::{Context, Gathered};
use super::groups;
use crate::accounts;
use crate::files::map_file::Wanted;
use crate::files::subject::Subject;
use glexec_config::lcmaps::{Matching, VomsLocalgroup};
use glexec_core::account::TargetGid;
use glexec_core::reason::Outcome;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

pub(super) fn run(options: &VomsLocalgroup, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let map = context.map(&options.groupmapfile)?;
    // Many FQANs of one VO have the same group, and a directory service may take its time for each question.
    let mut known: BTreeMap<String, TargetGid> = BTreeMap::new();
    groups::gather(options.rules, &options.groupmapfile, context, gathered, |fqan, gathered| {
        let file = (&options.groupmapfile, &*map);
        let name = context.look_up(file, &Subject::fqan(fqan), Matching::Wildcards, Wanted::Name, gathered)?;
        let Some(name) = name else { return Ok(None) };
        Ok(Some(match known.entry(name) {
            Entry::Occupied(group) => *group.get(),
            Entry::Vacant(group) => {
                let gid = accounts::group(context.accounts, group.key(), context.limits)?;
                *group.insert(gid)
            }
        }))
    })
}
