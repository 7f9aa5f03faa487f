//! Certificate revocation lists (RFC 5280 section 5): `HASH.rN` beside the CA.
//!
//! A CRL may have a hundred thousand entries. Its signature is verified over the bytes as they stand, then the entries
//! are walked once for the few serial numbers that matter; nothing is copied and no list is made. The verifier may
//! allocate 64 MiB: the limits below leave room for a file, what it is decoded to, and the CRLs of the CAs before it.

#![forbid(unsafe_code)]

use crate::config::credentials::Companion;
use crate::credential::asn1::{Cursor, Malformed, only, tag};
use crate::credential::certificate::{Algorithm, Certificate, Signed};
use crate::credential::context::{Context, Link, span};
use crate::credential::name::Name;
use crate::credential::pem;
use crate::credential::trust::numbered;
use crate::reason::{Outcome, Reason, Refusal};
use der::oid::ObjectIdentifier;

/// Largest file with a CRL; the grid's largest has about 5 MiB.
pub const MAX_CRL: u64 = 16 * 1024 * 1024;
/// Most bytes of CRLs, in DER, that one judgement holds.
const MAX_CRLS: usize = 24 * 1024 * 1024;

/// Extensions of a CRL that may be critical: authorityKeyIdentifier, cRLNumber. deltaCRLIndicator and
/// issuingDistributionPoint (partial and indirect CRLs) are critical by definition, and refused.
const KNOWN: &[ObjectIdentifier] =
    &[ObjectIdentifier::new_unwrap("2.5.29.35"), ObjectIdentifier::new_unwrap("2.5.29.20")];
/// Extensions of an entry that may be critical: reasonCode, invalidityDate. certificateIssuer makes a CRL indirect.
const KNOWN_OF_ENTRIES: &[ObjectIdentifier] =
    &[ObjectIdentifier::new_unwrap("2.5.29.21"), ObjectIdentifier::new_unwrap("2.5.29.24")];

/// A CRL with a verified signature.
#[derive(Debug)]
pub struct Crl {
    der: Vec<u8>,
    this_update: i64,
    next_update: i64,
}

impl Crl {
    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.der.len()
    }

    /// Whether it has no bytes, which no CRL is.
    pub fn is_empty(&self) -> bool {
        self.der.is_empty()
    }
}

/// The first of the serial numbers that a CRL in DER lists; its signature is not looked at.
pub fn scan(der: &[u8], wanted: &[Vec<u8>]) -> Result<Option<usize>, Malformed> {
    let signed = Signed::borrow(der)?;
    head(signed.body, &signed.algorithm)?.entries.map_or(Ok(None), |entries| find(entries, wanted))
}

/// The fields of a CRL up to its entries.
struct Head<'a> {
    issuer: &'a [u8],
    this_update: i64,
    next_update: i64,
    entries: Option<Cursor<'a>>,
    extensions: Option<Cursor<'a>>,
}

fn head<'a>(body: &'a [u8], algorithm: &Algorithm) -> Result<Head<'a>, Malformed> {
    let mut fields = only(body, tag::SEQUENCE)?.inside()?;
    let has_extensions = match fields.optional(tag::INTEGER)?.map(|version| version.value) {
        None => false,
        Some([1]) => true,
        Some(_) => return Err(Malformed("it is neither of version 1 nor 2")),
    };
    if Algorithm::read(&mut fields)? != *algorithm {
        return Err(Malformed("it names two signature algorithms"));
    }
    let issuer = fields.take(tag::SEQUENCE)?.raw;
    let this_update = fields.time()?;
    if !matches!(fields.peek(), Some(tag::UTC_TIME | tag::GENERALIZED_TIME)) {
        return Err(Malformed("it has no nextUpdate (RFC 5280 section 5.1.2.5)"));
    }
    let next_update = fields.time()?;
    let entries = fields.optional(tag::SEQUENCE)?.map(|list| list.inside()).transpose()?;
    let extensions = match fields.optional(tag::constructed(0))? {
        Some(wrapped) if has_extensions => Some(only(wrapped.value, tag::SEQUENCE)?.inside()?),
        Some(_) => return Err(Malformed("it has extensions but is not of version 2")),
        None => None,
    };
    fields.end()?;
    Ok(Head { issuer, this_update, next_update, entries, extensions })
}

/// Refuses critical extensions that are not known.
fn check_extensions(mut list: Cursor, known: &[ObjectIdentifier]) -> Result<(), Malformed> {
    while !list.is_at_end() {
        let mut fields = list.sequence()?;
        let oid = fields.oid()?;
        let critical = fields.flag()?;
        fields.take(tag::OCTET_STRING)?;
        fields.end()?;
        if critical && !known.contains(&oid) {
            return Err(Malformed("it has a critical extension that glexec does not know: a delta or indirect CRL?"));
        }
    }
    Ok(())
}

/// The first of the serial numbers that the entries list. The walk goes on to the end, so that a list that breaks off is
/// an error whatever it says before.
fn find(mut entries: Cursor, wanted: &[Vec<u8>]) -> Result<Option<usize>, Malformed> {
    let mut found = None;
    while !entries.is_at_end() {
        let mut entry = entries.sequence()?;
        let number = magnitude(entry.take(tag::INTEGER)?.value)?;
        // When it was revoked does not matter: a date in the future revokes too.
        if !matches!(entry.any()?.tag, tag::UTC_TIME | tag::GENERALIZED_TIME) {
            return Err(Malformed("an entry has no revocation date"));
        }
        if let Some(extensions) = entry.optional(tag::SEQUENCE)? {
            check_extensions(extensions.inside()?, KNOWN_OF_ENTRIES)?;
        }
        entry.end()?;
        if found.is_none() {
            found = wanted.iter().position(|serial| serial == number);
        }
    }
    Ok(found)
}

/// The octets of a serial number as [`crate::credential::identity::Serial::octets`] has them. One that is not in its
/// shortest form would not be found and so is an error. A negative one, which no accepted certificate has, is nothing.
fn magnitude(number: &[u8]) -> Result<&[u8], Malformed> {
    match number {
        [] => Err(Malformed("a serial number is empty")),
        [0x00, next, ..] if *next < 0x80 => Err(Malformed("a serial number has superfluous zeros")),
        [0xff, next, ..] if *next >= 0x80 => Err(Malformed("a serial number has superfluous ones")),
        [0x00, rest @ ..] if !rest.is_empty() => Ok(rest),
        [first, ..] if *first >= 0x80 => Ok(&[]),
        number => Ok(number),
    }
}

/// Checks that a CA has not revoked any of the certificates.
pub fn check(context: &Context, ca: &Link, issued: &[&Link]) -> Outcome<()> {
    if context.policy.crl == Companion::Off {
        return Ok(());
    }
    let crls = context.crls(&ca.certificate, || load(context, &ca.certificate))?;
    if crls.is_empty() {
        return match context.policy.crl {
            Companion::Require => {
                let text = format!("the site has no CRL of the CA {}: it has to run fetch-crl", name(ca));
                Err(Refusal::new(Reason::TrustCrlMissing, text))
            }
            _ => Ok(()),
        };
    }
    check_current(context, ca, &crls)?;
    let serials: Vec<Vec<u8>> = issued.iter().map(|link| link.certificate.serial.octets()).collect();
    for crl in crls.iter() {
        if let Some(link) = scan(&crl.der, &serials).map_err(|fault| invalid(ca, &fault))?.and_then(|at| issued.get(at))
        {
            let text = format!("has been revoked by {}: ask your CA for a new certificate", name(ca));
            return Err(link.refuse(Reason::CredentialRevoked, text));
        }
    }
    Ok(())
}

fn name(ca: &Link) -> &str {
    ca.certificate.subject.text().as_str()
}

fn invalid(ca: &Link, why: &impl ToString) -> Refusal {
    let text = format!("the site's CRL of the CA {} cannot be used: the site has to mend it", name(ca));
    Refusal::new(Reason::TrustCrlInvalid, text).detail(why.to_string())
}

/// At least one CRL must be current; `thisUpdate` and `nextUpdate` belong to the time.
fn check_current(context: &Context, ca: &Link, crls: &[Crl]) -> Outcome<()> {
    let now = context.now;
    if crls.iter().any(|crl| crl.this_update <= now && now <= crl.next_update) {
        return Ok(());
    }
    match crls.iter().filter(|crl| crl.this_update <= now).map(|crl| crl.next_update).max() {
        Some(next) => {
            let ago = span(now.saturating_sub(next));
            let text = format!("the site's CRL of the CA {} expired {ago} ago: it has to run fetch-crl", name(ca));
            Err(Refusal::new(Reason::TrustCrlExpired, text))
        }
        None => Err(invalid(ca, &"its thisUpdate is in the future")),
    }
}

/// The CRLs that the CA signed with this key. One of another CA whose name has the same hash, or of another key of
/// this CA, is not ours; but where files are there and none is ours, that is an error.
fn load(context: &Context, ca: &Certificate) -> Outcome<Vec<Crl>> {
    let what = format!("the CRL of the CA {}", ca.subject.text());
    let refuse = |why: String| {
        let text = format!("{what} cannot be used: the site has to mend it");
        Refusal::new(Reason::TrustCrlInvalid, text).detail(why)
    };
    let mut ours: Vec<Crl> = Vec::new();
    let mut fault = None;
    let mut held = context.crl_bytes();
    numbered(&context.trust.cas, &ca.subject, "r", MAX_CRL, &what, |file| {
        match open(context, ca, file)? {
            Ok(crl) => {
                held = held.saturating_add(crl.len());
                if held > MAX_CRLS {
                    return Err(refuse(format!("together with others it is larger than {MAX_CRLS} bytes")));
                }
                check_kind(&crl).map_err(|Malformed(why)| refuse(why.into()))?;
                ours.push(crl);
            }
            Err(why) => fault = Some(why),
        }
        Ok(())
    })?;
    match fault {
        Some(why) if ours.is_empty() => Err(refuse(why)),
        _ if !ours.is_empty() && ca.key_usage.is_some_and(|usage| !usage.crl_sign()) => {
            Err(refuse("the CA's keyUsage lacks cRLSign (RFC 5280 section 4.2.1.3)".into()))
        }
        _ => Ok(ours),
    }
}

/// What the CA signed must be understood: a delta CRL beside a complete one may revoke more than that.
fn check_kind(crl: &Crl) -> Result<(), Malformed> {
    let signed = Signed::borrow(&crl.der)?;
    head(signed.body, &signed.algorithm)?.extensions.map_or(Ok(()), |list| check_extensions(list, KNOWN))
}

/// A file's CRL where it is by the CA and genuine; the inner error says why it is not.
fn open(context: &Context, ca: &Certificate, file: Vec<u8>) -> Outcome<Result<Crl, String>> {
    let der = match pem::first_crl(file) {
        Ok(der) => der,
        Err(why) => return Ok(Err(why.into())),
    };
    let read = || -> Result<(Signed<&[u8]>, i64, i64), String> {
        let signed = Signed::borrow(&der).map_err(|e| e.to_string())?;
        let head = head(signed.body, &signed.algorithm).map_err(|e| e.to_string())?;
        if head.issuer != ca.subject.der() {
            let other = Name::parse(head.issuer).map_or_else(|_| "another CA".into(), |name| name.text().to_string());
            return Err(format!("it is by {other}"));
        }
        Ok((signed, head.this_update, head.next_update))
    };
    let (this_update, next_update) = match read() {
        Ok((signed, this_update, next_update)) => match context.verify(&signed, &ca.spki)? {
            Ok(()) => (this_update, next_update),
            Err(fault) => return Ok(Err(format!("signature: {fault:?}"))),
        },
        Err(why) => return Ok(Err(why)),
    };
    Ok(Ok(Crl { der, this_update, next_update }))
}
