//! A strict reader of DER (ITU-T X.690 section 10): one value at a time, nothing copied, nothing skipped.
//!
//! The `der` crate reads every header: definite lengths only, in their shortest form. On top of it stand the few
//! primitive types that certificates, CRLs and attribute certificates are made of. Structures are walked by hand
//! instead of derived because signatures cover bytes as they stand, and because a CRL of megabytes must not become a
//! list.

#![forbid(unsafe_code)]

use der::oid::ObjectIdentifier;
use der::{DateTime, Decode, Header, Reader, SliceReader};

/// Identifier octets of the types that occur.
pub mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OID: u8 = 0x06;
    pub const ENUMERATED: u8 = 0x0a;
    /// UTF8String.
    pub const UTF8: u8 = 0x0c;
    /// NumericString.
    pub const NUMERIC: u8 = 0x12;
    /// PrintableString.
    pub const PRINTABLE: u8 = 0x13;
    /// TeletexString, also called T61String.
    pub const TELETEX: u8 = 0x14;
    /// IA5String.
    pub const IA5: u8 = 0x16;
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    /// VisibleString.
    pub const VISIBLE: u8 = 0x1a;
    /// UniversalString, which the reader below does not know.
    pub const UNIVERSAL: u8 = 0x1c;
    /// BMPString.
    pub const BMP: u8 = 0x1e;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;

    /// rfc822Name of a GeneralName (RFC 5280 section 4.2.1.6).
    pub const MAIL_NAME: u8 = primitive(1);
    /// dNSName in a GeneralName.
    pub const HOST_NAME: u8 = primitive(2);
    /// directoryName of a GeneralName.
    pub const DIRECTORY_NAME: u8 = constructed(4);

    /// `[n]`, primitive: an IMPLICIT tag on a primitive type. Only n below 31 occurs.
    pub const fn primitive(n: u8) -> u8 {
        0x80 | n
    }

    /// `[n]`, constructed: an EXPLICIT tag, or an IMPLICIT one on a constructed type.
    pub const fn constructed(n: u8) -> u8 {
        0xa0 | n
    }
}

/// What is wrong with some bytes that should have been DER.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Tag, length and value.
#[derive(Clone, Copy, Debug)]
pub struct Tlv<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The content.
    pub value: &'a [u8],
    /// The whole encoding, as it stands in the input.
    pub raw: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// A cursor over the content of a constructed value.
    pub fn inside(&self) -> Result<Cursor<'a>, Malformed> {
        Cursor::new(self.value)
    }
}

/// Walks over consecutive values.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    reader: SliceReader<'a>,
}

impl<'a> Cursor<'a> {
    /// Starts at the first of the bytes.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        SliceReader::new(bytes).map(|reader| Cursor { bytes, reader }).map_err(|_| Malformed("too long for DER"))
    }

    /// The identifier octet of the next value; `None` at the end.
    pub fn peek(&self) -> Option<u8> {
        self.reader.peek_byte()
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.reader.is_finished()
    }

    /// The next value, whatever it is.
    pub fn any(&mut self) -> Result<Tlv<'a>, Malformed> {
        let bad = |_| Malformed("a value is not in DER or is cut off");
        let start = usize::try_from(self.reader.position()).map_err(bad)?;
        let header = Header::decode(&mut self.reader).map_err(bad)?;
        let value = self.reader.read_slice(header.length()).map_err(bad)?;
        let end = usize::try_from(self.reader.position()).map_err(bad)?;
        match self.bytes.get(start..end) {
            Some(raw @ [tag, ..]) => Ok(Tlv { tag: *tag, value, raw }),
            _ => Err(Malformed("a value is empty")),
        }
    }

    /// The next value, which must have this identifier octet.
    pub fn take(&mut self, tag: u8) -> Result<Tlv<'a>, Malformed> {
        if self.peek() != Some(tag) {
            return Err(Malformed("a value is missing or of another type"));
        }
        self.any()
    }

    /// The next value if it has this identifier octet.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, Malformed> {
        if self.peek() == Some(tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// A cursor over the content of the SEQUENCE that comes next.
    pub fn sequence(&mut self) -> Result<Cursor<'a>, Malformed> {
        self.take(tag::SEQUENCE)?.inside()
    }

    /// The OBJECT IDENTIFIER that comes next.
    pub fn oid(&mut self) -> Result<ObjectIdentifier, Malformed> {
        let tlv = self.take(tag::OID)?;
        ObjectIdentifier::from_bytes(tlv.value).map_err(|_| Malformed("an object identifier is malformed"))
    }

    /// The magnitude, without leading zeros, of the INTEGER that comes next; a negative one is malformed.
    pub fn unsigned(&mut self) -> Result<&'a [u8], Malformed> {
        unsigned(self.take(tag::INTEGER)?.value)
    }

    /// The bits of the BIT STRING that comes next, which must be whole octets.
    pub fn octets(&mut self) -> Result<&'a [u8], Malformed> {
        match self.take(tag::BIT_STRING)?.value.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(Malformed("a bit string does not hold whole octets")),
        }
    }

    /// The `DEFAULT FALSE` BOOLEAN that may come next. An explicit FALSE is not DER, but some authorities write it and
    /// it means the same thing, so that it is let through (as mozilla::pkix and webpki do).
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        self.flag_as(tag::BOOLEAN)
    }

    /// The same under an IMPLICIT tag.
    pub fn flag_as(&mut self, tag: u8) -> Result<bool, Malformed> {
        match self.optional(tag)?.map(|tlv| tlv.value) {
            None | Some([0x00]) => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(Malformed("a boolean is neither 00 nor FF")),
        }
    }

    /// The UTCTime or GeneralizedTime that comes next, in seconds since 1970 UTC.
    pub fn time(&mut self) -> Result<i64, Malformed> {
        let tlv = self.any()?;
        time(tlv.tag, tlv.value)
    }

    /// Says that nothing may be left.
    pub fn end(self) -> Result<(), Malformed> {
        if self.is_at_end() { Ok(()) } else { Err(Malformed("there is something after the last field")) }
    }
}

/// Reads identifier and length without looking whether the content is there: the identifier octet, the size of both, and
/// the content's length. For CRLs, which come in pieces and have a hundred thousand values.
pub fn header(bytes: &[u8]) -> Result<(u8, usize, usize), Malformed> {
    let length = |octets: &[u8]| octets.iter().fold(0_usize, |length, octet| (length << 8) | usize::from(*octet));
    match bytes {
        [tag, ..] if tag & 0x1f == 0x1f => Err(Malformed("a tag has more than one octet")),
        [tag, short @ 0..=0x7f, ..] => Ok((*tag, 2, usize::from(*short))),
        [tag, 0x81, a @ 0x80..=0xff, ..] => Ok((*tag, 3, usize::from(*a))),
        [tag, 0x82, a @ 1..=0xff, b, ..] => Ok((*tag, 4, length(&[*a, *b]))),
        [tag, 0x83, a @ 1..=0xff, b, c, ..] => Ok((*tag, 5, length(&[*a, *b, *c]))),
        [tag, 0x84, a @ 1..=0xff, b, c, d, ..] => Ok((*tag, 6, length(&[*a, *b, *c, *d]))),
        _ => Err(Malformed("a value is not in DER or is cut off")),
    }
}

/// The one value that some bytes must consist of.
pub fn only(bytes: &[u8], tag: u8) -> Result<Tlv<'_>, Malformed> {
    let mut cursor = Cursor::new(bytes)?;
    let tlv = cursor.take(tag)?;
    cursor.end()?;
    Ok(tlv)
}

/// The magnitude of an INTEGER's content, without leading zeros (zero itself is one zero octet): X.690 section 8.3.2
/// wants the shortest form, RFC 5280 section 4.1.2.2 no negative numbers.
pub fn unsigned(value: &[u8]) -> Result<&[u8], Malformed> {
    match value {
        [] => Err(Malformed("an integer is empty")),
        [0x00, next, ..] if *next < 0x80 => Err(Malformed("an integer has superfluous zeros")),
        [0x00, rest @ ..] if !rest.is_empty() => Ok(rest),
        [first, ..] if *first >= 0x80 => Err(Malformed("an integer is negative")),
        value => Ok(value),
    }
}

/// A magnitude as a number; `None` where it does not fit.
pub fn number(magnitude: &[u8]) -> Option<u64> {
    magnitude.iter().try_fold(0_u64, |n, b| n.checked_mul(256)?.checked_add(u64::from(*b)))
}

/// Seconds since 1970 of a time as RFC 5280 section 4.1.2.5 writes it: in UTC, with seconds, without fractions. A
/// UTCTime's year 00 to 49 is 20YY, 50 to 99 is 19YY; years before 1970 are refused.
fn time(tag: u8, value: &[u8]) -> Result<i64, Malformed> {
    let bad = Malformed("a time is malformed");
    let text = std::str::from_utf8(value).ok().and_then(|t| t.strip_suffix('Z')).ok_or(bad.clone())?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad);
    }
    let text = match (tag, text.len()) {
        (tag::UTC_TIME, 12) if text < "5" => format!("20{text}"),
        (tag::UTC_TIME, 12) => format!("19{text}"),
        (tag::GENERALIZED_TIME, 14) => text.to_owned(),
        _ => return Err(bad),
    };
    let field = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<u8>().ok());
    let year = text.get(..4).and_then(|t| t.parse::<u16>().ok());
    let seconds = match (year, field(4, 6), field(6, 8), field(8, 10), field(10, 12), field(12, 14)) {
        (Some(y), Some(mo), Some(d), Some(h), Some(mi), Some(s)) => DateTime::new(y, mo, d, h, mi, s).ok(),
        _ => None,
    };
    seconds.and_then(|t| i64::try_from(t.unix_duration().as_secs()).ok()).ok_or(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_seconds_and_the_century_turns_at_fifty() {
        let utc = |text: &str| time(tag::UTC_TIME, text.as_bytes());
        let general = |text: &str| time(tag::GENERALIZED_TIME, text.as_bytes());
        assert_eq!(utc("700101000000Z"), Ok(0));
        assert_eq!(utc("491231235959Z"), Ok(2_524_607_999));
        assert_eq!(general("20500101000000Z"), Ok(2_524_608_000));
        assert_eq!(general("20380119031408Z"), Ok(2_147_483_648));
        for bad in ["500101000000Z", "7001010000Z", "700101000000+0000", "701301000000Z", "700230000000Z", "", "Z"] {
            assert!(utc(bad).is_err(), "{bad}");
        }
        for bad in ["20500101000000", "20500101000000.5Z", "2050010100Z", "205001010000+1Z"] {
            assert!(general(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn integers_are_shortest_and_not_negative() {
        assert_eq!(unsigned(&[0]), Ok(&[0][..]));
        assert_eq!(unsigned(&[0, 0x80]), Ok(&[0x80][..]));
        for bad in [&[][..], &[0, 0], &[0, 0x7f], &[0x80], &[0xff, 1]] {
            assert!(unsigned(bad).is_err(), "{bad:?}");
        }
        assert_eq!(number(&[1, 0]), Some(256));
        assert_eq!(number(&[1; 9]), None);
    }

    #[test]
    fn a_header_is_read_as_the_der_crate_reads_it() {
        for length in [0_u32, 1, 127, 128, 255, 256, 65_535, 65_536, 16_777_215, 16_777_216] {
            let short = der::Header::new(der::Tag::OctetString, der::Length::from(length));
            let bytes = der::Encode::to_der(&short).unwrap();
            assert_eq!(header(&bytes), Ok((4, bytes.len(), usize::try_from(length).unwrap())), "{length}");
            for cut in 0..bytes.len() {
                assert!(header(&bytes[..cut]).is_err(), "{length} cut at {cut}");
            }
        }
        for bad in [&[4, 0x80][..], &[4, 0x81, 0x7f], &[4, 0x82, 0, 0xff], &[4, 0x85, 1, 0, 0, 0, 0], &[0x1f, 1, 0]] {
            assert!(header(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_definite_and_shortest() {
        for bad in [&[0x30, 0x80, 0, 0][..], &[0x04, 0x81, 1, 0], &[0x04, 2, 0], &[0x30], &[]] {
            assert!(Cursor::new(bad).unwrap().any().is_err(), "{bad:?}");
        }
        assert!(only(&[0x04, 1, 7, 9], tag::OCTET_STRING).is_err());
        assert_eq!(only(&[0x04, 1, 7], tag::OCTET_STRING).unwrap().value, [7]);
    }
}
