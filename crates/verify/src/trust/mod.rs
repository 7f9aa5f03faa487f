//! The CA directory in the layout of the IGTF: `HASH.N` certificates, `HASH.rN` CRLs, `HASH.signing_policy`,
//! `HASH.namespaces`.
//!
//! HASH is eight hexadecimal digits of a digest of the CA's name: since OpenSSL 1.0 the SHA-1 of a canonical encoding,
//! before that the MD5 of the DER. Directories hold both, as links; both are looked up. The name is an index and no
//! proof: certificates are compared by the DER of their subject, CRLs by their issuer, and both by keys.

#![forbid(unsafe_code)]

pub mod crl;
pub mod namespaces;
mod regex;
pub mod signing_policy;
pub mod survey;

use crate::x509::certificate::Certificate;
use crate::x509::digest;
use crate::x509::name::Name;
use crate::x509::pem;
use glexec_core::credentials::Digest;
use glexec_core::file_error::FileError;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::dir::Directory;
use std::ffi::OsStr;

/// What is trusted.
#[derive(Debug)]
pub struct Trust {
    /// The CA directory.
    pub cas: Directory,
    /// The vomsdir; where the site has none, no attributes are trusted.
    pub voms: Option<Directory>,
    /// This host's name, for attributes that are meant for certain hosts; empty where it is not known.
    pub host: String,
}

/// What a policy file says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The CA may certify it.
    Permitted,
    /// It may not.
    Denied,
    /// The file says nothing about this CA.
    Silent,
}

/// Most files that share a hash.
const MAX_COLLISIONS: usize = 16;
/// Largest file with a CA certificate; with the text that some have before it, real ones stay below 20 KiB.
const MAX_CA_FILE: u64 = 256 * 1024;

/// The two file name hashes of a name, the newer one first.
pub fn hashes(name: &Name) -> Vec<String> {
    let number = |hashed: &[u8]| match hashed {
        [a, b, c, d, ..] => Some(format!("{:08x}", u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => None,
    };
    let new = number(&digest::of(Digest::Sha1, &name.canonical()));
    new.into_iter().chain(number(&digest::md5(name.der()))).collect()
}

/// A refusal for a file of a trust directory that cannot be read; the path is for the log.
pub fn unreadable(what: &str, error: &FileError) -> Refusal {
    let reason = match error {
        FileError::Insecure { .. } => Reason::TrustInsecure,
        _ => Reason::TrustUnreadable,
    };
    let hint = match error {
        FileError::Unreadable { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
            " (to service_user; or a link leads out of the directory)"
        }
        _ => "",
    };
    Refusal::new(reason, format!("{what} cannot be used: the site has to mend it")).detail(format!("{error}{hint}"))
}

/// A file of a trust directory; `None` where there is none.
pub fn read(directory: &Directory, name: &str, limit: u64, what: &str) -> Outcome<Option<Vec<u8>>> {
    match directory.read(OsStr::new(name), limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::Missing(_)) => Ok(None),
        Err(error) => Err(unreadable(what, &error)),
    }
}

/// Hands over the names of all files `HASH.PREFIX0`, `HASH.PREFIX1`, … for the hashes of a name, each series up to its
/// first gap: the first file that `each` says is missing. The two hashes often lead to the same file, which counts once.
fn numbered(
    directory: &Directory,
    name: &Name,
    prefix: &str,
    mut each: impl FnMut(&str) -> Outcome<Option<()>>,
) -> Outcome<()> {
    let mut seen = Vec::new();
    for hash in hashes(name) {
        for number in 0..MAX_COLLISIONS {
            let file = format!("{hash}.{prefix}{number}");
            let identity = directory.identity(OsStr::new(&file));
            if identity.is_some_and(|identity| seen.contains(&identity)) {
                continue;
            }
            if each(&file)?.is_none() {
                break;
            }
            seen.extend(identity);
        }
    }
    Ok(())
}

/// The certificates of the directory with this subject.
pub fn authorities(directory: &Directory, subject: &Name) -> Outcome<Vec<Certificate>> {
    let what = format!("the certificate of the CA {}", subject.text());
    let malformed = |why: String| {
        let text = format!("a file for {what} is not a certificate that glexec accepts: the site has to mend it");
        Refusal::new(Reason::TrustCaMalformed, text).detail(why)
    };
    let mut found = Vec::new();
    numbered(directory, subject, "", |file| {
        let Some(file) = read(directory, file, MAX_CA_FILE, &what)? else { return Ok(None) };
        let der = pem::first_certificate(file).map_err(|why| malformed(why.to_owned()))?;
        let certificate = Certificate::parse(&der).map_err(|fault| malformed(format!("{fault:?}")))?;
        if certificate.subject == *subject {
            found.push(certificate);
        }
        Ok(Some(()))
    })?;
    Ok(found)
}

/// The first `HASH.SUFFIX` of a name.
fn companion(directory: &Directory, name: &Name, suffix: &str, limit: u64, what: &str) -> Outcome<Option<Vec<u8>>> {
    for hash in hashes(name) {
        if let Some(bytes) = read(directory, &format!("{hash}.{suffix}"), limit, what)? {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}
