//! Ban files: people and VOMS attributes that may not run here, in the line format of map files.
//!
//! In doubt a line bans: every spelling is looked for ([`Banned`]), a name without quotes
//! that holds blanks is taken whole as well, and a file that cannot be understood to its end refuses everybody, since the
//! line that bans somebody may be the broken one.

use crate::files::banned::Banned;
use crate::files::map_file::{Line, MalformedLine, lines};
use glexec_config::lcmaps::Matching;

/// The number of the first line that bans the subject. The whole file is read even after a match, so that one that is
/// malformed is noticed on the first day and not when it matters.
pub fn banning_line(bytes: &[u8], subject: &Banned, matching: Matching) -> Result<Option<usize>, String> {
    let mut found = None;
    for line in lines(bytes) {
        let line = understood(line)?;
        if found.is_none() && bans(&line, subject, matching) {
            found = Some(line.number);
        }
    }
    Ok(found)
}

/// Why a file cannot be understood, where it cannot.
pub fn fault(bytes: &[u8]) -> Option<String> {
    lines(bytes).find_map(|line| understood(line).err())
}

fn understood(line: Result<Line<'_>, MalformedLine>) -> Result<Line<'_>, String> {
    let line = line.map_err(|malformed| malformed.to_string())?;
    // The name goes on after what was taken for its end: nobody would be banned.
    let goes_on = |b: &u8| !matches!(b, b' ' | b'\t' | b',' | b'#');
    if line.unquoted.is_none() && (line.after.first().is_some_and(goes_on) || line.mappings.contains(&b'"')) {
        let why = "text after the quote that ends the name: write a quote inside the name as \\\"";
        return Err(format!("line {}: {why}", line.number));
    }
    // A name in another notation (`CN=Alice,DC=org`) would never match anybody: that is a mistake, not a ban.
    match line.name.first() {
        Some(b'/' | b'*' | b'?' | b'[') => Ok(line),
        _ => Err(format!("line {}: not a name that starts with /", line.number)),
    }
}

fn bans(line: &Line<'_>, subject: &Banned, matching: Matching) -> bool {
    let bans = |name: &[u8]| subject.is_meant(name, matching);
    bans(line.name)
        || line.unquoted.is_some_and(|whole| {
            let comment = whole.iter().position(|b| *b == b'#').unwrap_or(whole.len());
            bans(whole.trim_ascii_end()) || bans(whole.get(..comment).unwrap_or(whole).trim_ascii_end())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_core::identity::Dn;

    fn verdict(file: &[u8], dn: &str) -> Result<bool, ()> {
        let subject = Banned::person(&Dn::try_from(dn.to_owned()).unwrap());
        banning_line(file, &subject, Matching::Wildcards).map(|line| line.is_some()).map_err(|_| ())
    }

    #[test]
    fn users_of_tokens_are_banned_by_their_name_by_a_pattern_and_in_doubt() {
        let alice = "/iss=https://vo.example.org/sub=Alice";
        let table: &[(&[u8], &str, bool)] = &[
            (b"\"/iss=https://vo.example.org/sub=Alice\"", alice, true),
            (b"/iss=https://vo.example.org/sub=Alice", alice, true),
            (b"\"/iss=https://vo.example.org/sub=Alice \"", alice, true),
            (b"\"/iss=https://vo.example.org/sub=alice\"", alice, false),
            (b"\"/iss=https://vo.example.org//sub=Alice\"", alice, false),
            (b"\"/iss=https://vo.example.org/sub=*\"", alice, true),
            (b"\"/iss=https://*\"", alice, true),
            (b"\"/*\"", alice, true),
            (b"*", alice, true),
            (b"\"/iss=v/sub=a\\\"b\"", "/iss=v/sub=a\"b", true),
            (b"/iss=v/sub=a\"b", "/iss=v/sub=a\"b", true),
            (b"\"/iss=v/sub=a\\\\\"", "/iss=v/sub=a\\", true),
            (b"\"/iss=v/sub=a\\/b\"", "/iss=v/sub=a\\/b", true),
            (b"\"/iss=v/sub=a\\/b\"", "/iss=v/sub=a/b", false),
            (b"\"/iss=v/sub=a/E=b\"", "/iss=v/sub=a/Email=b", false),
        ];
        for (file, name, banned) in table {
            assert_eq!(verdict(file, name), Ok(*banned), "{} {name}", String::from_utf8_lossy(file));
        }
    }

    #[test]
    fn in_doubt_a_line_bans() {
        let alice = "/O=x/CN=Alice Adams";
        let table: &[(&[u8], &str, Result<bool, ()>)] = &[
            (b"", alice, Ok(false)),
            (b"# \"/O=x/CN=Alice Adams\"\n", alice, Ok(false)),
            (b"\"/O=x/CN=Bob\"\n\"/O=x/CN=Alice Adams\"\n", alice, Ok(true)),
            (b"\"/O=x/CN=Alice Adams\"\r\n", alice, Ok(true)),
            (b"\xef\xbb\xbf\"/O=x/CN=Alice Adams\"", alice, Ok(true)),
            (b"\"/O=x/CN=Alice Adams\" anything # why", alice, Ok(true)),
            (b"/O=x/CN=Alice Adams", alice, Ok(true)),
            (b"/O=x/CN=Alice Adams  # since May", alice, Ok(true)),
            (b"/O=x/CN=Alice Adam", alice, Ok(false)),
            (b"\"/O=x/*\"", alice, Ok(true)),
            (b"*", alice, Ok(true)),
            (b"\"/O=x/CN=alice adams\"", alice, Ok(false)),
            (b"\"/O=x/CN=[x]\"", "/O=x/CN=[x]", Ok(true)),
            (b"\"/O=x/CN=a/Email=a@x\"", "/O=x/CN=a/emailAddress=a@x", Ok(true)),
            (b"\"/O=x/CN=a/emailAddress=a@x\"", "/O=x/CN=a/E=a@x", Ok(true)),
            (b"\"/O=x/CN=a/E=*\"", "/O=x/CN=a/emailAddress=a@x", Ok(true)),
            (b"\"/O=x/USERID=a\"", "/O=x/UID=a", Ok(true)),
            (b"\"/O=x/CN=host/a\"", "/O=x/CN=host\\/a", Ok(true)),
            (b"\"/O=x/CN=host\\/a\"", "/O=x/CN=host\\/a", Ok(true)),
            (b"\"/O=x/CN=host\\/a\"", "/O=x/CN=host/a", Ok(true)),
            (b"/O=x/CN=C\\+\\+", "/O=x/CN=C++", Ok(true)),
            (b"\"/O=x/CN=http:\\/\\/a\"", "/O=x/CN=http://a", Ok(true)),
            (b"\"/O=x/CN=http:\\//a\"", "/O=x/CN=http://a", Ok(true)),
            (b"\"/O=x/CN=host\\/*\"", "/O=x/CN=host/a", Ok(true)),
            (b"\"/O=x/CN=a\\b\"", "/O=x/CN=a\\\\b", Ok(true)),
            (b"\"/O=x/CN=Al/CN=Bea\"", "/O=x/CN=Al\\/CN=Bea", Ok(true)),
            (b"\"/O=x/CN=Al\\/CN=Bea\"", "/O=x/CN=Al/CN=Bea", Ok(false)),
            (b"\"/O=x/CN=Al\\/CN=Bea\"", "/O=x/CN=Al\\\\/CN=Bea", Ok(true)),
            (b"\"/O=x/CN=a/serialNumber=7\"", "/O=x/CN=a+serialNumber=7", Ok(true)),
            (b"\"/O=x/CN=a+serialNumber=7\"", "/O=x/CN=a/serialNumber=7", Ok(false)),
            (b"\"/O=x/CN=J\\xFCrgen\"", "/O=x/CN=J\u{fc}rgen", Ok(true)),
            (b"\"/O=x/CN=J\xfcrgen\"", "/O=x/CN=J\u{fc}rgen", Ok(true)),
            (b"\"/O=x/CN=J\\xc3\\xbcrgen\"", "/O=x/CN=J\u{fc}rgen", Ok(true)),
            (b"\"/o=x/cn=Alice Adams\"", alice, Ok(true)),
            (b"\"/O=x/emailaddress=a@x\"", "/O=x/emailAddress=a@x", Ok(true)),
            (b"\"/O=x/STREET=a/PostalCode=1\"", "/O=x/street=a/postalCode=1", Ok(true)),
            (b"\"/O=x/STREET=a/PostalCode=*\"", "/O=x/street=a/postalCode=1", Ok(true)),
            (b"\"/O=x/Email=a@x/emailAddress=b@x\"", "/O=x/emailAddress=a@x/emailAddress=b@x", Ok(true)),
            (b"\"/O=x/CN=Alice Adams \"", alice, Ok(true)),
            (b"\"/O=x/CN=Al \\\"Bea\\\"\"", "/O=x/CN=Al \"Bea\"", Ok(true)),
            (b"/O=x/CN=Al \"Bea\"", "/O=x/CN=Al \"Bea\"", Ok(true)),
            (b"\"/O=x/CN=Al \"Bea\"\"", alice, Err(())),
            (b"\"/O=x/CN=Al\" Bea\" x\"", alice, Err(())),
            (b"\"/O=x/CN=Alice Adams\"#why", alice, Ok(true)),
            (b"\"/O=x/CN=Bob\n", alice, Err(())),
            (b"\"/O=x/CN=Alice Adams\"\n\"/O=x/CN=Bob\n", alice, Err(())),
            (b"CN=Alice Adams,O=x\n", alice, Err(())),
            (b"\"\"\n", alice, Err(())),
        ];
        for (file, dn, expected) in table {
            assert_eq!(verdict(file, dn), *expected, "{} {dn}", String::from_utf8_lossy(file));
        }
    }

    #[test]
    fn the_person_is_never_a_pattern() {
        assert_eq!(verdict(b"\"/O=x/CN=Bob\"", "/O=x/CN=*"), Ok(false));
        assert_eq!(verdict(b"\"/O=x/CN=Bob\"", "/O=x/CN=[B]ob"), Ok(false));
    }

    #[test]
    fn patterns_can_be_turned_off() {
        let subject = Banned::person(&Dn::try_from("/O=x/CN=Bob".to_owned()).unwrap());
        let exact = |file: &[u8]| banning_line(file, &subject, Matching::Exact);
        assert_eq!(exact(b"\"/O=x/*\""), Ok(None));
        assert_eq!(exact(b"\n\"/O=x/CN=Bob\""), Ok(Some(2)));
    }

    #[test]
    fn attributes_are_banned_in_every_spelling() {
        let table: &[(&[u8], &str, bool)] = &[
            (b"\"/vo\"", "/vo/Role=NULL/Capability=NULL", true),
            (b"/vo/Role=pilot", "/vo/Role=pilot/Capability=NULL", true),
            (b"/vo/Role=pilot/Capability=NULL", "/vo/Role=pilot/Capability=NULL", true),
            (b"/vo/Role=pilot/Capability=NULL", "/vo/Role=pilot", true),
            (b"/vo/Role=NULL*", "/vo", true),
            (b"/vo", "/vo/Role=pilot/Capability=NULL", false),
            (b"/vo", "/vo/g/Role=NULL/Capability=NULL", false),
            (b"/vo/*", "/vo/g/Role=NULL/Capability=NULL", true),
            (b"/vo/Role=pil*", "/vo/Role=pilot/Capability=NULL", true),
            (b"/vo/role=pilot", "/vo/Role=pilot/Capability=NULL", true),
        ];
        for (file, fqan, expected) in table {
            let subject = Banned::fqan(&(*fqan).to_owned().try_into().unwrap());
            let line = banning_line(file, &subject, Matching::Wildcards).unwrap();
            assert_eq!(line.is_some(), *expected, "{} {fqan}", String::from_utf8_lossy(file));
        }
    }
}
