//! What every step of a judgement needs: the policy, the trust directories, the time, and the budgets.

#![forbid(unsafe_code)]

use crate::trust::crl::kept::Named;
use crate::trust::{self, Trust};
use crate::x509::certificate::{Algorithm, Certificate, Signed};
use crate::x509::key::{self, Awaited, Fault, On};
use crate::x509::name::Name;
use glexec_core::credentials::Credentials;
use glexec_core::reason::{Outcome, Reason, Refusal};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Most signatures that one judgement verifies: two files of 20 certificates and a VOMS server's chain stay far below,
/// and a file made to cost time is cut off after some 150 ms, with the slowest keys that are accepted.
const MAX_SIGNATURES: u32 = 100;
/// Most notes for the log.
const MAX_NOTES: usize = 20;

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The proxy file; the position counts from 1.
    File(usize),
    /// The VOMS attribute certificate; the position counts from 1.
    Ac(usize),
    /// The CA directory: an anchor, or a CA below one.
    Directory,
}

/// A certificate and where it comes from.
#[derive(Clone, Debug)]
pub struct Link {
    pub certificate: Certificate,
    /// Where it comes from.
    pub place: Place,
}

impl Link {
    /// The certificate as messages name it.
    pub fn title(&self) -> String {
        let subject = self.certificate.subject.text();
        match self.place {
            Place::File(position) => format!("certificate {position} of the file ({subject})"),
            Place::Ac(position) => format!("certificate {position} of the VOMS server ({subject})"),
            Place::Directory => format!("the CA certificate {subject} of the site"),
        }
    }

    /// A refusal whose sentence starts with this certificate.
    pub fn refuse(&self, reason: Reason, what: impl AsRef<str>) -> Refusal {
        Refusal::new(reason, format!("{} {}", self.title(), what.as_ref()))
    }
}

/// CRLs whose signature was verified, by the key of their CA.
type Verified = (Vec<u8>, Rc<Vec<Named>>);

/// The surroundings of one judgement.
pub struct Context<'a> {
    pub policy: &'a Credentials,
    /// The trust directories.
    pub trust: &'a Trust,
    /// The time, in seconds since 1970 UTC.
    pub now: i64,
    signatures: Cell<u32>,
    crls: RefCell<Vec<Verified>>,
    authorities: RefCell<Vec<(Name, Rc<Vec<Certificate>>)>>,
    /// How many bytes of CRLs have been read.
    pub crl_bytes: Cell<usize>,
    notes: RefCell<Vec<String>>,
    about: Option<&'static str>,
}

impl<'a> Context<'a> {
    /// A context with fresh budgets; `about` says whose file is judged, where notes must.
    pub fn new(policy: &'a Credentials, trust: &'a Trust, now: i64, about: Option<&'static str>) -> Self {
        let (signatures, crls, notes) = (Cell::new(MAX_SIGNATURES), RefCell::default(), RefCell::default());
        Context {
            policy,
            trust,
            now,
            signatures,
            crls,
            authorities: RefCell::default(),
            crl_bytes: Cell::new(0),
            notes,
            about,
        }
    }

    /// Verifies a signature, as long as the budget lasts. The outer error ends the judgement, the inner one is about
    /// this signature.
    pub fn verify<Bytes: AsRef<[u8]>>(
        &self,
        signed: &Signed<Bytes>,
        on: On,
        spki: &[u8],
    ) -> Outcome<Result<(), Fault>> {
        self.spend_signature()?;
        Ok(key::verify(signed, on, spki, self.policy))
    }

    /// Counts a signature.
    pub fn spend_signature(&self) -> Outcome<()> {
        let left = self.signatures.get().checked_sub(1).ok_or_else(|| {
            let text = format!("the credential needs more than {MAX_SIGNATURES} signatures to be verified");
            Refusal::new(Reason::CredentialChainTooLong, text)
        })?;
        self.signatures.set(left);
        Ok(())
    }

    /// The same for a CRL, whose signed bytes are still on their way.
    pub fn await_signature<'k>(&self, algorithm: &Algorithm, spki: &'k [u8]) -> Outcome<Result<Awaited<'k>, Fault>> {
        self.spend_signature()?;
        Ok(key::await_signature(algorithm, On::Certificate, spki, self.policy))
    }

    /// The certificates of the CA directory with this subject, read once.
    pub fn authorities(&self, subject: &Name) -> Outcome<Rc<Vec<Certificate>>> {
        if let Some((_, known)) = self.authorities.borrow().iter().find(|(known, _)| known.der() == subject.der()) {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(trust::authorities(self.trust, subject)?);
        self.authorities.borrow_mut().push((subject.clone(), Rc::clone(&found)));
        Ok(found)
    }

    /// The verified CRLs of a CA that were kept.
    pub fn crls(&self, ca: &Certificate) -> Option<Rc<Vec<Named>>> {
        let key = crl_key(ca);
        self.crls.borrow().iter().find(|(known, _)| *known == key).map(|(_, crls)| Rc::clone(crls))
    }

    /// Keeps the verified CRLs of a CA.
    pub fn keep_crls(&self, ca: &Certificate, crls: Vec<Named>) -> Rc<Vec<Named>> {
        let (key, crls) = (crl_key(ca), Rc::new(crls));
        let mut kept = self.crls.borrow_mut();
        kept.retain(|(known, _)| *known != key);
        kept.push((key, Rc::clone(&crls)));
        crls
    }

    /// Adds a line for the log, as long as there are not too many.
    pub fn note(&self, text: String) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < MAX_NOTES {
            notes.push(match self.about {
                Some(what) => format!("{what}: {text}"),
                None => text,
            });
        }
    }

    /// Takes the lines for the log.
    pub fn into_notes(self) -> Vec<String> {
        self.notes.into_inner()
    }
}

/// What a CA's CRLs are kept under: its key and its name.
pub fn crl_key(ca: &Certificate) -> Vec<u8> {
    [ca.spki.as_slice(), ca.subject.der()].concat()
}

/// A refusal for a fault in the signature on `link`, which `issuer` should have made.
pub fn signature_refusal(link: &Link, issuer: &Link, fault: Fault) -> Refusal {
    // A CA may have got a new key under its old name.
    let or_else = match issuer.place {
        Place::Directory => ", or the site has another certificate of this CA",
        _ => "",
    };
    let issuer = issuer.title();
    match fault {
        Fault::Signature => link.refuse(
            Reason::CredentialSignature,
            format!(
                "has a signature that is not by {issuer}, which it names as its issuer: it was altered or forged{or_else}"
            ),
        ),
        Fault::Malformed(what) => {
            Refusal::new(Reason::CredentialWeakKey, format!("the public key of {issuer} is malformed: {what}"))
        }
        Fault::WeakKey(what) => Refusal::new(Reason::CredentialWeakKey, format!("{issuer} cannot be trusted: {what}")),
        Fault::WeakDigest(what) => link.refuse(Reason::CredentialWeakDigest, format!("cannot be trusted: {what}")),
    }
}

/// A refusal for a fault in the key of `link` itself.
pub fn key_refusal(link: &Link, fault: Fault) -> Refusal {
    match fault {
        Fault::WeakKey(what) | Fault::WeakDigest(what) => {
            link.refuse(Reason::CredentialWeakKey, format!("cannot be accepted: {what}"))
        }
        Fault::Malformed(what) => link.refuse(Reason::CredentialMalformed, format!("has a malformed key: {what}")),
        Fault::Signature => link.refuse(Reason::CredentialSignature, "has a wrong signature"),
    }
}

/// A span of time as people say it: the largest unit that it has two of.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (unit, name) = match seconds {
        172_800.. => (86400, "days"),
        7200.. => (3600, "h"),
        120.. => (60, "min"),
        _ => (1, "s"),
    };
    format!("{} {name}", seconds.checked_div(unit).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_largest_unit_that_they_have_two_of() {
        for (seconds, text) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (-10800, "3 h"), (345_600, "4 days")] {
            assert_eq!(span(seconds), text);
        }
    }
}
