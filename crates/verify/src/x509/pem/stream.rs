//! The CRL of a file in DER or PEM, piece by piece: it may have megabytes, of which some ten thousand are held.

#![forbid(unsafe_code)]

use super::base64::{boundary, decode_groups, sextet};
use crate::x509::asn1::Malformed;
use memchr::memchr;
use std::io::Read;

/// Bytes that come one after another.
pub trait Octets {
    /// The next ones; none at the end.
    fn next_octets(&mut self) -> Result<&[u8], Malformed>;
}

/// How much is read at once, in bytes: little enough to stay in the processor's cache.
const PIECE: usize = 32 * 1024;
/// The longest line; RFC 7468 has 64 characters.
const MAX_LINE: usize = PIECE;
/// The label of the block.
const LABEL: &str = "X509 CRL";

/// The first CRL of a file.
pub struct FirstCrl<R> {
    source: R,
    piece: Vec<u8>,
    form: Option<Form>,
    /// What is wrong behind the octets that were handed over last: those before it say whose CRL it is.
    fault: Option<Malformed>,
}

enum Form {
    Der,
    Pem(Text),
}

impl<R: Read> FirstCrl<R> {
    /// The CRL of what a file holds.
    pub fn new(source: R) -> Self {
        FirstCrl { source, piece: vec![0; PIECE], form: None, fault: None }
    }

    /// Reads a piece; how much there was of it.
    fn read(&mut self) -> Result<usize, Malformed> {
        loop {
            match self.source.read(&mut self.piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => return read.map_err(|_| Malformed("it cannot be read")),
            }
        }
    }
}

impl<R: Read> Octets for FirstCrl<R> {
    fn next_octets(&mut self) -> Result<&[u8], Malformed> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        loop {
            let size = self.read()?;
            let piece = self.piece.get(..size).unwrap_or_default();
            if piece.is_empty() && self.form.is_none() {
                return Err(Malformed("it is empty"));
            }
            match self.form.get_or_insert_with(|| Form::of(piece)) {
                Form::Der => return Ok(self.piece.get(..size).unwrap_or_default()),
                Form::Pem(text) => {
                    text.decoded.clear();
                    let taken = text.take(piece);
                    if !text.decoded.is_empty() {
                        self.fault = taken.err();
                        break;
                    }
                    taken?;
                    if size == 0 {
                        break;
                    }
                }
            }
        }
        match &self.form {
            Some(Form::Pem(text)) => Ok(&text.decoded),
            _ => Ok(&[]),
        }
    }
}

impl Form {
    fn of(first: &[u8]) -> Self {
        if first.first() == Some(&0x30) { Form::Der } else { Form::Pem(Text::default()) }
    }
}

/// Where in a file in PEM we are.
#[derive(Default)]
struct Text {
    /// The start of a line whose end has not been seen.
    line: Vec<u8>,
    /// The label of the block that is open.
    open: Option<String>,
    progress: Progress,
    /// Characters that wait for the end of their group, or for the end of the block.
    waiting: Vec<u8>,
    decoded: Vec<u8>,
}

/// How far it is with the block that is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Before,
    /// Nothing of it has been decoded.
    Empty,
    Inside,
    /// What comes after it is looked at for its boundaries only.
    Done,
}

/// OpenSSL takes all lists of a file: who passed over the second would miss what it revokes.
const SEVERAL: Malformed = Malformed("it has several CRLs: each needs a file of its own, HASH.r0, HASH.r1 and so on");

impl Text {
    /// Takes the next piece of a file; an empty one is its end.
    fn take(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        let mut rest = piece;
        while let Some((end, after)) = memchr(b'\n', rest).and_then(|at| rest.split_at_checked(at)) {
            if self.line.is_empty() {
                self.line(end)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(end);
                self.line(&line)?;
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.line.extend_from_slice(rest);
        if self.line.len() > MAX_LINE {
            return Err(Malformed("a line is longer than any should be"));
        }
        if piece.is_empty() { self.end() } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        let line = std::mem::take(&mut self.line);
        self.line(&line)?;
        match (&self.open, self.progress) {
            (Some(_), _) => Err(Malformed("it is cut off inside a block")),
            (None, Progress::Done) => Ok(()),
            (None, _) => Err(Malformed("it has no such PEM block")),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let line = line.trim_ascii_end();
        match (boundary(line), &self.open) {
            (None, Some(_)) if line.starts_with(b"-----") => Err(Malformed("a boundary line is damaged")),
            (None, Some(_)) if matches!(self.progress, Progress::Empty | Progress::Inside) => self.decode(line),
            (None, _) => Ok(()),
            (Some(("BEGIN", label)), None) => {
                match self.progress {
                    Progress::Before if label == LABEL => self.progress = Progress::Empty,
                    Progress::Done if label == LABEL => return Err(SEVERAL),
                    _ => {}
                }
                self.open = Some(label.to_owned());
                Ok(())
            }
            (Some(("END", label)), Some(open)) if label == open => {
                self.open = None;
                self.close()
            }
            _ => Err(Malformed("BEGIN and END lines do not pair")),
        }
    }

    /// Decodes all whole groups but the last, which may be the padded one. They are collected first: a line is little work.
    fn decode(&mut self, line: &[u8]) -> Result<(), Malformed> {
        self.waiting.extend_from_slice(line);
        if self.waiting.len() < AT_ONCE {
            return Ok(());
        }
        self.decode_waiting()
    }

    fn decode_waiting(&mut self) -> Result<(), Malformed> {
        let groups = self.waiting.len().saturating_sub(1) / 4;
        let whole = groups.saturating_mul(4);
        octets(self.waiting.get(..whole).unwrap_or_default(), &mut self.decoded)?;
        self.waiting.drain(..whole);
        if groups > 0 {
            self.progress = Progress::Inside;
        }
        Ok(())
    }

    /// The end of a block; the one that is looked for has been decoded then.
    fn close(&mut self) -> Result<(), Malformed> {
        if matches!(self.progress, Progress::Empty | Progress::Inside) {
            self.decode_waiting()?;
        }
        match self.progress {
            Progress::Before | Progress::Done => Ok(()),
            Progress::Empty if self.waiting.is_empty() => Err(Malformed("a block is empty")),
            Progress::Empty | Progress::Inside => {
                self.progress = Progress::Done;
                decode_groups(&self.waiting, true, &mut self.decoded).map_err(Malformed)
            }
        }
    }
}

/// How many characters are decoded at once.
const AT_ONCE: usize = 4096;

/// What a character is of its group's 24 bits, for each of the four places in a group; more than that for anything but
/// base64.
static PLACES: [[u32; 256]; 4] = places();

#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "made by the compiler: a mistake does not compile"
)]
const fn places() -> [[u32; 256]; 4] {
    let mut places = [[u32::MAX; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let value = sextet(byte as u8) as u32;
        let mut place = 0;
        while place < 4 && value < 64 {
            places[place][byte] = value << (18 - 6 * place);
            place += 1;
        }
        byte += 1;
    }
    places
}

/// The 24 bits of a group, with others set where it is none. What a table is asked leaves traces in the processor's caches:
/// for public bytes only.
fn bits(group: &[u8]) -> u32 {
    let of = |place: &[u32; 256], byte: u8| place.get(usize::from(byte)).copied().unwrap_or(u32::MAX);
    match (group, &PLACES) {
        ([a, b, c, d], [first, second, third, fourth]) => {
            of(first, *a) | of(second, *b) | of(third, *c) | of(fourth, *d)
        }
        _ => u32::MAX,
    }
}

/// Decodes groups of four characters without padding: four groups to twelve octets, as long as there are so many.
fn octets(groups: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut seen = 0;
    let fours = groups.chunks_exact(16);
    let others = fours.remainder();
    let start = out.len();
    out.resize(start.saturating_add(fours.len().saturating_mul(12)), 0);
    for (twelve, four) in out.get_mut(start..).unwrap_or_default().chunks_exact_mut(12).zip(fours) {
        let mut values = [0; 4];
        for (value, group) in values.iter_mut().zip(four.chunks_exact(4)) {
            *value = bits(group);
            seen |= *value;
        }
        let [a, b, c, d] = values.map(u128::from);
        let [_, _, _, _, octets @ ..] = ((a << 72) | (b << 48) | (c << 24) | d).to_be_bytes();
        twelve.copy_from_slice(&octets);
    }
    for group in others.chunks_exact(4) {
        let value = bits(group);
        seen |= value;
        let [_, octets @ ..] = value.to_be_bytes();
        out.extend_from_slice(&octets);
    }
    if seen >> 24 == 0 { Ok(()) } else { Err(Malformed("a block holds something else than base64")) }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::x509::pem::first;
    use proptest::prelude::*;

    /// Gives its bytes in pieces of these sizes, again and again.
    struct Pieces<'a>(&'a [u8], Vec<usize>, usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.2 += 1;
            let size = self.1[self.2 % self.1.len()].min(out.len()).min(self.0.len());
            let (now, later) = self.0.split_at(size);
            out[..size].copy_from_slice(now);
            self.0 = later;
            Ok(size)
        }
    }

    fn all(source: impl Read) -> Result<Vec<u8>, Malformed> {
        let mut stream = FirstCrl::new(source);
        let mut found = Vec::new();
        loop {
            match stream.next_octets()? {
                [] => return Ok(found),
                more => found.extend_from_slice(more),
            }
        }
    }

    /// What the decoder of whole files says.
    fn whole(file: &[u8]) -> Option<Vec<u8>> {
        first(file.to_vec(), &[LABEL]).ok()
    }

    fn file(body: &[u8], width: usize) -> Vec<u8> {
        let encoded = openssl::base64::encode_block(body);
        let lines: Vec<&str> = encoded.as_bytes().chunks(width).map(|l| std::str::from_utf8(l).unwrap()).collect();
        format!("text\n-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\nmore\n", lines.join("\r\n")).into_bytes()
    }

    #[test]
    fn a_file_that_is_cut_off_or_has_no_crl_is_an_error() {
        let good = file(&[7; 1000], 64);
        assert_eq!(all(good.as_slice()), Ok(vec![7; 1000]));
        let end = good.windows(5).rposition(|w| w == b"CRL--").unwrap();
        for cut in 0..end {
            assert!(all(&good[..cut]).is_err(), "cut at {cut}");
        }
        assert!(all(&b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"[..]).is_err());
        assert!(all(&[b"x".as_slice(); MAX_LINE + 1].concat()[..]).is_err());
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_what_the_whole_gives(
            body in prop::collection::vec(any::<u8>(), 1..400),
            width in 1..80_usize,
            sizes in prop::collection::vec(1..90_usize, 1..8),
            bent in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut file = file(&body, width);
            if let Some((at, octet)) = bent {
                let at = at.index(file.len());
                file[at] = octet;
            }
            prop_assert_eq!(all(Pieces(&file, sizes, 0)).ok().filter(|found| !found.is_empty()), whole(&file));
        }
    }
}
