//! Who calls: the account of the real user id.

use glexec_config::{Config, white_list};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::accounts::{AccountDatabase, Login, LookupFailed};
use nix::unistd::{Gid, Uid, getpid};

/// The calling account.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Process id of glexec, which the caller knows.
    pub pid: i32,
    /// Account name.
    pub name: String,
    /// Those groups of the white lists that the account is a member of.
    pub groups: Vec<String>,
}

impl Caller {
    /// Finds the account of the real user id, and its membership in the groups that the white lists name.
    pub fn identify(uid: Uid, gid: Gid, config: &Config, accounts: &dyn AccountDatabase) -> Outcome<Caller> {
        let user = accounts.login_of(uid.as_raw())?.ok_or_else(|| {
            Refusal::new(Reason::CallerUnknown, format!("your user id {uid} has no account on this machine"))
        })?;
        let named = white_list::groups_named(&config.glexec.user_white_list)
            .chain(white_list::groups_named(&config.glexec.omission_private_key_white_list));
        let groups = memberships(&user, named, accounts)?;
        let pid = getpid().as_raw();
        Ok(Caller { uid: uid.as_raw(), gid: gid.as_raw(), pid, name: user.name, groups })
    }

    /// Refuses callers that are not in `user_white_list`.
    pub fn check_white_list(&self, config: &Config) -> Outcome<()> {
        if white_list::contains(&config.glexec.user_white_list, &self.name, &self.groups) {
            return Ok(());
        }
        let sentence = format!("the account {} may not use glexec here", self.name);
        Err(Refusal::new(Reason::CallerNotWhiteListed, sentence).detail("not in user_white_list"))
    }
}

/// Which of the named groups the account belongs to. The account database decides, not the process: a membership that
/// the administrator took away ends at once.
fn memberships<'a>(
    user: &Login,
    named: impl Iterator<Item = &'a str>,
    accounts: &dyn AccountDatabase,
) -> Result<Vec<String>, LookupFailed> {
    let mut named = named.peekable();
    if named.peek().is_none() {
        return Ok(Vec::new());
    }
    let gids = accounts.groups_of(user)?;
    let mut groups = Vec::new();
    for name in named {
        if accounts.group(name)?.is_some_and(|gid| gids.contains(&gid)) {
            groups.push(name.to_string());
        }
    }
    Ok(groups)
}
