//! What is known of the files of a CA directory from before: certificates that were parsed, and CRLs whose signature was
//! verified.
//!
//! A file is opened and looked at each time all the same, and what is known of it counts for the version that it has then
//! ([`Version`]): whatever the site changes counts at once, and a judgement says what it would say without this.

#![forbid(unsafe_code)]

use crate::trust::crl::kept::Crl;
use crate::x509::certificate::Certificate;
use glexec_core::agent_state::AgentState;
use glexec_core::credentials::{Credentials, Digest};
use glexec_sys::dir::{OpenFile, Version};
use glexec_sys::time::now;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How old the last change of a file has to be, in seconds, before anything of it is kept: time stamps are coarse, and a
/// change just after another one may leave them as they are.
pub const SETTLED: i64 = 2;
/// How much is kept at most, in bytes: who judges with it may allocate 64 MiB, all told.
const MAX_KEPT: usize = 32 * 1024 * 1024;

/// What the site accepts of a CRL's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Accepted {
    min_rsa_bits: u32,
    digests: Vec<Digest>,
}

impl Accepted {
    fn by(policy: &Credentials) -> Self {
        Accepted { min_rsa_bits: policy.min_rsa_bits, digests: policy.digests.to_vec() }
    }
}

/// A CRL that was verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What it says.
    pub crl: Rc<Crl>,
    /// How many bytes it has.
    pub size: usize,
}

/// A verified CRL, the CA that it was verified for, and what was accepted then.
type OfCa = (Vec<u8>, Accepted, Verified);

/// Something that was kept, and whether the last round has come across it.
#[derive(Debug)]
struct Kept<T> {
    what: T,
    bytes: usize,
    seen: Cell<bool>,
}

/// What is known.
#[derive(Debug)]
pub struct Ahead {
    /// How old the last change of a file has to be, in seconds.
    settled: i64,
    certificates: RefCell<BTreeMap<Version, Kept<Rc<Certificate>>>>,
    crls: RefCell<BTreeMap<Version, Kept<OfCa>>>,
    bytes: Cell<usize>,
    /// How often something was learned.
    news: Cell<u64>,
    /// When the last round ended, in seconds since 1970 UTC.
    learned: Cell<Option<i64>>,
}

impl Default for Ahead {
    fn default() -> Self {
        Ahead::of_files_older_than(SETTLED)
    }
}

impl Ahead {
    /// Knows nothing yet, and keeps something of a file whose last change is so many seconds ago.
    pub fn of_files_older_than(settled: i64) -> Self {
        Ahead {
            settled,
            certificates: RefCell::default(),
            crls: RefCell::default(),
            bytes: Cell::default(),
            news: Cell::default(),
            learned: Cell::default(),
        }
    }

    pub fn certificate(&self, file: &OpenFile) -> Option<Rc<Certificate>> {
        let certificates = self.certificates.borrow();
        let kept = certificates.get(&file.version())?;
        kept.seen.set(true);
        Some(Rc::clone(&kept.what))
    }

    /// One of the certificates, where there is any.
    pub fn some_certificate(&self) -> Option<Rc<Certificate>> {
        self.certificates.borrow().values().next().map(|kept| Rc::clone(&kept.what))
    }

    /// Keeps what was read in a file.
    pub fn keep_certificate(&self, file: &OpenFile, certificate: &Certificate) {
        // Names, numbers and extensions beside the DER.
        let bytes = certificate.der.len().saturating_mul(4);
        if let Some(what) = self.room(file, bytes).then(|| Rc::new(certificate.clone())) {
            self.certificates.borrow_mut().insert(file.version(), Kept { what, bytes, seen: Cell::new(true) });
        }
    }

    /// The CRL in a file, where it was verified for this CA, and the policy accepts it as it did then.
    pub fn crl(&self, file: &OpenFile, ca: &[u8], policy: &Credentials) -> Option<Verified> {
        let crls = self.crls.borrow();
        let kept = crls.get(&file.version())?;
        kept.seen.set(true);
        let (of, accepted, verified) = &kept.what;
        (of == ca && *accepted == Accepted::by(policy)).then(|| verified.clone())
    }

    pub fn keep_crl(&self, file: &OpenFile, ca: Vec<u8>, policy: &Credentials, verified: Verified) {
        let bytes = verified.crl.bytes().saturating_add(ca.len());
        if self.room(file, bytes) {
            let what = (ca, Accepted::by(policy), verified);
            let before = self.crls.borrow_mut().insert(file.version(), Kept { what, bytes, seen: Cell::new(true) });
            self.give_back(before.map_or(0, |before| before.bytes));
        }
    }

    /// Takes room, where the file is one of which something may be kept.
    fn room(&self, file: &OpenFile, bytes: usize) -> bool {
        let settled = now().is_ok_and(|now| file.is_unchanged_since(now.saturating_sub(self.settled)));
        let bytes = self.bytes.get().saturating_add(bytes);
        let room = settled && bytes <= MAX_KEPT;
        if room {
            self.bytes.set(bytes);
            self.news.set(self.news.get().saturating_add(1));
        }
        room
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }

    /// A round begins.
    pub fn begin(&self) {
        self.certificates.borrow().values().for_each(|kept| kept.seen.set(false));
        self.crls.borrow().values().for_each(|kept| kept.seen.set(false));
    }

    /// Lets go of what the round has not come across.
    pub fn end(&self) {
        let mut gone = 0_usize;
        let mut goes = |seen: bool, bytes: usize| {
            gone = gone.saturating_add(if seen { 0 } else { bytes });
            seen
        };
        self.certificates.borrow_mut().retain(|_, kept| goes(kept.seen.get(), kept.bytes));
        self.crls.borrow_mut().retain(|_, kept| goes(kept.seen.get(), kept.bytes));
        self.give_back(gone);
        self.learned.set(now().ok());
    }

    /// How often something was learned: a process that was forked before the last time knows less.
    pub fn news(&self) -> u64 {
        self.news.get()
    }

    /// What is known, in numbers.
    pub fn state(&self) -> AgentState {
        AgentState {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            learned: self.learned.get(),
            certificates: self.certificates.borrow().len(),
            crls: self.crls.borrow().len(),
            bytes: self.bytes.get(),
        }
    }
}
