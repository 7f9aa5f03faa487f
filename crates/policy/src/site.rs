//! The site's mapping service, as plug-ins see it.

use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::site::Permit;

/// Where the site's answer comes from; a trait so that policy can be tested without a service.
pub trait Site {
    /// The site's answer on this call: it is the same however often it is asked for.
    fn permit(&self) -> Outcome<Permit>;
}

/// There is none to ask.
pub struct NoSite;

impl Site for NoSite {
    fn permit(&self) -> Outcome<Permit> {
        let sentence = "the site's mapping service cannot be asked here";
        Err(Refusal::new(Reason::SiteUnavailable, sentence))
    }
}
