//! Pool accounts: which belong together, and how they are leased.

use crate::files::lease_name::LeaseName;
use glexec_config::lcmaps::{Inconsistency, Members};
use glexec_core::account;
use glexec_core::reason::Outcome;
use std::path::Path;

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
    pub fn rank<'a>(&self, account: &'a str) -> (usize, &'a str, &'a str) {
        let suffix = account.get(self.prefix.len()..).unwrap_or_default();
        let number = suffix.trim_start_matches('0');
        (number.len(), number, account)
    }
}

/// Whether an account of the pool may be used at all; an error ends the search.
pub type Usable<'a> = dyn Fn(&str) -> Outcome<bool> + 'a;

/// Where pool accounts come from; a trait so that policy can be explained without making a lease.
pub trait Leases {
    /// The lease under the one of its names that is there, where there is one. Nothing but a directory that others write to
    /// as well has a lease under another name.
    fn spelled(&self, _directory: &Path, lease: LeaseName) -> Outcome<LeaseName> {
        Ok(lease)
    }

    /// The account of an existing lease; `None` where there is no lease.
    fn existing(&self, directory: &Path, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>>;

    /// The account of an existing lease; `None` where one can be made. Refuses where the pool has no account left.
    fn look(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<Option<String>>;

    /// The member of the pool that a lease made now would most likely get.
    fn first_free(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String>;

    /// The account of the lease, which is made where it is missing.
    fn lease(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String>;
}
