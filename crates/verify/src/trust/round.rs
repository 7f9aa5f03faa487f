//! A round through a CA directory, to know its files ahead.

#![forbid(unsafe_code)]

use crate::context::{Context, Link, Place};
use crate::trust::{MAX_CA_FILE, Trust, crl, is_ca};
use crate::x509::certificate::Certificate;
use crate::x509::pem;
use glexec_core::credentials::Credentials;
use glexec_core::file_error::FileError;
use glexec_sys::time::now;
use std::ffi::{OsStr, OsString};

/// A round through the CA directory, one CA at a time.
pub struct Round {
    trust: Trust,
    left: Vec<OsString>,
}

impl Round {
    /// Begins a round.
    pub fn begin(trust: Trust) -> Result<Self, FileError> {
        let mut left = trust.cas.names()?;
        left.retain(|name| name.to_str().is_some_and(is_ca));
        if let Some(ahead) = &trust.ahead {
            ahead.begin();
        }
        Ok(Round { trust, left })
    }

    /// Learns of one CA what can be kept; whether there is another one. What is wrong with it the judgement finds.
    pub fn step(&mut self, policy: &Credentials) -> bool {
        match self.left.pop() {
            Some(name) => {
                let _ = now().map(|now| self.learn(&name, policy, now));
                true
            }
            None => {
                if let Some(ahead) = &self.trust.ahead {
                    ahead.end();
                }
                false
            }
        }
    }

    fn learn(&self, name: &OsStr, policy: &Credentials, now: i64) -> Option<()> {
        let trust = &self.trust;
        let file = trust.cas.open_linked(name, MAX_CA_FILE).ok()?;
        let known = trust.ahead.as_ref().and_then(|ahead| ahead.certificate(&file));
        let read = || Certificate::parse(&pem::first_certificate(file.read().ok()?).ok()?).ok();
        let certificate = known.as_deref().cloned().or_else(read)?;
        if let (None, Some(ahead)) = (known, &trust.ahead) {
            ahead.keep_certificate(&file, &certificate);
        }
        let ca = Link { certificate, place: Place::Directory };
        crl::check(&Context::new(policy, trust, now, None), &ca, &[]).ok()
    }
}
