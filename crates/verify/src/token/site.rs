//! What the site says about tokens: its rules, its issuers and their keys.

use super::issuer::Issuer;
use super::keys::Keys;
use glexec_core::reason::Outcome;

/// The site's rules for all issuers, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub clock_skew: i64,
    pub max_lifetime: i64,
}

/// What the site's files say.
pub trait Site {
    /// What is said of an issuer; several files about one are a mistake.
    fn issuer(&self, name: &str) -> Outcome<Issuer>;

    /// The issuer's keys.
    fn keys(&self, issuer: &Issuer, now: i64) -> Outcome<Keys>;
}
