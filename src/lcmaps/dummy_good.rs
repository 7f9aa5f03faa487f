//! `dummy_good`: succeeds, and gives everybody the same account and groups where options name them.

#![forbid(unsafe_code)]

use super::{AccountGids, Context, Gathered, Take, Who};
use crate::account;
use crate::reason::Outcome;

/// The options of `dummy_good`; without any it only succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DummyGood {
    /// The account (`dummy_username`).
    pub account: Option<String>,
    /// The primary group (`dummy_group`); the account's own where it is not set.
    pub group: Option<String>,
    /// A supplementary group (`dummy_sec_group`).
    pub secondary: Option<String>,
}

impl DummyGood {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
        let group = |name: &String| account::group(context.accounts, name, context.limits);
        if let Some(primary) = &self.group {
            gathered.primary = Some(group(primary)?);
        }
        if let Some(secondary) = &self.secondary {
            gathered.secondary.push(group(secondary)?);
        }
        let Some(name) = &self.account else { return Ok(()) };
        let primary = if gathered.primary.is_some() { Take::Leave } else { Take::Take };
        let gids = AccountGids { primary, primary_as_secondary: Take::Leave, groups: Take::Leave };
        gathered.choose(Who::Local(account::account(context.accounts, name, context.limits)?), gids)
    }
}
