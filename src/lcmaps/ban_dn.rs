//! `ban_dn`: fails for people in a ban file.

#![forbid(unsafe_code)]

use super::ban_file::banning_line;
use super::{Context, banned, malformed};
use crate::config::values::AbsolutePath;
use crate::lcmaps::banned::Banned;
use crate::lcmaps::map_file::Matching;
use crate::reason::Outcome;

/// The options of `ban_dn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanDn {
    /// The ban file.
    pub banmapfile: AbsolutePath,
    /// Whether its names are patterns.
    pub matching: Matching,
}

impl BanDn {
    pub(super) fn run(&self, context: &Context<'_>) -> Outcome<()> {
        let bytes = context.read(&self.banmapfile)?;
        let dn = &context.identity.subject;
        match banning_line(&bytes, &Banned::person(dn), self.matching) {
            Ok(None) => Ok(()),
            Ok(Some(line)) => Err(banned(&self.banmapfile, line, dn.as_str())),
            Err(why) => Err(malformed(&self.banmapfile, &why)),
        }
    }
}
