//! The call: command line, environment, caller; all of it owned data.

pub mod caller;
pub mod command_line;
pub mod environment;
