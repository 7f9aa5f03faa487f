//! What a process that waits for a question does meanwhile: the steps of a judgement, on something that is known.
//!
//! Memory that a fork shares is copied at the first touch, and libraries set themselves up at the first use. Who asks
//! need not wait for that.

use crate::trust;
use crate::trust::ahead::Ahead;
use crate::x509::certificate::Certificate;
use crate::x509::key::{self, On};
use glexec_core::credentials::Credentials;
use glexec_core::question::{self, Asked, Question};
use glexec_core::verdict::{encode, failed};

/// About how much a judgement allocates, in bytes.
const USUAL: usize = 96 * 1024;

/// Takes the steps; what comes of them is nothing to anybody.
pub fn warm_up(ahead: &Ahead) {
    drop(std::hint::black_box(vec![1_u8; USUAL]));
    let settings = Credentials::default();
    let question = Question { asked: Asked::Agent, settings: settings.clone(), host: String::new(), now: 0 };
    let _ = question::encode(&question, &[]).map(|bytes| question::decode(&bytes).map(drop));
    if let Some(certificate) = ahead.some_certificate().and_then(|known| Certificate::parse(&known.der).ok()) {
        let _ = key::verify(&certificate.signed, On::Certificate, &certificate.spki, &settings);
        trust::hashes(&certificate.subject);
    }
    encode::<()>(Err(failed("nobody asked")));
}
