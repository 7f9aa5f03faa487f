//! How distinguished names are spelled as text: what files of a site have, and what other programs print.
//!
//! The one-line form that glexec prints puts a backslash before what could be read as the start of another
//! attribute, and before every backslash. OpenSSL 3 and the VOMS clients put one before every `/` and `+` of a value and
//! none before a backslash; OpenSSL 1 put none at all. [`as_printed`] reads all of them. It is a function of the text
//! alone, so that no text is ever the name of two people: a backslash that tells two names apart goes on doing so.

/// Types of attributes and their short names as OpenSSL prints them; every other type is printed as its dotted number.
pub const TYPES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];

/// Whether there is a short name that satisfies a condition.
pub fn is_type(condition: impl Fn(&str) -> bool) -> bool {
    TYPES.iter().any(|(_, name)| condition(name))
}

/// Whether a text could be read as the start of an attribute: a word and an equals sign.
pub fn starts_attribute(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.trim_start_matches(word).starts_with('=')
}

/// Writes a value of the one-line form.
pub fn escape(value: &str, out: &mut String) {
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        if c == '\\' || (matches!(c, '/' | '+') && starts_attribute(rest.as_str())) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// A part of a name as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The start of an attribute: `/` or `+`, and its type.
    Attribute(char, &'a str),
    /// A character of a value, without the backslash that protected it.
    Value(char),
}

/// The parts of a name. A backslash protects `/`, `+`, `\` and `"`; before anything else it is itself.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        let protected = rest.chars().next().filter(|next| c == '\\' && matches!(next, '/' | '+' | '\\' | '"'));
        if let Some(next) = protected {
            pieces.push(Piece::Value(next));
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
            continue;
        }
        match rest.split_once('=').filter(|_| matches!(c, '/' | '+') && starts_attribute(rest)) {
            Some((kind, after)) => {
                pieces.push(Piece::Attribute(c, kind));
                rest = after;
            }
            None => pieces.push(Piece::Value(c)),
        }
    }
    pieces
}

/// Brings a name as `.lsc` files, signing policies and map files spell it to the one-line form: `Email` and `E` become
/// `emailAddress`, `USERID` becomes `UID`, the `\xC3` by which OpenSSL writes bytes beyond ASCII becomes the character,
/// and a `/` or `+` keeps its backslash only where it needs one.
pub fn as_printed(text: &str) -> String {
    let text = with_characters(text);
    let (mut out, mut value) = (String::with_capacity(text.len()), String::new());
    for piece in pieces(&text) {
        match piece {
            Piece::Value(c) => value.push(c),
            Piece::Attribute(separator, kind) => {
                escape(&std::mem::take(&mut value), &mut out);
                out.push(separator);
                out.push_str(same_type(kind));
                out.push('=');
            }
        }
    }
    escape(&value, &mut out);
    out
}

/// The same for a pattern, whose backslashes stay: before `*` it is not known what follows.
pub fn pattern_as_printed(text: &str) -> String {
    let text = with_characters(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let escaped = out.ends_with('\\');
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        if !matches!(c, '/' | '+') || escaped || !starts_attribute(rest) {
            continue;
        }
        if let Some((kind, after)) = rest.split_once('=') {
            out.push_str(same_type(kind));
            out.push('=');
            rest = after;
        }
    }
    out
}

/// A name of the one-line form as OpenSSL 3 has it: with a backslash before every `/` and `+` of a value. What a pattern
/// with a backslash is compared with as well.
pub fn all_escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for piece in pieces(name) {
        match piece {
            Piece::Attribute(separator, kind) => out.extend([&String::from(separator), kind, "="]),
            Piece::Value(c @ ('/' | '+' | '\\')) => out.extend(['\\', c]),
            Piece::Value(c) => out.push(c),
        }
    }
    out
}

fn same_type(kind: &str) -> &str {
    match kind.to_ascii_lowercase().as_str() {
        "email" | "e" | "emailaddress" => "emailAddress",
        "userid" | "uid" => "UID",
        _ => kind,
    }
}

/// Replaces `\xHH` of bytes beyond ASCII; a text whose bytes are then not UTF-8 stays as it was.
fn with_characters(text: &str) -> String {
    String::from_utf8(with_bytes(text.as_bytes())).unwrap_or_else(|_| text.to_owned())
}

/// Replaces `\xHH` of bytes beyond ASCII, but after a backslash that protects this one.
pub fn with_bytes(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if let (b'\\', [b'\\', after @ ..]) = (first, tail) {
            bytes.extend_from_slice(b"\\\\");
            rest = after;
            continue;
        }
        let hex = tail.strip_prefix(b"x").and_then(|t| t.get(..2)).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()).filter(|b| *first == b'\\' && *b >= 0x80) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// A name as OpenSSL prints it: bytes that are not ASCII as `\\xHH`.
pub fn in_ascii(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte.is_ascii() {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("\\x{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_files_become_the_canonical_one() {
        for (file, expected) in [
            ("/DC=org/Email=a@b/CN=x", "/DC=org/emailAddress=a@b/CN=x"),
            ("/E=a@b/USERID=u/email=c", "/emailAddress=a@b/UID=u/emailAddress=c"),
            ("/CN=a+E=b", "/CN=a+emailAddress=b"),
            ("/CN=J\\xC3\\xBCrgen", "/CN=Jürgen"),
            ("/CN=J\\\\xC3\\\\xBCrgen", "/CN=J\\\\xC3\\\\xBCrgen"),
            ("/CN=host/foo", "/CN=host/foo"),
            ("/CN=host\\/foo", "/CN=host/foo"),
            ("/CN=C\\+\\+", "/CN=C++"),
            ("/CN=http:\\/\\/x", "/CN=http://x"),
            ("/CN=Bob\\/E=x", "/CN=Bob\\/E=x"),
            ("/CN=Bob\\+CN=x", "/CN=Bob\\+CN=x"),
            ("/CN=a\\b", "/CN=a\\\\b"),
            ("/CN=a\\\\b", "/CN=a\\\\b"),
            ("/CN=a\\\\/CN=b", "/CN=a\\\\/CN=b"),
            ("/CN=Al \\\"Bea\\\"", "/CN=Al \"Bea\""),
            ("/CN=a\\x2Fb", "/CN=a\\\\x2Fb"),
            ("/DC=org/*", "/DC=org/*"),
        ] {
            assert_eq!(as_printed(file), expected, "{file}");
            assert_eq!(as_printed(expected), expected, "{file}");
        }
    }

    #[test]
    fn patterns_keep_their_backslashes() {
        for (pattern, expected) in [
            ("/CN=host\\/*", "/CN=host\\/*"),
            ("/CN=a\\/E=*", "/CN=a\\/E=*"),
            ("/O=x/E=*", "/O=x/emailAddress=*"),
            ("/CN=J\\xC3\\xBC*", "/CN=Jü*"),
        ] {
            assert_eq!(pattern_as_printed(pattern), expected);
        }
        assert_eq!(all_escaped("/CN=host/foo/O=a+b\\\\+OU=c"), "/CN=host\\/foo/O=a\\+b\\\\+OU=c");
    }
}
