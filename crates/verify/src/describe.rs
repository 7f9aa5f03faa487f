//! What a proxy file holds, told without judging it.
//!
//! The bytes are hostile: this is answered by the verifier, too.

#![forbid(unsafe_code)]

use crate::voms::{self, ac::Ac};
use crate::x509::asn1::Malformed;
use crate::x509::certificate::{Certificate, oid};
use crate::x509::{pem, proxy};
use glexec_core::described::{Attributes, Part, ProxyFile};

/// Describes the content of a proxy file.
pub fn describe(file: &[u8], max_chain: usize) -> ProxyFile {
    let contents = match pem::read(file, max_chain) {
        Ok(contents) => contents,
        Err(refusal) => return ProxyFile { unreadable: Some(refusal.for_log()), ..ProxyFile::default() },
    };
    let all: Vec<_> = contents.certificates.iter().map(|der| Certificate::parse(der)).collect();
    let part = |(position, parsed): (usize, &Result<Certificate, _>)| match parsed {
        Err(fault) => Part::Broken { broken: format!("{fault:?}") },
        Ok(certificate) => {
            let issuers = all.iter().skip(position.saturating_add(1)).filter_map(|one| one.as_ref().ok());
            Part::Certificate {
                kind: kind(certificate, issuers),
                subject: certificate.subject.text().to_string(),
                issuer: certificate.issuer.text().to_string(),
                serial: certificate.serial.to_string(),
                not_before: certificate.not_before,
                not_after: certificate.not_after,
                attributes: attributes(certificate),
            }
        }
    };
    let certificates = all.iter().enumerate().map(part).collect();
    ProxyFile { certificates, private_key: contents.key.is_some(), unreadable: None }
}

fn kind<'a>(certificate: &Certificate, mut others: impl Iterator<Item = &'a Certificate>) -> String {
    let proxy = match proxy::read(certificate) {
        Err((_, broken)) => return format!("a proxy that {broken}"),
        Ok(Some(proxy)) => Some(proxy),
        Ok(None) => others
            .find(|issuer| issuer.subject == certificate.issuer && !issuer.is_ca)
            .and_then(|issuer| certificate.subject.added_common_name(&issuer.subject))
            .and_then(proxy::legacy),
    };
    match proxy {
        Some(proxy) => {
            let form = if proxy.limited { "limited" } else { "full" };
            let below = proxy.path_length.map(|length| format!(", at most {length} proxies below it"));
            format!("{form} proxy ({}{})", proxy::title(&proxy), below.unwrap_or_default())
        }
        None if certificate.is_ca => "CA certificate".to_owned(),
        None => "end entity certificate".to_owned(),
    }
}

fn attributes(certificate: &Certificate) -> Option<Attributes> {
    let extension = certificate.extension(oid::VOMS)?;
    let read = || -> Result<Ac, Malformed> { Ac::parse(voms::first_of(&extension.value)?.0) };
    Some(match read() {
        Err(Malformed(what)) => Attributes::Broken { broken: what.to_owned() },
        Ok(ac) => Attributes::Ac {
            vo: ac.vo.clone(),
            server: ac.issuer.text().to_string(),
            not_before: ac.not_before,
            not_after: ac.not_after,
            fqans: ac.fqans.clone(),
        },
    })
}
