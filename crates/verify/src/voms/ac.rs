//! One attribute certificate, version 2 (RFC 5755 section 4.1), in the profile that VOMS servers write.

#![forbid(unsafe_code)]

use crate::x509::asn1::{Cursor, Malformed, Tlv, only, tag};
use crate::x509::certificate::{Algorithm, Extension, Fault, Signed, extensions, serial};
use crate::x509::name::{Name, NameError};
use der::oid::ObjectIdentifier;
use glexec_core::identity::Serial;
use glexec_core::vo;

/// The attribute that holds the FQANs.
const FQANS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.8005.100.100.4");
/// Extension: the certificates of the server and its CAs.
pub const CERTIFICATES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.8005.100.100.10");
/// Extension: generic attributes, which mapping does not use.
const GENERIC_ATTRIBUTES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.8005.100.100.11");
/// Extension: the hosts that the AC is for.
pub const TARGETS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.55");
const NO_REVOCATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.56");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// Most entries of a list in an AC, so that it costs little before it is trusted.
const MAX_ENTRIES: usize = 128;

/// An attribute certificate.
#[derive(Debug)]
pub struct Ac {
    /// What is signed, and the signature.
    pub signed: Signed,
    /// A name of the certificate that it is for: its issuer's or its subject's.
    pub holder_name: Name,
    /// Serial number of the certificate that it is for.
    pub holder_serial: Serial,
    /// Who issued it: the subject of the server's certificate.
    pub issuer: Name,
    /// First second of validity, since 1970 UTC.
    pub not_before: i64,
    /// Last second of validity.
    pub not_after: i64,
    /// The VO in whose name it speaks, safe as a file name.
    pub vo: String,
    /// FQANs as they stand in it.
    pub fqans: Vec<String>,
    extensions: Vec<Extension>,
}

fn usable(error: NameError) -> Malformed {
    match error {
        NameError::Malformed(what) | NameError::Refused(what) => Malformed(what),
    }
}

impl Ac {
    /// Reads an attribute certificate.
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let signed = Signed::read(der)?;
        let mut fields = only(&signed.body, tag::SEQUENCE)?.inside()?;
        if fields.take(tag::INTEGER)?.value != [1] {
            return Err(Malformed("it is not of version 2"));
        }
        let (holder_name, holder_serial) = holder(&mut fields)?;
        let issuer = issuer(&mut fields)?;
        if Algorithm::read(&mut fields)? != signed.algorithm {
            return Err(Malformed("it names two signature algorithms"));
        }
        fields.take(tag::INTEGER)?; // its serial number, which nothing here refers to
        let mut validity = fields.sequence()?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        validity.end()?;
        let (vo, fqans) = attributes(&mut fields)?;
        let extensions = match fields.optional(tag::SEQUENCE)? {
            Some(list) => extensions(list).map_err(|fault| match fault {
                Fault::Malformed(what) | Fault::Name(what) => Malformed(what),
                Fault::Extension(_) => Malformed("it has an extension twice, or too many"),
            })?,
            None => Vec::new(),
        };
        fields.end()?;
        Ok(Ac { signed, holder_name, holder_serial, issuer, not_before, not_after, vo, fqans, extensions })
    }

    /// The value of an extension.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        self.extensions.iter().find(|e| e.oid == oid).map(|e| e.value.as_slice())
    }

    /// The first critical extension whose meaning glexec does not know.
    pub fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        let known = [CERTIFICATES, GENERIC_ATTRIBUTES, TARGETS, NO_REVOCATION, AUTHORITY_KEY_ID];
        self.extensions.iter().find(|e| e.critical && !known.contains(&e.oid)).map(|e| e.oid)
    }
}

/// `SEQUENCE { baseCertificateID [0] IssuerSerial }`; a holder by other means is refused (RFC 5755 section 4.2.2).
fn holder(fields: &mut Cursor) -> Result<(Name, Serial), Malformed> {
    let mut holder = fields.sequence()?;
    let mut base = holder.take(tag::constructed(0))?.inside()?;
    let issuer = directory_name(base.take(tag::SEQUENCE)?)?;
    let number = serial(base.unsigned()?)?;
    base.end()?;
    holder.end()?;
    Ok((issuer, number))
}

/// `v2Form [0] SEQUENCE { issuerName GeneralNames }` (RFC 5755 section 4.2.3).
fn issuer(fields: &mut Cursor) -> Result<Name, Malformed> {
    let mut form = fields.take(tag::constructed(0))?.inside()?;
    let name = directory_name(form.take(tag::SEQUENCE)?)?;
    form.end()?;
    Ok(name)
}

/// GeneralNames with one directory name.
fn directory_name(names: Tlv) -> Result<Name, Malformed> {
    let mut names = names.inside()?;
    let name = Name::parse(names.take(tag::constructed(4))?.value).map_err(usable)?;
    names.end()?;
    Ok(name)
}

/// VO and FQANs; attributes of other kinds grant nothing and are passed over.
fn attributes(fields: &mut Cursor) -> Result<(String, Vec<String>), Malformed> {
    let mut list = fields.sequence()?;
    let mut found = None;
    for _ in 0..MAX_ENTRIES {
        if list.is_at_end() {
            break;
        }
        let mut attribute = list.sequence()?;
        let kind = attribute.oid()?;
        let values = attribute.take(tag::SET)?;
        attribute.end()?;
        if kind == FQANS && found.replace(ietf_attribute(only(values.value, tag::SEQUENCE)?)?).is_some() {
            return Err(Malformed("it has two lists of FQANs"));
        }
    }
    list.end()?;
    found.ok_or(Malformed("it has no FQANs"))
}

/// `IetfAttrSyntax` (RFC 5755 section 4.4): policy authority `VO://host:port`, then the FQANs.
fn ietf_attribute(value: Tlv) -> Result<(String, Vec<String>), Malformed> {
    let mut fields = value.inside()?;
    let mut authority = fields.take(tag::constructed(0))?.inside()?;
    let uri = std::str::from_utf8(authority.take(tag::primitive(6))?.value).unwrap_or_default();
    authority.end()?;
    let (vo, _) = uri.split_once("://").ok_or(Malformed("its policy authority is not VO://host:port"))?;
    if !vo::is_vo(vo) {
        return Err(Malformed("the name of its VO is not one"));
    }
    let mut list = fields.sequence()?;
    fields.end()?;
    let mut fqans = Vec::new();
    while !list.is_at_end() {
        if fqans.len() >= MAX_ENTRIES {
            return Err(Malformed("it has too many FQANs"));
        }
        let text = String::from_utf8(list.take(tag::OCTET_STRING)?.value.to_vec());
        fqans.push(text.map_err(|_| Malformed("an FQAN is not text"))?);
    }
    Ok((vo.to_owned(), fqans))
}

/// The host names of a targets extension. RFC 5755 section 4.3.2 has `SEQUENCE OF Targets`, each a `SEQUENCE OF Target`;
/// VOMS wraps every target in a SEQUENCE more (libvomsapi's `AC_TARGET`, voms-api-java), older ones write the targets
/// alone. Kinds of targets that cannot name this host are errors.
pub fn targets(der: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut hosts = Vec::new();
    collect_targets(only(der, tag::SEQUENCE)?, 2, &mut hosts)?;
    Ok(hosts)
}

/// The targets in a SEQUENCE that may have so many levels of SEQUENCE below it.
fn collect_targets(list: Tlv, levels: u8, hosts: &mut Vec<String>) -> Result<(), Malformed> {
    let mut list = list.inside()?;
    while !list.is_at_end() {
        if hosts.len() >= MAX_ENTRIES {
            return Err(Malformed("it has too many targets"));
        }
        let next = list.any()?;
        match levels.checked_sub(1) {
            Some(levels) if next.tag == tag::SEQUENCE => collect_targets(next, levels, hosts)?,
            _ => hosts.push(target(next)?),
        }
    }
    Ok(())
}

/// `[0] GeneralName`: a host's name, as a DNS name or as VOMS writes it, a URI of nothing else.
fn target(target: Tlv) -> Result<String, Malformed> {
    let bad = Malformed("a target is not a host name");
    if target.tag != tag::constructed(0) {
        return Err(bad);
    }
    let mut inside = target.inside()?;
    let name = inside.any()?;
    inside.end()?;
    if ![tag::primitive(2), tag::primitive(6)].contains(&name.tag) {
        return Err(bad);
    }
    std::str::from_utf8(name.value).map(str::to_owned).map_err(|_| bad)
}
