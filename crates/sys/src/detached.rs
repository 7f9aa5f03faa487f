//! Starting a program of the site's that nobody talks to: no descriptor, no terminal, no caller's limit or signal.

use crate::identity::{self, Actor};
use crate::supervise::{self, Side};
use crate::{descriptors, execute};
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Pid, chdir, getpid, setsid};
use std::ffi::CString;

/// Whom a program of the site's runs as.
#[derive(Clone, Debug)]
pub enum RunAs {
    /// Root with this group, and with every capability that is left in the bounding set.
    Root(Gid),
    /// An account, without any.
    Account(Actor),
}

/// Exit code of a child that could not become the program, as shells have it.
const NOT_EXECUTED: i32 = 126;

/// Starts a program in a session of its own, with /dev/null on 0 to 2 and nothing above, in `/`, with umask 077. An
/// account's ends when the calling process ends. Root's goes on: it gets more capabilities than we have, and the kernel then
/// forgets what was asked for (commit_creds; prctl(2), PR_SET_PDEATHSIG).
pub fn start(program: &CString, environment: &[CString], run_as: &RunAs) -> Result<Pid, Errno> {
    let parent = getpid();
    match supervise::split()? {
        Side::Parent(child) => Ok(child),
        Side::Child => {
            if prepare(run_as, parent).is_ok() {
                execute::execute(program, std::slice::from_ref(program), environment);
            }
            supervise::end(NOT_EXECUTED)
        }
    }
}

fn prepare(run_as: &RunAs, parent: Pid) -> Result<(), String> {
    let step = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    setsid().map_err(step("setsid"))?;
    descriptors::release_standard().map_err(step("/dev/null"))?;
    descriptors::close_all_but(&[]).map_err(step("close_range"))?;
    match run_as {
        RunAs::Root(gid) => identity::become_root(*gid)?,
        RunAs::Account(actor) => identity::become_for_good(actor)?,
    }
    chdir("/").map_err(step("chdir"))?;
    umask(Mode::from_bits_truncate(0o077));
    supervise::die_with(parent)
}
