//! The site's mapping service, installed in a private site, asked by hosts with certificates of their own.

// These lints are meant for code that runs at a site; a test may fail loudly and use what it likes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod argus;
mod bans;
mod hostile;
mod mapping;
mod node;
mod nodes;
mod postgresql;
mod service;
#[path = "../system/site.rs"]
#[allow(dead_code)] // the language of the system tests, of which these need a part
mod site;
mod status;
mod xacml;
