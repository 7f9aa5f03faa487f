//! `ban_fqan`: fails for VOMS attributes in a ban file.
//!
//! A credential without VOMS attributes passes; one whose attributes are there but not valid comes here only where the
//! site says `bad_ac = "ignore"`.

use super::context::{Context, banned, malformed};
use crate::files::ban_file::{self, banning_line};
use crate::files::banned::Banned;
use glexec_config::lcmaps::BanFqan;
use glexec_core::reason::Outcome;

pub(super) fn run(options: &BanFqan, context: &Context<'_>) -> Outcome<()> {
    let bytes = context.read(&options.banmapfile)?;
    let broken = |why: String| malformed(&options.banmapfile, &why);
    // Also where nothing can be banned: a broken list is noticed whoever comes first.
    ban_file::fault(&bytes).map_or(Ok(()), |why| Err(broken(why)))?;
    for fqan in &context.identity.fqans {
        let subject = Banned::fqan(fqan);
        if let Some(line) = banning_line(&bytes, &subject, options.matching).map_err(broken)? {
            return Err(banned(&options.banmapfile, line, fqan.as_str()));
        }
    }
    Ok(())
}
