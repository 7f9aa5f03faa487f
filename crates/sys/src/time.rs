//! The clock: read once a call, a parameter everywhere else.

use glexec_core::reason::{Outcome, Reason, Refusal};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970 UTC.
pub fn now() -> Outcome<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .ok_or_else(|| Refusal::new(Reason::SystemFailed, "the system clock is before 1970"))
}
