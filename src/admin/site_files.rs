//! The files and directories that a configuration names, and what they hold.

#![forbid(unsafe_code)]

use crate::config::values::AbsolutePath;
use crate::lcas;
use crate::lcmaps::{Plan, Plugin, Pools};

/// What a file of the site's holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holds {
    /// Accounts for names or VOMS attributes.
    Accounts,
    /// Groups for VOMS attributes.
    Groups,
    /// Who is banned.
    Banned,
    /// Something else.
    Other,
}

fn map(plugin: &Plugin) -> Option<(&AbsolutePath, Holds)> {
    match plugin {
        Plugin::Localaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::Poolaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::VomsLocalaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::VomsPoolaccount(plugin) => Some((&plugin.gridmapfile, Holds::Accounts)),
        Plugin::VomsLocalgroup(plugin) => Some((&plugin.groupmapfile, Holds::Groups)),
        Plugin::VomsPoolgroup(plugin) => Some((&plugin.groupmapfile, Holds::Groups)),
        Plugin::BanDn(plugin) => Some((&plugin.banmapfile, Holds::Banned)),
        Plugin::BanFqan(plugin) => Some((&plugin.banmapfile, Holds::Banned)),
        Plugin::TrackingGroupid(_) | Plugin::DummyGood(_) | Plugin::DummyBad | Plugin::Exec(_) => None,
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

/// The pools of accounts.
pub fn pools(plan: &Plan) -> Vec<&Pools> {
    plan.plugins.values().filter_map(pool).collect()
}

fn list(plugin: &lcas::Plugin) -> Option<(&AbsolutePath, Holds)> {
    match plugin {
        lcas::Plugin::Userban { file } => Some((file, Holds::Banned)),
        lcas::Plugin::Userallow { file } | lcas::Plugin::Voms { file, .. } | lcas::Plugin::Timeslots { file } => {
            Some((file, Holds::Other))
        }
        _ => None,
    }
}

/// The files of the authorization.
pub fn lists(plan: &lcas::Plan) -> Vec<(&AbsolutePath, Holds)> {
    plan.plugins().filter_map(list).collect()
}
