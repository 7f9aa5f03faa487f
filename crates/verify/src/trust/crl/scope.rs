//! Whom a CRL speaks for (RFC 5280 section 5.2.5): without an issuingDistributionPoint for all certificates of its CA.
//!
//! CAs divide their lists by kind (users, CAs) or by place: each certificate then names in cRLDistributionPoints the
//! place of the list that it would be on. That somebody is not on another list says nothing.

#![forbid(unsafe_code)]

use crate::x509::asn1::{Cursor, Malformed, Tlv, only, tag};
use crate::x509::certificate::{Certificate, oid};

/// Most names of a place.
const MAX_NAMES: usize = 64;

/// The certificates of its CA that a CRL speaks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scope {
    only_users: bool,
    only_cas: bool,
    /// The names of the list's place, in DER.
    place: Option<Vec<Vec<u8>>>,
}

impl Scope {
    /// Reads an issuingDistributionPoint; an error where it makes the list of a kind that glexec does not understand.
    pub fn read(der: &[u8]) -> Result<Self, Malformed> {
        let mut fields = only(der, tag::SEQUENCE)?.inside()?;
        let place = fields.optional(tag::constructed(0))?.map(names).transpose()?;
        let (only_users, only_cas) = (fields.flag_as(tag::primitive(1))?, fields.flag_as(tag::primitive(2))?);
        if fields.optional(tag::primitive(3))?.is_some() {
            return Err(Malformed("it is for some reasons of revocation only"));
        }
        let (indirect, only_attributes) = (fields.flag_as(tag::primitive(4))?, fields.flag_as(tag::primitive(5))?);
        fields.end()?;
        if indirect || only_attributes {
            return Err(Malformed("it is an indirect CRL, or one of attribute certificates"));
        }
        let place = place.map(|names| names.into_iter().map(<[u8]>::to_vec).collect());
        let scope = Scope { only_users, only_cas, place };
        if scope == Scope::default() { Err(Malformed("its issuingDistributionPoint says nothing")) } else { Ok(scope) }
    }

    /// Whether it speaks for a certificate of its CA (section 6.3.3 b).
    pub fn covers(&self, certificate: &Certificate) -> bool {
        let kind = if certificate.is_ca { !self.only_users } else { !self.only_cas };
        kind && self.place.as_ref().is_none_or(|place| points_to(certificate, place).unwrap_or(false))
    }
}

/// Whether a certificate says that it would be on the list of a place, whatever the reason.
fn points_to(certificate: &Certificate, place: &[Vec<u8>]) -> Result<bool, Malformed> {
    let Some(extension) = certificate.extension(oid::CRL_POINTS) else { return Ok(false) };
    let mut points = only(&extension.value, tag::SEQUENCE)?.inside()?;
    while !points.is_at_end() {
        let mut point = points.sequence()?;
        let name = point.optional(tag::constructed(0))?;
        // What follows are reasons and another issuer: such a list would be a part of one, or indirect.
        let Some(name) = name.filter(|_| point.is_at_end()) else { continue };
        if names(name)?.iter().any(|name| place.iter().any(|known| known == name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names of a DistributionPointName (section 4.2.1.13); none where it is one that is relative to the issuer's.
fn names(point: Tlv<'_>) -> Result<Vec<&[u8]>, Malformed> {
    let mut inside = point.inside()?;
    let name = inside.any()?;
    inside.end()?;
    if name.tag != tag::constructed(0) {
        return Ok(Vec::new());
    }
    let mut list = Cursor::new(name.value)?;
    let mut names = Vec::new();
    while !list.is_at_end() {
        if names.len() >= MAX_NAMES {
            return Err(Malformed("a distribution point has too many names"));
        }
        names.push(list.any()?.raw);
    }
    Ok(names)
}
