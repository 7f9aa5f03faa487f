//! What the site's trust directories hold, as the verifier tells who looks after them.

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
    /// The file.
    pub file: String,
    /// Its name.
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
    /// The file.
    pub file: String,
    /// The CA at the end of each of its chains, or why it cannot be read.
    pub authorities: Result<Vec<String>, String>,
}
