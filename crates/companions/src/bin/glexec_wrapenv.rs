//! The companion `glexec_wrapenv`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    glexec_companions::wrap::main()
}
