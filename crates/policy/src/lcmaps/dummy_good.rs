//! `dummy_good`: succeeds, and gives everybody the same account and groups where options name them.

use super::context::{Context, Gathered};
use super::exec;
use crate::programs::Names;
use glexec_config::lcmaps::DummyGood;
use glexec_core::reason::Outcome;

pub(super) fn run(options: &DummyGood, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let groups = Some(options.secondary.iter().cloned().collect());
    let names = Names { account: options.account.clone(), group: options.group.clone(), groups };
    exec::gather(&names, context, gathered)
}
