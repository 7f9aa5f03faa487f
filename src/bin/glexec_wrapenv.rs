//! The companion `glexec_wrapenv`: unprivileged, and without a line of the setuid program's library.

#[path = "../companions/options.rs"]
mod options;
#[path = "../companions/wrap.rs"]
mod wrap;

fn main() -> std::process::ExitCode {
    wrap::main()
}
