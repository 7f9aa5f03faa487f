//! The companions `glexec_wrapenv` and `glexec_unwrapenv`: unprivileged, and without a line of the setuid program's.

#![forbid(unsafe_code)]

pub mod options;
pub mod unwrap;
pub mod wrap;
