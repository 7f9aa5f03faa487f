//! `userban`: people who may not run here, in the historic ban_users.db.
//!
//! One name a line; names may be patterns. What a line bans is said in [`crate::lcmaps::ban_file`].

#![forbid(unsafe_code)]

use crate::config::values::AbsolutePath;
use crate::credential::identity::Dn;
use crate::lcmaps::ban_file::{Banned, banning_line};
use crate::lcmaps::map_file::{Files, Matching};
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
    match banning_line(&bytes, &Subject::banned(dn), Matching::Wildcards, Banned::Names) {
        Ok(None) => Ok(()),
        Ok(Some(number)) => {
            let line = format!("{dn}: {} line {number}", path.as_path().display());
            Err(Refusal::new(Reason::LcasUserban, "you are banned at this site").detail(line))
        }
        Err(why) => Err(Refusal::new(Reason::LcasFileMalformed, "the site's list of banned users cannot be used")
            .detail(format!("{}: {why}", path.as_path().display()))),
    }
}
