//! The credential files that the caller names, read once with the caller's own permissions.

use crate::invocation::caller::Caller;
use crate::invocation::environment::{Client, Request};
use glexec_config::Config;
use glexec_core::credentials::PilotProxy;
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::tokens::PilotToken;
use glexec_sys::caller_file::{self, Refused};
use glexec_sys::identity::{Actor, acting_as};
use glexec_sys::lookup;
use nix::errno::Errno;
use nix::unistd::{Gid, Uid};
use std::path::Path;
use zeroize::Zeroizing;

/// What a file is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An X.509 proxy.
    Proxy,
    /// A bearer token.
    Token,
}

impl Kind {
    /// What messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Proxy => "proxy",
            Kind::Token => "token",
        }
    }

    /// The most bytes that such a file may have.
    pub fn max_bytes(self) -> usize {
        match self {
            Kind::Proxy => caller_file::MAX_BYTES,
            Kind::Token => MAX_TOKEN,
        }
    }
}

/// Largest token file in bytes; real tokens have 1 to 3 KiB.
const MAX_TOKEN: usize = 16 * 1024;

/// Bytes that nobody has judged yet; they are wiped when dropped.
pub struct RawCredential {
    /// What they are said to be.
    pub kind: Kind,
    bytes: Zeroizing<Vec<u8>>,
}

impl RawCredential {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What a payload's copy holds: of a token no white space at its ends.
    pub fn to_copy(&self) -> &[u8] {
        match self.kind {
            Kind::Proxy => &self.bytes,
            Kind::Token => self.bytes.trim_ascii(),
        }
    }
}

/// The files of one call.
pub struct RawCredentials {
    /// GLEXEC_CLIENT_CERT or GLEXEC_CLIENT_TOKEN.
    pub client: RawCredential,
    /// GLEXEC_SOURCE_PROXY, where it is another content than the client's.
    pub source: Option<RawCredential>,
    /// GLEXEC_SOURCE_TOKEN.
    pub source_token: Option<RawCredential>,
    /// X509_USER_PROXY, where it is looked at.
    pub pilot: Option<RawCredential>,
    /// BEARER_TOKEN_FILE, where it is looked at.
    pub pilot_token: Option<RawCredential>,
}

impl RawCredentials {
    /// The proxy to copy for the payload, where there is one.
    pub fn proxy_to_copy(&self) -> Option<&RawCredential> {
        self.source.as_ref().or(Some(&self.client).filter(|client| client.kind == Kind::Proxy))
    }

    /// The token to copy: never the one that stands for the user, which starts jobs.
    pub fn token_to_copy(&self) -> Option<&RawCredential> {
        self.source_token.as_ref()
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
    let one = |variable: &str, kind: Kind, path: &Path| {
        caller_file::read(path, owner, lock, kind.max_bytes())
            .map(|bytes| RawCredential { kind, bytes })
            .map_err(|why| (why == Refused::Unreadable(Errno::ENOENT), refusal(variable, kind, path, &why)))
    };
    let needed = |variable: &str, kind: Kind, path: &Path| one(variable, kind, path).map_err(|(_, refusal)| refusal);
    let tokens = || {
        config.tokens.as_ref().ok_or_else(|| {
            let sentence = "this site accepts no tokens: use a proxy (GLEXEC_CLIENT_CERT), or ask the site";
            Refusal::new(Reason::TokenDisabled, sentence)
        })
    };
    let client = match &request.client {
        Client::Proxy(path) => needed("GLEXEC_CLIENT_CERT", Kind::Proxy, path)?,
        Client::Token(path) => {
            tokens()?;
            needed("GLEXEC_CLIENT_TOKEN", Kind::Token, path)?
        }
    };
    let source = match &request.source {
        Some(path) => Some(needed("GLEXEC_SOURCE_PROXY", Kind::Proxy, path)?),
        None => None,
    };
    let source = source.filter(|source| source.bytes() != client.bytes());
    let source_token = match &request.source_token {
        Some(path) => {
            tokens()?;
            Some(needed("GLEXEC_SOURCE_TOKEN", Kind::Token, path)?)
        }
        None => None,
    };
    let pilots = |variable: &str, kind: Kind, wanted: Wanted, path: Option<&Path>| match (wanted, path) {
        (Wanted::Ignored, _) | (Wanted::Optional, None) => Ok(None),
        (Wanted::Required, None) => {
            let what = kind.name();
            let sentence = format!("this site requires the pilot's own {what}: set {variable}");
            Err(Refusal::new(Reason::CredentialPilotMissing, sentence))
        }
        (wanted, Some(path)) => match one(variable, kind, path) {
            Ok(pilot) => Ok(Some(pilot)),
            // A stale variable names nothing: then there is no pilot's credential.
            Err((true, _)) if wanted == Wanted::Optional => Ok(None),
            Err((_, refusal)) => Err(refusal),
        },
    };
    let (proxy, token) = wanted(config);
    let pilot = pilots("X509_USER_PROXY", Kind::Proxy, proxy, request.pilot.as_deref())?;
    let pilot_token = pilots("BEARER_TOKEN_FILE", Kind::Token, token, request.pilot_token.as_deref())?;
    Ok(RawCredentials { client, source, source_token, pilot, pilot_token })
}

/// What the site wants of a pilot's own credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Ignored,
    Optional,
    Required,
}

/// The same of its proxy and of its token.
fn wanted(config: &Config) -> (Wanted, Wanted) {
    let proxy = match config.credentials.pilot_proxy {
        PilotProxy::Ignored => Wanted::Ignored,
        PilotProxy::Optional => Wanted::Optional,
        PilotProxy::Required => Wanted::Required,
    };
    let token = match config.tokens.as_ref().map(|tokens| tokens.pilot_token) {
        None | Some(PilotToken::Ignored) => Wanted::Ignored,
        Some(PilotToken::Optional) => Wanted::Optional,
        Some(PilotToken::Required) => Wanted::Required,
    };
    (proxy, token)
}

fn refusal(variable: &str, kind: Kind, path: &Path, why: &Refused) -> Refusal {
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
        Refused::TooLarge => {
            let reason = match kind {
                Kind::Proxy => Reason::CredentialTooLarge,
                Kind::Token => Reason::TokenTooLarge,
            };
            (reason, format!("is larger than {} bytes", kind.max_bytes()))
        }
        Refused::Locked => (Reason::CredentialLocked, "stays locked by another process".into()),
    };
    Refusal::new(reason, format!("{variable}={shown} {text}"))
}
