//! Taking the caller's terminal away from the payload, which could otherwise type into it (TIOCSTI, CVE-2005-4890).

use crate::start::proc_text;
use nix::errno::Errno;
use nix::unistd::setsid;
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// Leaves the controlling terminal, if there is one: by a session of its own, or, where the process leads its group
/// and so cannot have one (setsid(2)), by giving up the terminal (ioctl_tty(2), TIOCNOTTY).
///
/// Without a terminal nothing changes: the process group and session are the caller's.
pub fn leave() -> Result<(), String> {
    if !has_terminal()? || setsid().is_ok() {
        return Ok(());
    }
    let tty = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/tty")
        .map_err(|e| format!("/dev/tty: {e}"))?;
    // A session leader that gives up its terminal is sent SIGHUP.
    // SAFETY: SIG_IGN is no handler; every disposition becomes the default again before the payload starts.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    // SAFETY: TIOCNOTTY takes no argument.
    let rc = unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCNOTTY) };
    Errno::result(rc).map(drop).map_err(|e| format!("TIOCNOTTY: {e}"))
}

/// Whether the process has a controlling terminal: `tty_nr`, field 7 of /proc/self/stat (proc_pid_stat(5)).
fn has_terminal() -> Result<bool, String> {
    let stat = proc_text("/proc/self/stat").map_err(|e| e.to_string())?;
    // The command's name, field 2, may hold blanks and parentheses; the last parenthesis ends it.
    let tty = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(4));
    match tty {
        Some(number) => Ok(number != "0"),
        None => Err("/proc/self/stat has no tty_nr".into()),
    }
}
