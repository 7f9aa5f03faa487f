//! The CAs that the system trusts for HTTPS.

use glexec_sys_more::plain;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;

/// Where distributions have them in one file: Debian, EL, SUSE.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];
/// Largest bundle in bytes; real ones have a quarter of a megabyte.
const MAX_BUNDLE: u64 = 8 * 1024 * 1024;

/// The CAs of the first bundle that there is. What in it is no certificate is passed over, as OpenSSL does.
pub fn of_the_system() -> Result<RootCertStore, String> {
    let bundle = BUNDLES.iter().find_map(|path| plain::read_bytes(Path::new(path), MAX_BUNDLE).ok());
    let bundle = bundle.ok_or_else(|| format!("the system has no CAs for HTTPS: none of {}", BUNDLES.join(", ")))?;
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(CertificateDer::pem_slice_iter(&bundle).filter_map(Result::ok));
    match authorities.is_empty() {
        true => Err("the system's file of CAs for HTTPS has no certificate".to_owned()),
        false => Ok(authorities),
    }
}
