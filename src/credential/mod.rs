//! Credentials: PEM, chains, proxy rules, VOMS attributes, trust, and the verifier process that judges them.
//!
//! [`judge`] is the way in. It reads the proxy file ([`pem`]), its certificates ([`certificate`], [`name`], [`asn1`]),
//! proves the key ([`key`]), walks the chain ([`chain`], [`proxy`]) up to the CA directory ([`trust`]), and reads the
//! VOMS attributes ([`voms`]). All of it is safe Rust; OpenSSL
//! calculates with the numbers that it has read ([`signature`], [`digest`]).

#![forbid(unsafe_code)]

pub mod asn1;
pub mod certificate;
pub mod chain;
pub(crate) mod context;
pub mod digest;
pub mod files;
#[cfg(test)]
mod forgeries;
mod judge;
pub mod key;
pub mod name;
pub mod pem;
pub mod proxy;
pub mod signature;
pub mod trust;
pub mod verifier;
pub mod voms;

pub use glexec_core::{identity, spelling};
pub use judge::{Answer, KeyRule, Question, Trust, judge};
