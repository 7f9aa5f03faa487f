//! The setuid program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(glexec::pipeline::main())
}
