//! Distinguished names, and the one canonical one-line form in which glexec writes them.
//!
//! Names are compared by their DER (RFC 5280 section 4.1.2.6: an issuer is encoded identically to its CA's subject);
//! the text is for people, logs, map files and the grid's own trust files. It is `/TYPE=value` for every RDN, types as
//! OpenSSL's `X509_NAME_oneline` abbreviates them, `+` between the attributes of a multi-valued RDN. Values are UTF-8
//! whatever their ASN.1 string type; what cannot be seen (NUL, control characters, bidirectional marks) is refused.
//!
//! Two different names must never print alike, and a service's `/CN=host/foo.example.org` must print as grid-mapfiles,
//! `.lsc` files and signing policies have written it for twenty years. Both hold because only what could be *read* as
//! the start of another attribute is escaped: a `/` or `+` inside a value that is followed by `word=` gets a backslash,
//! and so does every backslash. `CN=Bob` followed by `CN=Alice` is `/CN=Bob/CN=Alice`, a single CN with that slash in
//! it is `/CN=Bob\/CN=Alice`. One rendering therefore serves every purpose, and [`as_printed`](glexec_core::spelling::as_printed)
//! brings the spellings of files (`Email=`, `E=`, `USERID=`, `\xC3`, `\/`) to it.

#![forbid(unsafe_code)]

use crate::x509::asn1::{Cursor, Malformed, only, tag};
use der::oid::ObjectIdentifier;
use glexec_core::identity::Dn;
use glexec_core::spelling::escape;

/// Most RDNs of a name: a proxy chain of 20 adds 20 to the 10 that real names have.
const MAX_RDNS: usize = 64;
/// Most attributes of one RDN; grid names have one.
const MAX_ATTRIBUTES: usize = 8;

macro_rules! types {
    ($( $oid:literal $name:literal; )*) => {
        const TYPES: &[(ObjectIdentifier, &str)] = &[ $( (ObjectIdentifier::new_unwrap($oid), $name), )* ];
    };
}

// Short names as OpenSSL prints them; every other type is printed as its dotted number.
types! {
    "2.5.4.3" "CN"; "2.5.4.4" "SN"; "2.5.4.5" "serialNumber"; "2.5.4.6" "C"; "2.5.4.7" "L"; "2.5.4.8" "ST";
    "2.5.4.9" "street"; "2.5.4.10" "O"; "2.5.4.11" "OU"; "2.5.4.12" "title"; "2.5.4.13" "description";
    "2.5.4.17" "postalCode"; "2.5.4.41" "name"; "2.5.4.42" "GN"; "2.5.4.43" "initials";
    "2.5.4.44" "generationQualifier"; "2.5.4.46" "dnQualifier"; "2.5.4.65" "pseudonym"; "2.5.4.97" "organizationIdentifier";
    "2.5.4.15" "businessCategory"; "2.5.4.18" "postOfficeBox"; "2.5.4.20" "telephoneNumber"; "2.5.4.45" "x500UniqueIdentifier";
    "1.2.840.113549.1.9.1" "emailAddress"; "1.2.840.113549.1.9.2" "unstructuredName"; "1.2.840.113549.1.9.8" "unstructuredAddress";
    "0.9.2342.19200300.100.1.1" "UID"; "0.9.2342.19200300.100.1.3" "mail"; "0.9.2342.19200300.100.1.25" "DC";
    "1.3.6.1.4.1.311.60.2.1.1" "jurisdictionL"; "1.3.6.1.4.1.311.60.2.1.2" "jurisdictionST"; "1.3.6.1.4.1.311.60.2.1.3" "jurisdictionC";
}

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It is not a DER `Name`.
    Malformed(&'static str),
    /// It is one, but glexec does not accept it.
    Refused(&'static str),
}

impl From<Malformed> for NameError {
    fn from(Malformed(what): Malformed) -> Self {
        NameError::Malformed(what)
    }
}

/// One attribute of an RDN.
#[derive(Clone, Debug)]
struct Attribute {
    oid: ObjectIdentifier,
    value: String,
    canonical: Vec<u8>,
}

/// One relative distinguished name.
#[derive(Clone, Debug)]
struct Rdn {
    der: Vec<u8>,
    attributes: Vec<Attribute>,
}

/// A distinguished name. Equality is that of the DER.
#[derive(Clone, Debug)]
pub struct Name {
    der: Vec<u8>,
    rdns: Vec<Rdn>,
    text: Dn,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Name {
    /// Reads a `Name` (RFC 5280 section 4.1.2.4); an empty one is refused.
    pub fn parse(der: &[u8]) -> Result<Self, NameError> {
        let rdns = rdns(der)?;
        let mut text = String::new();
        for rdn in &rdns {
            for (position, attribute) in rdn.attributes.iter().enumerate() {
                text.push(if position == 0 { '/' } else { '+' });
                text.push_str(&kind(&attribute.oid));
                text.push('=');
                escape(&attribute.value, &mut text);
            }
        }
        let refused = NameError::Refused("it is empty, too long, or holds characters that cannot be seen");
        Ok(Name { der: der.to_vec(), rdns, text: Dn::try_from(text).map_err(|_| refused)? })
    }

    /// The DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The canonical one-line form.
    pub fn text(&self) -> &Dn {
        &self.text
    }

    /// The value of the one CN RDN that this name has beyond `issuer`; `None` where it has anything else.
    ///
    /// RFC 3820 section 3.4: a proxy's subject is its issuer's plus exactly one single-valued common name.
    pub fn added_common_name(&self, issuer: &Name) -> Option<&str> {
        let (last, before) = self.rdns.split_last()?;
        let same = before.len() == issuer.rdns.len() && before.iter().zip(&issuer.rdns).all(|(a, b)| a.der == b.der);
        match last.attributes.as_slice() {
            [attribute] if same && attribute.oid == COMMON_NAME => Some(&attribute.value),
            _ => None,
        }
    }

    /// The encoding that OpenSSL hashes for the names of files in a trust directory (`X509_NAME_hash`): every string as
    /// UTF-8 in lower case with single spaces, without the outer SEQUENCE.
    pub fn canonical(&self) -> Vec<u8> {
        self.rdns.iter().flat_map(canonical_rdn).collect()
    }

    /// Whether this name is `base` or below it, for name constraints (RFC 5280 section 7.1 compares without case).
    pub fn is_within(&self, base: &Base) -> bool {
        let mine = self.rdns.iter().map(canonical_rdn);
        base.0.len() <= self.rdns.len() && mine.zip(&base.0).all(|(a, b)| a == *b)
    }
}

/// The base of a name constraint: a name that may be empty and need not be printable.
#[derive(Clone, Debug)]
pub struct Base(Vec<Vec<u8>>);

impl Base {
    /// Reads a `Name`.
    pub fn parse(der: &[u8]) -> Result<Self, NameError> {
        Ok(Base(rdns(der)?.iter().map(canonical_rdn).collect()))
    }
}

fn rdns(der: &[u8]) -> Result<Vec<Rdn>, NameError> {
    let mut sequence = only(der, tag::SEQUENCE)?.inside()?;
    let mut rdns = Vec::new();
    while !sequence.is_at_end() {
        if rdns.len() >= MAX_RDNS {
            return Err(NameError::Refused("it has too many components"));
        }
        rdns.push(rdn(&mut sequence)?);
    }
    Ok(rdns)
}

fn rdn(sequence: &mut Cursor) -> Result<Rdn, NameError> {
    let set = sequence.take(tag::SET)?;
    let mut inside = set.inside()?;
    let mut attributes = Vec::new();
    let mut previous: &[u8] = &[];
    while !inside.is_at_end() {
        let pair = inside.take(tag::SEQUENCE)?;
        if pair.raw <= previous {
            return Err(NameError::Malformed("the attributes of a name are not in DER's order"));
        }
        previous = pair.raw;
        let mut fields = pair.inside()?;
        let oid = fields.oid()?;
        if fields.peek() == Some(tag::UNIVERSAL) {
            return Err(NameError::Refused("it has a UniversalString, which nobody writes"));
        }
        let value = fields.any()?;
        fields.end()?;
        let text = string(value.tag, value.value)?;
        let canonical = canonical_attribute(&oid, value.tag, value.raw, &text);
        attributes.push(Attribute { oid, value: text, canonical });
    }
    match attributes.len() {
        0 => Err(NameError::Malformed("a name has an empty component")),
        n if n > MAX_ATTRIBUTES => Err(NameError::Refused("it has too many attributes in one component")),
        _ => Ok(Rdn { der: set.raw.to_vec(), attributes }),
    }
}

/// The text of an attribute value. TeletexString is read as Latin-1, as every grid tool does.
fn string(tag: u8, value: &[u8]) -> Result<String, NameError> {
    let ascii = |what| if value.is_ascii() { Ok(()) } else { Err(NameError::Refused(what)) };
    let text = match tag {
        tag::UTF8 => String::from_utf8(value.to_vec()).map_err(|_| NameError::Refused("a UTF8String is not UTF-8"))?,
        tag::PRINTABLE | tag::IA5 | tag::VISIBLE | tag::NUMERIC => {
            ascii("an ASCII string has other characters")?;
            value.iter().map(|b| char::from(*b)).collect()
        }
        tag::TELETEX => value.iter().map(|b| char::from(*b)).collect(),
        tag::BMP => {
            let units: Vec<u16> =
                value.chunks(2).map(|pair| pair.iter().fold(0, |unit, b| (unit << 8) | u16::from(*b))).collect();
            let wrong = NameError::Refused("a BMPString is not UCS-2");
            if value.len() % 2 != 0 {
                return Err(wrong);
            }
            String::from_utf16(&units).map_err(|_| wrong)?
        }
        _ => return Err(NameError::Refused("it has a value of an unknown string type")),
    };
    if text.is_empty() { Err(NameError::Refused("it has an empty value")) } else { Ok(text) }
}

fn kind(oid: &ObjectIdentifier) -> String {
    match TYPES.iter().find(|(known, _)| known == oid) {
        Some((_, name)) => (*name).to_owned(),
        None => oid.to_string(),
    }
}

/// `asn1_string_canon` of OpenSSL: strings become UTF8String, without spaces at the ends, with single spaces inside, in
/// lower case (ASCII only). NumericString is not among the types that it touches.
fn canonical_attribute(oid: &ObjectIdentifier, tag: u8, raw: &[u8], text: &str) -> Vec<u8> {
    let value = if tag == tag::NUMERIC {
        raw.to_vec()
    } else {
        let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
        let words: Vec<&str> = text.split(space).filter(|word| !word.is_empty()).collect();
        encode(tag::UTF8, words.join(" ").to_ascii_lowercase().as_bytes())
    };
    let mut pair = encode(tag::OID, oid.as_bytes());
    pair.extend(value);
    encode(tag::SEQUENCE, &pair)
}

fn canonical_rdn(rdn: &Rdn) -> Vec<u8> {
    let mut attributes: Vec<&[u8]> = rdn.attributes.iter().map(|a| a.canonical.as_slice()).collect();
    attributes.sort_unstable();
    encode(tag::SET, &attributes.concat())
}

/// DER of a value; a name's parts are bounded by the file they came from.
fn encode(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = value.len().to_be_bytes();
    let digits = length.iter().position(|b| *b != 0).and_then(|at| length.get(at..)).unwrap_or(&[0]);
    match digits {
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(oid: &str, tag: u8, value: &[u8]) -> Vec<u8> {
        let mut pair = encode(tag::OID, ObjectIdentifier::new_unwrap(oid).as_bytes());
        pair.extend(encode(tag, value));
        encode(tag::SEQUENCE, &pair)
    }

    fn name(rdns: &[&[(&str, u8, &[u8])]]) -> Result<Name, NameError> {
        let set = |rdn: &&[(&str, u8, &[u8])]| {
            let all: Vec<Vec<u8>> = rdn.iter().map(|(oid, tag, value)| attribute(oid, *tag, value)).collect();
            encode(tag::SET, &all.concat())
        };
        Name::parse(&encode(tag::SEQUENCE, &rdns.iter().flat_map(set).collect::<Vec<u8>>()))
    }

    fn cn(value: &str) -> Result<Name, NameError> {
        name(&[&[("2.5.4.3", tag::UTF8, value.as_bytes())]])
    }

    fn text(name: Result<Name, NameError>) -> String {
        name.map_or_else(|e| format!("{e:?}"), |n| n.text().to_string())
    }

    #[test]
    fn every_string_type_prints_as_utf8() {
        let o = "2.5.4.10";
        for (tag, value, expected) in [
            (tag::UTF8, "Jürgen".as_bytes(), "/O=Jürgen"),
            (tag::PRINTABLE, b"Test", "/O=Test"),
            (tag::IA5, b"a@b", "/O=a@b"),
            (tag::TELETEX, b"J\xfcrgen", "/O=Jürgen"),
            (tag::BMP, b"\x00J\x00\xfc\x20\xac", "/O=Jü€"),
        ] {
            assert_eq!(text(name(&[&[(o, tag, value)]])), expected);
        }
    }

    #[test]
    fn types_print_as_openssl_abbreviates_them_and_unknown_ones_as_numbers() {
        let all: [&[(&str, u8, &[u8])]; 5] = [
            &[("0.9.2342.19200300.100.1.25", tag::IA5, b"org")],
            &[("1.2.840.113549.1.9.1", tag::IA5, b"a@b")],
            &[("0.9.2342.19200300.100.1.1", tag::UTF8, b"u1")],
            &[("2.5.4.3", tag::UTF8, b"x"), ("2.5.4.5", tag::UTF8, b"7")],
            &[("1.2.3.4", tag::UTF8, b"y")],
        ];
        assert_eq!(text(name(&all)), "/DC=org/emailAddress=a@b/UID=u1/CN=x+serialNumber=7/1.2.3.4=y");
    }

    #[test]
    fn openssl_abbreviates_every_type_like_this() {
        for (oid, name) in TYPES {
            let theirs = openssl::asn1::Asn1Object::from_str(&oid.to_string()).unwrap();
            assert_eq!(theirs.nid().short_name().unwrap(), *name, "{oid}");
        }
    }

    #[test]
    fn a_slash_is_escaped_only_where_it_could_be_read_as_a_separator() {
        for (value, expected) in [
            ("host/foo.example.org", "/CN=host/foo.example.org"),
            ("Bob/CN=Alice", "/CN=Bob\\/CN=Alice"),
            ("Bob/1.2.3=Alice", "/CN=Bob\\/1.2.3=Alice"),
            ("Bob/=", "/CN=Bob\\/="),
            ("Bob+CN=Alice", "/CN=Bob\\+CN=Alice"),
            ("C++", "/CN=C++"),
            ("a\\/CN=b", "/CN=a\\\\\\/CN=b"),
            ("a\\", "/CN=a\\\\"),
            ("http://www.net.org", "/CN=http://www.net.org"),
        ] {
            assert_eq!(text(cn(value)), expected);
        }
    }

    /// All texts of up to so many of the characters that the one-line form gives a meaning.
    fn tricky(longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut newest = all.clone();
        for _ in 0..longest {
            newest = newest.iter().flat_map(|text| "/+\\=Oa".chars().map(move |c| format!("{text}{c}"))).collect();
            all.extend(newest.clone());
        }
        all.retain(|text| !text.is_empty());
        all
    }

    #[test]
    fn no_two_names_print_alike() {
        let (c, o) = ("2.5.4.6", "2.5.4.10");
        let mut seen = std::collections::HashMap::new();
        let mut add = |rdns: &[&[(&str, u8, &[u8])]]| {
            let Ok(name) = name(rdns) else { return }; // attributes out of DER's order
            if let Some(other) = seen.insert(name.text().to_string(), name.der().to_vec()) {
                assert_eq!(other, name.der(), "{} is two names", name.text());
            }
        };
        for value in tricky(5) {
            add(&[&[(o, tag::UTF8, value.as_bytes())]]);
        }
        for first in tricky(2) {
            for second in tricky(2) {
                let (first, second) = (first.as_bytes(), second.as_bytes());
                add(&[&[(o, tag::UTF8, first)], &[(o, tag::UTF8, second)]]);
                add(&[&[(c, tag::UTF8, first), (o, tag::UTF8, second)]]);
                add(&[&[(o, tag::UTF8, first), (o, tag::UTF8, second)]]);
            }
        }
        assert!(seen.len() > 10_000);
    }

    #[test]
    fn what_cannot_be_seen_or_told_is_refused() {
        for value in ["a\0b", "a\nb", "a\u{202e}b", "a\u{200b}b", "a\u{feff}b", "a\u{7f}b", ""] {
            assert!(matches!(cn(value), Err(NameError::Refused(_))), "{value:?}");
        }
        let o = "2.5.4.10";
        for (tag, value) in [(tag::PRINTABLE, &b"\xe9"[..]), (tag::UTF8, b"\xff"), (tag::BMP, b"abc"), (4, b"octets")] {
            assert!(matches!(name(&[&[(o, tag, value)]]), Err(NameError::Refused(_))), "{value:?}");
        }
        assert!(matches!(name(&[]), Err(NameError::Refused(_))), "empty");
        assert!(matches!(name(&[&[]]), Err(NameError::Malformed(_))), "empty RDN");
        let unsorted: &[(&str, u8, &[u8])] = &[("2.5.4.5", tag::UTF8, b"7"), ("2.5.4.3", tag::UTF8, b"x")];
        assert!(matches!(name(&[unsorted]), Err(NameError::Malformed(_))));
    }

    #[test]
    fn a_proxy_adds_exactly_one_single_valued_common_name() {
        let alice: &[(&str, u8, &[u8])] = &[("2.5.4.3", tag::UTF8, b"Alice")];
        let printable: &[(&str, u8, &[u8])] = &[("2.5.4.3", tag::PRINTABLE, b"Alice")];
        let one: &[(&str, u8, &[u8])] = &[("2.5.4.3", tag::UTF8, b"1")];
        let other: &[(&str, u8, &[u8])] = &[("2.5.4.10", tag::UTF8, b"1")];
        let two: &[(&str, u8, &[u8])] = &[("2.5.4.3", tag::UTF8, b"1"), ("2.5.4.5", tag::UTF8, b"1")];
        let issuer = name(&[alice]).unwrap();
        let added = |rdns: &[&[(&str, u8, &[u8])]]| name(rdns).unwrap().added_common_name(&issuer).map(str::to_owned);
        assert_eq!(added(&[alice, one]).as_deref(), Some("1"));
        for wrong in [&[alice][..], &[one], &[alice, one, one], &[alice, other], &[alice, two], &[printable, one]] {
            assert_eq!(added(wrong), None);
        }
    }

    #[test]
    fn long_values_are_encoded_in_der() {
        assert_eq!(encode(4, &[0; 0x7f])[..2], [4, 0x7f]);
        assert_eq!(encode(4, &[0; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(encode(4, &[0; 0x100])[..4], [4, 0x82, 1, 0]);
    }
}
