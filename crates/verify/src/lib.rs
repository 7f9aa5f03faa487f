//! Who a credential stands for: PEM, chains, proxy rules, VOMS attributes, trust.
//!
//! [`judge`] is the way in. It reads the proxy file and its certificates, proves the key, walks the chain ([`x509`]) up to
//! the CA directory ([`trust`]), and reads the VOMS attributes ([`voms`]). All of it is safe Rust; OpenSSL calculates with
//! the numbers that it has read ([`x509::signature`], [`x509::digest`]).

#![forbid(unsafe_code)]

pub mod answer;
mod context;
mod describe;
mod judge;
mod revocation;
pub mod token;
pub mod trust;
pub mod voms;
pub mod warm;
mod whose;
pub mod x509;

pub use judge::{Matter, judge};
pub use trust::Trust;
