//! Renewing a target proxy: a call without a command replaces the proxy of a payload that runs already, so it must be the
//! same person's.

use crate::invocation::environment::TargetProxy;
use crate::payload::{switch, target_proxy};
use glexec_config::Config;
use glexec_core::escape::in_sentence;
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::mapping::Mapping;
use glexec_sys::caller_file::{self, Refused};
use glexec_sys::identity::{Actor, acting_as};
use glexec_sys::process::{self, Confinement};
use glexec_verify::x509::certificate::Certificate;
use glexec_verify::x509::pem;
use nix::unistd::Uid;
use std::path::Path;

const SAME: &[u8] = b"same";
const OTHER: &[u8] = b"other";
const NOBODY: &[u8] = b"nobody";

/// Refuses to renew a proxy of somebody else than `user`, whatever its mode. What is no proxy of anybody is replaced as
/// ever, and what the target account cannot open is judged when it is written.
///
/// The file is the target's, so its bytes are hostile: they are read as the target and parsed by a confined process.
pub fn check(
    wanted: &TargetProxy,
    cwd: Option<&Path>,
    target: &Mapping,
    user: &Identity,
    confined_as: &Actor,
    config: &Config,
) -> Outcome<()> {
    let TargetProxy::At(path) = wanted else { return Ok(()) };
    let path = cwd.map_or_else(|| path.clone(), |cwd| cwd.join(path));
    let lock = config.glexec.target_lock_mechanism;
    let read = || caller_file::read_of_any_mode(&path, Uid::from_raw(target.uid.get()), lock);
    let old = acting_as(&switch::actor(target), read).map_err(|errno| failed(&errno.to_string()))?;
    let old = match old {
        Ok(old) => old,
        // The writing would wait for the lock once more, and then replace what nobody has looked at.
        Err(Refused::Locked) => return Err(target_proxy::locked(&path)),
        Err(_) => return Ok(()),
    };
    let max_answer = NOBODY.len();
    let how = Confinement { actor: confined_as, readable: &[], deadline: process::DEADLINE, max_answer };
    let work = || whose(&old, user, config.credentials.max_chain).to_vec();
    let answer = process::ask_confined(&how, work).map_err(|why| failed(&why.to_string()))?;
    if answer == SAME || answer == NOBODY {
        return Ok(());
    }
    let shown = in_sentence(&path);
    Err(Refusal::new(Reason::TargetProxyIdentity, format!("{shown} is the proxy of another person and is not renewed")))
}

fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::VerifierFailed, "the target proxy that is there could not be looked at").detail(why)
}

/// Whose proxy a file is: the user's, if one of its certificates has the subject and issuer of the user's own.
fn whose(file: &[u8], user: &Identity, max_chain: usize) -> &'static [u8] {
    let Ok(contents) = pem::read(file, max_chain) else { return NOBODY };
    let certificates: Vec<_> = contents.certificates.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let is_users = |one: &Certificate| *one.subject.text() == user.subject && *one.issuer.text() == user.issuer;
    match (certificates.is_empty(), certificates.iter().any(is_users)) {
        (true, _) => NOBODY,
        (false, true) => SAME,
        (false, false) => OTHER,
    }
}
