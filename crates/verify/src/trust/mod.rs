//! The CA directory in the layout of the IGTF: `HASH.N` certificates, `HASH.rN` CRLs, `HASH.signing_policy`,
//! `HASH.namespaces`.
//!
//! HASH is eight hexadecimal digits of a digest of the CA's name: since OpenSSL 1.0 the SHA-1 of a canonical encoding,
//! before that the MD5 of the DER. Directories hold both, as links; both are looked up. The name is an index and no
//! proof: certificates are compared by their subject, CRLs by their issuer, and both by keys. The older digest depends on
//! the string types of the name, which a certificate that the CA issued may have otherwise than the CA itself: the usual ones
//! are tried.

#![forbid(unsafe_code)]

pub mod ahead;
pub mod crl;
pub mod namespaces;
mod regex;
pub mod round;
pub mod signing_policy;
pub mod survey;

use crate::x509::certificate::Certificate;
use crate::x509::name::Name;
use crate::x509::{digest, pem};
use ahead::Ahead;
use glexec_core::credentials::Digest;
use glexec_core::file_error::FileError;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::dir::{Directory, OpenFile};
use std::ffi::OsStr;
use std::rc::Rc;

#[derive(Debug)]
pub struct Trust {
    /// The CA directory.
    pub cas: Directory,
    /// The vomsdir; where the site has none, no attributes are trusted.
    pub voms: Option<Directory>,
    /// This host's name, for attributes that are meant for certain hosts; empty where it is not known.
    pub host: String,
    /// What is known of the CA directory from before, where anything is.
    pub ahead: Option<Rc<Ahead>>,
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
    let new = number(&digest::of(Digest::Sha1, &name.canonical()));
    new.into_iter().chain(number(&digest::md5(name.der()))).collect()
}

/// The older hashes of a name as it may be encoded in the CA's own certificate.
fn hashes_of_other_encodings(name: &Name) -> Vec<String> {
    let encodings = [name.with_printable_strings(), name.with_utf8_strings()];
    encodings.iter().filter(|der| *der != name.der()).filter_map(|der| number(&digest::md5(der))).collect()
}

fn number(hashed: &[u8]) -> Option<String> {
    match hashed {
        [a, b, c, d, ..] => Some(format!("{:08x}", u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => None,
    }
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
    Refusal::new(reason, format!("{what} cannot be used: the site has to fix it")).detail(format!("{error}{hint}"))
}

/// `HASH.N`, a CA's certificate.
fn is_ca(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|b| b.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// A file of a trust directory, open; `None` where there is none.
fn open(directory: &Directory, name: &str, limit: u64, what: &str) -> Outcome<Option<OpenFile>> {
    match directory.open_linked(OsStr::new(name), limit) {
        Ok(file) => Ok(Some(file)),
        Err(FileError::Missing(_)) => Ok(None),
        Err(error) => Err(unreadable(what, &error)),
    }
}

/// A file of a trust directory; `None` where there is none.
pub fn read(directory: &Directory, name: &str, limit: u64, what: &str) -> Outcome<Option<Vec<u8>>> {
    match directory.read(OsStr::new(name), limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::Missing(_)) => Ok(None),
        Err(error) => Err(unreadable(what, &error)),
    }
}

/// Hands over the names of all files `HASH.PREFIX0`, `HASH.PREFIX1`, … for these hashes of a name, each series up to its
/// first gap: the first file that `each` says is missing. The two hashes often lead to the same file, which counts once.
fn numbered(
    directory: &Directory,
    hashes: &[String],
    prefix: &str,
    mut each: impl FnMut(&str) -> Outcome<Option<()>>,
) -> Outcome<()> {
    let mut seen = Vec::new();
    for hash in hashes {
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
pub fn authorities(trust: &Trust, subject: &Name) -> Outcome<Vec<Certificate>> {
    let mut found = with_hash(trust, subject)?;
    found.retain(|certificate| certificate.subject == *subject);
    Ok(found)
}

/// The CA of the directory whose name is this one but for upper and lower case and blanks, which file names do not tell.
pub fn look_alike(trust: &Trust, subject: &Name) -> Option<Name> {
    let names = with_hash(trust, subject).ok()?.into_iter().map(|certificate| certificate.subject);
    names.into_iter().find(|name| name != subject && name.canonical() == subject.canonical())
}

/// The certificates of the directory whose files have the hash of this subject.
fn with_hash(trust: &Trust, subject: &Name) -> Outcome<Vec<Certificate>> {
    let what = format!("the certificate of the CA {}", subject.text());
    let malformed = |why: String| {
        let text = format!("a file for {what} is not a certificate that glexec accepts: the site has to fix it");
        Refusal::new(Reason::TrustCaMalformed, text).detail(why)
    };
    let (mut found, directory) = (Vec::new(), &trust.cas);
    let take = |file: &str, found: &mut Vec<Certificate>| {
        let Some(open) = open(directory, file, MAX_CA_FILE, &what)? else { return Ok(None) };
        if let Some(known) = trust.ahead.as_ref().and_then(|ahead| ahead.certificate(&open)) {
            found.push(Certificate::clone(&known));
            return Ok(Some(()));
        }
        let bytes = open.read().map_err(|error| unreadable(&what, &error))?;
        let der = pem::first_certificate(bytes).map_err(|why| malformed(format!("{file}: {why}")))?;
        let certificate = Certificate::parse(&der).map_err(|fault| malformed(format!("{file}: {fault:?}")))?;
        if let Some(ahead) = &trust.ahead {
            ahead.keep_certificate(&open, &certificate);
        }
        found.push(certificate);
        Ok(Some(()))
    };
    numbered(directory, &hashes(subject), "", |file| take(file, &mut found))?;
    if found.is_empty() {
        numbered(directory, &hashes_of_other_encodings(subject), "", |file| take(file, &mut found))?;
    }
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
