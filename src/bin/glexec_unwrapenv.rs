//! The companion `glexec_unwrapenv`: unprivileged, and without a line of the setuid program's library.

#[path = "../companions/options.rs"]
mod options;
#[path = "../companions/unwrap.rs"]
mod unwrap;

fn main() -> std::process::ExitCode {
    unwrap::main()
}
