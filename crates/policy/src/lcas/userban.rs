//! `userban`: people who may not run here, in the historic ban_users.db.
//!
//! One name a line; names may be patterns. What a line bans is said in [`crate::files::ban_file`].

use super::context::{Context, malformed};
use crate::files::ban_file::banning_line;
use crate::files::banned::Banned;
use glexec_config::lcmaps::Matching;
use glexec_core::identity::Dn;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;

/// Refuses a person whom the file bans.
pub(super) fn judge(path: &AbsolutePath, dn: &Dn, context: &Context<'_>) -> Outcome<()> {
    match banning_line(&context.read(path)?, &Banned::person(dn), Matching::Wildcards) {
        Ok(None) => Ok(()),
        Ok(Some(number)) => {
            let line = format!("{dn}: {} line {number}", path.as_path().display());
            Err(Refusal::new(Reason::LcasUserban, "you are banned at this site").detail(line))
        }
        Err(why) => Err(malformed(path, &why)),
    }
}
