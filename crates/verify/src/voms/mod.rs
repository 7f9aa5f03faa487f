//! VOMS attributes: an attribute certificate (RFC 5755) in a proxy, signed by a server whom the site trusts for its VO.
//!
//! The AC of the proxy nearest to the leaf counts; within one proxy the first. Trusted is a server whose certificate is
//! embedded in the AC, leads to an anchor of the CA directory under the same rules as a user's, and stands with its
//! issuers in an `.lsc` file of the VO. Nothing else is: no default bundle, no server certificates in the vomsdir.

#![forbid(unsafe_code)]

pub mod ac;
pub mod lsc;
pub mod survey;

use crate::context::{Context, Link, Place, span};
use crate::revocation::check_revocation;
use crate::trust;
use crate::x509::asn1::{Cursor, Malformed, only, tag};
use crate::x509::certificate::{Certificate, oid};
use crate::x509::chain::{self, Chain};
use crate::x509::key::{Fault, On};
use ac::Ac;
use der::oid::ObjectIdentifier;
use glexec_core::credentials::BadAc;
use glexec_core::file_error::FileError;
use glexec_core::identity::{Fqan, MAX_FQANS};
use glexec_core::reason::{Class, Outcome, Reason, Refusal};
use std::ffi::{OsStr, OsString};

/// Largest AC; with an embedded chain and 100 FQANs real ones stay below 16 KiB.
const MAX_AC: usize = 64 * 1024;
/// Most certificates embedded in an AC.
const MAX_SERVER_CHAIN: usize = 10;
/// Largest .lsc file.
const MAX_LSC: u64 = 64 * 1024;
/// Most .lsc files of a VO: one for each of its servers.
const MAX_LSC_FILES: usize = 64;
/// What a server's chain is used for, one of these.
const PURPOSES: &[ObjectIdentifier] = &[oid::SERVER_AUTH, oid::CLIENT_AUTH];

/// The FQANs that a chain proves, in the order of the AC. An AC that is not valid refuses or is dropped (`bad_ac`);
/// what the site has to fix always refuses, so that a missing CRL does not quietly change who somebody is.
pub fn attributes(context: &Context, chain: &Chain) -> Outcome<Vec<Fqan>> {
    let mut carriers = chain.proxies.iter().filter_map(|(link, _)| {
        link.certificate.extension(oid::VOMS).map(|extension| (link, extension.value.as_slice()))
    });
    let Some((carrier, extension)) = carriers.next() else { return Ok(Vec::new()) };
    for (other, _) in carriers {
        context.note(format!("the VOMS attributes of {} do not count: a proxy below it has its own", other.title()));
    }
    let judged = first(extension, carrier, context).and_then(|der| judge(context, chain, der));
    match judged {
        Err(refusal) if refusal.reason().class() != Class::System && context.policy.bad_ac == BadAc::Ignore => {
            context.note(format!("VOMS attributes are ignored (bad_ac): {}: {}", refusal.reason(), refusal.for_log()));
            Ok(Vec::new())
        }
        judged => judged,
    }
}

fn malformed(Malformed(what): Malformed) -> Refusal {
    let text = format!("the VOMS attribute certificate is malformed (RFC 5755): {what}");
    Refusal::new(Reason::VomsMalformed, text)
}

/// The first AC of the extension: a SEQUENCE of one SEQUENCE OF AttributeCertificate.
fn first<'a>(extension: &'a [u8], carrier: &Link, context: &Context) -> Outcome<&'a [u8]> {
    let (first, alone) = first_of(extension).map_err(malformed)?;
    if !alone {
        context.note(format!("{} has several VOMS attribute certificates: only the first counts", carrier.title()));
    }
    if first.len() > MAX_AC { Err(malformed(Malformed("it is longer than 64 KiB"))) } else { Ok(first) }
}

/// The DER of the first AC of an extension, and whether it is the only one.
pub fn first_of(extension: &[u8]) -> Result<(&[u8], bool), Malformed> {
    let mut wrapper = only(extension, tag::SEQUENCE)?.inside()?;
    let mut list = wrapper.sequence()?;
    wrapper.end()?;
    let first = list.take(tag::SEQUENCE)?.raw;
    Ok((first, list.is_at_end()))
}

fn judge(context: &Context, chain: &Chain, der: &[u8]) -> Outcome<Vec<Fqan>> {
    let ac = Ac::parse(der).map_err(malformed)?;
    if let Some(extension) = ac.unknown_critical() {
        let text = format!("the VOMS attributes have the critical extension {extension}, which glexec does not know");
        return Err(Refusal::new(Reason::VomsExtension, text));
    }
    check_holder(&ac, chain)?;
    check_server(context, &ac)?;
    check_validity(context, &ac)?;
    check_targets(context, &ac)?;
    fqans(&ac)
}

/// RFC 5755 section 4.2.2: the AC is for one certificate, by issuer and serial number; it must be this chain's EEC.
/// Servers with voms-api-java (INDIGO IAM) write the EEC's subject where its issuer belongs, as the oldest VOMS servers
/// did; libvomsapi takes both, and so does this: subject and serial number name one EEC too, since the site's signing
/// policies give a subject to one CA. Whoever has seen a proxy can copy its AC, which is worth nothing without the key
/// that [`super::key`] asks for.
fn check_holder(ac: &Ac, chain: &Chain) -> Outcome<()> {
    let eec = &chain.eec.certificate;
    let is_named = [&eec.issuer, &eec.subject].into_iter().any(|name| *name == ac.holder_name);
    if is_named && ac.holder_serial == eec.serial {
        return Ok(());
    }
    let text = format!("the VOMS attributes were given to another certificate than that of {}", eec.subject.text());
    Err(Refusal::new(Reason::VomsHolder, text))
}

fn untrusted(ac: &Ac, why: impl AsRef<str>) -> Refusal {
    let text = format!("the VOMS server {} is not trusted for the VO {}: {}", ac.issuer.text(), ac.vo, why.as_ref());
    Refusal::new(Reason::VomsUntrusted, text)
}

/// Signature, the server's chain, its .lsc file.
fn check_server(context: &Context, ac: &Ac) -> Outcome<()> {
    let mut pool = embedded(ac)?;
    if pool.is_empty() {
        return Err(untrusted(ac, "its certificate is not embedded in the attributes"));
    }
    let server = pool.remove(0);
    if ac.issuer != server.certificate.subject {
        return Err(untrusted(ac, format!("the embedded certificate is of {}", server.certificate.subject.text())));
    }
    match context.verify(&ac.signed, On::Attributes, &server.certificate.spki)? {
        Ok(()) => {}
        Err(Fault::Signature) => {
            let text = format!("the signature of the VOMS attributes is not by {}", ac.issuer.text());
            return Err(Refusal::new(Reason::VomsSignature, text));
        }
        Err(Fault::Malformed(what)) => return Err(untrusted(ac, what)),
        Err(Fault::WeakKey(what) | Fault::WeakDigest(what)) => return Err(untrusted(ac, what)),
    }
    // What is wrong with the server's chain is the site's to fix or a matter of trust, never the user's certificate.
    let as_server = |refusal: Refusal| match refusal.reason().class() {
        Class::System => refusal,
        _ => untrusted(ac, refusal.sentence()),
    };
    chain::check_end_entity(&server, PURPOSES).map_err(as_server)?;
    if server.certificate.key_usage.is_some_and(|usage| !usage.digital_signature()) {
        return Err(untrusted(ac, "the keyUsage of its certificate lacks digitalSignature (RFC 5755 section 4.5)"));
    }
    let count = pool.iter().filter(|link| !link.certificate.is_self_issued()).count();
    let cas = chain::authorities(context, &server, &mut pool, PURPOSES).map_err(as_server)?;
    let names: Vec<&str> =
        [&server].into_iter().chain(&cas).map(|link| link.certificate.subject.text().as_str()).collect();
    check_lsc(context, ac, &names, count.saturating_add(1))?;
    chain::check_validity([&server].into_iter().chain(&cas), context.now).map_err(as_server)?;
    check_revocation(context, &[&server], &cas).map_err(as_server)
}

/// The certificates of extension 1.3.6.1.4.1.8005.100.100.10: a SEQUENCE of one SEQUENCE OF Certificate, server first.
fn embedded(ac: &Ac) -> Outcome<Vec<Link>> {
    let Some(extension) = ac.extension(ac::CERTIFICATES) else { return Ok(Vec::new()) };
    let list = || -> Result<Cursor<'_>, Malformed> {
        let mut wrapper = only(extension, tag::SEQUENCE)?.inside()?;
        let list = wrapper.sequence()?;
        wrapper.end()?;
        Ok(list)
    };
    let mut list = list().map_err(malformed)?;
    let mut found = Vec::new();
    while !list.is_at_end() {
        if found.len() >= MAX_SERVER_CHAIN {
            return Err(malformed(Malformed("too many certificates are embedded")));
        }
        let der = list.take(tag::SEQUENCE).map_err(malformed)?.raw;
        let certificate = Certificate::parse(der).map_err(|fault| {
            malformed(Malformed("an embedded certificate is not one that glexec accepts")).detail(format!("{fault:?}"))
        })?;
        found.push(Link { certificate, place: Place::Ac(found.len().saturating_add(1)) });
    }
    Ok(found)
}

/// Looks for the server's chain in `vomsdir/VO/*.lsc`. The VO is a safe file name: see [`glexec_core::vo::is_vo`].
fn check_lsc(context: &Context, ac: &Ac, names: &[&str], embedded: usize) -> Outcome<()> {
    let what = format!("the vomsdir entry of the VO {}", ac.vo);
    let Some(vomsdir) = &context.trust.voms else {
        return Err(untrusted(ac, "the site has no vomsdir"));
    };
    let directory = match vomsdir.subdirectory(OsStr::new(&ac.vo)) {
        Ok(directory) => directory,
        Err(FileError::Missing(_)) => return Err(untrusted(ac, "the site does not know this VO (vomsdir)")),
        Err(error) => return Err(trust::unreadable(&what, &error)),
    };
    let mut files: Vec<OsString> = directory.names().map_err(|error| trust::unreadable(&what, &error))?;
    files.retain(|name| name.as_encoded_bytes().ends_with(b".lsc"));
    files.sort_unstable();
    let mut broken = None;
    for file in files.iter().take(MAX_LSC_FILES).filter_map(|name| name.to_str()) {
        let Some(bytes) = trust::read(&directory, file, MAX_LSC, &what)? else { continue };
        match lsc::parse(&bytes) {
            Ok(chains) if chains.iter().any(|chain| chain.fits(names, embedded)) => return Ok(()),
            Ok(_) => {}
            Err(why) => broken = Some(format!("{file}: {why}")),
        }
    }
    match broken {
        Some(why) => {
            let text = format!("{what} has an .lsc file that cannot be understood: the site has to fix it");
            Err(Refusal::new(Reason::VomsLsc, text).detail(why))
        }
        None => Err(untrusted(ac, "no .lsc file of the VO has this chain of names").detail(names.join(" < "))),
    }
}

fn check_validity(context: &Context, ac: &Ac) -> Outcome<()> {
    let now = context.now;
    if now > ac.not_after {
        let text = format!("the VOMS attributes expired {} ago: renew them", span(now.saturating_sub(ac.not_after)));
        return Err(Refusal::new(Reason::VomsExpired, text));
    }
    if now < ac.not_before {
        let wait = span(ac.not_before.saturating_sub(now));
        let text = format!("the VOMS attributes will be valid in {wait} only: check the clocks");
        return Err(Refusal::new(Reason::VomsNotYetValid, text));
    }
    let Some(longest) = context.policy.max_ac_lifetime else { return Ok(()) };
    let longest = i64::try_from(longest.duration().as_secs()).unwrap_or(i64::MAX);
    let lifetime = ac.not_after.saturating_sub(ac.not_before);
    if lifetime > longest {
        let (has, may) = (span(lifetime), span(longest));
        let text = format!("the VOMS attributes are valid for {has} but may be for {may} only (max_ac_lifetime)");
        return Err(Refusal::new(Reason::VomsLifetime, text));
    }
    Ok(())
}

/// RFC 5755 section 4.3.2: an AC with targets is for these hosts only.
fn check_targets(context: &Context, ac: &Ac) -> Outcome<()> {
    let Some(extension) = ac.extension(ac::TARGETS) else { return Ok(()) };
    let targets = ac::targets(extension).map_err(malformed)?;
    let host = context.trust.host.as_str();
    if !host.is_empty() && targets.iter().any(|target| target.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    let text = "the VOMS attributes are meant for other hosts than this one (RFC 5755 section 4.3.2)";
    Err(Refusal::new(Reason::VomsTarget, text)
        .detail(format!("this host is {host:?}, and none of the {} targets", targets.len())))
}

fn fqans(ac: &Ac) -> Outcome<Vec<Fqan>> {
    if ac.fqans.is_empty() || ac.fqans.len() > MAX_FQANS {
        return Err(malformed(Malformed("it names no group, or more than 100")));
    }
    let mut found = Vec::new();
    for text in &ac.fqans {
        let fqan =
            Fqan::try_from(text.clone()).map_err(|_| malformed(Malformed("an FQAN is not /vo[/group][/Role=role]")))?;
        if fqan.vo() != ac.vo {
            let text = format!("the VOMS attributes of the VO {} name {fqan}, which is outside of it", ac.vo);
            return Err(Refusal::new(Reason::VomsScope, text));
        }
        found.push(fqan);
    }
    Ok(found)
}
