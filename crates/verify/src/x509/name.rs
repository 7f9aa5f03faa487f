//! Distinguished names, and the one canonical one-line form in which glexec writes them.
//!
//! Names are equal when the types and the characters of their attributes are, whatever string types carry them: tools that
//! make proxies (M2Crypto, `openssl req -subj`) write a copied name anew as UTF8String. Upper and lower case, and blanks,
//! differ. The text is for people, logs, map files and the grid's own trust files. It is `/TYPE=value` for every RDN, types as
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
use glexec_core::spelling;
use glexec_core::spelling::escape;

/// Most RDNs of a name: a proxy chain of 20 adds 20 to the 10 that real names have.
const MAX_RDNS: usize = 64;
/// Most attributes of one RDN; grid names have one.
const MAX_ATTRIBUTES: usize = 8;

/// [`spelling::TYPES`] as they stand in a name.
const TYPES: [(ObjectIdentifier, &str); spelling::TYPES.len()] = types();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "counted when it is compiled")]
const fn types() -> [(ObjectIdentifier, &'static str); spelling::TYPES.len()] {
    let mut types = [(MAIL_ADDRESS, ""); spelling::TYPES.len()];
    let mut at = 0;
    while at < types.len() {
        let (oid, name) = spelling::TYPES[at];
        types[at] = (ObjectIdentifier::new_unwrap(oid), name);
        at += 1;
    }
    types
}

/// Types whose values are IA5String (RFC 5280 appendix A.1, RFC 4519): mail addresses and domain components.
const IN_IA5: &[ObjectIdentifier] = &[MAIL_ADDRESS, ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25")];
/// Types whose values are PrintableString: country, serialNumber, dnQualifier.
const IN_PRINTABLE: &[ObjectIdentifier] = &[
    ObjectIdentifier::new_unwrap("2.5.4.6"),
    ObjectIdentifier::new_unwrap("2.5.4.5"),
    ObjectIdentifier::new_unwrap("2.5.4.46"),
];
const MAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
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

impl PartialEq for Attribute {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid && self.value == other.value
    }
}

/// One relative distinguished name.
#[derive(Clone, Debug)]
struct Rdn {
    attributes: Vec<Attribute>,
}

impl PartialEq for Rdn {
    /// The attributes are a set whose order in DER depends on the string types.
    fn eq(&self, other: &Self) -> bool {
        let count = |rdn: &Rdn, wanted: &Attribute| rdn.attributes.iter().filter(|found| *found == wanted).count();
        self.attributes.len() == other.attributes.len()
            && self.attributes.iter().all(|attribute| count(self, attribute) == count(other, attribute))
    }
}

/// A distinguished name. Equality is that of types and characters.
#[derive(Clone, Debug)]
pub struct Name {
    der: Vec<u8>,
    rdns: Vec<Rdn>,
    text: Dn,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.rdns == other.rdns
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
        match last.attributes.as_slice() {
            [attribute] if before == issuer.rdns && attribute.oid == COMMON_NAME => Some(&attribute.value),
            _ => None,
        }
    }

    /// The DER of the name as older CAs have it: PrintableString where its characters do, IA5String otherwise.
    pub fn with_printable_strings(&self) -> Vec<u8> {
        self.encoded(|oid, value| {
            let printable = |b: u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b);
            match IN_IA5.contains(oid) || !value.bytes().all(printable) {
                true if value.is_ascii() => tag::IA5,
                true => tag::UTF8,
                false => tag::PRINTABLE,
            }
        })
    }

    /// The DER of the name as newer tools write it: UTF8String, but for types that have one of their own.
    pub fn with_utf8_strings(&self) -> Vec<u8> {
        self.encoded(|oid, value| match () {
            () if IN_IA5.contains(oid) && value.is_ascii() => tag::IA5,
            () if IN_PRINTABLE.contains(oid) && value.is_ascii() => tag::PRINTABLE,
            () => tag::UTF8,
        })
    }

    fn encoded(&self, carrier: impl Fn(&ObjectIdentifier, &str) -> u8) -> Vec<u8> {
        let attribute = |attribute: &Attribute| {
            let value = encode(carrier(&attribute.oid, &attribute.value), attribute.value.as_bytes());
            encode(tag::SEQUENCE, &[encode(tag::OID, attribute.oid.as_bytes()), value].concat())
        };
        let rdn = |rdn: &Rdn| {
            let mut attributes: Vec<Vec<u8>> = rdn.attributes.iter().map(attribute).collect();
            attributes.sort_unstable();
            encode(tag::SET, &attributes.concat())
        };
        encode(tag::SEQUENCE, &self.rdns.iter().flat_map(rdn).collect::<Vec<u8>>())
    }

    /// The encoding that OpenSSL hashes for the names of files in a trust directory (`X509_NAME_hash`): every string as
    /// UTF-8 in lower case with single spaces, without the outer SEQUENCE.
    pub fn canonical(&self) -> Vec<u8> {
        self.rdns.iter().flat_map(canonical_rdn).collect()
    }

    /// The name as name constraints see it.
    pub fn as_base(&self) -> Base {
        Base(self.rdns.iter().map(folded_rdn).collect())
    }

    /// Whether it has a mail address, which constraints on mail addresses are about, too (RFC 5280 section 4.2.1.10).
    pub fn has_mail_address(&self) -> bool {
        self.rdns.iter().flat_map(|rdn| &rdn.attributes).any(|attribute| attribute.oid == MAIL_ADDRESS)
    }
}

/// A name as name constraints see it, which may be empty and need not be printable: RFC 5280 section 7.1 compares without
/// case, string type and superfluous blanks.
#[derive(Clone, Debug)]
pub struct Base(Vec<Vec<(ObjectIdentifier, String)>>);

impl Base {
    /// Reads a `Name`.
    pub fn parse(der: &[u8]) -> Result<Self, NameError> {
        Ok(Base(rdns(der)?.iter().map(folded_rdn).collect()))
    }

    /// Whether this name is `base` or below it.
    pub fn is_within(&self, base: &Base) -> bool {
        base.0.len() <= self.0.len() && self.0.iter().zip(&base.0).all(|(a, b)| a == b)
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
        _ => Ok(Rdn { attributes }),
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
        encode(tag::UTF8, single_spaced(text).to_ascii_lowercase().as_bytes())
    };
    let mut pair = encode(tag::OID, oid.as_bytes());
    pair.extend(value);
    encode(tag::SEQUENCE, &pair)
}

/// A text without blanks at its ends and with single ones inside.
fn single_spaced(text: &str) -> String {
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
    text.split(space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The attributes in an order of their own. Letters beyond ASCII have cases too: who excludes `Ä` means `ä`.
fn folded_rdn(rdn: &Rdn) -> Vec<(ObjectIdentifier, String)> {
    let fold = |attribute: &Attribute| (attribute.oid, single_spaced(&attribute.value).to_lowercase());
    let mut attributes: Vec<_> = rdn.attributes.iter().map(fold).collect();
    attributes.sort_unstable();
    attributes
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
            assert_eq!(theirs.nid().short_name().unwrap(), name, "{oid}");
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
            if let Some(other) = seen.insert(name.text().to_string(), name.clone()) {
                assert_eq!(other, name, "{} is two names", name.text());
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
    fn names_are_equal_when_types_and_characters_are() {
        let (cn, o) = ("2.5.4.3", "2.5.4.10");
        let carriers: [(u8, &[u8]); 5] = [
            (tag::UTF8, b"12"),
            (tag::PRINTABLE, b"12"),
            (tag::NUMERIC, b"12"),
            (tag::IA5, b"12"),
            (tag::BMP, b"\x001\x002"),
        ];
        for (a, a_value) in carriers {
            for (b, b_value) in carriers {
                assert_eq!(name(&[&[(cn, a, a_value)]]).unwrap(), name(&[&[(cn, b, b_value)]]).unwrap(), "{a} {b}");
            }
        }
        let latin = name(&[&[(cn, tag::TELETEX, b"J\xfcrgen")]]).unwrap();
        assert_eq!(latin, name(&[&[(cn, tag::UTF8, "Jürgen".as_bytes())]]).unwrap());
        // In DER the shorter attribute comes first, which depends on the string type.
        let both = name(&[&[(cn, tag::UTF8, b"ab"), (o, tag::UTF8, b"cde")]]).unwrap();
        let turned = name(&[&[(o, tag::UTF8, b"cde"), (cn, tag::BMP, b"\0a\0b")]]).unwrap();
        assert_eq!(both, turned);
        let plain = |value: &[u8]| name(&[&[(cn, tag::UTF8, value)]]).unwrap();
        for other in [&b"1"[..], b"12 ", b" 12", b"1 2", b"123"] {
            assert_ne!(plain(b"12"), plain(other), "{other:?}");
        }
        assert_ne!(plain(b"a"), plain(b"A"));
        assert_ne!(plain(b"12"), name(&[&[(o, tag::UTF8, b"12")]]).unwrap());
        let one = [(cn, tag::PRINTABLE, &b"12"[..]), (cn, tag::UTF8, b"34")];
        let twice = [(cn, tag::UTF8, &b"12"[..]), (cn, tag::PRINTABLE, b"12")];
        let twice = name(&[&[twice[0], twice[1]]]).or_else(|_| name(&[&[twice[1], twice[0]]])).unwrap();
        let one = name(&[&[one[0], one[1]]]).or_else(|_| name(&[&[one[1], one[0]]])).unwrap();
        assert_ne!(one, twice);
        assert_ne!(twice, one);
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
        assert_eq!(added(&[printable, one]).as_deref(), Some("1"), "whatever string type carries the issuer's name");
        let capital: &[(&str, u8, &[u8])] = &[("2.5.4.3", tag::UTF8, b"ALICE")];
        for wrong in [&[alice][..], &[one], &[alice, one, one], &[alice, other], &[alice, two], &[capital, one]] {
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
