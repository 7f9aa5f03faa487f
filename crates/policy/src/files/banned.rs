//! A name as ban files may have it. In doubt a line bans.
//!
//! Beside the spellings of [`Subject`](super::subject::Subject) a line bans in those that are ambiguous: without the
//! backslashes that tell names apart, with `/` between the attributes of one RDN as OpenSSL prints them, in Latin-1. Types
//! of attributes are the same in every case and under their long names; blanks at the ends do not count. A backslash that
//! is there goes on telling names apart: a ban of the CN `Al/CN=Bea` is none of the CN `Bea` below `Al`.

use super::fnmatch;
use super::subject::Style;
use glexec_config::lcmaps::Matching;
use glexec_core::identity::{Dn, Fqan};
use glexec_core::spelling::{Piece, as_printed, escape, pieces, with_bytes};

/// Other names of types that OpenSSL, Java or Windows print.
const TYPES: &[(&str, &[&str])] = &[
    ("emailaddress", &["email", "e"]),
    ("uid", &["userid"]),
    ("cn", &["commonname"]),
    ("o", &["organizationname"]),
    ("ou", &["organizationalunitname"]),
    ("c", &["countryname"]),
    ("l", &["localityname"]),
    ("st", &["s", "stateorprovincename"]),
    ("dc", &["domaincomponent"]),
    ("street", &["streetaddress"]),
    ("sn", &["surname"]),
    ("gn", &["givenname"]),
    ("title", &["t"]),
];

/// Whether a word is another name of a type.
pub fn is_other_type(word: &str) -> bool {
    TYPES.iter().any(|(_, others)| others.iter().any(|other| other.eq_ignore_ascii_case(word)))
}

/// A name that may be banned.
#[derive(Clone, Debug)]
pub struct Banned {
    /// As it is spelled.
    spellings: Vec<Vec<u8>>,
    /// The same with the types of attributes in one spelling.
    folded: Vec<Vec<u8>>,
    /// The one-line form, where it is a person's.
    person: Option<Vec<u8>>,
}

impl Banned {
    pub fn person(dn: &Dn) -> Self {
        if dn.is_of_token() {
            return Banned::user_of_token(dn.as_str());
        }
        let styles = [Style::Canonical, Style::AllEscaped, Style::OpenSsl3, Style::Bare, Style::Quoted];
        let mut spellings: Vec<Vec<u8>> = styles.iter().flat_map(|style| style.spellings(dn)).collect();
        // OpenSSL has the same sign between the attributes of one RDN.
        if let Some(apart) = apart(dn) {
            spellings.extend(styles.iter().flat_map(|style| style.spellings(&apart)));
        }
        let latin: Vec<Vec<u8>> = spellings.iter().filter_map(|name| latin(name)).collect();
        spellings.extend(latin);
        spellings.sort_unstable();
        spellings.dedup();
        Banned { folded: all_folded(&spellings), person: Some(folded(dn.as_str().as_bytes())), spellings }
    }

    /// The user of a token, whose name has one spelling; but in a file's quoted name a backslash protects a quote or itself.
    fn user_of_token(name: &str) -> Self {
        let quotes = name.replace('"', "\\\"");
        let all = name.replace('\\', "\\\\").replace('"', "\\\"");
        let mut spellings: Vec<Vec<u8>> = [name.to_owned(), quotes, all].map(String::into_bytes).into();
        spellings.dedup();
        Banned { spellings, folded: Vec::new(), person: None }
    }

    /// A VOMS attribute.
    pub fn fqan(fqan: &Fqan) -> Self {
        let spellings: Vec<Vec<u8>> = fqan.spellings().into_iter().map(String::into_bytes).collect();
        Banned { folded: all_folded(&spellings), spellings, person: None }
    }

    /// Whether a name of a file may mean this one.
    pub fn is_meant(&self, name: &[u8], matching: Matching) -> bool {
        let (bare, short) = (name.trim_ascii(), folded(name));
        let fits = |pattern: &[u8], texts: &[Vec<u8>]| match matching {
            Matching::Wildcards if fnmatch::has_wildcard(pattern) => {
                texts.iter().any(|text| text == pattern || fnmatch::matches(pattern, text))
            }
            _ => texts.iter().any(|text| text == pattern),
        };
        fits(name, &self.spellings)
            || fits(bare, &self.spellings)
            || fits(&short, &self.folded)
            || self.person.as_ref().is_some_and(|person| {
                std::str::from_utf8(name).is_ok_and(|name| folded(as_printed(name).as_bytes()) == *person)
            })
    }
}

/// The name with each attribute in an RDN of its own, where it has one with several.
fn apart(dn: &Dn) -> Option<Dn> {
    let pieces = pieces(dn.as_str());
    if !pieces.iter().any(|piece| matches!(piece, Piece::Attribute('+', _))) {
        return None;
    }
    let (mut out, mut value) = (String::new(), String::new());
    for piece in pieces {
        match piece {
            Piece::Value(c) => value.push(c),
            Piece::Attribute(_, kind) => {
                escape(&std::mem::take(&mut value), &mut out);
                out.extend(["/", kind, "="]);
            }
        }
    }
    escape(&value, &mut out);
    Dn::try_from(out).ok()
}

/// The name in Latin-1, where that differs and is possible.
fn latin(name: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(name).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

fn all_folded(spellings: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = spellings.iter().map(|name| folded(name)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A name without blanks at its ends and without what a backslash stands for but `/` and `+`, its types in one spelling.
fn folded(name: &[u8]) -> Vec<u8> {
    let name = with_bytes(name.trim_ascii());
    let mut out: Vec<u8> = Vec::with_capacity(name.len());
    let mut rest = name.as_slice();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [b'"', ..]) => continue,
            (b'/' | b'+', _) => {
                out.push(*first);
                let end = tail.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')));
                let split = end.and_then(|end| tail.split_at_checked(end)).filter(|(_, after)| after.starts_with(b"="));
                if let Some((kind, after)) = split {
                    let kind = kind.to_ascii_lowercase();
                    let known = TYPES.iter().find(|(_, others)| others.iter().any(|other| other.as_bytes() == kind));
                    out.extend_from_slice(known.map_or(kind.as_slice(), |(name, _)| name.as_bytes()));
                    rest = after;
                }
            }
            _ => out.push(*first),
        }
    }
    out
}
