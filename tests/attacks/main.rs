//! Known attacks on setuid programs, tried on ours: by a real unprivileged caller, or a payload, against the installed
//! setuid binary. `docs/evidence/attacks.md` is the table of all classes; `table.rs` holds it and the tests together.

// These lints are meant for code that runs privileged at a site; a test may fail loudly and use what it likes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod aftermath;
mod faults;
mod files;
mod isolation;
mod lifecycle;
mod operation;
mod process;
#[path = "../system/site.rs"]
#[allow(dead_code)] // the language of the system tests, of which these need a part
mod site;
mod table;
mod trace;
mod whole;
