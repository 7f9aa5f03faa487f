//! `voms_localgroup`: groups for FQANs.

#![forbid(unsafe_code)]

use super::groups::GroupRules;
use super::{Context, Gathered};
use crate::account;
use crate::config::values::AbsolutePath;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::Outcome;

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
        self.rules.gather(&self.groupmapfile, context, gathered, |fqan, gathered| {
            let file = (&self.groupmapfile, &map);
            let name = context.look_up(file, &Subject::fqan(fqan), Matching::Wildcards, Wanted::Name, gathered)?;
            name.map(|name| account::group(context.accounts, &name, context.limits)).transpose()
        })
    }
}
