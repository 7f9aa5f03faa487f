//! The historic line format of grid-mapfile, groupmapfile and ban files, read as a stream of lines.
//!
//! A line is a name, quoted or up to white space, and mappings separated by commas or white space; `#` starts a comment
//! at the start of a line and among the mappings; in a quoted name a backslash protects the next byte from ending the
//! quote but stays part of the name; among the mappings `\c` is `c`. A byte order mark and CRLF are tolerated: the C
//! library makes of them a name that never matches and an account that does not exist. A malformed line is passed over
//! where accounts are given (it gives none, and does not disable the lines below it), and noted.

use crate::files::fnmatch;
use crate::files::subject::Subject;
use glexec_config::lcmaps::Matching;
use glexec_core::file_error::FileError;
use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memchr2, memchr3};

/// Largest map or ban file: half a million long lines; more is a mistake, and the whole file is held in memory.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Most malformed lines that one lookup notes.
const MAX_NOTES: usize = 5;

/// A map file to look names up in.
pub trait Map {
    /// What [`lookup`] finds in it.
    fn lookup(&self, subject: &Subject, matching: Matching, wanted: Wanted) -> Result<Lookup, FileError>;
}

/// One that was read as a whole.
impl Map for Vec<u8> {
    fn lookup(&self, subject: &Subject, matching: Matching, wanted: Wanted) -> Result<Lookup, FileError> {
        Ok(lookup(self, subject, matching, wanted))
    }
}

/// Which of a line's mappings is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first that starts with a dot: a pool.
    Pool,
    /// The first that does not: an account or a group.
    Name,
}

/// One line that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The name, without quotes.
    pub name: &'a [u8],
    /// The mappings with their separators, without comment.
    pub mappings: &'a [u8],
    /// Everything from the name on, where the name has no quotes.
    pub unquoted: Option<&'a [u8]>,
    /// Everything after the name and its quote.
    pub after: &'a [u8],
}

/// A line that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {why}")]
pub struct MalformedLine {
    /// Its number, from 1.
    pub number: usize,
    pub why: &'static str,
}

/// The lines of a file that say something, in order.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<Line<'_>, MalformedLine>> {
    lines_from(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes), 1)
}

/// What some editors begin a file with.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The same for a part of a file that starts with this line.
fn lines_from(bytes: &[u8], first: usize) -> impl Iterator<Item = Result<Line<'_>, MalformedLine>> {
    (first..).zip(bytes.split(|b| *b == b'\n')).filter_map(|(number, line)| understood(number, line))
}

/// What one line says, where it says something.
pub fn understood(number: usize, line: &[u8]) -> Option<Result<Line<'_>, MalformedLine>> {
    let line = trim_start(line.strip_suffix(b"\r").unwrap_or(line), is_blank);
    if matches!(line.first(), None | Some(b'#')) { None } else { Some(parse(number, line)) }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_separator(byte: u8) -> bool {
    is_blank(byte) || byte == b','
}

fn trim_start(bytes: &[u8], skipped: impl Fn(u8) -> bool) -> &[u8] {
    let start = bytes.iter().position(|b| !skipped(*b)).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// The place of the first byte that ends something and is not protected by a backslash. `Err` where the line ends with
/// a lone backslash.
fn unprotected(bytes: &[u8], ends: impl Fn(u8) -> bool) -> Result<Option<usize>, &'static str> {
    let mut all = bytes.iter().enumerate();
    while let Some((at, byte)) = all.next() {
        if *byte == b'\\' {
            all.next().ok_or("a backslash at the end of the line")?;
        } else if ends(*byte) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn parse(number: usize, line: &[u8]) -> Result<Line<'_>, MalformedLine> {
    let bad = |why| MalformedLine { number, why };
    if line.contains(&0) {
        return Err(bad("a NUL byte"));
    }
    let (name, rest, unquoted) = match line.strip_prefix(b"\"") {
        Some(quoted) => {
            let end = unprotected(quoted, |b| b == b'"').map_err(bad)?.ok_or(bad("a quote without its end"))?;
            let (name, rest) = quoted.split_at_checked(end).ok_or(bad("a quote without its end"))?;
            (name, rest.get(1..).unwrap_or_default(), None)
        }
        None => {
            let end = unprotected(line, is_blank).map_err(bad)?.unwrap_or(line.len());
            let (name, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
            (name, rest, Some(line))
        }
    };
    let after = rest;
    let rest = trim_start(rest, is_separator);
    let end = unprotected(rest, |b| b == b'#').map_err(bad)?.unwrap_or(rest.len());
    Ok(Line { number, name, mappings: rest.get(..end).unwrap_or(rest), unquoted, after })
}

/// Whether a name of a file stands for the subject.
pub fn stands_for(name: &[u8], subject: &Subject, matching: Matching) -> bool {
    match matching {
        Matching::Wildcards if fnmatch::has_wildcard(name) => {
            subject.any_for(name, |text| fnmatch::matches(name, text))
        }
        _ => subject.is(name),
    }
}

/// The first mapping of a kind.
fn mapping(mappings: &[u8], wanted: Wanted) -> Option<Vec<u8>> {
    all_mappings(mappings).find(|one| one.starts_with(b".") == (wanted == Wanted::Pool))
}

/// The mappings of a line in their order, their escapes resolved.
pub fn all_mappings(mut mappings: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    std::iter::from_fn(move || {
        while !mappings.is_empty() {
            let end = unprotected(mappings, is_separator).ok()?.unwrap_or(mappings.len());
            let (one, rest) = mappings.split_at_checked(end)?;
            mappings = trim_start(rest, is_separator);
            let one = resolved(one);
            if !one.is_empty() {
                return Some(one);
            }
        }
        None
    })
}

fn resolved(mapping: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mapping.len());
    let mut bytes = mapping.iter();
    while let Some(byte) = bytes.next() {
        out.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    out
}

/// What a lookup gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The mapping and the number of its line. Bytes that are not UTF-8 are replaced: such a name passes no check.
    pub found: Option<(String, usize)>,
    /// Malformed lines on the way there.
    pub notes: Vec<String>,
}

/// Finds the first mapping of the wanted kind whose line stands for the subject.
///
/// The file is gone through in blocks of whole lines. Most blocks have nothing that could matter, which is seen without
/// looking at their lines one by one: no spelling of the subject, no pattern, nothing that could be malformed.
pub fn lookup(bytes: &[u8], subject: &Subject, matching: Matching, wanted: Wanted) -> Lookup {
    let mut lookup = Lookup::default();
    let filter = Filter::new(subject, matching);
    let mut rest = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut number = 1_usize;
    while !rest.is_empty() && lookup.found.is_none() {
        let end = rest.get(BLOCK..).and_then(|after| memchr(b'\n', after));
        let end = end.map_or(rest.len(), |end| end.saturating_add(BLOCK).saturating_add(1));
        let (block, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        if filter.may_matter(block) {
            lookup.search(lines_from(block, number), subject, matching, wanted);
        }
        number = number.saturating_add(memchr_iter(b'\n', block).count());
        rest = after;
    }
    lookup
}

impl Lookup {
    /// Goes through lines until one maps.
    pub fn search<'a>(
        &mut self,
        lines: impl Iterator<Item = Result<Line<'a>, MalformedLine>>,
        subject: &Subject,
        matching: Matching,
        wanted: Wanted,
    ) {
        for line in lines {
            match line {
                Ok(line) if stands_for(line.name, subject, matching) => {
                    if let Some(found) = mapping(line.mappings, wanted) {
                        self.found = Some((String::from_utf8_lossy(&found).into_owned(), line.number));
                        return;
                    }
                }
                Ok(_) => {}
                Err(malformed) if self.notes.len() < MAX_NOTES => self.notes.push(malformed.to_string()),
                Err(_) => {}
            }
        }
    }
}

/// Size of a block in bytes, up to the end of its last line: small enough for the fastest cache.
const BLOCK: usize = 4096;

/// How much of a name is searched for, from its end, in bytes.
const END: usize = 12;

/// Says which blocks of a file need to be read line by line.
struct Filter<'s> {
    ends: Vec<Finder<'s>>,
    matching: Matching,
}

impl<'s> Filter<'s> {
    fn new(subject: &'s Subject, matching: Matching) -> Self {
        // The names of a file begin alike and end differently: a search for the end meets fewer that only look like it.
        let end = |name: &'s [u8]| name.get(name.len().saturating_sub(END)..).unwrap_or(name);
        Filter { ends: subject.spellings().map(|name| Finder::new(end(name))).collect(), matching }
    }

    /// Whether a line of the block may stand for the subject or be malformed.
    fn may_matter(&self, block: &[u8]) -> bool {
        self.ends.iter().any(|end| end.find(block).is_some())
            || (self.matching == Matching::Wildcards && memchr3(b'*', b'?', b'[', block).is_some())
            || memchr2(b'\\', 0, block).is_some()
            || has_odd_quotes(block)
    }
}

/// The highest bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bits of those of eight bytes that are equal to `byte`.
fn equal(eight: u64, byte: u8) -> u64 {
    let differing = eight ^ u64::from_le_bytes([byte; 8]);
    // Adding cannot carry from byte to byte: the high bits are masked away first.
    !((differing & !HIGH).wrapping_add(!HIGH) | differing) & HIGH
}

/// Whether a line has an odd number of quotes. Where all have an even number and nothing is escaped, every name that
/// starts with a quote ends with one.
///
/// Eight bytes at a time without a branch, since there are quotes everywhere: in the high bit of each byte stands whether
/// the number of quotes up to it is odd, which must not be so at the end of a line.
fn has_odd_quotes(block: &[u8]) -> bool {
    let (mut odd, mut found) = (0_u64, 0_u64);
    let mut eights = block.chunks_exact(8);
    let mut take = |eight: [u8; 8]| {
        let eight = u64::from_le_bytes(eight);
        let mut parity = equal(eight, b'"');
        parity ^= parity << 8;
        parity ^= parity << 16;
        parity ^= parity << 32;
        parity ^= odd;
        found |= parity & equal(eight, b'\n');
        odd = if parity >> 63 == 1 { HIGH } else { 0 };
    };
    for eight in &mut eights {
        take(<[u8; 8]>::try_from(eight).unwrap_or_default());
    }
    // The last line may have no end of its own.
    let mut last = [b'\n'; 8];
    for (to, from) in last.iter_mut().zip(eights.remainder()) {
        *to = *from;
    }
    take(last);
    found != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_core::identity::Dn;
    use proptest::prelude::*;

    fn find(file: &[u8], dn: &str, matching: Matching, wanted: Wanted) -> Option<String> {
        let subject = Subject::mapped(&Dn::try_from(dn.to_owned()).unwrap());
        lookup(file, &subject, matching, wanted).found.map(|(name, _)| name)
    }

    /// For the DN `/O=x/CN=Alice Adams`: file, what an exact lookup for a name gives, what a pattern lookup for a pool
    /// gives. The verdicts are those of the C library except where the comment says otherwise.
    const TABLE: &[(&[u8], Option<&str>, Option<&str>)] = &[
        (b"", None, None),
        (b"\"/O=x/CN=Alice Adams\" lalice", Some("lalice"), None),
        (b"\"/O=x/CN=Alice Adams\" lalice,lbob\n", Some("lalice"), None),
        (b"\"/O=x/CN=Alice Adams\" .dnp , lbob", Some("lbob"), Some(".dnp")),
        (b"\"/O=x/CN=Alice Adams\" .dnp\n\"/O=x/CN=Alice Adams\" lbob", Some("lbob"), Some(".dnp")),
        (b"\"/O=x/CN=Alice Adams\" .zzz,.dnp", None, Some(".zzz")),
        (b"\"/O=x/CN=Alice Adams\"\n\"/O=x/CN=*\" .a b", None, Some(".a")),
        (b"\"/O=x/CN=*\" .dnp lx", None, Some(".dnp")),
        (b"\"*\" .dnp", None, Some(".dnp")),
        (b"\"/O=x/CN=[A]lice?Adams\" .dnp", None, Some(".dnp")),
        (b"\"/o=x/cn=alice adams\" lalice .dnp", None, None),
        (b"/O=x/CN=Alice Adams lalice", None, None),
        (b"/O=x/CN=Alice* .dnp", None, Some(".dnp")),
        (b"\"/O=x/CN=Alice Adams/CN=proxy\" lalice", None, None),
        (b"\"/O=x/CN=Alice\\ Adams\" lalice", None, None),
        (b"# \"/O=x/CN=Alice Adams\" lalice", None, None),
        (b"  \t\"/O=x/CN=Alice Adams\" lalice # .dnp", Some("lalice"), None),
        (b"\"/O=x/CN=Alice Adams\" la\\lice", Some("lalice"), None),
        (b"\"/O=x/CN=Alice Adams\" a\\,b\\ c", Some("a,b c"), None),
        (b"\"/O=x/CN=Alice Adams\"lalice", Some("lalice"), None),
        (b"\"/O=x/CN=Alice Adams\" ,, \t,lalice", Some("lalice"), None),
        // CRLF and a byte order mark: the C library gives `lalice\r` and no match.
        (b"\"/O=x/CN=Alice Adams\" lalice\r\n", Some("lalice"), None),
        (b"\xef\xbb\xbf\"/O=x/CN=Alice Adams\" lalice", Some("lalice"), None),
        // Malformed lines above: the C library gives up.
        (b"\"/O=x\nx\\\n\"/O=x/CN=Alice Adams\" l\\\n\"/O=x/CN=Alice Adams\" lalice", Some("lalice"), None),
        (b"a\0b c\n\"/O=x/CN=Alice Adams\" lalice", Some("lalice"), None),
    ];

    #[test]
    fn lookups() {
        for (file, name, pool) in TABLE {
            let shown = String::from_utf8_lossy(file);
            let found = find(file, "/O=x/CN=Alice Adams", Matching::Exact, Wanted::Name);
            assert_eq!(found.as_deref(), *name, "{shown}");
            let found = find(file, "/O=x/CN=Alice Adams", Matching::Wildcards, Wanted::Pool);
            assert_eq!(found.as_deref(), *pool, "{shown}");
        }
    }

    #[test]
    fn the_subject_is_never_a_pattern() {
        let file = b"\"/O=x/CN=Alice\" lalice .p";
        for name in ["/O=x/CN=*", "*", "/O=x/CN=Alic?", "/O=x/CN=[A]lice"] {
            let Ok(_) = Dn::try_from(name.to_owned()) else { continue };
            assert_eq!(find(file, name, Matching::Exact, Wanted::Name), None);
            assert_eq!(find(file, name, Matching::Wildcards, Wanted::Pool), None);
        }
        assert_eq!(find(b"\"/O=x/CN=*\" lx", "/O=x/CN=*", Matching::Exact, Wanted::Name).as_deref(), Some("lx"));
        assert_eq!(find(b"\"/O=x/CN=*\" lx", "/O=x/CN=y", Matching::Exact, Wanted::Name), None);
    }

    #[test]
    fn the_first_line_that_maps_wins_not_the_most_specific() {
        let file = b"\"/testvo*\" .tvo\n\"/testvo/Role=pilot*\" .tplt\n";
        let subject = Subject::fqan(&"/testvo/Role=pilot/Capability=NULL".to_owned().try_into().unwrap());
        let found = lookup(file, &subject, Matching::Wildcards, Wanted::Pool).found;
        assert_eq!(found, Some((".tvo".to_owned(), 1)));
    }

    #[test]
    fn malformed_lines_are_noted_with_their_number_but_not_without_end() {
        let mut file = b"ok a\n\"/O=x\n".to_vec();
        file.extend_from_slice(&b"x\\\n".repeat(100));
        let subject = Subject::mapped(&Dn::try_from("/CN=a".to_owned()).unwrap());
        let notes = lookup(&file, &subject, Matching::Exact, Wanted::Name).notes;
        assert_eq!(notes.len(), MAX_NOTES);
        assert_eq!(notes[0], "line 2: a quote without its end");
        assert_eq!(notes[1], "line 3: a backslash at the end of the line");
    }

    /// The definition: every line in its turn.
    fn plainly(file: &[u8], subject: &Subject, matching: Matching, wanted: Wanted) -> Lookup {
        let mut lookup = Lookup::default();
        lookup.search(lines(file), subject, matching, wanted);
        lookup
    }

    const PIECES: [&str; 17] = [
        "\"/O=x/CN=Alice\" la .p\n",
        "\"/O=x/CN=Bob\" lb\n",
        "/O=x/CN=Alice lc\n",
        "\"/O=x/*\" .q ld\n",
        "\"/O=x/CN=Alice\n",
        "x\\\n",
        "\"a\" b\\\n",
        "\"",
        "\\",
        "\0",
        "# \"x\n",
        "\r\n",
        "\"a\" b # \"\n",
        "\n",
        "\"/O=x/CN=Alice\"\n",
        "/O=x/CN=Alice",
        "\"/O=x/CN=[A]lice\" .r\n",
    ];

    proptest! {
        #[test]
        fn the_fast_search_finds_what_the_definition_says(
            pieces in proptest::collection::vec(0_usize..PIECES.len(), 0..40), padding in 0_usize..3,
        ) {
            // Ordinary lines in between, so that the borders of blocks fall everywhere.
            let padding = "\"/O=x/CN=Somebody Else\" le\n".repeat([0, 70, 140][padding]);
            let pieces: Vec<&str> = pieces.into_iter().map(|piece| PIECES[piece]).collect();
            let file = pieces.join(&padding);
            let subject = Subject::mapped(&Dn::try_from("/O=x/CN=Alice".to_owned()).unwrap());
            for matching in [Matching::Exact, Matching::Wildcards] {
                for wanted in [Wanted::Name, Wanted::Pool] {
                    prop_assert_eq!(
                        lookup(file.as_bytes(), &subject, matching, wanted),
                        plainly(file.as_bytes(), &subject, matching, wanted)
                    );
                }
            }
        }

        #[test]
        fn any_name_that_can_be_quoted_is_found_and_nothing_panics(
            name in "/[ -!#-\\[\\]-~]{1,40}", junk in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut file = junk.clone();
            file.extend_from_slice(format!("\n\"{name}\" someone\n").as_bytes());
            // The junk may itself map the name only if it holds it.
            if find(&junk, &name, Matching::Exact, Wanted::Name).is_none() {
                prop_assert_eq!(find(&file, &name, Matching::Exact, Wanted::Name), Some("someone".to_owned()));
            }
        }
    }
}
