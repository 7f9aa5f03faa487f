//! Pool accounts with their leases, as operators move them between gridmapdirs and databases.

use glexec_core::account::is_name;
use serde::{Deserialize, Serialize};

/// Where accounts are fetched, with GET and `?after=ACCOUNT`, and brought, with POST.
pub const ACCOUNTS: &str = "/v1/accounts";
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
}

pub fn read(bytes: &[u8]) -> Result<Vec<Account>, String> {
    let accounts: Vec<Account> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if accounts.len() > MAX_ACCOUNTS {
        return Err(format!("more than {MAX_ACCOUNTS} accounts at once"));
    }
    let bad = |account: &&Account| {
        let is_bad = |lease: &Lease| {
            lease.name.is_empty()
                || lease.name.len() > 255
                || !lease.name.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
        };
        !is_name(&account.account) || account.account == "root" || account.lease.as_ref().is_some_and(is_bad)
    };
    match accounts.iter().find(bad) {
        Some(bad) => Err(format!("{:?} is not an account with a lease, or without one", bad.account)),
        None => Ok(accounts),
    }
}
