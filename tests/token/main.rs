//! Tokens as issuers make them and as nobody should, each with the reason it is refused for; what no change of a good token
//! can reach; and what independent makers and judges say.

// These lints are meant for code that runs privileged at a site; a test may fail loudly and use what it likes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

#[path = "../jwt/mod.rs"]
mod jwt;
mod makers;
mod mutations;
mod table;
mod world;
