//! What a proxy file holds, as the verifier tells it without judging it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyFile {
    /// The certificates in the order of the file.
    pub certificates: Vec<Part>,
    /// Whether there is a private key.
    pub private_key: bool,
    /// Why the file cannot be read any further.
    pub unreadable: Option<String>,
}

/// A certificate of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum Part {
    /// One that can be read.
    Certificate {
        kind: String,
        subject: String,
        issuer: String,
        /// Its serial number.
        serial: String,
        /// First second of validity, since 1970 UTC.
        not_before: i64,
        /// Last second of validity.
        not_after: i64,
        /// Its VOMS attribute certificate.
        attributes: Option<Attributes>,
    },
    /// One that cannot.
    Broken { broken: String },
}

/// A VOMS attribute certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum Attributes {
    /// One that can be read.
    Ac {
        vo: String,
        /// Who signed it.
        server: String,
        /// First second of validity, since 1970 UTC.
        not_before: i64,
        /// Last second of validity.
        not_after: i64,
        fqans: Vec<String>,
    },
    /// One that cannot.
    Broken { broken: String },
}
