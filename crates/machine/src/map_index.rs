//! An index of a large map file: where the lines are that a name may be in.
//!
//! It only points. What a line says is read from the file itself, whole and by the parser of [`map_file`], so that an
//! index can give nobody an account that the file does not. It is used for the one version of the file that it was made
//! of, and where anything about it is odd the file is gone through as if there were none.
//!
//! Pages of 4096 bytes: a checksum, bound to the version and the page's number, and 255 entries. The first page says what
//! the index is of, the second has the lines that always matter (malformed ones, and patterns that may begin with anything), and
//! each other page those names whose digest leads to it. Of a pattern that is the beginning which it has in common with all that
//! it matches, up to its last slash: it is found by the beginnings of a name. A file whose lines do not fit has an index of the first page only, so
//! that nobody tries again.

use crate::notes::DIRECTORY;
use glexec_config::lcmaps::Matching;
use glexec_core::values::AbsolutePath;
use glexec_policy::files::fnmatch;
use glexec_policy::files::map_file::{self, BYTE_ORDER_MARK, Lookup, MAX_FILE, Map, Wanted, understood};
use glexec_policy::files::subject::Subject;
use glexec_sys::dir::{Directory, FileError, OpenFile, Version};
use glexec_sys::time::now;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// From this size on, in bytes, a file has an index: going through less costs no more than looking into one.
const LARGE: u64 = 256 * 1024;
/// How long a file must have been as it is, in seconds, before an index is made of it.
const SETTLED: i64 = 2;
/// "glexec-2".
const MAGIC: u64 = u64::from_le_bytes(*b"glexec-2");
/// Size of a page in bytes.
const PAGE: usize = 4096;
/// Entries that a page has room for.
const CAPACITY: usize = 255;
/// Entries that a page has on average: far from too many.
const AVERAGE: usize = 100;
/// Pages before those of names.
const BEFORE: u64 = 2;

/// What parts can be read of.
trait Parts {
    fn part(&self, offset: u64, length: usize) -> Option<Vec<u8>>;
}

impl Parts for OpenFile {
    fn part(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        self.read_at(offset, length)
    }
}

impl Parts for Vec<u8> {
    fn part(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let start = usize::try_from(offset).ok()?;
        self.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
    }
}

impl Parts for Arc<Vec<u8>> {
    fn part(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        self.as_ref().part(offset, length)
    }
}

/// Opens a map file: with its index where it is large and has one, else as a whole, and then it has one the next time.
pub fn open(path: &AbsolutePath) -> Result<Box<dyn Map>, FileError> {
    let source = OpenFile::open(path.as_path(), MAX_FILE)?;
    if source.size() < LARGE {
        return Ok(Box::new(source.read()?));
    }
    let name = OsString::from(format!("{:016x}", digest(SEED, path.as_path().as_os_str().as_bytes())));
    // Whatever is wrong with the index or its directory, the file is there.
    let directory = Directory::open_private(Path::new(DIRECTORY)).ok();
    let index = directory.as_ref().and_then(|directory| directory.open_file(&name, MAX_FILE).ok());
    let pages = index.as_ref().and_then(|index| pages(index, &source.version()));
    if let (Some(index), Some(pages @ 1..)) = (index, pages) {
        return Ok(Box::new(Indexed { source, index, pages }));
    }
    let bytes = source.read()?;
    if let (Some(directory), None, true) = (directory, pages, is_settled(&source)) {
        // The next call may succeed where this one did not.
        let _ = directory.put(&name, &build(&bytes, &source.version()));
    }
    Ok(Box::new(bytes))
}

fn is_settled(source: &OpenFile) -> bool {
    now().is_ok_and(|now| source.is_unchanged_since(now.saturating_sub(SETTLED)))
}

/// The indexes of large map files in the memory of a process that looks names up in them again and again.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>>);

impl InMemory {
    /// Opens a map file: with its index where it is large, which is made anew when the file has changed.
    pub fn open(&self, path: &AbsolutePath) -> Result<Box<dyn Map>, FileError> {
        let source = OpenFile::open(path.as_path(), MAX_FILE)?;
        if source.size() < LARGE {
            return Ok(Box::new(source.read()?));
        }
        let version = source.version();
        // Whoever comes while one is made waits for it. Whoever panicked with the lock has left the last one.
        let mut indexes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = indexes.get(path.as_path()).and_then(|index| Some((Arc::clone(index), pages(index, &version)?)));
        match known {
            Some((index, pages @ 1..)) => Ok(Box::new(Indexed { source, index, pages })),
            Some(_) => {
                drop(indexes);
                Ok(Box::new(source.read()?))
            }
            None => {
                let bytes = source.read()?;
                if is_settled(&source) {
                    indexes.insert(path.as_path().to_owned(), Arc::new(build(&bytes, &version)));
                }
                Ok(Box::new(bytes))
            }
        }
    }
}

/// An open map file with its index.
#[derive(Debug)]
struct Indexed<Index> {
    source: OpenFile,
    index: Index,
    pages: u64,
}

impl<Index: Parts> Map for Indexed<Index> {
    /// What going through the file would find.
    fn lookup(&self, subject: &Subject, matching: Matching, wanted: Wanted) -> Result<Lookup, FileError> {
        let version = self.source.version();
        match lookup(&self.source, &self.index, self.pages, &version, subject, matching, wanted) {
            Some(lookup) => Ok(lookup),
            None => Ok(map_file::lookup(&self.source.read()?, subject, matching, wanted)),
        }
    }
}

/// Where a line is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// A part of the digest of its name.
    tag: u32,
    number: u32,
    offset: u32,
    length: u32,
}

impl Entry {
    /// `None` for the room that is left on a page.
    fn decode(bytes: &[u8]) -> Option<Entry> {
        let mut words = bytes.chunks_exact(4).filter_map(|word| word.try_into().ok().map(u32::from_le_bytes));
        let entry = Entry { tag: words.next()?, number: words.next()?, offset: words.next()?, length: words.next()? };
        (entry.number > 0).then_some(entry)
    }

    fn encode(self) -> Vec<u8> {
        [self.tag, self.number, self.offset, self.length].into_iter().flat_map(u32::to_le_bytes).collect()
    }

    /// The line, which must be a whole one.
    fn line(self, source: &impl Parts) -> Option<Vec<u8>> {
        let (offset, length) = (u64::from(self.offset), usize::try_from(self.length).ok()?);
        let starts = match offset.checked_sub(1) {
            None => true,
            Some(before) => {
                source.part(before, 1)? == b"\n" || (self.number == 1 && source.part(0, 3)? == BYTE_ORDER_MARK)
            }
        };
        let line = source.part(offset, length)?;
        let after = source.part(offset.checked_add(length.try_into().ok()?)?, 1);
        let ends = after.is_none_or(|byte| byte == b"\n");
        (starts && ends && !line.contains(&b'\n')).then_some(line)
    }
}

/// FNV-1a: it need not resist anybody, since every line is compared with the name.
fn digest(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// The page of a name among `pages`, and its tag there.
fn place(name: &[u8], pages: u64) -> Option<(u64, u32)> {
    // The last bytes of a name reach only some bits of its digest; multiplying spreads them (the finish of MurmurHash3).
    let mixed = [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53_u64];
    let digest = mixed.iter().fold(digest(SEED, name), |digest, by| (digest ^ (digest >> 33)).wrapping_mul(*by));
    let page = (digest >> 32).checked_rem(pages)?.checked_add(BEFORE)?;
    Some((page, u32::try_from(digest & u64::from(u32::MAX)).ok()?))
}

fn checksum(version: &Version, number: u64, content: &[u8]) -> [u8; 8] {
    let seed = version.iter().fold(SEED, |seed, field| digest(seed, &field.to_le_bytes()));
    digest(digest(seed, &number.to_le_bytes()), content).to_le_bytes()
}

/// A page with its checksum.
fn page(version: &Version, number: u64, mut content: Vec<u8>) -> Vec<u8> {
    content.resize(PAGE.saturating_sub(8), 0);
    [checksum(version, number, &content).as_slice(), content.as_slice()].concat()
}

/// What is on a page, where it is what was written there.
fn content(index: &impl Parts, version: &Version, number: u64) -> Option<Vec<u8>> {
    let mut page = index.part(number.checked_mul(PAGE.try_into().ok()?)?, PAGE)?;
    let content = page.split_off(8);
    (page == checksum(version, number, &content)).then_some(content)
}

/// How many pages of names an index of this version has; `None` where it is none.
fn pages(index: &impl Parts, version: &Version) -> Option<u64> {
    let first = content(index, version, 0)?;
    let mut words = first.chunks_exact(8).filter_map(|word| word.try_into().ok().map(u64::from_le_bytes));
    if words.next()? == MAGIC { words.next() } else { None }
}

/// What everything that a pattern matches begins with, up to its last slash.
fn beginning(pattern: &[u8]) -> &[u8] {
    let literal = pattern.iter().position(|byte| matches!(byte, b'*' | b'?' | b'[')).unwrap_or(pattern.len());
    let literal = pattern.get(..literal).unwrap_or_default();
    let end = literal.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash.saturating_add(1));
    literal.get(..end).unwrap_or_default()
}

/// Every [`beginning`] that a pattern may have which matches this name, or is written like it.
fn beginnings(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(slash, _)| name.get(..=slash))
}

/// The index of a file.
fn build(bytes: &[u8], version: &Version) -> Vec<u8> {
    let written = |pages: u64, rest: &[Vec<Entry>]| {
        let first = [MAGIC, pages].into_iter().flat_map(u64::to_le_bytes).collect();
        let rest = rest.iter().map(|entries| entries.iter().flat_map(|entry| entry.encode()).collect());
        (0..).zip(std::iter::once(first).chain(rest)).flat_map(|(number, one)| page(version, number, one)).collect()
    };
    sorted(bytes).map_or_else(|| written(0, &[]), |(pages, entries)| written(pages, &entries))
}

/// How many pages of names there are, and the entries of every page but the first; `None` where they do not fit.
fn sorted(bytes: &[u8]) -> Option<(u64, Vec<Vec<Entry>>)> {
    let (mut always, mut literal) = (Vec::new(), Vec::new());
    let rest = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut offset = bytes.len().checked_sub(rest.len())?;
    for (number, line) in (1_usize..).zip(rest.split(|byte| *byte == b'\n')) {
        let [number_, offset_, length] = [number, offset, line.len()].map(u32::try_from);
        let entry = Entry { tag: 0, number: number_.ok()?, offset: offset_.ok()?, length: length.ok()? };
        match understood(number, line) {
            None => {}
            Some(Ok(line)) if !fnmatch::has_wildcard(line.name) => literal.push((line.name, entry)),
            Some(Ok(line)) => match beginning(line.name) {
                [] => always.push(entry),
                beginning => literal.push((beginning, entry)),
            },
            Some(Err(_)) => always.push(entry),
        }
        if always.len() > CAPACITY {
            return None;
        }
        offset = offset.checked_add(line.len())?.checked_add(1)?;
    }
    let pages = literal.len().checked_div(AVERAGE)?.checked_add(1)?;
    // One that is larger than what is opened would be made anew at every call.
    let size = pages.checked_add(usize::try_from(BEFORE).ok()?)?.checked_mul(PAGE)?;
    if u64::try_from(size).ok()? > MAX_FILE {
        return None;
    }
    let mut all = vec![Vec::new(); pages];
    all.insert(0, always);
    let pages = u64::try_from(pages).ok()?;
    for (name, entry) in literal {
        let (page, tag) = place(name, pages)?;
        // The first page has no entries.
        all.get_mut(usize::try_from(page).ok()?.checked_sub(1)?)?.push(Entry { tag, ..entry });
    }
    all.iter().all(|entries| entries.len() <= CAPACITY).then_some((pages, all))
}

/// What going through the source would find; `None` where the index cannot tell.
fn lookup(
    source: &impl Parts,
    index: &impl Parts,
    pages: u64,
    version: &Version,
    subject: &Subject,
    matching: Matching,
    wanted: Wanted,
) -> Option<Lookup> {
    let entries = |page: u64| -> Option<Vec<Entry>> {
        Some(content(index, version, page)?.chunks_exact(16).map_while(Entry::decode).collect())
    };
    let mut hits = entries(1)?;
    // Where patterns are names like any other, they matter to a name that looks like one.
    let by_pattern = |name: &&[u8]| matching == Matching::Wildcards || fnmatch::has_wildcard(name);
    let beginnings = subject.spellings().filter(by_pattern).flat_map(beginnings);
    let mut keys: Vec<&[u8]> = subject.spellings().chain(beginnings).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let (page, tag) = place(key, pages)?;
        hits.extend(entries(page)?.into_iter().filter(|entry| entry.tag == tag));
    }
    hits.sort_unstable_by_key(|entry| entry.number);
    hits.dedup_by_key(|entry| entry.number);
    let lines = hits.into_iter().map(|entry| Some((usize::try_from(entry.number).ok()?, entry.line(source)?)));
    let lines: Vec<(usize, Vec<u8>)> = lines.collect::<Option<_>>()?;
    let mut lookup = Lookup::default();
    lookup.search(lines.iter().filter_map(|(number, line)| understood(*number, line)), subject, matching, wanted);
    Some(lookup)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_core::identity::Dn;
    use proptest::prelude::*;

    const VERSION: Version = [1, 2, 3, 4, 5, 6, 7];

    const LINES: [&str; 17] = [
        "\"/*\" .u lk",
        "\"*lice\" .v",
        "\"/O=x/CN=Bob/*\" .w lm",
        "\"/O=x/CN=Alice\" la .p",
        "\"/O=x/CN=Alice\" .q lb\r",
        "/O=x/CN=Alice lc",
        "\"/O=x/*\" .q ld",
        "\"/O=x/CN=*\" le",
        "\"/O=x/CN=Alice",
        "x\\",
        "# \"/O=x/CN=Alice\" lf",
        "",
        "  \t\"/O=x/CN=Alice\" lg # .r",
        "\"/O=x/CN=Alice\"",
        "\"a\0b\" c",
        "\"/O=x/CN=[A]lice\" .s",
        "\"/O=x/CN=Bob/E=b@x\" lh .t",
    ];

    fn subject(dn: &str) -> Subject {
        Subject::mapped(&Dn::try_from(dn.to_owned()).unwrap())
    }

    fn indexed(
        file: &Vec<u8>,
        index: &Vec<u8>,
        subject: &Subject,
        matching: Matching,
        wanted: Wanted,
    ) -> Option<Lookup> {
        let pages = pages(index, &VERSION)?;
        lookup(file, index, pages, &VERSION, subject, matching, wanted)
    }

    fn everything(mut check: impl FnMut(&Subject, Matching, Wanted)) {
        for dn in ["/O=x/CN=Alice", "/O=x/CN=Bob/emailAddress=b@x", "/O=x/CN=*", "/O=x/CN=Somebody 7-1"] {
            for matching in [Matching::Exact, Matching::Wildcards] {
                for wanted in [Wanted::Name, Wanted::Pool] {
                    check(&subject(dn), matching, wanted);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn an_index_finds_what_going_through_the_file_finds_and_a_garbled_one_finds_nothing(
            picked in proptest::collection::vec(0_usize..LINES.len(), 0..40), mark in any::<bool>(),
            padding in 0_usize..30, last in any::<bool>(), place in any::<prop::sample::Index>(), bit in 0_u8..8,
            cut in any::<prop::sample::Index>(),
        ) {
            let mut file = if mark { BYTE_ORDER_MARK.to_vec() } else { Vec::new() };
            for (at, line) in picked.into_iter().enumerate() {
                for number in 0..padding {
                    file.extend(format!("\"/O=x/CN=Somebody {at}-{number}\" lz\n").bytes());
                }
                file.extend(LINES[line].bytes());
                file.push(b'\n');
            }
            if last {
                file.pop();
            }
            let index = build(&file, &VERSION);
            let mut garbled = index.clone();
            let at = place.index(garbled.len());
            garbled[at] ^= 1 << bit;
            let short = index[..cut.index(index.len())].to_vec();
            everything(|subject, matching, wanted| {
                let plain = map_file::lookup(&file, subject, matching, wanted);
                assert_eq!(indexed(&file, &index, subject, matching, wanted), Some(plain.clone()));
                for broken in [&garbled, &short] {
                    let answer = indexed(&file, broken, subject, matching, wanted);
                    assert!(answer.is_none_or(|answer| answer == plain));
                }
            });
            prop_assert_eq!(pages(&index, &[1, 2, 3, 4, 5, 6, 8]), None);
        }
    }

    #[test]
    fn an_index_that_points_at_parts_of_lines_is_not_believed() {
        let file = b"# \"/O=x/CN=Alice\" root\n\"/O=x/CN=Alice\" la\n".to_vec();
        let entry = Entry { tag: 0, number: 1, offset: 2, length: 20 };
        assert_eq!(entry.line(&file), None);
        assert_eq!(Entry { offset: 0, length: 22, ..entry }.line(&file).as_deref(), Some(&file[..22]));
        assert_eq!(Entry { offset: 0, length: 21, ..entry }.line(&file), None);
        assert_eq!(Entry { offset: 0, length: 30, ..entry }.line(&file), None);
    }

    #[test]
    fn a_file_whose_index_would_be_too_large_to_open_has_one_that_says_so() {
        let largest = usize::try_from(MAX_FILE).unwrap() / PAGE - usize::try_from(BEFORE).unwrap();
        let file: String = (0..=largest * AVERAGE).map(|number| format!("/{number} b\n")).collect();
        assert_eq!(pages(&build(file.as_bytes(), &VERSION), &VERSION), Some(0));
    }

    #[test]
    fn patterns_are_found_by_what_they_begin_with() {
        for (pattern, begins) in [
            ("/vo/group/*", "/vo/group/"),
            ("/O=x/CN=A*", "/O=x/"),
            ("/vo[ab]/x*", "/"),
            ("/a?/b", "/"),
            ("*/x", ""),
            ("?", ""),
        ] {
            assert_eq!(beginning(pattern.as_bytes()), begins.as_bytes(), "{pattern}");
        }
        let file: String = (0..50_000).map(|vo| format!("\"/vo{vo}/group/*\" .p{vo}\n\"/O=x/CN={vo}\" l\n")).collect();
        let file = file.into_bytes();
        let index = build(&file, &VERSION);
        assert!(pages(&index, &VERSION).is_some_and(|pages| pages >= 1000));
        for (dn, expected) in [("/vo77/group/Role=a", Some((".p77", 155))), ("/vo77/grou/x", None), ("/O=x/CN=5", None)]
        {
            let found = indexed(&file, &index, &subject(dn), Matching::Wildcards, Wanted::Pool).unwrap().found;
            assert_eq!(found.as_ref().map(|(pool, line)| (pool.as_str(), *line)), expected, "{dn}");
        }
    }

    #[test]
    fn a_file_of_patterns_that_begin_alike_has_an_index_that_says_so() {
        let fits = "\"CN=A*\" .p\n".repeat(CAPACITY).into_bytes();
        assert_eq!(pages(&build(&fits, &VERSION), &VERSION), Some(1));
        let anything = "\"CN=A*\" .p\n".repeat(CAPACITY + 1).into_bytes();
        assert_eq!(pages(&build(&anything, &VERSION), &VERSION), Some(0));
        let file = "\"/O=x/CN=A*\" .p\n".repeat(CAPACITY + 1).into_bytes();
        assert_eq!(pages(&build(&file, &VERSION), &VERSION), Some(0));
        let twins = "\"/O=x/CN=A\" .p\n".repeat(CAPACITY + 1).into_bytes();
        assert_eq!(pages(&build(&twins, &VERSION), &VERSION), Some(0));
    }
}
