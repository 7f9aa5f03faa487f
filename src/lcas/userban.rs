//! `userban`: people who may not run here, in the historic ban_users.db.
//!
//! One name a line, in the line format of map files; names may be patterns. In doubt a line bans: every spelling of the
//! name is looked for ([`Subject::banned`]), a name without quotes that holds blanks is taken whole as well, and a file
//! that cannot be understood to its end refuses everybody, since the line that bans somebody may be the broken one.

#![forbid(unsafe_code)]

use crate::config::values::AbsolutePath;
use crate::credential::identity::Dn;
use crate::lcmaps::map_file::{Files, Line, Matching, lines, stands_for};
use crate::lcmaps::subject::Subject;
use crate::reason::{Outcome, Reason, Refusal};
use crate::sys::dir::FileError;

/// Refuses a person whom the file bans.
pub fn judge(path: &AbsolutePath, dn: &Dn, files: &dyn Files) -> Outcome<()> {
    let bytes = files.read(path).map_err(|error| {
        let reason = match error {
            FileError::Insecure { .. } => Reason::LcasFileInsecure,
            FileError::Missing(_) | FileError::Unreadable { .. } | FileError::Unusable { .. } => {
                Reason::LcasFileMissing
            }
        };
        Refusal::new(reason, "the site's list of banned users cannot be used").detail(error.to_string())
    })?;
    match banning_line(&bytes, dn) {
        Ok(None) => Ok(()),
        Ok(Some(number)) => {
            let line = format!("{dn}: {} line {number}", path.as_path().display());
            Err(Refusal::new(Reason::LcasUserban, "you are banned at this site").detail(line))
        }
        Err(why) => Err(Refusal::new(Reason::LcasFileMalformed, "the site's list of banned users cannot be used")
            .detail(format!("{}: {why}", path.as_path().display()))),
    }
}

/// The number of the first line that bans a person. The whole file is read even after a match, so that one that is
/// malformed is noticed on the first day and not when it matters.
fn banning_line(bytes: &[u8], dn: &Dn) -> Result<Option<usize>, String> {
    let subject = Subject::banned(dn);
    let mut found = None;
    for line in lines(bytes) {
        let line = line.map_err(|malformed| malformed.to_string())?;
        // A name in another notation (`CN=Alice,DC=org`) would never match anybody: that is a mistake, not a ban.
        if !matches!(line.name.first(), Some(b'/' | b'*' | b'?' | b'[')) {
            return Err(format!("line {}: not a distinguished name that starts with /", line.number));
        }
        if found.is_none() && bans(&line, &subject) {
            found = Some(line.number);
        }
    }
    Ok(found)
}

fn bans(line: &Line<'_>, subject: &Subject) -> bool {
    let bans =
        |name: &[u8]| stands_for(name, subject, Matching::Wildcards) || stands_for(name, subject, Matching::Exact);
    bans(line.name)
        || line.unquoted.is_some_and(|whole| {
            let comment = whole.iter().position(|b| *b == b'#').unwrap_or(whole.len());
            bans(whole.trim_ascii_end()) || bans(whole.get(..comment).unwrap_or(whole).trim_ascii_end())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(file: &[u8], dn: &str) -> Result<bool, ()> {
        let dn = Dn::try_from(dn.to_owned()).unwrap();
        banning_line(file, &dn).map(|line| line.is_some()).map_err(|_| ())
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
            (b"\"/O=x/CN=host\\/a\"", "/O=x/CN=host/a", Ok(false)),
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
}
