//! System tests: the setuid program, installed in a private site, called by a real unprivileged process.
//!
//! `site.rs` is the language that the tests are written in; the site itself is made by the scripts in `tests/site`.

// These lints are meant for code that runs privileged at a site; a test may fail loudly and use what it likes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod agent;
#[path = "../jwt/mod.rs"]
mod jwt;

mod audit;
mod audit_log;
mod cgroup;
mod clients;
mod command;
mod companions;
mod configuration;
mod credential_files;
mod environment;
mod epilogue;
mod explain;
mod fetch_keys;
mod isolation;
mod leases;
mod linger;
mod main_job;
mod mistakes;
mod packages;
mod policy;
mod prologue;
mod python;
mod refusals;
mod robustness;
mod sandbox;
mod site;
mod site_itself;
mod sweep;
mod switch;
mod target_proxy;
mod tokens;
mod tutorial;
mod verifier;
