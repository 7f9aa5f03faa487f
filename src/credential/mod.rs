//! Credentials: PEM, chains, proxy rules, VOMS attributes, trust, and the verifier process that judges them.

#![forbid(unsafe_code)]

pub mod identity;
