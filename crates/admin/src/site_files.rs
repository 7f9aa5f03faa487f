//! The files and directories that a configuration names, and what they hold.

use glexec_config::lcmaps::{Plan, Plugin, Pools};
use glexec_config::values::Wrapper;
use glexec_config::{Config, lcas};
use glexec_core::values::AbsolutePath;
use toml::Spanned;

/// What a file of the site's holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holds {
    /// Accounts for names or VOMS attributes.
    Accounts,
    /// Groups for VOMS attributes.
    Groups,
    /// Pools of groups for them; nothing else counts there.
    GroupPools,
    Banned,
}

fn map(plugin: &Plugin) -> Option<(&AbsolutePath, Holds)> {
    match plugin {
        Plugin::Localaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::Poolaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::VomsLocalaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::VomsPoolaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::VomsLocalgroup(plugin) => Some((&plugin.groupmapfile, Holds::Groups)),
        Plugin::VomsPoolgroup(plugin) => Some((&plugin.groupmapfile, Holds::GroupPools)),
        Plugin::BanDn(plugin) => Some((&plugin.banmapfile, Holds::Banned)),
        Plugin::BanFqan(plugin) => Some((&plugin.banmapfile, Holds::Banned)),
        Plugin::TrackingGroupid(_) | Plugin::DummyGood(_) | Plugin::DummyBad | Plugin::Exec(_) | Plugin::Site => None,
    }
}

/// The files of the mapping.
pub fn maps(plan: &Plan) -> Vec<(&AbsolutePath, Holds)> {
    plan.plugins.values().filter_map(map).collect()
}

fn pool(plugin: &Plugin) -> Option<&Pools> {
    match plugin {
        Plugin::Poolaccount(plugin) => Some(&plugin.pools),
        Plugin::VomsPoolaccount(plugin) => Some(&plugin.pools),
        _ => None,
    }
}

/// The programs of the site's own.
pub fn programs(config: &Config) -> Vec<&AbsolutePath> {
    let mapping = config.lcmaps.plugins.values().filter_map(|plugin| match plugin {
        Plugin::Exec(exec) => Some(&exec.program),
        _ => None,
    });
    let authorizing = config.lcas.plugins().filter_map(|plugin| match plugin {
        lcas::Plugin::Exec(exec) => Some(&exec.program),
        _ => None,
    });
    let glexec = &config.glexec;
    let wrapper = glexec.wrapper.as_ref().map(Wrapper::program);
    let around =
        glexec.prologue.as_ref().into_iter().chain(wrapper).chain(glexec.epilogue.as_ref().map(Spanned::get_ref));
    mapping.chain(authorizing).chain(around).collect()
}

/// The pools of accounts.
pub fn pools(plan: &Plan) -> Vec<&Pools> {
    plan.plugins.values().filter_map(pool).collect()
}

pub fn group_pools(plan: &Plan) -> Vec<&Pools> {
    let groups = plan.plugins.values().filter_map(|plugin| match plugin {
        Plugin::VomsPoolgroup(plugin) => Some(&plugin.pools),
        _ => None,
    });
    groups.collect()
}
