//! The site's mapping service: judges users' certificates, runs the site's policy, leases pool accounts, and answers names.

#![forbid(unsafe_code)]

mod connection;
mod decision;
mod engine;
mod figures;
mod names;
mod page;
mod record;
mod server;
mod service;
mod shared;
mod status;
mod xacml;
mod xml;

pub use service::main;
