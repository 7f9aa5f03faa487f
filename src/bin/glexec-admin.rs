//! The administrator's tool; it needs no privilege and has none.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(glexec::admin::main())
}
