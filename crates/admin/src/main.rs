//! The administrator's tool; it needs no privilege and has none.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(glexec_admin::main())
}
