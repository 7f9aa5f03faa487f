//! `ban_dn`: fails for people in a ban file.

use super::context::{Context, banned, malformed};
use crate::files::ban_file::banning_line;
use crate::files::banned::Banned;
use glexec_config::lcmaps::BanDn;
use glexec_core::reason::Outcome;

pub(super) fn run(options: &BanDn, context: &Context<'_>) -> Outcome<()> {
    let bytes = context.read(&options.banmapfile)?;
    let dn = &context.identity.subject;
    match banning_line(&bytes, &Banned::person(dn), options.matching) {
        Ok(None) => Ok(()),
        Ok(Some(line)) => Err(banned(&options.banmapfile, line, dn.as_str())),
        Err(why) => Err(malformed(&options.banmapfile, &why)),
    }
}
