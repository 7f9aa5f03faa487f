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
    named(&lease.name.to_string_lossy(), lease.holder.clone(), lease.since)
}

/// The same of a lease's name, with the holder and the time that its record names.
pub fn named(name: &str, exact: Option<String>, since: Option<i64>) -> Holder {
    let mut parts = name.split(':');
    let decoded = percent_decode_str(parts.next().unwrap_or_default()).decode_utf8_lossy().into_owned();
    // A record of an earlier lease of the account says nothing of this one.
    let exact = exact.filter(|holder| match is_of_token(holder) {
        true => *holder == decoded || decoded.starts_with("token:"),
        false => as_printed(holder).eq_ignore_ascii_case(&as_printed(&decoded)),
    });
    let since = since.filter(|_| exact.is_some());
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
    account.name == which || is_meant(&of(lease).name, which)
}

/// Whether the name of a holder is meant.
pub fn is_meant(holder: &str, which: &str) -> bool {
    match is_of_token(which) {
        true => holder == which,
        false => which.starts_with('/') && as_printed(holder).eq_ignore_ascii_case(&as_printed(which)),
    }
}
