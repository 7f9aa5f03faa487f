//! Renewing a target proxy: a call without a command replaces the proxy of a payload that runs already, so it must be the
//! same person's.

use crate::invocation::environment::TargetProxy;
use crate::payload::view::View;
use crate::payload::{switch, target_proxy};
use crate::service::ServiceAccount;
use crate::verifier::Verifier;
use glexec_config::Config;
use glexec_core::escape::in_sentence;
use glexec_core::identity::Identity;
use glexec_core::question::Owner;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::mapping::Mapping;
use glexec_sys::caller_file::{self, Refused};
use glexec_sys::identity::acting_as;
use glexec_sys::time::now;
use nix::unistd::Uid;
use std::path::Path;

/// Refuses to renew a proxy of somebody else than `user`, whatever its mode. What is no proxy of anybody is replaced as
/// ever, and what the target account cannot open is judged when it is written.
///
/// The file is the target's, so its bytes are hostile: they are read as the target and parsed by the verifier.
pub fn check(
    wanted: &TargetProxy,
    cwd: Option<&Path>,
    view: &View,
    target: &Mapping,
    user: &Identity,
    service: &ServiceAccount,
    config: &Config,
) -> Outcome<()> {
    let TargetProxy::At(path) = wanted else { return Ok(()) };
    let path = view.path(&cwd.map_or_else(|| path.clone(), |cwd| cwd.join(path)));
    let lock = config.glexec.target_lock_mechanism;
    let read = || caller_file::read_of_any_mode(&view.place(&path), Uid::from_raw(target.uid.get()), lock);
    let old = acting_as(&switch::actor(target), read).map_err(|errno| failed(&errno.to_string()))?;
    let old = match old {
        Ok(old) => old,
        // The writing would wait for the lock once more, and then replace what nobody has looked at.
        Err(Refused::Locked) => return Err(target_proxy::locked(&path)),
        Err(_) => return Ok(()),
    };
    let actor = service.actor();
    let verifier = now().map(|now| Verifier::new(Some(&actor), &config.credentials, now));
    let owner = verifier.and_then(|verifier| verifier.whose(&old, user)).map_err(|why| match why.reason() {
        Reason::VerifierFailed => failed(&why.for_log()),
        _ => why,
    })?;
    if owner != Owner::Other {
        return Ok(());
    }
    let shown = in_sentence(&path);
    Err(Refusal::new(Reason::TargetProxyIdentity, format!("{shown} is the proxy of another person and is not renewed")))
}

fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::VerifierFailed, "the target proxy that is there could not be looked at").detail(why)
}
