//! Certificate revocation lists (RFC 5280 section 5): `HASH.rN` beside the CA.
//!
//! A CRL may have a hundred thousand entries. It is read once, piece by piece: digested, its entries compared with the few
//! serial numbers that matter, and forgotten ([`pass`]). What they say counts when the signature has been verified.

#![forbid(unsafe_code)]

pub mod kept;
mod listed;
mod pass;
mod scope;

use crate::context::{Context, Link, crl_key, span};
use crate::trust::ahead::Verified;
use crate::trust::{self, hashes, numbered};
use crate::x509::asn1::Malformed;
use crate::x509::certificate::Certificate;
use crate::x509::key::Fault;
use crate::x509::name::Name;
use crate::x509::pem::{FirstCrl, Octets};
use glexec_core::credentials::{Digest, Presence};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::dir::OpenFile;
use kept::{Crl, Named};
use pass::{Head, Pass, Rest};
use std::fmt::Display;
use std::rc::Rc;

/// Largest file with a CRL; the grid's largest has about 5 MiB.
pub const MAX_CRL: u64 = 16 * 1024 * 1024;
/// After so many bytes of CRLs, in DER, one judgement reads no more of them: it may spend 250 ms.
const MAX_CRLS: usize = 24 * 1024 * 1024;

/// A CRL, and the position of the first of the wanted serial numbers that it lists.
type Looked = (Named, Option<usize>);

/// The position of the first of the wanted serial numbers that a CRL lists; its signature is not looked at.
pub fn scan(source: &mut dyn Octets, wanted: &[Vec<u8>]) -> Result<Option<usize>, Malformed> {
    let (pass, head) = Pass::begin(source)?;
    pass.finish(&head, Digest::Sha256, wanted)?.found
}

/// Checks that a CA has not revoked any of the certificates.
pub fn check(context: &Context, ca: &Link, issued: &[&Link]) -> Outcome<()> {
    if context.policy.crl == Presence::Off {
        return Ok(());
    }
    let serials: Vec<Vec<u8>> = issued.iter().map(|link| link.certificate.serial.octets()).collect();
    let known = context.crls(&ca.certificate).filter(|known| !known.iter().any(|crl| crl.may_list(&serials)));
    let (crls, found) = match known {
        Some(known) => (known, Vec::new()),
        None => {
            let (crls, found) = load(context, &ca.certificate, &serials)?.into_iter().unzip();
            (context.keep_crls(&ca.certificate, crls), found)
        }
    };
    if crls.is_empty() {
        return match context.policy.crl {
            Presence::Require => {
                let text = format!("the site has no CRL of the CA {}: it has to run fetch-crl", name(ca));
                Err(Refusal::new(Reason::TrustCrlMissing, text))
            }
            _ => Ok(()),
        };
    }
    check_current(context, ca, &crls.iter().collect::<Vec<_>>())?;
    // Proxies have other issuers: no list speaks for them, but their numbers must not be on one.
    for link in issued.iter().filter(|link| link.certificate.issuer == ca.certificate.subject) {
        let speaking: Vec<&Named> = crls.iter().filter(|crl| crl.scope.covers(&link.certificate)).collect();
        if speaking.is_empty() {
            let why = format!("it does not speak for {} (its issuingDistributionPoint)", link.title());
            return Err(invalid(ca, &crls.iter().collect::<Vec<_>>(), &why));
        }
        check_current(context, ca, &speaking)?;
    }
    let nothing_found = std::iter::repeat(None);
    for (crl, found) in crls.iter().zip(found.into_iter().chain(nothing_found)) {
        crl.entries.as_ref().map_err(|fault| invalid(ca, &[crl], fault))?;
        if let Some(link) = found.and_then(|at: usize| issued.get(at)) {
            let text = format!("has been revoked by {}: ask your CA for a new certificate", name(ca));
            return Err(link.refuse(Reason::CredentialRevoked, text));
        }
    }
    Ok(())
}

fn name(ca: &Link) -> &str {
    ca.certificate.subject.text().as_str()
}

/// A refusal for what is wrong with these lists of a CA; the log has the names of their files.
fn invalid(ca: &Link, crls: &[&Named], why: &impl Display) -> Refusal {
    let text = format!("the site's CRL of the CA {} cannot be used: the site has to fix it", name(ca));
    Refusal::new(Reason::TrustCrlInvalid, text).detail(format!("{}: {why}", files(crls)))
}

fn files(crls: &[&Named]) -> String {
    crls.iter().map(|crl| crl.file.as_str()).collect::<Vec<_>>().join(", ")
}

/// At least one CRL must be current; `thisUpdate` and `nextUpdate` belong to the time.
fn check_current(context: &Context, ca: &Link, crls: &[&Named]) -> Outcome<()> {
    let now = context.now;
    if crls.iter().any(|crl| crl.this_update <= now && now <= crl.next_update) {
        return Ok(());
    }
    match crls.iter().filter(|crl| crl.this_update <= now).map(|crl| crl.next_update).max() {
        Some(next) => {
            let ago = span(now.saturating_sub(next));
            let text = format!("the site's CRL of the CA {} expired {ago} ago: it has to run fetch-crl", name(ca));
            Err(Refusal::new(Reason::TrustCrlExpired, text).detail(files(crls)))
        }
        None => Err(invalid(ca, crls, &"its thisUpdate is in the future")),
    }
}

/// The CRLs that the CA signed with this key, looked through for serial numbers. One of another CA whose name has the
/// same hash, or of another key of this CA, is not ours; but where files are there and none is ours, that is an error.
fn load(context: &Context, ca: &Certificate, serials: &[Vec<u8>]) -> Outcome<Vec<Looked>> {
    let what = format!("the CRL of the CA {}", ca.subject.text());
    let refuse = |why: String| {
        let text = format!("{what} cannot be used: the site has to fix it");
        Refusal::new(Reason::TrustCrlInvalid, text).detail(why)
    };
    let mut ours: Vec<Looked> = Vec::new();
    let mut fault = None;
    numbered(&context.trust.cas, &hashes(&ca.subject), "r", |file| {
        let Some(source) = trust::open(&context.trust.cas, file, MAX_CRL, &what)? else { return Ok(None) };
        if context.crl_bytes.get() > MAX_CRLS {
            return Err(refuse(format!("{file}: with others before it it is larger than {MAX_CRLS} bytes")));
        }
        let named = |crl| Named { file: file.to_owned(), crl };
        if let Some(crl) = known(context, ca, &source, serials)? {
            ours.push((named(crl), None));
            return Ok(Some(()));
        }
        match open(context, ca, &mut FirstCrl::new(source.stream()), serials)? {
            Ok(genuine) => {
                let (crl, size, found) = genuine.map_err(|Malformed(why)| refuse(format!("{file}: {why}")))?;
                let crl = Rc::new(crl);
                if let Some(ahead) = &context.trust.ahead {
                    let verified = Verified { crl: Rc::clone(&crl), size };
                    ahead.keep_crl(&source, crl_key(ca), context.policy, verified);
                }
                ours.push((named(crl), found));
            }
            Err(why) => fault = Some(format!("{file}: {why}")),
        }
        Ok(Some(()))
    })?;
    match fault {
        Some(why) if ours.is_empty() => Err(refuse(why)),
        _ if !ours.is_empty() && ca.key_usage.is_some_and(|usage| !usage.crl_sign()) => {
            Err(refuse("the CA's keyUsage lacks cRLSign (RFC 5280 section 4.2.1.3)".into()))
        }
        _ => Ok(ours),
    }
}

/// The CRL in a file that is known from before, unless it has to be gone through for these serial numbers. It counts
/// against the budgets as if it had been.
fn known(context: &Context, ca: &Certificate, file: &OpenFile, serials: &[Vec<u8>]) -> Outcome<Option<Rc<Crl>>> {
    let known = context.trust.ahead.as_ref().and_then(|ahead| ahead.crl(file, &crl_key(ca), context.policy));
    let Some(Verified { crl, size }) = known.filter(|known| !known.crl.may_list(serials)) else { return Ok(None) };
    context.spend_signature()?;
    context.crl_bytes.set(context.crl_bytes.get().saturating_add(size));
    Ok(Some(crl))
}

/// A CRL that was looked through, how many bytes it has, and which of the serial numbers it lists; an error where it breaks off, or is of a kind that is not understood: beside a good one
/// it may revoke more than that, as a delta CRL does.
type Genuine = Result<(Crl, usize, Option<usize>), Malformed>;

/// A file's CRL where it is by the CA and genuine, or in its name and not readable. The inner error says why it is not.
fn open(
    context: &Context,
    ca: &Certificate,
    source: &mut dyn Octets,
    serials: &[Vec<u8>],
) -> Outcome<Result<Genuine, String>> {
    let (pass, head) = match Pass::begin(source) {
        Ok(begun) => begun,
        Err(fault) => return Ok(Err(fault.to_string())),
    };
    match Name::parse(&head.issuer) {
        Ok(issuer) if issuer == ca.subject => {}
        Ok(other) => return Ok(Err(format!("it is by {}", other.text()))),
        Err(_) => return Ok(Err("it is by another CA".into())),
    }
    let of_signature = |fault: Fault| format!("signature: {fault:?}");
    let awaited = match context.await_signature(&head.algorithm, &ca.spki)? {
        Ok(awaited) => awaited,
        Err(fault) => return Ok(Err(of_signature(fault))),
    };
    let rest = match pass.finish(&head, awaited.digest, serials) {
        Ok(rest) => rest,
        // It speaks in the CA's name, and may revoke somebody where it cannot be read: nothing else stands in for it.
        Err(fault) => return Ok(Ok(Err(fault))),
    };
    context.crl_bytes.set(context.crl_bytes.get().saturating_add(rest.size));
    Ok(awaited.verify(&rest.hash, &rest.signature).map_err(of_signature).map(|()| {
        let Rest { found, listed, scope, size, .. } = rest;
        let (entries, found) = match found {
            Ok(found) => (Ok(listed), found),
            Err(fault) => (Err(fault), None),
        };
        let Head { this_update, next_update, .. } = head;
        scope.map(|scope| (Crl { this_update, next_update, scope, entries }, size, found))
    }))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::x509::asn1::tag;
    use proptest::prelude::*;

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let octets = content.len().to_be_bytes();
        let significant = octets.iter().position(|octet| *octet != 0).map_or(&octets[8..], |at| &octets[at..]);
        let length = match content.len() {
            short @ 0..=0x7f => vec![u8::try_from(short).unwrap()],
            _ => [&[0x80 | u8::try_from(significant.len()).unwrap()], significant].concat(),
        };
        [&[tag], length.as_slice(), content].concat()
    }

    /// A CRL with these serial numbers and no sense of a signature.
    fn crl(serials: &[Vec<u8>]) -> Vec<u8> {
        let algorithm = value(tag::SEQUENCE, &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
        let date = value(tag::UTC_TIME, b"260101000000Z");
        let reason = value(tag::SEQUENCE, &value(tag::SEQUENCE, &[6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, 1]));
        let entries: Vec<u8> = (0..)
            .zip(serials)
            .flat_map(|(n, serial)| {
                let extensions = if n % 2 == 0 { reason.clone() } else { vec![] };
                value(tag::SEQUENCE, &[value(tag::INTEGER, serial), date.clone(), extensions].concat())
            })
            .collect();
        let fields = [
            value(tag::INTEGER, &[1]),
            algorithm.clone(),
            value(tag::SEQUENCE, &[]),
            date.clone(),
            date.clone(),
            value(tag::SEQUENCE, &entries),
        ];
        let body = value(tag::SEQUENCE, &fields.concat());
        value(tag::SEQUENCE, &[body, algorithm, value(tag::BIT_STRING, &[0, 1])].concat())
    }

    /// Octets in pieces of these sizes, again and again.
    struct Pieces(Vec<u8>, Vec<usize>, usize, usize);

    impl Octets for Pieces {
        fn next_octets(&mut self) -> Result<&[u8], Malformed> {
            let (from, size) = (self.2, self.1[self.3 % self.1.len()].min(self.0.len() - self.2));
            (self.2, self.3) = (from + size, self.3 + 1);
            Ok(&self.0[from..from + size])
        }
    }

    fn look(der: &[u8], sizes: Vec<usize>, wanted: &[Vec<u8>]) -> Result<(Option<usize>, Vec<u8>), Malformed> {
        let mut source = Pieces(der.to_vec(), sizes, 0, 0);
        let (pass, head) = Pass::begin(&mut source)?;
        let rest = pass.finish(&head, Digest::Sha256, wanted)?;
        Ok((rest.found?, rest.hash))
    }

    #[test]
    fn a_crl_that_is_cut_off_or_says_that_it_is_longer_is_an_error_at_every_octet() {
        let serials: Vec<Vec<u8>> = (1..30_u8).map(|n| vec![n, n]).collect();
        let good = crl(&serials);
        assert_eq!(look(&good, vec![64], &serials[7..]).unwrap().0, Some(0));
        for cut in 0..good.len() {
            assert!(look(&good[..cut], vec![7], &serials).is_err(), "cut at {cut}");
        }
        for length in [0x84_ffff_ffff_u64, 0x84_7fff_ffff, 0x83_ffff_ff00] {
            let bomb = [&[tag::SEQUENCE], &length.to_be_bytes()[3..], &good[2..]].concat();
            assert!(look(&bomb, vec![100], &serials).is_err(), "{length:x}");
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_what_the_whole_gives(
            serials in prop::collection::vec(prop::collection::vec(1..0x7f_u8, 1..20), 0..200),
            wanted in prop::collection::vec(prop::collection::vec(1..0x7f_u8, 1..3), 0..4),
            sizes in prop::collection::vec(1..200_usize, 1..6),
            bent in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut der = crl(&serials);
            let whole = look(&der, vec![der.len()], &wanted).unwrap();
            let first = serials.iter().find_map(|serial| wanted.iter().position(|wanted| wanted == serial));
            prop_assert_eq!(whole.0, first);
            let body = crate::x509::certificate::Signed::borrow(&der).unwrap().body;
            prop_assert_eq!(&whole.1, &crate::x509::digest::of(Digest::Sha256, body));
            if let Some((at, octet)) = bent {
                let at = at.index(der.len());
                der[at] = octet;
            }
            prop_assert_eq!(look(&der, sizes, &wanted), look(&der, vec![der.len()], &wanted));
        }
    }
}
