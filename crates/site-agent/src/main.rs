//! glexec-site-agent: see the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    glexec_site_agent::start::main()
}
