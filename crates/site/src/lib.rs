//! The site's mapping service: judges users' certificates, runs the site's policy, leases pool accounts, and answers names.

#![forbid(unsafe_code)]

mod connection;
mod decision;
mod engine;
mod names;
mod record;
mod server;
mod service;
mod shared;

pub use service::main;
