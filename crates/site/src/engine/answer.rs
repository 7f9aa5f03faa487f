//! What engines answer.

use glexec_core::reason::{Reason, Refusal};
use glexec_site_client::bans::List;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came of a change of the bans.
pub enum Changed {
    /// It was made: the new list.
    Made(List),
    /// There was nothing to remove.
    Nothing,
}

/// A refusal because the engine does not answer.
pub fn unavailable(why: impl Into<String>) -> Refusal {
    Refusal::new(Reason::SiteUnavailable, "the site's mapping service cannot reach what it keeps").detail(why)
}

/// Refuses a list that is older than one that was seen: nobody is let in again because an old copy has come back.
pub fn not_older(list: List, seen: &AtomicU64) -> Result<List, Refusal> {
    let newest = seen.fetch_max(list.version, Ordering::Relaxed);
    match list.version < newest {
        true => {
            let why = format!("version {} of the bans after version {newest}: is it an old copy?", list.version);
            Err(unavailable(why))
        }
        false => Ok(list),
    }
}
