//! One pass over a CRL of any size: its signed bytes are digested, its entries compared with a few serial numbers, and
//! forgotten. What is held is a window of some ten thousand bytes.

#![forbid(unsafe_code)]

use super::listed::{Listed, mark};
use super::scope::Scope;
use crate::x509::asn1::{Cursor, Malformed, header, only, tag};
use crate::x509::certificate::Algorithm;
use crate::x509::digest::Running;
use crate::x509::pem::Octets;
use der::oid::ObjectIdentifier;
use glexec_core::credentials::Digest;

/// Longest field besides the list of entries, and longest entry, in bytes: names and extensions are far shorter.
const MAX_FIELD: usize = 16 * 1024;
/// Longest encoding of a tag and a length below 4 GiB.
const MAX_HEADER: usize = 6;

/// Extensions of a CRL that may be critical: authorityKeyIdentifier, cRLNumber.
const KNOWN: &[ObjectIdentifier] =
    &[ObjectIdentifier::new_unwrap("2.5.29.35"), ObjectIdentifier::new_unwrap("2.5.29.20")];
/// deltaCRLIndicator.
const DELTA: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
/// issuingDistributionPoint.
const ISSUING_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
/// Extensions of an entry that may be critical: reasonCode, invalidityDate.
const KNOWN_OF_ENTRIES: &[ObjectIdentifier] =
    &[ObjectIdentifier::new_unwrap("2.5.29.21"), ObjectIdentifier::new_unwrap("2.5.29.24")];
/// certificateIssuer, which an entry of an indirect CRL has.
const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");

/// What a CRL says before its entries.
#[derive(Debug)]
pub struct Head {
    /// The signature algorithm.
    pub algorithm: Algorithm,
    /// The issuer's name, in DER.
    pub issuer: Vec<u8>,
    /// thisUpdate, in seconds since 1970 UTC.
    pub this_update: i64,
    pub next_update: i64,
    has_extensions: bool,
}

/// The first of the wanted serial numbers that is listed.
type Found = Result<Option<usize>, Malformed>;

/// What a CRL says from its entries on.
#[derive(Debug)]
pub struct Rest {
    /// The first of the wanted serial numbers that is listed. An error where an entry is malformed, whatever the entries
    /// before it say.
    pub found: Found,
    /// Which serial numbers may be listed.
    pub listed: Listed,
    /// Whom it speaks for; an error where it is of a kind that glexec does not understand.
    pub scope: Result<Scope, Malformed>,
    /// The digest of the signed bytes.
    pub hash: Vec<u8>,
    pub signature: Vec<u8>,
    /// How many bytes the CRL has.
    pub size: usize,
}

/// A pass that goes on.
pub struct Pass<'s> {
    source: &'s mut dyn Octets,
    window: Vec<u8>,
    /// Where the next value starts in the window.
    at: usize,
    /// Where the signed bytes start in the window that are not digested yet.
    undigested: usize,
    /// How many bytes are before the window.
    before: usize,
    digest: Option<Running>,
    /// Where the signed bytes end, counted from the first byte of all.
    body_end: usize,
    end: usize,
}

impl<'s> Pass<'s> {
    /// Starts a pass, and reads up to the entries.
    pub fn begin(source: &'s mut dyn Octets) -> Result<(Self, Head), Malformed> {
        let mut pass =
            Pass { source, window: Vec::new(), at: 0, undigested: 0, before: 0, digest: None, body_end: 0, end: 0 };
        pass.end = pass.enter(tag::SEQUENCE)?;
        pass.undigested = pass.at;
        pass.body_end = pass.enter(tag::SEQUENCE)?;
        pass.check_within(pass.body_end, pass.end)?;
        let head = pass.head()?;
        Ok((pass, head))
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let has_extensions = match self.peek()? {
            Some(tag::INTEGER) => match only(self.value()?, tag::INTEGER)?.value {
                [1] => true,
                _ => return Err(Malformed("it is neither of version 1 nor 2")),
            },
            _ => false,
        };
        let algorithm = Algorithm::read(&mut Cursor::new(self.value()?)?)?;
        let issuer = only(self.value()?, tag::SEQUENCE)?.raw.to_vec();
        let this_update = Cursor::new(self.value()?)?.time()?;
        if !matches!(self.peek()?, Some(tag::UTC_TIME | tag::GENERALIZED_TIME)) {
            return Err(Malformed("it has no nextUpdate (RFC 5280 section 5.1.2.5)"));
        }
        let next_update = Cursor::new(self.value()?)?.time()?;
        Ok(Head { algorithm, issuer, this_update, next_update, has_extensions })
    }

    /// Goes on to the end.
    pub fn finish(mut self, head: &Head, digest: Digest, wanted: &[Vec<u8>]) -> Result<Rest, Malformed> {
        self.digest = Some(Running::start(digest));
        let (found, listed) = match self.peek()? {
            Some(tag::SEQUENCE) => self.entries(wanted)?,
            _ => (Ok(None), Listed::of_size(0)),
        };
        let scope = match self.peek()? {
            None => Ok(Scope::default()),
            Some(wrapper) if wrapper == tag::constructed(0) && head.has_extensions => {
                scope(only(only(self.value()?, wrapper)?.value, tag::SEQUENCE)?.inside()?)
            }
            Some(_) => return Err(Malformed("it has a field that does not belong there")),
        };
        if self.position() != self.body_end {
            return Err(Malformed("there is something after the last field"));
        }
        let hash = self.digested()?;
        self.body_end = self.end;
        if Algorithm::read(&mut Cursor::new(self.value()?)?)? != head.algorithm {
            return Err(Malformed("it names two signature algorithms"));
        }
        let signature = Cursor::new(self.value()?)?.octets()?.to_vec();
        if self.position() != self.end || self.available(1)? > 0 {
            return Err(Malformed("there is something after the last field"));
        }
        Ok(Rest { found, listed, scope, hash, signature, size: self.end })
    }

    /// Walks over the entries. The walk goes on to the end, so that a list that breaks off is an error whatever it says
    /// before. The outer error ends the pass, the inner one is about the entries.
    fn entries(&mut self, wanted: &[Vec<u8>]) -> Result<(Found, Listed), Malformed> {
        let end = self.enter(tag::SEQUENCE)?;
        self.check_within(end, self.body_end)?;
        let mut listed = Listed::of_size(end.saturating_sub(self.position()));
        Ok((self.go_through(end, wanted, &mut listed)?, listed))
    }

    fn go_through(&mut self, end: usize, wanted: &[Vec<u8>], listed: &mut Listed) -> Result<Found, Malformed> {
        let wanted: Vec<Wanted<'_>> = wanted.iter().map(|serial| Wanted { mark: mark(serial), serial }).collect();
        let mut found = None;
        while self.position() < end {
            let left = end.saturating_sub(self.position());
            self.available(MAX_FIELD.min(left))?;
            let there = self.window.get(self.at..).unwrap_or_default();
            let there = there.get(..left).unwrap_or(there);
            match walk(there, &wanted, listed) {
                Ok((0, _)) => return self.give_up(end, "an entry is longer than any should be, or than the list"),
                Ok((walked, here)) => {
                    found = found.or(here);
                    self.at = self.at.saturating_add(walked);
                }
                Err(Malformed(why)) => return self.give_up(end, why),
            }
        }
        Ok(Ok(found))
    }

    /// The entries are malformed; they are signed all the same, and so passed over.
    fn give_up(&mut self, end: usize, why: &'static str) -> Result<Found, Malformed> {
        self.skip_to(end)?;
        Ok(Err(Malformed(why)))
    }

    fn position(&self) -> usize {
        self.before.saturating_add(self.at)
    }

    fn check_within(&self, inner: usize, outer: usize) -> Result<(), Malformed> {
        if inner <= outer { Ok(()) } else { Err(Malformed("a value is longer than what it is in")) }
    }

    /// Makes bytes available from where the next value starts, as many as there are; says how many.
    fn available(&mut self, wanted: usize) -> Result<usize, Malformed> {
        while self.window.len().saturating_sub(self.at) < wanted {
            self.forget();
            let more = self.source.next_octets()?;
            if more.is_empty() {
                break;
            }
            self.window.extend_from_slice(more);
        }
        Ok(self.window.len().saturating_sub(self.at).min(wanted))
    }

    /// Digests what is behind us and lets go of it.
    fn forget(&mut self) {
        let Some(digest) = &mut self.digest else { return };
        if let Some(passed) = self.window.get(self.undigested..self.at) {
            digest.update(passed);
        }
        self.window.drain(..self.at);
        self.before = self.before.saturating_add(self.at);
        (self.at, self.undigested) = (0, 0);
    }

    /// The digest of the signed bytes, which end here.
    fn digested(&mut self) -> Result<Vec<u8>, Malformed> {
        self.forget();
        self.digest.take().map(|digest| digest.finish()).ok_or(Malformed("nothing was digested"))
    }

    fn require(&mut self, size: usize) -> Result<(), Malformed> {
        if size > MAX_FIELD {
            return Err(Malformed("a field is longer than any should be"));
        }
        if self.available(size)? < size { Err(Malformed("it is cut off")) } else { Ok(()) }
    }

    fn header(&mut self) -> Result<(u8, usize, usize), Malformed> {
        let there = self.available(MAX_HEADER)?;
        header(self.window.get(self.at..self.at.saturating_add(there)).unwrap_or_default())
    }

    /// The identifier octet of the next value; `None` where the signed bytes end.
    fn peek(&mut self) -> Result<Option<u8>, Malformed> {
        if self.position() >= self.body_end {
            return Ok(None);
        }
        self.require(1)?;
        Ok(self.window.get(self.at).copied())
    }

    /// Steps into a value; says where it ends.
    fn enter(&mut self, wanted: u8) -> Result<usize, Malformed> {
        let (found, own, length) = self.header()?;
        if found != wanted {
            return Err(Malformed("a value is missing or of another type"));
        }
        self.at = self.at.saturating_add(own);
        Ok(self.position().saturating_add(length))
    }

    /// The whole encoding of the next value.
    fn value(&mut self) -> Result<&[u8], Malformed> {
        let (_, own, length) = self.header()?;
        let size = own.saturating_add(length);
        if size > self.body_end.saturating_sub(self.position()) {
            return Err(Malformed("a value is longer than what it is in"));
        }
        self.require(size)?;
        let from = self.at;
        self.at = self.at.saturating_add(size);
        Ok(self.window.get(from..self.at).unwrap_or_default())
    }

    /// Passes over what cannot be understood, which is signed all the same.
    fn skip_to(&mut self, end: usize) -> Result<(), Malformed> {
        while self.position() < end {
            let there = self.available(MAX_FIELD.min(end.saturating_sub(self.position())))?;
            if there == 0 {
                return Err(Malformed("it is cut off"));
            }
            self.at = self.at.saturating_add(there);
        }
        Ok(())
    }
}

/// A serial number that is looked for.
struct Wanted<'a> {
    mark: u64,
    serial: &'a [u8],
}

/// Goes through the entries that are there in full: how many bytes they have, and the first wanted number among them.
fn walk(bytes: &[u8], wanted: &[Wanted<'_>], listed: &mut Listed) -> Result<(usize, Option<usize>), Malformed> {
    let (mut rest, mut found) = (bytes, None);
    while let Some((entry, after)) = whole(rest)? {
        let serial = serial(entry)?;
        let mark = mark(serial);
        listed.add(mark);
        let here = wanted.iter().position(|wanted| wanted.mark == mark && wanted.serial == serial);
        (rest, found) = (after, found.or(here));
    }
    Ok((bytes.len().saturating_sub(rest.len()), found))
}

/// The content of a value, and what follows it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The content of the entry that comes first, and what follows it; `None` where not all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<Split<'_>>, Malformed> {
    let (kind, own, length) = match header(bytes) {
        Ok(read) => read,
        Err(fault) if bytes.len() >= MAX_HEADER => return Err(fault),
        Err(_) => return Ok(None),
    };
    if kind != tag::SEQUENCE {
        return Err(Malformed("an entry is none"));
    }
    Ok(bytes.get(own..).and_then(|bytes| bytes.split_at_checked(length)))
}

/// The octets of an entry's serial number as [`glexec_core::identity::Serial::octets`] has them.
fn serial(entry: &[u8]) -> Result<&[u8], Malformed> {
    let (kind, number, rest) = field(entry)?;
    if kind != tag::INTEGER {
        return Err(Malformed("an entry has no serial number"));
    }
    let (kind, _, rest) = field(rest)?;
    // When it was revoked does not matter: a date in the future revokes too.
    if !matches!(kind, tag::UTC_TIME | tag::GENERALIZED_TIME) {
        return Err(Malformed("an entry has no revocation date"));
    }
    match rest {
        // The usual extension, a reasonCode, is let through without ceremony: lists are long.
        [] | [tag::SEQUENCE, 12, tag::SEQUENCE, 10, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, _] => {}
        rest => check_entry(only(rest, tag::SEQUENCE)?.inside()?)?,
    }
    magnitude(number)
}

/// Identifier and content of the first value, and what follows it.
fn field(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Malformed> {
    let (tag, own, length) = header(bytes)?;
    let split = bytes.get(own..).and_then(|bytes| bytes.split_at_checked(length));
    let (content, rest) = split.ok_or(Malformed("a value is longer than what it is in"))?;
    Ok((tag, content, rest))
}

/// What the extensions of a CRL make of it. Those that make it a part of a list count whether they are critical, as RFC 5280
/// wants them, or not: who passes over them takes the part for the whole.
fn scope(mut list: Cursor) -> Result<Scope, Malformed> {
    let mut scope = None;
    while let Some((oid, critical, value)) = extension(&mut list)? {
        if oid == DELTA {
            return Err(Malformed("it is a delta CRL"));
        }
        if oid == ISSUING_POINT {
            if scope.replace(Scope::read(value)?).is_some() {
                return Err(Malformed("it has an extension twice"));
            }
        } else if critical && !KNOWN.contains(&oid) {
            return Err(UNKNOWN);
        }
    }
    Ok(scope.unwrap_or_default())
}

/// Refuses entries that are about certificates of others, and critical extensions that are not known.
fn check_entry(mut list: Cursor) -> Result<(), Malformed> {
    while let Some((oid, critical, _)) = extension(&mut list)? {
        if oid == CERTIFICATE_ISSUER {
            return Err(Malformed("it is an indirect CRL"));
        }
        if critical && !KNOWN_OF_ENTRIES.contains(&oid) {
            return Err(UNKNOWN);
        }
    }
    Ok(())
}

const UNKNOWN: Malformed = Malformed("it has a critical extension that glexec does not know");

/// What an extension is, whether it is critical, and its value.
type Extension<'a> = (ObjectIdentifier, bool, &'a [u8]);

/// The extension that comes next.
fn extension<'a>(list: &mut Cursor<'a>) -> Result<Option<Extension<'a>>, Malformed> {
    if list.is_at_end() {
        return Ok(None);
    }
    let mut fields = list.sequence()?;
    let (oid, critical) = (fields.oid()?, fields.flag()?);
    let value = fields.take(tag::OCTET_STRING)?.value;
    fields.end()?;
    Ok(Some((oid, critical, value)))
}

/// One that is not in its shortest form would not be found and so is an error. A negative one, which no accepted
/// certificate has, is nothing.
fn magnitude(number: &[u8]) -> Result<&[u8], Malformed> {
    match number {
        [] => Err(Malformed("a serial number is empty")),
        [0x00, next, ..] if *next < 0x80 => Err(Malformed("a serial number has superfluous zeros")),
        [0xff, next, ..] if *next >= 0x80 => Err(Malformed("a serial number has superfluous ones")),
        [0x00, rest @ ..] if !rest.is_empty() => Ok(rest),
        [first, ..] if *first >= 0x80 => Ok(&[]),
        number => Ok(number),
    }
}
