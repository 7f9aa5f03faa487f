//! Asking the site's mapping service: the wire form, who a peer is, and a client for several servers.
//!
//! Nothing here decides anything about an account: what the service answers are names, which the one who asked looks up
//! and judges again.

#![forbid(unsafe_code)]

pub mod accounts;
/// The list of bans, which nodes read as well.
pub use glexec_policy::bans;
pub mod certificates;
pub mod client;
pub mod configuration;
mod p521;
pub mod peer;
pub mod request;
pub mod tls;
pub mod wire;
