//! What programs of the site's are told of a call, under the historic names: `GLEXEC_EPILOG_*`, and before the payload
//! `GLEXEC_PROLOG_*`. Nothing else in their environment comes from caller or payload: a program owned by root must not
//! read its settings from them.

use crate::invocation::caller::Caller;
use crate::invocation::command_line::Payload;
use glexec_config::glexec::Glexec;
use glexec_core::reason::Outcome;
use glexec_policy::accounts::{AccountDatabase, Login};
use glexec_policy::mapping::Mapping;
use nix::unistd::Gid;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// How much of the payload's arguments is told, in bytes: they must not keep the program from being executed.
const MAX_ARGUMENTS: usize = 64 * 1024;

/// Who calls whom to run what.
pub struct Facts<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// Its supplementary groups.
    pub groups: &'a [Gid],
    /// The target.
    pub target: &'a Mapping,
    /// The command.
    pub payload: &'a Payload,
}

/// A variable with the prefix of the program; `None` where the value holds a NUL, which argv and names of accounts do
/// not.
pub fn variable(prefix: &str, name: &str, value: &[u8]) -> Option<CString> {
    let mut text = format!("{prefix}{name}=").into_bytes();
    text.extend_from_slice(value);
    CString::new(text).ok()
}

/// The variables of the account that the program runs as, and what is known before the payload runs.
pub fn environment(
    prefix: &str,
    config: &Glexec,
    user: &Login,
    facts: &Facts<'_>,
    accounts: &dyn AccountDatabase,
) -> Outcome<Vec<CString>> {
    let own = [
        ("HOME", user.home.clone().into_os_string()),
        ("USER", user.name.clone().into()),
        ("LOGNAME", user.name.clone().into()),
        ("SHELL", "/bin/sh".into()),
        ("PATH", config.path.as_str().into()),
    ];
    let mut built: Vec<CString> = Vec::new();
    built.extend(own.into_iter().filter_map(|(name, value): (&str, OsString)| variable("", name, &value.into_vec())));
    let list = |gids: &mut dyn Iterator<Item = u32>| gids.map(|gid| gid.to_string()).collect::<Vec<_>>().join(":");
    let caller_group = accounts.group_by_gid(facts.caller.gid)?.unwrap_or_default();
    let target_group = accounts.group_by_gid(facts.target.gid.get())?.unwrap_or_default();
    for (name, value) in [
        ("GLEXEC_USER", facts.caller.name.clone()),
        ("GLEXEC_GROUP", caller_group),
        ("GLEXEC_UID", facts.caller.uid.to_string()),
        ("GLEXEC_GID", facts.caller.gid.to_string()),
        ("GLEXEC_SGIDS", list(&mut facts.groups.iter().map(|gid| gid.as_raw()))),
        ("TARGET_USER", facts.target.name.clone()),
        ("TARGET_GROUP", target_group),
        ("TARGET_UID", facts.target.uid.get().to_string()),
        ("TARGET_GID", facts.target.gid.get().to_string()),
        ("TARGET_SGIDS", list(&mut facts.target.groups.iter().map(|gid| gid.get()))),
    ] {
        built.extend(variable(prefix, name, value.as_bytes()));
    }
    let mut room = MAX_ARGUMENTS;
    let arguments = std::iter::once(&facts.payload.command).chain(&facts.payload.arguments);
    for (number, argument) in arguments.enumerate() {
        let name = format!("ARGV{number}");
        // The prefix, the name, `=` and the end.
        let length = argument.len().saturating_add(name.len()).saturating_add(16);
        let Some(left) = room.checked_sub(length) else { break };
        room = left;
        built.extend(variable(prefix, &name, argument.as_bytes()));
    }
    Ok(built)
}
