//! What the site's trust directories and its files about issuers of tokens hold, as the verifier tells who looks after
//! them.

use crate::verdict::Refused;
use serde::{Deserialize, Serialize};

/// Both directories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surveyed {
    /// Every file `HASH.N`: the CA, or why it is none.
    pub today: Vec<Result<Authority, Refused>>,
    /// The same as it would be judged at the later time that was asked for.
    pub later: Vec<Result<Authority, Refused>>,
    /// The VOs; `None` where there is no vomsdir.
    pub vos: Option<Result<Vec<Vo>, Refused>>,
}

/// A CA of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    pub file: String,
    pub subject: String,
    /// When its certificate expires, in seconds since 1970 UTC.
    pub not_after: i64,
    /// What its users would be refused for.
    pub faults: Vec<Refused>,
}

/// The folder of a VO in the vomsdir.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vo {
    /// Its name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Its `.lsc` files.
    pub servers: Result<Vec<Server>, Refused>,
}

/// An `.lsc` file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub file: String,
    /// The CA at the end of each of its chains, or why it cannot be read.
    pub authorities: Result<Vec<String>, String>,
}

/// A file of `issuers.d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerFile {
    pub file: String,
    /// What it says, or why it is not understood.
    pub said: Result<TokenIssuer, String>,
}

/// An issuer that the site trusts, with what it has of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenIssuer {
    /// `iss`.
    pub issuer: String,
    /// The VOs of its tokens.
    pub vos: Vec<String>,
    /// The algorithms that the site accepts from it.
    pub algorithms: Vec<String>,
    /// The name of its key file.
    pub key_file: String,
    /// Its key files, in the order of `jwks`.
    pub keys: Vec<KeyFile>,
}

/// A file with the keys of an issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    pub path: String,
    /// When it was written, in seconds since 1970 UTC.
    pub written: Option<i64>,
    /// What is in it, or why no token is judged by it.
    pub said: Result<Keys, String>,
}

/// The keys of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// When they expire, in seconds since 1970 UTC.
    pub expiration: i64,
    /// How many can check a signature of an algorithm that the site accepts from the issuer.
    pub usable: usize,
}
