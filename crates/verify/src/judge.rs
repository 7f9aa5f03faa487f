//! The verdict on one credential: pure but for reading the two trust directories, the clock is a parameter.
//!
//! # The order of checks
//!
//! One credential can be wrong in several ways; the caller hears of one. The order is fixed, so that nothing said rests
//! on bytes that nobody vouches for, and that what is said helps:
//!
//! 1. the file: size, PEM blocks, DER, names, extensions (201 malformed, or 203 for what is well formed but not accepted);
//! 2. the private key: there, unencrypted, strong, and the leaf's (201);
//! 3. the walk from leaf to anchor, certificate by certificate: proxy rules, signatures, CA rules (203, and 201 where a
//!    certificate is missing). A forged certificate is called forged and never expired;
//! 4. validity, leaf first: a genuine but expired proxy hears that it is expired (201);
//! 5. the site's rules on proxies: limited, lifetime (203);
//! 6. signing policies, then CRLs, from the user's CA up to the anchor (203, and 202 for what the site has to fix);
//! 7. VOMS attributes, in the same order: parsed, whose, by whom, trusted, valid, in scope.
//!
//! The pilot's proxy may be limited or not as it likes, because `limited_proxy` is about what runs.

#![forbid(unsafe_code)]

use crate::context::{Context, Link, Place, key_refusal};
use crate::revocation::check_revocation;
use crate::trust::Trust;
use crate::voms;
use crate::x509::certificate::{Certificate, Fault as CertificateFault};
use crate::x509::chain::{self, Chain};
use crate::x509::key::{self, Of};
use crate::x509::pem::{self, Contents};
use glexec_core::credentials::Credentials;
use glexec_core::identity::{Form, Fqan, Identity, Proof};
use glexec_core::question::{Holder, KeyRule};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::verdict::Judged;

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// The content of a proxy file.
    pub file: &'a [u8],
    /// Whose it is said to be.
    pub holder: Holder,
    /// Whether it must hold its private key.
    pub key: KeyRule,
}

pub fn judge(matter: &Matter<'_>, policy: &Credentials, trust: &Trust, now: i64) -> Outcome<Judged> {
    // What is said of a file beside the client certificate names it.
    let what = match matter.holder {
        Holder::User => None,
        Holder::Source => Some("the source proxy"),
        Holder::Pilot => Some("the pilot's proxy"),
    };
    let context = Context::new(policy, trust, now, what);
    let identity = examine(&context, matter).map_err(|refusal| match what {
        Some(what) => refusal.about(what),
        None => refusal,
    })?;
    Ok(Judged { identity, notes: context.into_notes(), certificates: Vec::new() })
}

fn examine(context: &Context, matter: &Matter<'_>) -> Outcome<Identity> {
    let contents = pem::read(matter.file, context.policy.max_chain)?;
    for label in &contents.foreign {
        context.note(format!("the file has a block {label:?}, which is no part of a proxy: passed over"));
    }
    let links = parse(&contents)?;
    check_key(context, &contents, &links, matter.key)?;
    let chain = chain::build(context, links)?;
    chain::check_validity(chain.links(), context.now)?;
    if matter.holder != Holder::Pilot {
        chain::check_limited(context, &chain)?;
    }
    chain::check_lifetimes(context, &chain)?;
    let mut issued = vec![&chain.eec];
    issued.extend(chain.proxies.iter().map(|(link, _)| link));
    check_revocation(context, &issued, &chain.cas)?;
    let fqans = voms::attributes(context, &chain)?;
    let form = match (chain.proxies.is_empty(), chain.is_limited()) {
        (true, _) => Form::EndEntity,
        (false, false) => Form::FullProxy,
        (false, true) => Form::LimitedProxy,
    };
    Ok(identity(&chain, form, fqans))
}

fn identity(chain: &Chain, form: Form, fqans: Vec<Fqan>) -> Identity {
    let eec = &chain.eec.certificate;
    Identity {
        subject: eec.subject.text().clone(),
        proof: Proof::X509 { issuer: eec.issuer.text().clone(), serial: eec.serial.clone(), form },
        not_after: chain.links().map(|link| link.certificate.not_after).min().unwrap_or(i64::MIN),
        fqans,
    }
}

fn parse(contents: &Contents) -> Outcome<Vec<Link>> {
    let read = |(position, der): (usize, &Vec<u8>)| match Certificate::parse(der) {
        Ok(certificate) => Ok(Link { certificate, place: Place::File(position) }),
        Err(fault) => {
            let (reason, what) = match fault {
                CertificateFault::Malformed(what) => {
                    (Reason::CredentialMalformed, format!("is malformed (RFC 5280, DER): {what}"))
                }
                CertificateFault::Name(what) => {
                    (Reason::CredentialName, format!("has a name that is not accepted: {what}"))
                }
                CertificateFault::Extension(what) => (Reason::CredentialExtension, format!("has {what}")),
            };
            Err(Refusal::new(reason, format!("certificate {position} of the file {what}")))
        }
    };
    (1_usize..).zip(&contents.certificates).map(read).collect()
}

/// The leaf's key must be accepted, and the private key, where there is one or must be, must prove to be its own.
fn check_key(context: &Context, contents: &Contents, links: &[Link], rule: KeyRule) -> Outcome<()> {
    let Some(leaf) = links.first() else { return Ok(()) };
    let spki = &leaf.certificate.spki;
    if contents.key.is_none() && rule == KeyRule::Required {
        let text = "the proxy file holds no private key: give the whole proxy, not the certificates alone";
        return Err(Refusal::new(Reason::CredentialNoKey, text));
    }
    // Whether it is a proxy's or a user's is found out by the walk, which judges it again.
    key::check(spki, Of::Either, context.policy).map_err(|fault| key_refusal(leaf, fault))?;
    let Some(private) = &contents.key else { return Ok(()) };
    match key::proves_possession(private, spki) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let text = "the private key does not belong to the first certificate of the file: make a new proxy";
            Err(Refusal::new(Reason::CredentialKeyMismatch, text))
        }
        Err(fault) => {
            let text = format!("the private key cannot be compared with the first certificate of the file: {fault}");
            Err(Refusal::new(Reason::CredentialMalformed, text))
        }
    }
}
