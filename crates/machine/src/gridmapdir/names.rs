//! The names that this program alone gives in a gridmapdir, and the clock and chance that go into them.

use glexec_core::account;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How marks are named; a name that starts with a dot is nothing to the C library.
pub(super) const MARK: &str = ".glexec-mark.";
/// How accounts are named that were set aside. No lease has such a name: they start with `%2f` or
/// `token%3a`; to expiry tools it looks like one.
pub(super) const SET_ASIDE: &str = "%2eset-aside.";
/// After this time a mark is held for abandoned: steps 2 to 4 take microseconds.
pub(super) const MARK_LIFETIME: Duration = Duration::from_secs(5);

/// Random enough for names that must not meet and for pauses; nothing secret rests on it.
pub(super) fn random() -> u64 {
    // The kernel's random numbers do not fail; should they, the processes of one machine still differ.
    glexec_sys::random().map_or_else(|_| std::process::id().into(), u64::from_ne_bytes)
}

pub(super) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A name that nobody else will have: what it is, when it was made, and of which account.
pub(super) fn private_name(prefix: &str, account: &str) -> OsString {
    format!("{prefix}{}.{:016x}{:016x}.{account}", seconds_now(), random(), random()).into()
}

/// Whether a name is a mark, so that its account is just being taken.
pub(super) fn is_mark(name: &OsStr) -> bool {
    marked(name).is_some()
}

/// When a mark was made, in seconds since 1970 UTC, and its account.
pub(super) fn marked(name: &OsStr) -> Option<(u64, &str)> {
    let mut parts = name.to_str()?.strip_prefix(MARK)?.splitn(3, '.');
    let (made, _, account) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    account::is_name(account).then_some((made, account))
}
