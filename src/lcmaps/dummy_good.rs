//! `dummy_good`: succeeds, and gives everybody the same account and groups where options name them.

#![forbid(unsafe_code)]

use super::{Context, Gathered, exec};
use crate::outside::Names;
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
        let groups = Some(self.secondary.iter().cloned().collect());
        let names = Names { account: self.account.clone(), group: self.group.clone(), groups };
        exec::gather(&names, context, gathered)
    }
}
