//! The real C library LCMAPS and our mapping on the same map files and the same gridmapdir.

// These lints are meant for code that runs privileged at a site.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros
)]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)]

mod cases;
mod differences;
mod library;
mod ours;
mod sharing;
