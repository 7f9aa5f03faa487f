//! `[tokens]`: which bearer tokens the verifier accepts.

use crate::values::{AbsolutePath, Lifetime};
use serde::{Deserialize, Serialize};

/// What to do with the pilot's own token, BEARER_TOKEN_FILE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PilotToken {
    /// It is not looked at: pilots hold tokens for storage.
    Ignored,
    /// It must be valid where it is there.
    Optional,
    /// It must be there and valid.
    Required,
}

/// Most directories of keys: the verifier is given each.
const MAX_JWKS: usize = 4;

/// `jwks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<AbsolutePath>")]
pub struct KeyDirectories(Vec<AbsolutePath>);

impl TryFrom<Vec<AbsolutePath>> for KeyDirectories {
    type Error = String;

    fn try_from(paths: Vec<AbsolutePath>) -> Result<Self, String> {
        match paths.len() {
            1..=MAX_JWKS => Ok(Self(paths)),
            _ => Err(format!("from one to {MAX_JWKS} directories")),
        }
    }
}

impl KeyDirectories {
    /// The paths, in the order in which they are looked at.
    pub fn paths(&self) -> &[AbsolutePath] {
        &self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// The directory of files about issuers.
    pub issuers: AbsolutePath,
    /// Directories of issuers' keys.
    pub jwks: KeyDirectories,
    /// How far the clocks of issuers may be off.
    pub clock_skew: Lifetime,
    /// Longest lifetime of a token, exp - iat.
    pub max_lifetime: Lifetime,
    /// The pilot's own token.
    pub pilot_token: PilotToken,
}

impl Default for Tokens {
    fn default() -> Self {
        let jwks = ["/etc/jwks", "/var/cache/jwks"].map(AbsolutePath::fixed);
        Tokens {
            issuers: AbsolutePath::fixed("/etc/grid-security/issuers.d"),
            jwks: KeyDirectories(jwks.into()),
            clock_skew: Lifetime::seconds(60),
            max_lifetime: Lifetime::seconds(6 * 3600),
            pilot_token: PilotToken::Ignored,
        }
    }
}
