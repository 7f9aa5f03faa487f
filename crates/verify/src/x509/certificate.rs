//! One X.509 certificate (RFC 5280 section 4.1), read strictly: what the rest of the verifier asks about is here as
//! plain values, the signed bytes are kept as they stood in the input.

#![forbid(unsafe_code)]

use crate::x509::asn1::{Cursor, Malformed, Tlv, number, only, tag};
use crate::x509::name::{Base, Name, NameError};
use der::oid::ObjectIdentifier;
use glexec_core::identity::Serial;

/// Largest certificate in DER: with a VOMS attribute certificate of 64 KiB inside and room for the rest.
pub const MAX_CERTIFICATE: usize = 96 * 1024;
/// Most extensions of one certificate; real ones have about 12.
pub const MAX_EXTENSIONS: usize = 40;
/// Most entries of a list inside an extension (purposes, subtrees).
const MAX_ENTRIES: usize = 64;

/// Object identifiers of the extensions that are looked at or known.
pub mod oid {
    use der::oid::ObjectIdentifier;

    macro_rules! oids {
        ($( $(#[$doc:meta])* $name:ident $dotted:literal; )*) => {
            $( $(#[$doc])* pub const $name: ObjectIdentifier = ObjectIdentifier::new_unwrap($dotted); )*
        };
    }
    oids! {
        /// subjectKeyIdentifier.
        SUBJECT_KEY_ID "2.5.29.14";
        KEY_USAGE "2.5.29.15";
        SUBJECT_ALT_NAME "2.5.29.17";
        ISSUER_ALT_NAME "2.5.29.18";
        BASIC_CONSTRAINTS "2.5.29.19";
        NAME_CONSTRAINTS "2.5.29.30";
        /// cRLDistributionPoints: CRLs come from the trust directory, never from where a certificate points.
        CRL_POINTS "2.5.29.31";
        /// certificatePolicies: no policy is asked for, so that any will do (RFC 5280 section 6.1.1 c).
        POLICIES "2.5.29.32";
        /// authorityKeyIdentifier.
        AUTHORITY_KEY_ID "2.5.29.35";
        /// extKeyUsage.
        EXTENDED_KEY_USAGE "2.5.29.37";
        /// proxyCertInfo of RFC 3820.
        PROXY_INFO "1.3.6.1.5.5.7.1.14";
        /// proxyCertInfo of the draft that Globus Toolkit 3 implemented.
        PROXY_INFO_GT3 "1.3.6.1.4.1.3536.1.222";
        /// The VOMS attribute certificates of a proxy.
        VOMS "1.3.6.1.4.1.8005.100.100.5";
        /// anyExtendedKeyUsage.
        ANY_PURPOSE "2.5.29.37.0";
        SERVER_AUTH "1.3.6.1.5.5.7.3.1";
        CLIENT_AUTH "1.3.6.1.5.5.7.3.2";
    }
}

/// Extensions whose meaning is honoured, so that they may be critical. VOMS attributes are judged where they are used.
const KNOWN: &[ObjectIdentifier] = &[
    oid::SUBJECT_KEY_ID,
    oid::KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::ISSUER_ALT_NAME,
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::CRL_POINTS,
    oid::POLICIES,
    oid::AUTHORITY_KEY_ID,
    oid::EXTENDED_KEY_USAGE,
    oid::PROXY_INFO,
    oid::PROXY_INFO_GT3,
    oid::VOMS,
];

/// Why some bytes are not a certificate that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They are not one in DER.
    Malformed(&'static str),
    /// A name is not accepted.
    Name(&'static str),
    /// The same extension is there twice, or too many are.
    Extension(String),
}

impl From<Malformed> for Fault {
    fn from(Malformed(what): Malformed) -> Self {
        Fault::Malformed(what)
    }
}

impl From<NameError> for Fault {
    fn from(error: NameError) -> Self {
        match error {
            NameError::Malformed(what) => Fault::Malformed(what),
            NameError::Refused(what) => Fault::Name(what),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Extension {
    pub oid: ObjectIdentifier,
    /// Whether who does not know it must refuse.
    pub critical: bool,
    /// The DER inside its OCTET STRING.
    pub value: Vec<u8>,
}

/// keyUsage (RFC 5280 section 4.2.1.3): the bits that are asked about.
#[derive(Clone, Copy, Debug)]
pub struct KeyUsage(u8);

impl KeyUsage {
    /// May sign data, and so proxies.
    pub fn digital_signature(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// May sign certificates.
    pub fn certificate_sign(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// May sign CRLs.
    pub fn crl_sign(self) -> bool {
        self.0 & 0x02 != 0
    }
}

/// nameConstraints (RFC 5280 section 4.2.1.10) on directory names.
#[derive(Clone, Debug)]
pub struct NameConstraints {
    /// One of these must hold the subject and every directory name beside it, unless there is none.
    pub permitted: Vec<Base>,
    /// None of these may.
    pub excluded: Vec<Base>,
    /// The forms (tags of GeneralName) of the other subtrees, which glexec does not judge.
    pub others: Vec<u8>,
}

/// The names that a certificate has besides its subject (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, Default)]
pub struct AlternativeNames {
    /// Directory names.
    pub directory: Vec<Base>,
    /// Names of hosts, the first ones of many.
    pub hosts: Vec<String>,
    /// The forms (tags of GeneralName) of all but directory names, each once.
    pub others: Vec<u8>,
}

/// The name of a signature algorithm: its object identifier and the DER of its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithm {
    pub oid: ObjectIdentifier,
    /// The parameters' DER, empty where there are none.
    pub parameters: Vec<u8>,
}

impl Algorithm {
    /// Reads an AlgorithmIdentifier.
    pub fn read(cursor: &mut Cursor) -> Result<Self, Malformed> {
        let mut fields = cursor.sequence()?;
        let oid = fields.oid()?;
        let parameters = if fields.is_at_end() { Vec::new() } else { fields.any()?.raw.to_vec() };
        fields.end()?;
        Ok(Algorithm { oid, parameters })
    }
}

/// Something signed: certificates, CRLs and attribute certificates share this form.
#[derive(Clone, Debug)]
pub struct Signed<Bytes = Vec<u8>> {
    /// The bytes under the signature, as they stood in the input.
    pub body: Bytes,
    /// The algorithm that stands outside.
    pub algorithm: Algorithm,
    pub signature: Bytes,
}

impl<'a> Signed<&'a [u8]> {
    /// Reads the outer SEQUENCE of body, algorithm and signature without copying: for CRLs, which have megabytes.
    pub fn borrow(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = only(der, tag::SEQUENCE)?.inside()?;
        let body = outer.take(tag::SEQUENCE)?.raw;
        let algorithm = Algorithm::read(&mut outer)?;
        let signature = outer.octets()?;
        outer.end()?;
        Ok(Signed { body, algorithm, signature })
    }
}

impl Signed {
    /// Reads the outer SEQUENCE of body, algorithm and signature.
    pub fn read(der: &[u8]) -> Result<Self, Malformed> {
        let Signed { body, algorithm, signature } = Signed::borrow(der)?;
        Ok(Signed { body: body.to_vec(), algorithm, signature: signature.to_vec() })
    }
}

#[derive(Clone, Debug)]
pub struct Certificate {
    /// The whole DER.
    pub der: Vec<u8>,
    /// What is signed, and the signature.
    pub signed: Signed,
    /// 1, 2 or 3.
    pub version: u8,
    /// Serial number.
    pub serial: Serial,
    pub issuer: Name,
    pub subject: Name,
    /// First second of validity, since 1970 UTC.
    pub not_before: i64,
    /// Last second of validity.
    pub not_after: i64,
    /// SubjectPublicKeyInfo in DER.
    pub spki: Vec<u8>,
    /// Extensions, each at most once.
    pub extensions: Vec<Extension>,
    /// keyUsage, where there is one.
    pub key_usage: Option<KeyUsage>,
    /// basicConstraints: whether it is a CA.
    pub is_ca: bool,
    /// basicConstraints: how many CAs that are not self-issued may stand below.
    pub path_length: Option<u64>,
    pub name_constraints: Option<NameConstraints>,
}

impl Certificate {
    /// Reads a certificate.
    pub fn parse(der: &[u8]) -> Result<Self, Fault> {
        if der.len() > MAX_CERTIFICATE {
            return Err(Fault::Malformed("it is longer than any certificate"));
        }
        let signed = Signed::read(der)?;
        let mut fields = only(&signed.body, tag::SEQUENCE)?.inside()?;
        let version = version(&mut fields)?;
        let serial = serial(fields.unsigned()?)?;
        if Algorithm::read(&mut fields)? != signed.algorithm {
            return Err(Fault::Malformed("it names two signature algorithms (RFC 5280 section 4.1.1.2)"));
        }
        let issuer = Name::parse(fields.take(tag::SEQUENCE)?.raw)?;
        let mut validity = fields.sequence()?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        validity.end()?;
        let subject = Name::parse(fields.take(tag::SEQUENCE)?.raw)?;
        let spki = fields.take(tag::SEQUENCE)?.raw.to_vec();
        // Unique identifiers (RFC 5280 section 4.1.2.8) are to be read, and ask for nothing.
        for identifier in [tag::primitive(1), tag::primitive(2)] {
            if fields.optional(identifier)?.is_some() && version == 1 {
                return Err(Fault::Malformed("it has a unique identifier but is of version 1"));
            }
        }
        let extensions = match fields.optional(tag::constructed(3))? {
            Some(_) if version != 3 => return Err(Fault::Malformed("it has extensions but is not of version 3")),
            Some(wrapped) => extensions(only(wrapped.value, tag::SEQUENCE)?)?,
            None => Vec::new(),
        };
        fields.end()?;
        let (is_ca, path_length) = basic_constraints(&extensions)?;
        let key_usage = key_usage(&extensions)?;
        let name_constraints = name_constraints(&extensions)?;
        let der = der.to_vec();
        Ok(Certificate {
            der,
            signed,
            version,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            spki,
            extensions,
            key_usage,
            is_ca,
            path_length,
            name_constraints,
        })
    }

    /// The extension of this kind.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.oid == oid)
    }

    /// The names in subjectAltName.
    pub fn alternative_names(&self) -> Result<AlternativeNames, Fault> {
        let mut found = AlternativeNames::default();
        let Some(extension) = self.extension(oid::SUBJECT_ALT_NAME) else { return Ok(found) };
        let mut list = only(&extension.value, tag::SEQUENCE)?.inside()?;
        while !list.is_at_end() {
            let name = list.any()?;
            if found.directory.len() >= MAX_ENTRIES {
                return Err(Fault::Extension("too many alternative names".into()));
            }
            if name.tag == tag::DIRECTORY_NAME {
                found.directory.push(Base::parse(name.value)?);
                continue;
            }
            if name.tag == tag::HOST_NAME && found.hosts.len() < MAX_ENTRIES {
                found.hosts.extend(std::str::from_utf8(name.value).ok().map(str::to_owned));
            }
            if !found.others.contains(&name.tag) {
                found.others.push(name.tag);
            }
        }
        Ok(found)
    }

    /// Whether issuer and subject are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The first critical extension whose meaning glexec does not know (RFC 5280 section 4.2: then it must refuse).
    pub fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        self.extensions.iter().find(|e| e.critical && !KNOWN.contains(&e.oid)).map(|e| e.oid)
    }

    /// Whether a critical extKeyUsage (RFC 5280 section 4.2.1.12) leaves out both anything and all of `purposes`. One
    /// that is not critical is not judged: grid software never did, and host certificates act as clients.
    pub fn forbids_purposes(&self, purposes: &[ObjectIdentifier]) -> Result<bool, Malformed> {
        let Some(extension) = self.extension(oid::EXTENDED_KEY_USAGE).filter(|e| e.critical) else { return Ok(false) };
        let mut list = only(&extension.value, tag::SEQUENCE)?.inside()?;
        for _ in 0..MAX_ENTRIES {
            if list.is_at_end() {
                break;
            }
            let purpose = list.oid()?;
            if purpose == oid::ANY_PURPOSE || purposes.contains(&purpose) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn version(fields: &mut Cursor) -> Result<u8, Fault> {
    let Some(wrapped) = fields.optional(tag::constructed(0))? else { return Ok(1) };
    match only(wrapped.value, tag::INTEGER)?.value {
        [0] => Ok(1), // DER leaves the default out; as with FALSE, the explicit form means the same
        [1] => Ok(2),
        [2] => Ok(3),
        _ => Err(Fault::Malformed("its version is none of 1, 2, 3")),
    }
}

/// RFC 5280 section 4.1.2.2: not negative, at most 20 octets. Zero is let through, because roots have it.
pub fn serial(magnitude: &[u8]) -> Result<Serial, Malformed> {
    let text: String = magnitude.iter().map(|byte| format!("{byte:02X}")).collect();
    Serial::try_from(text).map_err(|_| Malformed("its serial number is longer than 20 octets"))
}

/// Reads a SEQUENCE OF Extension, each kind at most once (RFC 5280 section 4.2).
pub fn extensions(list: Tlv) -> Result<Vec<Extension>, Fault> {
    let mut cursor = list.inside()?;
    let mut found: Vec<Extension> = Vec::new();
    while !cursor.is_at_end() {
        let mut fields = cursor.sequence()?;
        let oid = fields.oid()?;
        let critical = fields.flag()?;
        let value = fields.take(tag::OCTET_STRING)?.value.to_vec();
        fields.end()?;
        if found.iter().any(|e| e.oid == oid) {
            return Err(Fault::Extension(format!("extension {oid} twice")));
        }
        if found.len() >= MAX_EXTENSIONS {
            return Err(Fault::Extension(format!("more than {MAX_EXTENSIONS} extensions")));
        }
        found.push(Extension { oid, critical, value });
    }
    if found.is_empty() { Err(Fault::Malformed("its list of extensions is empty")) } else { Ok(found) }
}

fn value(extensions: &[Extension], oid: ObjectIdentifier) -> Option<&[u8]> {
    extensions.iter().find(|e| e.oid == oid).map(|e| e.value.as_slice())
}

/// RFC 5280 section 4.2.1.9. A path length makes sense with CA only; without it the extension is malformed.
fn basic_constraints(extensions: &[Extension]) -> Result<(bool, Option<u64>), Fault> {
    let Some(der) = value(extensions, oid::BASIC_CONSTRAINTS) else { return Ok((false, None)) };
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    let is_ca = fields.flag()?;
    let length = if fields.is_at_end() { None } else { Some(number(fields.unsigned()?).unwrap_or(u64::MAX)) };
    fields.end()?;
    if length.is_some() && !is_ca {
        return Err(Fault::Malformed("it has a path length but is no CA (RFC 5280 section 4.2.1.9)"));
    }
    Ok((is_ca, length))
}

/// RFC 5280 section 4.2.1.3: at least one bit. Zero bits at the end, which DER leaves out, are common and harmless; ones
/// that do not belong to the list any more would be read as rights.
fn key_usage(extensions: &[Extension]) -> Result<Option<KeyUsage>, Fault> {
    let Some(der) = value(extensions, oid::KEY_USAGE) else { return Ok(None) };
    match only(der, tag::BIT_STRING)?.value {
        [unused @ 0..8, first, rest @ ..]
            if rest.len() < 2 && rest.last().unwrap_or(first).trailing_zeros() >= u32::from(*unused) =>
        {
            Ok(Some(KeyUsage(*first)))
        }
        _ => Err(Fault::Malformed("its key usage is not a list of bits")),
    }
}

fn name_constraints(extensions: &[Extension]) -> Result<Option<NameConstraints>, Fault> {
    let Some(der) = value(extensions, oid::NAME_CONSTRAINTS) else { return Ok(None) };
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    let mut others = Vec::new();
    let permitted = subtrees(fields.optional(tag::constructed(0))?, &mut others)?;
    let excluded = subtrees(fields.optional(tag::constructed(1))?, &mut others)?;
    fields.end()?;
    Ok(Some(NameConstraints { permitted, excluded, others }))
}

/// GeneralSubtrees, at least one: a list of none would permit everything. Minimum and maximum, which RFC 5280 forbids,
/// make it malformed.
fn subtrees(list: Option<Tlv>, others: &mut Vec<u8>) -> Result<Vec<Base>, Fault> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut cursor = list.inside()?;
    if cursor.is_at_end() {
        return Err(Fault::Malformed("its list of name constraints is empty (RFC 5280 section 4.2.1.10)"));
    }
    let mut bases = Vec::new();
    while !cursor.is_at_end() {
        let mut fields = cursor.sequence()?;
        let base = fields.any()?;
        fields.end()?;
        if bases.len() >= MAX_ENTRIES {
            return Err(Fault::Extension("too many name constraints".into()));
        }
        if base.tag == tag::DIRECTORY_NAME {
            bases.push(Base::parse(base.value)?);
        } else if !others.contains(&base.tag) {
            others.push(base.tag);
        }
    }
    Ok(bases)
}
