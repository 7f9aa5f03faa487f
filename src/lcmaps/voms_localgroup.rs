//! `voms_localgroup`: groups for FQANs.

#![forbid(unsafe_code)]

use super::groups::GroupRules;
use super::{Context, Gathered};
use crate::account::{self, TargetGid};
use crate::config::values::AbsolutePath;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::Outcome;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The options of `voms_localgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsLocalgroup {
    /// The groupmapfile.
    pub groupmapfile: AbsolutePath,
    /// What becomes of the groups.
    pub rules: GroupRules,
}

impl VomsLocalgroup {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
        let map = context.map(&self.groupmapfile)?;
        // Many FQANs of one VO have the same group, and a directory service may take its time for each question.
        let mut known: BTreeMap<String, TargetGid> = BTreeMap::new();
        self.rules.gather(&self.groupmapfile, context, gathered, |fqan, gathered| {
            let file = (&self.groupmapfile, &map);
            let name = context.look_up(file, &Subject::fqan(fqan), Matching::Wildcards, Wanted::Name, gathered)?;
            let Some(name) = name else { return Ok(None) };
            Ok(Some(match known.entry(name) {
                Entry::Occupied(group) => *group.get(),
                Entry::Vacant(group) => {
                    let gid = account::group(context.accounts, group.key(), context.limits)?;
                    *group.insert(gid)
                }
            }))
        })
    }
}
