//! A site in memory: one issuer's file, one key file.

use crate::jwt::{self, AUDIENCE, ISSUER};
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_verify::token::claims::Use;
use glexec_verify::token::issuer::Issuer;
use glexec_verify::token::keys::{self, Keys};
use glexec_verify::token::{Rules, Site, judge};

/// The time at which tokens are judged here.
pub const NOW: i64 = 1_800_000_000;

/// What a site says.
#[derive(Clone)]
pub struct World {
    /// The file of `issuers.d`.
    pub issuer: String,
    /// The file of the key cache.
    pub keys: String,
}

impl World {
    /// A site that takes WLCG tokens of one issuer.
    pub fn new() -> World {
        World::with_issuer("vo = \"testvo\"\nprofile = \"wlcg\"\nscopes = [\"compute.create\"]\n")
    }

    /// One that says this of it besides its name and audience.
    pub fn with_issuer(says: &str) -> World {
        let algorithms = "algorithms = [\"RS256\", \"RS384\", \"RS512\", \"ES256\", \"ES384\"]\n";
        let algorithms = if says.contains("algorithms") { "" } else { algorithms };
        let head = format!("issuer = \"{ISSUER}\"\naudiences = [\"{AUDIENCE}\"]\n{algorithms}");
        let keys = [jwt::p256().jwk("k1", ""), jwt::p384().jwk("k384", ""), jwt::rsa().jwk("rsa", "")];
        World { issuer: format!("{head}{says}"), keys: jwt::key_cache(ISSUER, NOW + 3600, &keys) }
    }

    /// One with these keys alone.
    pub fn with_keys(keys: &[String]) -> World {
        World { keys: jwt::key_cache(ISSUER, NOW + 3600, keys), ..World::new() }
    }

    /// What becomes of a token that stands for a user.
    pub fn judge(&self, token: &[u8]) -> Outcome<Identity> {
        self.judge_for(token, Use::Identity)
    }

    /// What becomes of a token.
    pub fn judge_for(&self, token: &[u8], purpose: Use) -> Outcome<Identity> {
        judge(token, purpose, self, &Rules { clock_skew: 60, max_lifetime: 6 * 3600 }, NOW)
    }
}

impl Site for World {
    fn issuer(&self, name: &str) -> Outcome<Issuer> {
        let issuer = Issuer::parse(&self.issuer).map_err(|why| Refusal::new(Reason::TokenIssuerFile, why))?;
        match issuer.issuer == name {
            true => Ok(issuer),
            false => Err(Refusal::new(Reason::TokenIssuer, name)),
        }
    }

    fn keys(&self, issuer: &Issuer, _: i64) -> Outcome<Keys> {
        keys::parse(self.keys.as_bytes(), &issuer.issuer).map_err(|why| Refusal::new(Reason::TokenKeysMalformed, why))
    }
}

/// A token of Alice's with changed claims.
pub fn token(changes: &[(&str, &str)]) -> String {
    jwt::token(jwt::HEADER, &payload(changes), &jwt::p256())
}

/// Her claims, changed.
pub fn payload(changes: &[(&str, &str)]) -> String {
    jwt::payload(jwt::claims("alice", NOW), changes)
}
