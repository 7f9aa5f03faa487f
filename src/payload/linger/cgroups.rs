//! Which cgroup v2 each process of a lingering call is in: the payload in one of its own, the monitor in glexec's, where
//! nobody finds it who kills the caller's; the front stays where the caller is.

use super::failure::failed;
use crate::call::Call;
use glexec_config::glexec::Glexec;
use glexec_config::values;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::cgroup::{self, Cgroup, Parent};
use glexec_sys::identity;
use glexec_sys::supervise::{self, Side};
use nix::errno::Errno;

/// Where the payload's cgroup is to be made.
#[derive(Debug)]
pub enum Cgroups {
    /// In the caller's; what does not work is left out.
    BelowCaller(Parent),
    /// In this one of the site's; without it nothing runs.
    Below(Parent),
}

/// Where the monitor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorCgroup {
    /// In glexec's own cgroup: what it starts is there, too, unless it says otherwise.
    Apart,
    /// In its caller's.
    WithCaller,
}

/// Makes what monitors leave their callers' cgroups for, where the system has lost it since it was started. To be called
/// while [`identity::overriding`] is possible.
pub fn make_for_monitors(config: &Glexec) -> Result<(), String> {
    let wanted = config.linger && *config.cgroup.get_ref() != values::Cgroup::None;
    let Some(mount) = cgroup::mount().filter(|_| wanted && cgroup::of_monitors().is_none()) else { return Ok(()) };
    let made = identity::overriding(|| cgroup::make_for_monitors(mount)).unwrap_or_else(|errno| Err(errno.to_string()));
    made.map_err(|why| format!("the monitor stays in its caller's cgroup: {why}"))
}

/// Finds the cgroup that the payload's is to be made in, where the configuration and the system have one.
pub fn find(config: &Glexec, call: &mut Call) -> Outcome<Option<Cgroups>> {
    match config.cgroup.get_ref() {
        _ if !config.linger => Ok(None),
        values::Cgroup::None => Ok(None),
        values::Cgroup::Below(path) => {
            let parent = Parent::find(path.as_path()).map_err(|error| unusable(error.to_string()))?;
            Ok(Some(Cgroups::Below(parent)))
        }
        values::Cgroup::BelowCaller => match Parent::of_this_process() {
            Ok(parent) => Ok(parent.map(Cgroups::BelowCaller)),
            Err(why) => {
                call.inform(&format!("the payload gets no cgroup of its own: {why}"));
                Ok(None)
            }
        },
    }
}

fn unusable(why: String) -> Refusal {
    Refusal::new(Reason::CgroupUnusable, "the site's cgroup for payloads cannot be used; nothing was run").detail(why)
}

/// Starts the monitor, apart from its caller where that can be. Where the payload gets no cgroup it stays: only then what it
/// starts is where the caller is.
pub fn split_off_monitor(cgroups: Option<&Cgroups>) -> Result<(Side, MonitorCgroup), Errno> {
    match cgroups.and_then(|_| cgroup::of_monitors()).map(|own| supervise::split_into(own.as_fd())) {
        Some(Ok(side)) => Ok((side, MonitorCgroup::Apart)),
        _ => supervise::split().map(|side| (side, MonitorCgroup::WithCaller)),
    }
}

/// Starts the payload's process, in the cgroup of this name where there are to be such.
pub fn split_off_payload(
    cgroups: Option<Cgroups>,
    name: &str,
    place: MonitorCgroup,
) -> Outcome<(Side, Option<Cgroup>)> {
    match cgroups {
        None => supervise::split().map(|side| (side, None)).map_err(failed("fork")),
        Some(Cgroups::Below(parent)) => split_into(parent.make(name).map_err(|(_, why)| unusable(why))?),
        Some(Cgroups::BelowCaller(parent)) => match parent.make(name) {
            Ok(cgroup) => match supervise::split_into(&cgroup) {
                Ok(side) => Ok((side, Some(cgroup))),
                Err(_) => beside(&cgroup.give_up(), place),
            },
            Err((parent, _)) => beside(&parent, place),
        },
    }
}

/// Starts the payload's process in its caller's cgroup.
fn beside(parent: &Parent, place: MonitorCgroup) -> Outcome<(Side, Option<Cgroup>)> {
    let side = match place {
        MonitorCgroup::Apart => supervise::split_into(parent),
        MonitorCgroup::WithCaller => supervise::split(),
    };
    side.map(|side| (side, None)).map_err(failed("fork"))
}

fn split_into(cgroup: Cgroup) -> Outcome<(Side, Option<Cgroup>)> {
    match supervise::split_into(&cgroup) {
        Ok(side) => Ok((side, Some(cgroup))),
        Err(errno) => {
            // The refusal in progress is what counts.
            drop(cgroup.give_up());
            Err(match errno {
                Errno::EAGAIN | Errno::ENOMEM => failed("clone3")(errno),
                errno => unusable(format!("clone3: {errno}")),
            })
        }
    }
}
