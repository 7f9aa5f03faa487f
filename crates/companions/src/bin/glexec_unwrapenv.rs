//! The companion `glexec_unwrapenv`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    glexec_companions::unwrap::main()
}
