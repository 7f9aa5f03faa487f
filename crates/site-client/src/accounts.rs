//! Pool accounts with their leases, as operators move them between gridmapdirs and databases.

use glexec_core::account::is_name;
use glexec_core::site::is_lease;
use serde::{Deserialize, Serialize};

/// Where accounts are fetched, with GET and `?after=ACCOUNT`, and brought, with POST.
pub const ACCOUNTS: &str = "/v1/accounts";
/// Where leases are taken back, with POST of an [`End`].
pub const END: &str = "/v1/accounts/end";
/// Most accounts of one request.
pub const MAX_ACCOUNTS: usize = 1000;

/// A pool account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub account: String,
    pub lease: Option<Lease>,
}

/// Who has an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The name of the lease in a gridmapdir.
    pub name: String,
    /// The exact distinguished name; empty where the C library made the lease.
    pub holder: String,
    /// Since when, in seconds since 1970 UTC.
    pub since: i64,
    /// When it was last used.
    pub used: i64,
    /// When it ends, unless the holder comes before; nothing where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<i64>,
}

/// Leases that shall end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Accounts with the names of their leases.
    pub leases: Vec<(String, String)>,
    /// Only those that were not used since this time, in seconds since 1970 UTC.
    pub unused_since: Option<i64>,
    /// For how many seconds nobody else gets the accounts.
    pub rest: i64,
}

/// Reads which leases shall end.
pub fn read_end(bytes: &[u8]) -> Result<End, String> {
    let end: End = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match end.leases.len() > MAX_ACCOUNTS {
        true => Err(format!("more than {MAX_ACCOUNTS} accounts at once")),
        false => Ok(end),
    }
}

pub fn read(bytes: &[u8]) -> Result<Vec<Account>, String> {
    let accounts: Vec<Account> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if accounts.len() > MAX_ACCOUNTS {
        return Err(format!("more than {MAX_ACCOUNTS} accounts at once"));
    }
    let bad = |account: &&Account| {
        !is_name(&account.account)
            || account.account == "root"
            || account.lease.as_ref().is_some_and(|lease| !is_lease(&lease.name))
    };
    match accounts.iter().find(bad) {
        Some(bad) => Err(format!("{:?} is not an account with a lease, or without one", bad.account)),
        None => Ok(accounts),
    }
}
