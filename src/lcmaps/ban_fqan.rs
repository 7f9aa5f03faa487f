//! `ban_fqan`: fails for VOMS attributes in a ban file.
//!
//! A credential without VOMS attributes passes; one whose attributes are there but not valid comes here only where the
//! site says `bad_ac = "ignore"`.

#![forbid(unsafe_code)]

use super::ban_file::{self, banning_line};
use super::{Context, banned, malformed};
use crate::config::values::AbsolutePath;
use crate::lcmaps::banned::Banned;
use crate::lcmaps::map_file::Matching;
use crate::reason::Outcome;

/// The options of `ban_fqan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanFqan {
    /// The ban file.
    pub banmapfile: AbsolutePath,
    /// Whether its names are patterns.
    pub matching: Matching,
}

impl BanFqan {
    pub(super) fn run(&self, context: &Context<'_>) -> Outcome<()> {
        let bytes = context.read(&self.banmapfile)?;
        let broken = |why: String| malformed(&self.banmapfile, &why);
        // Also where nothing can be banned: a broken list is noticed whoever comes first.
        ban_file::fault(&bytes).map_or(Ok(()), |why| Err(broken(why)))?;
        for fqan in &context.identity.fqans {
            let subject = Banned::fqan(fqan);
            if let Some(line) = banning_line(&bytes, &subject, self.matching).map_err(broken)? {
                return Err(banned(&self.banmapfile, line, fqan.as_str()));
            }
        }
        Ok(())
    }
}
