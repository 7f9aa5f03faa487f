//! The credential files that the caller names, read once with the caller's own permissions.

use crate::invocation::caller::Caller;
use crate::invocation::environment::Request;
use glexec_config::Config;
use glexec_core::credentials::PilotProxy;
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::caller_file::{self, Refused};
use glexec_sys::identity::{Actor, acting_as};
use glexec_sys::lookup;
use nix::errno::Errno;
use nix::unistd::{Gid, Uid};
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes that nobody has judged yet; they are wiped when dropped.
pub struct RawCredential(Zeroizing<Vec<u8>>);

impl RawCredential {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The files of one call.
pub struct RawCredentials {
    /// GLEXEC_CLIENT_CERT.
    pub client: RawCredential,
    /// GLEXEC_SOURCE_PROXY, where it is another content than the client's.
    pub source: Option<RawCredential>,
    /// X509_USER_PROXY, where it is looked at.
    pub pilot: Option<RawCredential>,
}

impl RawCredentials {
    /// What is copied for the payload.
    pub fn source(&self) -> &RawCredential {
        self.source.as_ref().unwrap_or(&self.client)
    }
}

/// Reads the files as the caller.
pub fn read(request: &Request, caller: &Caller, config: &Config) -> Outcome<RawCredentials> {
    let actor = Actor { uid: Uid::from_raw(caller.uid), gid: Gid::from_raw(caller.gid), groups: None };
    read_as(&actor, request, config)
}

/// Reads the files as somebody whose they must be.
pub fn read_as(actor: &Actor, request: &Request, config: &Config) -> Outcome<RawCredentials> {
    acting_as(actor, || read_own(actor.uid, request, config)).map_err(|errno| {
        Refusal::new(Reason::SystemFailed, "the caller's identity could not be taken").detail(errno.to_string())
    })?
}

/// Reads the files with the permissions of the process; they must belong to `owner`.
pub fn read_own(owner: Uid, request: &Request, config: &Config) -> Outcome<RawCredentials> {
    let lock = config.glexec.input_lock_mechanism;
    let one = |variable: &str, path: &Path| {
        caller_file::read(path, owner, lock)
            .map(RawCredential)
            .map_err(|why| (why == Refused::Unreadable(Errno::ENOENT), refusal(variable, path, &why)))
    };
    let client = one("GLEXEC_CLIENT_CERT", &request.client).map_err(|(_, refusal)| refusal)?;
    let source = match &request.source {
        Some(path) => Some(one("GLEXEC_SOURCE_PROXY", path).map_err(|(_, refusal)| refusal)?),
        None => None,
    };
    let source = source.filter(|source| source.bytes() != client.bytes());
    let pilot = match (config.credentials.pilot_proxy, &request.pilot) {
        (PilotProxy::Ignored, _) | (PilotProxy::Optional, None) => None,
        (PilotProxy::Required, None) => {
            let sentence = "this site requires the pilot's own proxy: set X509_USER_PROXY";
            return Err(Refusal::new(Reason::CredentialPilotMissing, sentence));
        }
        (mode, Some(path)) => match one("X509_USER_PROXY", path) {
            Ok(pilot) => Some(pilot),
            // A stale variable names nothing: then there is no pilot's proxy.
            Err((true, _)) if mode == PilotProxy::Optional => None,
            Err((_, refusal)) => return Err(refusal),
        },
    };
    Ok(RawCredentials { client, source, pilot })
}

fn refusal(variable: &str, path: &Path, why: &Refused) -> Refusal {
    let shown = in_sentence(path);
    let (reason, text) = match why {
        Refused::Unreadable(Errno::EACCES) => {
            let fuse = lookup::closed_fuse(path).map(|dir| {
                let dir = in_sentence(&dir).to_string();
                format!(
                    ": {dir} is a file system (FUSE) that lets in its owner only, and not root: copy the file elsewhere"
                )
            });
            let denied = format!("cannot be read: {}", Errno::EACCES.desc());
            (Reason::CredentialUnreadable, denied + &fuse.unwrap_or_default())
        }
        Refused::Unreadable(errno) => (Reason::CredentialUnreadable, format!("cannot be read: {}", errno.desc())),
        Refused::NotRegular => (Reason::CredentialNotRegular, "is not a regular file".into()),
        Refused::Owner(_) => (Reason::CredentialWrongOwner, "does not belong to you".into()),
        Refused::Permissions(mode) => {
            (Reason::CredentialInsecure, format!("has mode {mode:04o}: nobody else may have access, chmod 600 it"))
        }
        Refused::TooLarge => (Reason::CredentialTooLarge, format!("is larger than {} bytes", caller_file::MAX_BYTES)),
        Refused::Locked => (Reason::CredentialLocked, "stays locked by another process".into()),
    };
    Refusal::new(reason, format!("{variable}={shown} {text}"))
}
