//! Renewing copies: a call without a command replaces the proxy or the token of a payload that runs already, so it must be
//! the same person's.

use crate::invocation::environment::Target;
use crate::payload::target_proxy::Wanted;
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

/// What a renewal is about.
#[derive(Clone, Copy, Debug)]
pub struct Renewal<'a> {
    /// The caller's working directory.
    pub cwd: Option<&'a Path>,
    /// What the payload sees instead of what others see.
    pub view: &'a View,
    /// The payload's account.
    pub target: &'a Mapping,
    /// Whom the verifier runs as.
    pub service: &'a ServiceAccount,
    /// The configuration.
    pub config: &'a Config,
}

impl Renewal<'_> {
    /// Refuses to renew a copy of somebody else than `owner`, whatever its mode. What is no credential of anybody is replaced
    /// as ever, and what the target account cannot open is judged when it is written.
    ///
    /// The file is the target's, so its bytes are hostile: they are read as the target and parsed by the verifier.
    pub fn check(&self, wanted: &Wanted<'_>, owner: &Identity) -> Outcome<()> {
        let Target::At(path) = wanted.target else { return Ok(()) };
        let path = self.view.path(&self.cwd.map_or_else(|| path.clone(), |cwd| cwd.join(path)));
        let lock = self.config.glexec.target_lock_mechanism;
        let (uid, max) = (Uid::from_raw(self.target.uid.get()), wanted.kind.max_bytes());
        let read = || caller_file::read_of_any_mode(&self.view.place(&path), uid, lock, max);
        let old = acting_as(&switch::actor(self.target), read).map_err(|errno| failed(&errno.to_string()))?;
        let old = match old {
            Ok(old) => old,
            // The writing would wait for the lock once more, and then replace what nobody has looked at.
            Err(Refused::Locked) => return Err(target_proxy::locked(&path)),
            Err(_) => return Ok(()),
        };
        let actor = self.service.actor();
        let verifier = now().map(|now| Verifier::new(Some(&actor), &self.config.credentials, now));
        let whose = verifier.and_then(|verifier| verifier.whose(&old, owner)).map_err(|why| match why.reason() {
            Reason::VerifierFailed => failed(&why.for_log()),
            _ => why,
        })?;
        if whose != Owner::Other {
            return Ok(());
        }
        let (shown, what) = (in_sentence(&path), wanted.kind.name());
        let text = format!("{shown} is the {what} of another person and is not renewed");
        Err(Refusal::new(Reason::TargetProxyIdentity, text))
    }
}

fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::VerifierFailed, "the file that the copy would replace could not be looked at").detail(why)
}
