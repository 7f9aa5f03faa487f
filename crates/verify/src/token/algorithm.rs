//! The signature algorithms of tokens (RFC 7518 section 3.1) that a site may accept.

use crate::x509::signature::Curve;
use glexec_core::credentials::Digest;
use serde::Deserialize;

/// An algorithm. `none`, symmetric ones and RSA-PSS are not here, and so refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    RS384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    RS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
}

impl Algorithm {
    /// The algorithm of this name; names are exact.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Algorithm::RS256,
            "RS384" => Algorithm::RS384,
            "RS512" => Algorithm::RS512,
            "ES256" => Algorithm::ES256,
            "ES384" => Algorithm::ES384,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::RS256 => "RS256",
            Algorithm::RS384 => "RS384",
            Algorithm::RS512 => "RS512",
            Algorithm::ES256 => "ES256",
            Algorithm::ES384 => "ES384",
        }
    }

    pub fn digest(self) -> Digest {
        match self {
            Algorithm::RS256 | Algorithm::ES256 => Digest::Sha256,
            Algorithm::RS384 | Algorithm::ES384 => Digest::Sha384,
            Algorithm::RS512 => Digest::Sha512,
        }
    }

    /// Its curve; RSA has none.
    pub fn curve(self) -> Option<Curve> {
        match self {
            Algorithm::ES256 => Some(Curve::P256),
            Algorithm::ES384 => Some(Curve::P384),
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => None,
        }
    }
}
