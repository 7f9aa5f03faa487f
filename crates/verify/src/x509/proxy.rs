//! What makes a certificate a proxy, and the rules that one must keep (RFC 3820 section 3).
//!
//! Three generations exist. RFC 3820 marks a proxy by a critical proxyCertInfo extension. The draft that Globus Toolkit
//! 3 implemented has another object identifier and another order of fields. Before that (GT2, "legacy") a proxy was
//! known only by its last common name, `proxy` or `limited proxy`; whether such a certificate is a proxy at all also
//! depends on who issued it, so that `chain` decides it.

#![forbid(unsafe_code)]

use crate::x509::asn1::{Cursor, Malformed, number, only, tag};
use crate::x509::certificate::{Certificate, oid};
use der::oid::ObjectIdentifier;
use glexec_core::credentials::{Credentials, ProxyType};
use glexec_core::reason::Reason;

const INHERIT_ALL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.21.1");
const LIMITED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3536.1.1.1.9");

/// Why a proxy is refused: the reason and the broken rule, to be put behind the proxy's name.
pub type Broken = (Reason, String);

/// What a proxy says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub generation: ProxyType,
    pub limited: bool,
    /// How many proxies may stand below it.
    pub path_length: Option<u64>,
}

/// Whether a certificate has a proxyCertInfo, good or bad.
pub fn is_marked(certificate: &Certificate) -> bool {
    [oid::PROXY_INFO, oid::PROXY_INFO_GT3].into_iter().any(|kind| certificate.extension(kind).is_some())
}

/// Reads the proxyCertInfo of a certificate; `None` where it has none.
pub fn read(certificate: &Certificate) -> Result<Option<Proxy>, Broken> {
    let rfc = certificate.extension(oid::PROXY_INFO);
    let gt3 = certificate.extension(oid::PROXY_INFO_GT3);
    let malformed = |Malformed(what)| (Reason::CredentialProxyInfo, format!("has a malformed proxyCertInfo: {what}"));
    let (generation, info) = match (rfc, gt3) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(broken(Reason::CredentialProxyInfo, "has two kinds of proxyCertInfo")),
        (Some(rfc), None) if !rfc.critical => {
            return Err(broken(
                Reason::CredentialProxyInfo,
                "has a proxyCertInfo that is not critical (RFC 3820 section 3.8)",
            ));
        }
        (Some(rfc), None) => (ProxyType::Rfc3820, read_rfc(&rfc.value).map_err(malformed)?),
        (None, Some(gt3)) => (ProxyType::Gt3, read_gt3(&gt3.value).map_err(malformed)?),
    };
    let (path_length, language, has_policy) = info;
    let limited = match language {
        INHERIT_ALL => false,
        LIMITED => true,
        other => {
            let text = format!(
                "has the policy language {other}; only inheritAll and limited proxies stand for their user (RFC 3820 section 3.8.2)"
            );
            return Err((Reason::CredentialProxyPolicy, text));
        }
    };
    if has_policy {
        let text = "has a policy, which its policy language does not allow (RFC 3820 section 3.8.2)";
        return Err(broken(Reason::CredentialProxyPolicy, text));
    }
    Ok(Some(Proxy { generation, limited, path_length }))
}

fn broken(reason: Reason, text: &str) -> Broken {
    (reason, text.to_owned())
}

type Info = (Option<u64>, ObjectIdentifier, bool);

/// `SEQUENCE { pCPathLenConstraint INTEGER OPTIONAL, proxyPolicy }`, RFC 3820 section 3.8.
fn read_rfc(der: &[u8]) -> Result<Info, Malformed> {
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    let length = if fields.peek() == Some(tag::INTEGER) { Some(path_length(&mut fields)?) } else { None };
    let (language, has_policy) = read_policy(&mut fields)?;
    fields.end()?;
    Ok((length, language, has_policy))
}

/// `SEQUENCE { proxyPolicy, pCPathLenConstraint [1] EXPLICIT INTEGER OPTIONAL }`, the draft's order; some tools write
/// RFC 3820's order under the draft's object identifier.
fn read_gt3(der: &[u8]) -> Result<Info, Malformed> {
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    if fields.peek() == Some(tag::INTEGER) {
        return read_rfc(der);
    }
    let (language, has_policy) = read_policy(&mut fields)?;
    let length = match fields.optional(tag::constructed(1))? {
        Some(wrapped) => {
            let mut inside = wrapped.inside()?;
            let length = path_length(&mut inside)?;
            inside.end()?;
            Some(length)
        }
        None => None,
    };
    fields.end()?;
    Ok((length, language, has_policy))
}

fn path_length(fields: &mut Cursor) -> Result<u64, Malformed> {
    Ok(number(fields.unsigned()?).unwrap_or(u64::MAX))
}

fn read_policy(fields: &mut Cursor) -> Result<(ObjectIdentifier, bool), Malformed> {
    let mut policy = fields.sequence()?;
    let language = policy.oid()?;
    let octets = policy.optional(tag::OCTET_STRING)?;
    policy.end()?;
    Ok((language, octets.is_some()))
}

/// What a legacy proxy's last common name says; `None` where the name is not one of a legacy proxy.
pub fn legacy(common_name: &str) -> Option<Proxy> {
    let limited = match common_name {
        "proxy" => false,
        "limited proxy" => true,
        _ => return None,
    };
    Some(Proxy { generation: ProxyType::Legacy, limited, path_length: None })
}

/// The rules between a proxy and its issuer, which is an end entity certificate or another proxy.
pub fn check(
    certificate: &Certificate,
    proxy: &Proxy,
    issuer: &Certificate,
    policy: &Credentials,
) -> Result<(), Broken> {
    if !policy.proxy_types.contains(&proxy.generation) {
        let text = format!("is a proxy of a generation that is not accepted here ({}; proxy_types)", title(proxy));
        return Err((Reason::CredentialProxyType, text));
    }
    if issuer.is_ca {
        return Err(broken(
            Reason::CredentialCaRules,
            "is a proxy that a CA issued; only users and proxies issue proxies",
        ));
    }
    check_subject(certificate, proxy, issuer)?;
    if certificate.version != 3 {
        return Err(broken(Reason::CredentialProxyExtension, "is a proxy but not of version 3 (RFC 3820 section 3.1)"));
    }
    if certificate.is_ca || certificate.key_usage.is_some_and(|usage| usage.certificate_sign()) {
        let text = "is a proxy that may sign certificates: CA flag or keyCertSign (RFC 3820 sections 3.6 and 3.7)";
        return Err(broken(Reason::CredentialProxyExtension, text));
    }
    for (kind, title) in [(oid::SUBJECT_ALT_NAME, "subject"), (oid::ISSUER_ALT_NAME, "issuer")] {
        if certificate.extension(kind).is_some() {
            let text = format!("is a proxy with an alternative {title} name (RFC 3820 sections 3.2 and 3.5)");
            return Err((Reason::CredentialProxyExtension, text));
        }
    }
    if certificate.name_constraints.is_some() {
        return Err(broken(Reason::CredentialProxyExtension, "is a proxy with name constraints, which are for CAs"));
    }
    if certificate.key_usage.is_some_and(|usage| !usage.digital_signature()) {
        let text =
            "is a proxy whose keyUsage lacks digitalSignature, so that it can prove nothing (RFC 5280 section 4.2.1.3)";
        return Err(broken(Reason::CredentialProxyUsage, text));
    }
    if issuer.key_usage.is_some_and(|usage| !usage.digital_signature()) {
        let text = "was issued by a certificate whose keyUsage lacks digitalSignature (RFC 3820 section 3.1)";
        return Err(broken(Reason::CredentialProxyUsage, text));
    }
    Ok(())
}

fn check_subject(certificate: &Certificate, proxy: &Proxy, issuer: &Certificate) -> Result<(), Broken> {
    let added = certificate.subject.added_common_name(&issuer.subject);
    let Some(added) = added else {
        let text = "is a proxy whose subject is not its issuer's subject plus one common name (RFC 3820 section 3.4)";
        return Err(broken(Reason::CredentialProxySubject, text));
    };
    if proxy.generation == ProxyType::Legacy && legacy(added).as_ref() != Some(proxy) {
        return Err(broken(Reason::CredentialProxySubject, "is a legacy proxy without the common name of one"));
    }
    Ok(())
}

/// The generation, for people.
pub fn title(proxy: &Proxy) -> &'static str {
    match proxy.generation {
        ProxyType::Rfc3820 => "RFC 3820",
        ProxyType::Gt3 => "the GT3 draft",
        ProxyType::Legacy => "GT2 legacy",
    }
}
