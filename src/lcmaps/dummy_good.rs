//! `dummy_good`: succeeds, and gives everybody the same account and groups where options name them.

#![forbid(unsafe_code)]

use super::{Context, Gathered, exec};
use crate::outside::Names;
use crate::reason::Outcome;
use glexec_config::lcmaps::DummyGood;

/// Runs the plug-in.
pub(super) fn run(options: &DummyGood, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let groups = Some(options.secondary.iter().cloned().collect());
    let names = Names { account: options.account.clone(), group: options.group.clone(), groups };
    exec::gather(&names, context, gathered)
}
