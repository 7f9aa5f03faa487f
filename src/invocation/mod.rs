//! The call: command line, environment, caller; all of it owned data.

#![forbid(unsafe_code)]

pub mod caller;
pub mod command_line;
pub mod environment;
