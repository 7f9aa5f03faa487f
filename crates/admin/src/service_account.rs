//! The account that the verifier, plug-ins from outside and whatever fetches keys run as.

use glexec_config::Config;
use glexec_machine::accounts::Nss;
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::identity::Actor;
use nix::unistd::{Gid, Uid};

/// It, where there is one that may be it; what is wrong with one that is not, `check` says.
pub(crate) fn actor(config: &Config) -> Option<Actor> {
    let user = Nss.user(&config.glexec.service_user).ok().flatten()?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    (user.uid != 0 && user.gid != 0).then_some(Actor { uid, gid, groups: Some(Vec::new()) })
}
