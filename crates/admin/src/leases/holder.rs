//! Who holds a lease, read from its name.

use glexec_core::identity::is_of_token;
use glexec_core::spelling::as_printed;
use glexec_machine::gridmapdir::{Lease, PoolAccount, Standing};
use percent_encoding::percent_decode_str;

/// Whose a lease is.
#[derive(Debug, Default)]
pub struct Holder {
    /// The distinguished name.
    pub name: String,
    /// The groups that the lease depends on.
    pub groups: Vec<String>,
    /// When it was made, in seconds since 1970 UTC.
    pub since: Option<i64>,
}

/// The holder and the groups of a lease. The exact name is known where glexec made the lease; what the C library wrote has
/// lost upper case.
pub fn of(lease: &Lease) -> Holder {
    let name = lease.name.to_string_lossy();
    let mut parts = name.split(':');
    let decoded = percent_decode_str(parts.next().unwrap_or_default()).decode_utf8_lossy().into_owned();
    // A record of an earlier lease of the account says nothing of this one.
    let exact = lease.holder.clone().filter(|holder| match is_of_token(holder) {
        true => *holder == decoded || decoded.starts_with("token:"),
        false => as_printed(holder).eq_ignore_ascii_case(&as_printed(&decoded)),
    });
    let since = lease.since.filter(|_| exact.is_some());
    let mut groups: Vec<String> = Vec::new();
    // The primary group is among the others again.
    for group in parts.filter(|&group| !group.is_empty()) {
        if !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    Holder { name: exact.unwrap_or(decoded), groups, since }
}

/// Whether an account, or the holder of its lease, is meant. Names count in every spelling, and lease names are in lower
/// case; but those of tokens' users have one spelling.
pub fn is(account: &PoolAccount, which: &str) -> bool {
    let Standing::Leased(lease) = &account.standing else { return false };
    let holder = of(lease).name;
    account.name == which
        || match is_of_token(which) {
            true => holder == which,
            false => which.starts_with('/') && as_printed(&holder).eq_ignore_ascii_case(&as_printed(which)),
        }
}
