//! The names that this program alone gives in a gridmapdir, and the clock and chance that go into them.

#![forbid(unsafe_code)]

use crate::account;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How claims and marks are named; a name that starts with a dot is nothing to the C library.
pub(super) const CLAIM: &str = ".glexec-claim.";
pub(super) const MARK: &str = ".glexec-mark.";
/// How accounts are named that were set aside. No lease has such a name, since every distinguished name starts with `/`
/// (`%2f`); to expiry tools it looks like one.
pub(super) const SET_ASIDE: &str = "%2eset-aside.";
/// After this time a claim or a mark is held for abandoned: steps 2 to 6 take microseconds.
pub const CLAIM_LIFETIME: Duration = Duration::from_secs(5);

/// Random enough for names that must not meet and for pauses; nothing secret rests on it.
pub(super) fn random() -> u64 {
    // The kernel's random numbers do not fail; should they, the processes of one machine still differ.
    crate::sys::random().map_or_else(|_| std::process::id().into(), u64::from_ne_bytes)
}

pub(super) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A name that nobody else will have: what it is, when it was made, and of which account.
pub(super) fn private_name(prefix: &str, account: &str) -> OsString {
    format!("{prefix}{}.{:016x}{:016x}.{account}", seconds_now(), random(), random()).into()
}

/// Whether a name is a claim or a mark, so that the account behind it is just being taken.
pub(super) fn is_passing(name: &OsStr) -> bool {
    passing(name).is_some()
}

/// What a name is that stands for an account only for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing<'a> {
    /// The account itself, out of sight.
    Claim(&'a str),
    /// A second name that shows whether somebody else has linked the account.
    Mark(&'a str),
}

impl<'a> Passing<'a> {
    /// The account.
    pub(super) fn account(self) -> &'a str {
        match self {
            Passing::Claim(account) | Passing::Mark(account) => account,
        }
    }
}

/// When a claim or a mark was made, and what it is.
pub(super) fn passing(name: &OsStr) -> Option<(u64, Passing<'_>)> {
    let name = name.to_str()?;
    let (rest, is_claim) = match (name.strip_prefix(CLAIM), name.strip_prefix(MARK)) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => return None,
    };
    let mut parts = rest.splitn(3, '.');
    let (made, _, account) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    account::is_name(account).then_some((made, if is_claim { Passing::Claim(account) } else { Passing::Mark(account) }))
}
