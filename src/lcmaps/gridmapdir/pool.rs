//! Pools: which accounts of a gridmapdir belong together.

#![forbid(unsafe_code)]

use crate::account;
pub use glexec_config::lcmaps::{Inconsistency, Members};

/// A pool of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What its accounts' names start with.
    pub prefix: String,
    /// What may follow.
    pub members: Members,
    /// Leases on other pools' accounts.
    pub inconsistency: Inconsistency,
}

impl Pool {
    /// Whether an account belongs to the pool.
    pub fn has(&self, account: &str) -> bool {
        account::is_name(account)
            && account != "root"
            && account.strip_prefix(&self.prefix).is_some_and(|suffix| match self.members {
                Members::Numbered => !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit()),
                Members::Prefixed => true,
            })
    }

    /// Sorts accounts by number: `p2` before `p10`.
    pub(super) fn rank<'a>(&self, account: &'a str) -> (usize, &'a str, &'a str) {
        let suffix = account.get(self.prefix.len()..).unwrap_or_default();
        let number = suffix.trim_start_matches('0');
        (number.len(), number, account)
    }
}
