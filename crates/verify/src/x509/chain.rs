//! The walk from the leaf to a trust anchor: proxies (RFC 3820), one end entity certificate, CAs (RFC 5280 section 6).
//!
//! OpenSSL's chain verification is not used: it lets a full proxy pass below a limited one and knows no legacy proxies.
//!
//! Which certificates are proxies is decided here. One with a proxyCertInfo is; one without is a legacy proxy only if
//! its subject is its issuer's plus `CN=proxy` or `CN=limited proxy` and a certificate of the file that is no CA has
//! signed it. A certificate that a CA issued is an end entity certificate of its full name, even if it ends in CN=proxy.
//!
//! Issuers are known by their key: of several certificates with the right name the one whose
//! key verifies the signature counts, preferably from the directory and valid now.

#![forbid(unsafe_code)]

use crate::context::{Context, Link, Place, key_refusal, signature_refusal, span};
use crate::trust;
use crate::x509::asn1::tag;
use crate::x509::certificate::{Certificate, oid};
use crate::x509::key::{self, Fault, Of, On};
use crate::x509::name::Base;
use crate::x509::proxy::{self, Proxy};
use der::oid::ObjectIdentifier;
use glexec_core::credentials::LimitedProxy;
use glexec_core::reason::{Outcome, Reason, Refusal};

/// Most CAs of a chain; the grid's deepest hierarchies have four.
pub const MAX_CAS: usize = 10;
/// Most certificates with the name of an issuer that are tried.
const MAX_CANDIDATES: usize = 16;
/// What a user's chain is used for.
const PURPOSES: &[ObjectIdentifier] = &[oid::CLIENT_AUTH];

/// A chain that leads to an anchor, every signature verified.
#[derive(Debug)]
pub struct Chain {
    /// Proxies, the leaf first; empty for a bare end entity certificate.
    pub proxies: Vec<(Link, Proxy)>,
    /// The end entity certificate.
    pub eec: Link,
    /// Its CA, that one's CA, and so on to the anchor.
    pub cas: Vec<Link>,
}

impl Chain {
    /// All certificates, leaf first.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.proxies.iter().map(|(link, _)| link).chain([&self.eec]).chain(&self.cas)
    }

    /// Whether the leaf is a limited proxy; proxies below a limited one were made sure to be limited.
    pub fn is_limited(&self) -> bool {
        self.proxies.first().is_some_and(|(_, proxy)| proxy.limited)
    }
}

/// Builds the chain of a proxy file: structure, proxy rules and signatures. The first certificate is the leaf.
pub fn build(context: &Context, mut pool: Vec<Link>) -> Outcome<Chain> {
    if pool.is_empty() {
        return Err(Refusal::new(Reason::CredentialNoCertificate, "the file holds no certificate"));
    }
    let mut current = pool.remove(0);
    let mut proxies = Vec::new();
    loop {
        refuse_unknown(&current)?;
        let info = proxy::read(&current.certificate).map_err(|(reason, text)| current.refuse(reason, text))?;
        let found = match info {
            Some(proxy) => Some((take_issuer(context, &current, &mut pool)?, proxy)),
            None => take_legacy_issuer(context, &current, &mut pool)?,
        };
        let Some((issuer, proxy)) = found else { break };
        proxy::check(&current.certificate, &proxy, &issuer.certificate, context.policy)
            .map_err(|(reason, text)| current.refuse(reason, text))?;
        proxies.push((current, proxy));
        current = issuer;
    }
    check_sequence(&proxies)?;
    let eec = current;
    check_keys(context, &proxies, &eec)?;
    check_end_entity(&eec, PURPOSES)?;
    let cas = authorities(context, &eec, &mut pool, PURPOSES)?;
    for unused in pool.iter().filter(|link| !link.certificate.is_self_issued()) {
        context.note(format!("{} is not part of the chain", unused.title()));
    }
    Ok(Chain { proxies, eec, cas })
}

/// RFC 5280 section 4.2: what is critical and not understood refuses.
fn refuse_unknown(link: &Link) -> Outcome<()> {
    match link.certificate.unknown_critical() {
        Some(oid) => {
            let text = format!("has the critical extension {oid}, which glexec does not know (RFC 5280 section 4.2)");
            Err(link.refuse(Reason::CredentialExtension, text))
        }
        None => Ok(()),
    }
}

/// An end entity certificate stands for somebody; a CA never does.
pub fn check_end_entity(link: &Link, purposes: &[ObjectIdentifier]) -> Outcome<()> {
    refuse_unknown(link)?;
    if link.certificate.is_ca {
        return Err(link.refuse(Reason::CredentialCaRules, "is a CA, which can be neither a user nor issue proxies"));
    }
    check_purposes(link, purposes)
}

fn check_purposes(link: &Link, purposes: &[ObjectIdentifier]) -> Outcome<()> {
    match link.certificate.forbids_purposes(purposes) {
        Ok(false) => Ok(()),
        Ok(true) => Err(link.refuse(
            Reason::CredentialPurpose,
            "has a critical extended key usage that does not allow this use (RFC 5280 section 4.2.1.12)",
        )),
        Err(fault) => Err(link.refuse(Reason::CredentialMalformed, format!("is malformed: {fault}"))),
    }
}

/// Takes the issuer of a proxy, which must be in the file, out of the pool.
fn take_issuer(context: &Context, link: &Link, pool: &mut Vec<Link>) -> Outcome<Link> {
    let mut fault = None;
    for position in named(pool, link) {
        let Some(candidate) = pool.get(position) else { break };
        match context.verify(&link.certificate.signed, On::Proxy, &candidate.certificate.spki)? {
            Ok(()) => return Ok(pool.remove(position)),
            Err(why) => fault = Some(signature_refusal(link, candidate, why)),
        }
    }
    Err(fault.unwrap_or_else(|| {
        let issuer = link.certificate.issuer.text();
        let text =
            format!("is a proxy, and the certificate of its issuer {issuer} is not in the file: make a new proxy");
        link.refuse(Reason::CredentialIncomplete, text)
    }))
}

/// Positions of the certificates that have the name of a certificate's issuer.
fn named(pool: &[Link], link: &Link) -> Vec<usize> {
    let fits = |(position, candidate): (usize, &Link)| {
        (candidate.certificate.subject == link.certificate.issuer).then_some(position)
    };
    pool.iter().enumerate().filter_map(fits).take(MAX_CANDIDATES).collect()
}

/// Takes the issuer of a legacy proxy out of the pool; `None` where the certificate is none.
fn take_legacy_issuer(context: &Context, link: &Link, pool: &mut Vec<Link>) -> Outcome<Option<(Link, Proxy)>> {
    for position in named(pool, link) {
        let Some(candidate) = pool.get(position) else { break };
        let issuer = &candidate.certificate;
        if issuer.is_ca || issuer.is_self_issued() {
            continue;
        }
        let Some(proxy) = link.certificate.subject.added_common_name(&issuer.subject).and_then(proxy::legacy) else {
            continue;
        };
        match context.verify(&link.certificate.signed, On::Proxy, &issuer.spki)? {
            Ok(()) => return Ok(Some((pool.remove(position), proxy))),
            // A CA may have issued it.
            Err(Fault::Signature) => {}
            Err(why) => return Err(signature_refusal(link, candidate, why)),
        }
    }
    Ok(None)
}

/// The keys of the proxies and of whom they stand for, which may differ in length: until here it was not known which is
/// whose.
fn check_keys(context: &Context, proxies: &[(Link, Proxy)], eec: &Link) -> Outcome<()> {
    let keys = proxies.iter().map(|(link, _)| (link, Of::Proxy)).chain([(eec, Of::Authority)]);
    for (link, of) in keys {
        key::check(&link.certificate.spki, of, context.policy).map_err(|fault| key_refusal(link, fault))?;
    }
    Ok(())
}

/// Rules over all proxies: one generation, limited stays limited, path lengths count down (RFC 3820 section 3.8.1).
fn check_sequence(proxies: &[(Link, Proxy)]) -> Outcome<()> {
    let mut above: Option<&Proxy> = None;
    for (below, (link, proxy)) in proxies.iter().enumerate().rev() {
        if above.is_some_and(|above| above.generation != proxy.generation) {
            let text = "is a proxy of another generation than its issuer; generations must not be mixed";
            return Err(link.refuse(Reason::CredentialProxyType, text));
        }
        if above.is_some_and(|above| above.limited && !proxy.limited) {
            let text = "is a full proxy that a limited proxy issued";
            return Err(link.refuse(Reason::CredentialProxyLimited, text));
        }
        let below = u64::try_from(below).unwrap_or(u64::MAX);
        if let Some(length) = proxy.path_length.filter(|length| *length < below) {
            let text = format!(
                "is a proxy that allows {length} proxies below it, but {below} are there (RFC 3820 section 3.8.1)"
            );
            return Err(link.refuse(Reason::CredentialProxyPathLength, text));
        }
        check_purposes(link, PURPOSES)?;
        above = Some(proxy);
    }
    Ok(())
}

/// Finds the CAs from a certificate's issuer up to an anchor: a certificate of the directory that names itself as its
/// issuer. It is trusted by being there, so that its own signature is not looked at. A CA that was made for other purposes,
/// and says so critically, certifies nobody for these.
pub fn authorities(
    context: &Context,
    eec: &Link,
    pool: &mut Vec<Link>,
    purposes: &[ObjectIdentifier],
) -> Outcome<Vec<Link>> {
    let mut cas: Vec<Link> = Vec::new();
    while cas.len() < MAX_CAS {
        let issuer = take_authority(context, cas.last().unwrap_or(eec), pool)?;
        check_authority(&issuer, &cas, eec)?;
        check_purposes(&issuer, purposes)?;
        let is_anchor = issuer.place == Place::Directory && issuer.certificate.is_self_issued();
        cas.push(issuer);
        if is_anchor {
            return Ok(cas);
        }
    }
    Err(eec.refuse(Reason::CredentialCaRules, format!("has more than {MAX_CAS} CAs above it")))
}

/// The CA that issued a certificate, from the directory or, for a CA below an anchor, from the file.
fn take_authority(context: &Context, link: &Link, pool: &mut Vec<Link>) -> Outcome<Link> {
    let wanted = &link.certificate.issuer;
    let mut candidates: Vec<(Link, Option<usize>)> = Vec::new();
    for certificate in context.authorities(wanted)?.iter() {
        candidates.push((Link { certificate: certificate.clone(), place: Place::Directory }, None));
    }
    for position in named(pool, link) {
        // What names itself as its issuer counts in the directory only.
        if let Some(candidate) = pool.get(position).filter(|c| !c.certificate.is_self_issued()) {
            candidates.push((candidate.clone(), Some(position)));
        }
    }
    let mut chosen: Option<(Link, Option<usize>)> = None;
    let mut fault = None;
    for (candidate, position) in candidates {
        match context.verify(&link.certificate.signed, On::Certificate, &candidate.certificate.spki)? {
            Ok(()) => {
                let current = is_current(&candidate.certificate, context.now) && candidate.certificate.is_ca;
                if chosen.is_none() || current {
                    chosen = Some((candidate, position));
                }
                if current {
                    break;
                }
            }
            // A wrong key of the same name says less than what is wrong with the right one.
            Err(Fault::Signature) if fault.is_some() => {}
            Err(why) => fault = Some(signature_refusal(link, &candidate, why)),
        }
    }
    match (chosen, fault) {
        (Some((issuer, position)), _) => {
            if let Some(position) = position {
                pool.remove(position);
            }
            Ok(issuer)
        }
        (None, Some(fault)) => Err(fault),
        (None, None) => Err(unknown_authority(context, link)),
    }
}

fn unknown_authority(context: &Context, link: &Link) -> Refusal {
    let Certificate { subject, issuer, .. } = &link.certificate;
    let issuer_text = issuer.text();
    if subject.added_common_name(issuer).is_some_and(|name| proxy::legacy(name).is_some()) {
        let text = format!(
            "has the name of a legacy proxy, and the certificate of its issuer {issuer_text} is not in the file: make a new proxy"
        );
        return link.refuse(Reason::CredentialIncomplete, text);
    }
    let text = if link.certificate.is_self_issued() {
        "is self-signed and not one of the site's certification authorities".to_owned()
    } else if let Some(other) = trust::look_alike(context.trust, issuer) {
        format!("was issued by {issuer_text}; the site has {}, which differs in case or blanks", other.text())
    } else {
        format!("was issued by {issuer_text}, which is not one of the site's certification authorities")
    };
    link.refuse(Reason::CredentialUnknownCa, text)
}

fn is_current(certificate: &Certificate, now: i64) -> bool {
    certificate.not_before <= now && now <= certificate.not_after
}

/// RFC 5280 sections 6.1.4 (k) to (o) and 4.2.1.10: what a CA must be and whom it may certify. Version 1 certificates
/// cannot say that they are a CA and are refused as one, anchors too: IGTF profiles require version 3.
fn check_authority(issuer: &Link, below: &[Link], eec: &Link) -> Outcome<()> {
    let certificate = &issuer.certificate;
    let refuse = |text: &str| Err(issuer.refuse(Reason::CredentialCaRules, text));
    refuse_unknown(issuer)?;
    if !certificate.is_ca {
        let subject = below.last().unwrap_or(eec).certificate.subject.text();
        return refuse(&format!("issued {subject} but is no CA (RFC 5280 section 4.2.1.9)"));
    }
    if proxy::is_marked(certificate) {
        return refuse(
            "is a proxy (it has a proxyCertInfo), which may issue nothing but proxies (RFC 3820 section 3.8)",
        );
    }
    if certificate.key_usage.is_some_and(|usage| !usage.certificate_sign()) {
        return refuse("is a CA whose keyUsage lacks keyCertSign (RFC 5280 section 4.2.1.3)");
    }
    let deep = below.iter().filter(|link| !link.certificate.is_self_issued()).count();
    if certificate.path_length.is_some_and(|length| length < u64::try_from(deep).unwrap_or(u64::MAX)) {
        return refuse("is a CA with more CAs below it than its path length allows (RFC 5280 section 4.2.1.9)");
    }
    below.iter().chain([eec]).try_for_each(|link| check_name_constraints(issuer, link))
}

fn check_name_constraints(issuer: &Link, link: &Link) -> Outcome<()> {
    let Some(constraints) = &issuer.certificate.name_constraints else { return Ok(()) };
    let certificate = &link.certificate;
    let malformed = |fault| {
        let text = format!("has alternative names that cannot be understood, and name constraints above it: {fault:?}");
        link.refuse(Reason::CredentialMalformed, text)
    };
    let names = certificate.alternative_names().map_err(malformed)?;
    // Other forms bind who has a name of that form; a mail address counts in the subject, too.
    let has =
        |form: &u8| names.others.contains(form) || (*form == tag::MAIL_NAME && certificate.subject.has_mail_address());
    if constraints.others.iter().any(has) {
        let text = format!(
            "has an alternative name of a form that the name constraints of {} are about and glexec does not judge",
            issuer.title()
        );
        return Err(link.refuse(Reason::CredentialExtension, text));
    }
    let within = |name: &Base, bases: &[Base]| bases.iter().any(|base| name.is_within(base));
    let is_allowed = |name: &Base| {
        !within(name, &constraints.excluded)
            && (constraints.permitted.is_empty() || within(name, &constraints.permitted))
    };
    if !is_allowed(&certificate.subject.as_base()) || !names.directory.iter().all(is_allowed) {
        let text = format!(
            "has a name that the name constraints of {} exclude (RFC 5280 sections 4.2.1.10 and 6.1.3)",
            issuer.title()
        );
        return Err(link.refuse(Reason::CredentialCaRules, text));
    }
    Ok(())
}

/// RFC 5280 section 4.1.2.5: both ends of the validity belong to it.
pub fn check_validity<'a>(links: impl Iterator<Item = &'a Link>, now: i64) -> Outcome<()> {
    for link in links {
        let (from, to) = (link.certificate.not_before, link.certificate.not_after);
        let by_site = link.place == Place::Directory;
        if now > to {
            let ago = span(now.saturating_sub(to));
            return Err(match by_site {
                true => {
                    link.refuse(Reason::TrustCaExpired, format!("expired {ago} ago: the site has to update its CAs"))
                }
                false => link.refuse(Reason::CredentialExpired, format!("expired {ago} ago: renew it")),
            });
        }
        if now < from {
            let wait = span(from.saturating_sub(now));
            let reason = if by_site { Reason::TrustCaExpired } else { Reason::CredentialNotYetValid };
            return Err(link.refuse(reason, format!("will be valid in {wait} only: check the clocks")));
        }
    }
    Ok(())
}

/// `limited_proxy`.
pub fn check_limited(context: &Context, chain: &Chain) -> Outcome<()> {
    match (context.policy.limited_proxy, chain.is_limited()) {
        (LimitedProxy::Refuse, true) => {
            let text = "limited proxies are not accepted here (limited_proxy): give a full proxy";
            Err(Refusal::new(Reason::CredentialLimitedRefused, text))
        }
        (LimitedProxy::Require, false) => {
            let text = "only limited proxies are accepted here (limited_proxy)";
            Err(Refusal::new(Reason::CredentialLimitedRequired, text))
        }
        _ => Ok(()),
    }
}

/// `max_proxy_lifetime`.
pub fn check_lifetimes(context: &Context, chain: &Chain) -> Outcome<()> {
    let Some(longest) = context.policy.max_proxy_lifetime else { return Ok(()) };
    let longest = i64::try_from(longest.duration().as_secs()).unwrap_or(i64::MAX);
    for (link, _) in &chain.proxies {
        let lifetime = link.certificate.not_after.saturating_sub(link.certificate.not_before);
        if lifetime > longest {
            let text = format!(
                "is valid for {} but proxies may be for {} only (max_proxy_lifetime): make a shorter one",
                span(lifetime),
                span(longest)
            );
            return Err(link.refuse(Reason::CredentialLifetime, text));
        }
    }
    Ok(())
}
