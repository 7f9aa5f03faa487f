//! `ban_dn`: fails for people in a ban file.

#![forbid(unsafe_code)]

use super::ban_file::banning_line;
use super::{Context, banned, malformed};
use crate::lcmaps::banned::Banned;
use crate::reason::Outcome;
use glexec_config::lcmaps::BanDn;

/// Runs the plug-in.
pub(super) fn run(options: &BanDn, context: &Context<'_>) -> Outcome<()> {
    let bytes = context.read(&options.banmapfile)?;
    let dn = &context.identity.subject;
    match banning_line(&bytes, &Banned::person(dn), options.matching) {
        Ok(None) => Ok(()),
        Ok(Some(line)) => Err(banned(&options.banmapfile, line, dn.as_str())),
        Err(why) => Err(malformed(&options.banmapfile, &why)),
    }
}
