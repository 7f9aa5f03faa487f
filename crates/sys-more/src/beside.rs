//! Starting another program of glexec's own, which runs as long as the one that starts it.

use glexec_sys::dir::check_program;
use nix::unistd::Pid;
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts another program of glexec's own, which must be root's as everything above it must. It gets no environment, and
/// writes where this process does.
pub fn start(program: &Path) -> Result<Pid, String> {
    check_program(program).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    let child = command.env_clear().stdin(Stdio::null()).spawn();
    let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
    i32::try_from(child.id()).map(Pid::from_raw).map_err(|_| "a process without a number".to_owned())
}
