//! The node's part of the site's mapping service. glexec-agent starts it where glexec.conf has a table `[site]`.
//!
//! It alone of what runs on a node talks to the network. It has the host's key and certificates of users, never a user's
//! key, and decides nothing: what it answers are names of the service's, which glexec looks up and judges itself.

#![forbid(unsafe_code)]

mod argus;
pub mod bans;
mod cache;
mod hessian;
pub mod node;
mod record;
mod serve;
mod settled;
pub mod start;
mod upstream;
