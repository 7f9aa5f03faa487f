//! Who holds a lease, read from its name.

#![forbid(unsafe_code)]

use crate::lcmaps::gridmapdir::{Lease, PoolAccount, Standing};
use percent_encoding::percent_decode_str;

/// The holder and the groups of a lease. The exact name is known where glexec made the lease; what the C library wrote has
/// lost upper case.
pub fn of(lease: &Lease) -> (String, Vec<String>) {
    let name = lease.name.to_string_lossy();
    let mut parts = name.split(':');
    let decoded = percent_decode_str(parts.next().unwrap_or_default()).decode_utf8_lossy().into_owned();
    let exact = lease.holder.clone().filter(|holder| holder.eq_ignore_ascii_case(&decoded));
    (exact.unwrap_or(decoded), parts.map(str::to_owned).collect())
}

/// Whether an account, or the holder of its lease, is meant.
pub fn is(account: &PoolAccount, which: &str) -> bool {
    let Standing::Leased(lease) = &account.standing else { return false };
    account.name == which || (which.starts_with('/') && of(lease).0.eq_ignore_ascii_case(which))
}
