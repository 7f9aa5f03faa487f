//! Fetches the keys of one issuer.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(glexec_fetch_keys::main())
}
