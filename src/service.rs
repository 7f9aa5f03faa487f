//! The service account: whom the verifier runs as, and who must therefore be nobody else.

use crate::invocation::caller::Caller;
use glexec_config::Config;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::mapping::Mapping;
use glexec_sys::identity::Actor;
use nix::unistd::{Gid, Uid};

/// `service_user`.
#[derive(Debug)]
pub struct ServiceAccount {
    uid: Uid,
    gid: Gid,
}

impl ServiceAccount {
    /// Looks the account up. It must not be one that the caller could be: the caller could signal the verifier.
    pub fn find(config: &Config, caller: &Caller, accounts: &dyn AccountDatabase) -> Outcome<Self> {
        let name = &config.glexec.service_user;
        let unusable = |why: &str| {
            let sentence = "the site's service_user cannot be used";
            Refusal::new(Reason::VerifierFailed, sentence).detail(format!("{name}: {why}"))
        };
        let user = accounts.login(name)?.ok_or_else(|| unusable("no such account"))?;
        if user.uid == 0 || user.gid == 0 {
            return Err(unusable("it is root or in group root"));
        }
        if user.uid == caller.uid {
            return Err(unusable("it is the caller's own account"));
        }
        Ok(ServiceAccount { uid: Uid::from_raw(user.uid), gid: Gid::from_raw(user.gid) })
    }

    /// As an actor without supplementary groups.
    pub fn actor(&self) -> Actor {
        Actor { uid: self.uid, gid: self.gid, groups: Some(Vec::new()) }
    }

    /// Refuses targets that the policy may name but that must not be: the service account, and, where the site says
    /// so, the caller.
    pub fn check_target(&self, target: &Mapping, caller: &Caller, config: &Config) -> Outcome<()> {
        if target.uid.get() == self.uid.as_raw() {
            let sentence = format!("the account {} is glexec's own service account", target.name);
            return Err(Refusal::new(Reason::AccountForbidden, sentence));
        }
        if target.uid.get() == caller.uid && !config.glexec.allow_same_account {
            let sentence = format!("the user maps to the caller's own account {}", target.name);
            return Err(Refusal::new(Reason::AccountSame, sentence));
        }
        Ok(())
    }
}
