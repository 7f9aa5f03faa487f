//! X.509 (RFC 5280) and proxies (RFC 3820): files, certificates, keys, signatures, chains.

pub mod asn1;
pub mod certificate;
pub mod chain;
pub mod digest;
#[cfg(test)]
mod forgeries;
pub mod key;
pub mod name;
pub mod pem;
pub mod proxy;
pub mod signature;
