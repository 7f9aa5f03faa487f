//! The lines of a log, however large it is.

use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read};

/// Longest line in bytes; syslog messages of glexec end at 8 KiB, a journal's entry has more around it.
const MAX_LINE: usize = 256 * 1024;
const BUFFER: usize = 256 * 1024;
/// What gzip(1) files begin with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What files begin with that somebody else has to read first, and who.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\xfd7zXZ\0", "it is compressed: xz -dc FILE | glexec-admin log -"),
    (b"\x28\xb5\x2f\xfd", "it is compressed: zstd -dc FILE | glexec-admin log -"),
    (b"BZh", "it is compressed: bzip2 -dc FILE | glexec-admin log -"),
    (b"LPKSHHRH", "it is a journal: journalctl --file FILE -o json --all | glexec-admin log -"),
    (b"__CURSOR=", "it is the journal's export format; what can be read is journalctl -o json --all"),
];

/// A reader that counts what was taken from below.
struct Counted<R> {
    inner: R,
    taken: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = self.inner.read(buffer)?;
        self.taken = self.taken.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

enum Source<R: Read> {
    Plain(BufReader<Counted<R>>),
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<Counted<R>>>>>),
}

/// Lines, one at a time in one buffer.
pub struct Lines<R: Read> {
    source: Source<R>,
    line: Vec<u8>,
}

/// What came of reading a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line without its end.
    Whole(&'a [u8]),
    /// One that is too long; it was passed over.
    TooLong,
}

impl<R: Read> Lines<R> {
    /// Reads plain text, or what gzip made of it; what cannot be read so is an error that says how it can.
    pub fn new(inner: R) -> Result<Self, Error> {
        let mut plain = BufReader::with_capacity(BUFFER, Counted { inner, taken: 0 });
        let beginning = plain.fill_buf()?;
        if let Some((_, how)) = OTHERS.iter().find(|(magic, _)| beginning.starts_with(magic)) {
            return Err(Error::new(ErrorKind::InvalidData, *how));
        }
        let source = if beginning.starts_with(&GZIP) {
            Source::Gzip(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(plain))))
        } else {
            Source::Plain(plain)
        };
        Ok(Lines { source, line: Vec::new() })
    }

    /// How many bytes of the file were read.
    pub fn taken(&self) -> u64 {
        match &self.source {
            Source::Plain(plain) => plain.get_ref().taken,
            Source::Gzip(gzip) => gzip.get_ref().get_ref().get_ref().taken,
        }
    }

    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, Error> {
        match &mut self.source {
            Source::Plain(source) => next(source, &mut self.line),
            Source::Gzip(source) => next(source, &mut self.line),
        }
    }
}

fn next<'a>(source: &mut impl BufRead, line: &'a mut Vec<u8>) -> Result<Option<Line<'a>>, Error> {
    line.clear();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    if source.by_ref().take(limit).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        // Whoever sent the log around may have used Windows.
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() == MAX_LINE {
        source.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Whole(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn all(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(bytes).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(match line {
                Line::Whole(line) => String::from_utf8(line.to_vec()).unwrap(),
                Line::TooLong => "(too long)".to_owned(),
            });
        }
        all
    }

    #[test]
    fn plain_and_compressed_logs_have_the_same_lines() {
        let text = b"one\n\ntwo\nlast";
        let mut twice = Vec::new();
        for part in [&text[..4], &text[4..]] {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(part).unwrap();
            twice.extend(gzip.finish().unwrap());
        }
        assert_eq!(all(text), ["one", "", "two", "last"]);
        assert_eq!(all(&twice), all(text), "two members in one file");
    }

    #[test]
    fn what_others_have_to_read_first_is_no_log_without_records() {
        for (magic, how) in OTHERS {
            let error = Lines::new([magic, b"more"].concat().as_slice()).map(drop).unwrap_err();
            assert_eq!(error.to_string(), how);
        }
        assert_eq!(all(b"a\r\nb\r"), ["a", "b\r"]);
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let long = [vec![b'x'; 3 * MAX_LINE], b"\nnext\n".to_vec()].concat();
        assert_eq!(all(&long), ["(too long)", "next"]);
        let mut lines = Lines::new(long.as_slice()).unwrap();
        lines.next_line().unwrap();
        assert!(lines.line.capacity() <= 2 * MAX_LINE);
    }
}
