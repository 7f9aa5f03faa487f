//! Whose proxy a file is, without trusting anything in it.

use crate::x509::certificate::Certificate;
use crate::x509::pem;
use glexec_core::identity::Dn;
use glexec_core::question::Owner;

/// A file is somebody's if one of its certificates has their subject and issuer.
pub fn whose(file: &[u8], max_chain: usize, subject: &Dn, issuer: &Dn) -> Owner {
    let Ok(contents) = pem::read(file, max_chain) else { return Owner::Nobody };
    let certificates: Vec<_> = contents.certificates.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let is_theirs = |one: &Certificate| one.subject.text() == subject && one.issuer.text() == issuer;
    match (certificates.is_empty(), certificates.iter().any(is_theirs)) {
        (true, _) => Owner::Nobody,
        (false, true) => Owner::Same,
        (false, false) => Owner::Other,
    }
}
