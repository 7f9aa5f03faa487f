//! Pools: which accounts of a gridmapdir belong together.

#![forbid(unsafe_code)]

use crate::account;

/// What an account's name must be to belong to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// The pool's name and then only digits.
    Numbered,
    /// Anything that starts with the pool's name (`strict_poolprefix_match` off).
    Prefixed,
}

/// What to do with a lease of the same name on an account of another pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inconsistency {
    /// Refuse.
    Refuse,
    /// Make a new lease in the right pool (`override_inconsistency`).
    Override,
}

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
