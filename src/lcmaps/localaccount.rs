//! `localaccount`: a fixed account for a distinguished name.

#![forbid(unsafe_code)]

use super::{AccountGids, Context, Gathered, Who, no_mapping};
use crate::account::account;
use crate::config::values::AbsolutePath;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::Outcome;

/// The options of `localaccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Localaccount {
    /// The grid-mapfile. Names in it are compared exactly: a pattern must never give many people one account.
    pub gridmapfile: AbsolutePath,
}

impl Localaccount {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
        let map = context.map(&self.gridmapfile)?;
        let subject = Subject::mapped(&context.identity.subject);
        let file = (&self.gridmapfile, &map);
        let name = context.look_up(file, &subject, Matching::Exact, Wanted::Name, gathered)?;
        let name = name.ok_or_else(|| {
            no_mapping().detail(format!(
                "{} has no account for {}",
                self.gridmapfile.as_path().display(),
                context.identity.subject
            ))
        })?;
        gathered.choose(Who::Local(account(context.accounts, &name, context.limits)?), AccountGids::ALL)
    }
}
