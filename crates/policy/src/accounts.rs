//! Local accounts and groups that a payload may run as: types that cannot hold root, nobody or "no id".

pub use glexec_core::account::{Limits, TargetGid, TargetUid, is_name};
use glexec_core::reason::{Outcome, Reason, Refusal};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An account as the database has it, before anybody has judged its ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEntry {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// All group ids, the primary one among them (getgrouplist).
    pub groups: Vec<u32>,
    #[serde(with = "path")]
    pub home: PathBuf,
    #[serde(with = "path")]
    pub shell: PathBuf,
}

/// Paths as the bytes that they are.
mod path {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(from).map(PathBuf::from)
    }
}

/// An account without its groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    #[serde(with = "path")]
    pub home: PathBuf,
}

/// The account database did not answer.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("looking up {what}: {why}")]
pub struct LookupFailed {
    /// What was asked for.
    pub what: String,
    /// What the system said.
    pub why: String,
}

/// Where accounts and groups are looked up; a trait so that policy can be tested without a machine's accounts.
///
/// "There is none" and "I could not find out" are different answers: confusing them once gave people the wrong account
/// (CVE-2012-3292).
pub trait AccountDatabase {
    /// The account of this name.
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed>;
    /// The account of this name, where its groups do not matter.
    fn login(&self, name: &str) -> Result<Option<Login>, LookupFailed>;
    /// The account of this user id.
    fn login_of(&self, uid: u32) -> Result<Option<Login>, LookupFailed>;
    /// The ids of all groups of an account.
    fn groups_of(&self, login: &Login) -> Result<Vec<u32>, LookupFailed>;
    /// The id of the group of this name.
    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed>;
    /// The name of the group of this id.
    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed>;
    /// Whether the account of this name has expired.
    fn has_expired(&self, name: &str) -> Result<bool, LookupFailed>;
}

/// An account that a payload may run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: TargetUid,
    /// Primary group.
    pub gid: TargetGid,
    /// All groups, the primary one among them.
    pub groups: Vec<TargetGid>,
    pub home: PathBuf,
    pub shell: PathBuf,
}

impl From<LookupFailed> for Refusal {
    fn from(error: LookupFailed) -> Refusal {
        Refusal::new(Reason::AccountLookup, "the account database cannot be reached").detail(error.to_string())
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(Reason::AccountUnknown, "the mapped account does not exist on this machine")
        .detail(format!("account {name:?}"))
}

/// The refusal for a group that the account database does not have.
pub fn unknown_group(what: impl Into<String>) -> Refusal {
    Refusal::new(Reason::AccountNoGroup, "a mapped group does not exist on this machine").detail(what)
}

fn forbidden_id(what: String) -> Refusal {
    Refusal::new(Reason::AccountForbidden, "the mapped account or group may not be used").detail(what)
}

/// Looks an account up by name and accepts it only if all its ids may be used.
pub fn account(database: &dyn AccountDatabase, name: &str, limits: Limits) -> Outcome<Account> {
    if !is_name(name) {
        return Err(unknown(name).detail(format!("{name:?} is not an account name")));
    }
    let found = database.user(name)?.ok_or_else(|| unknown(name))?;
    // A database that answers with another entry than the one asked for must not decide who somebody becomes.
    if found.name != name {
        return Err(unknown(name).detail(format!("the database answers {:?} for {name:?}", found.name)));
    }
    let group = |id: u32| {
        TargetGid::new(id, limits).ok_or_else(|| forbidden_id(format!("account {name:?} has the group id {id}")))
    };
    let uid = TargetUid::new(found.uid, limits)
        .ok_or_else(|| forbidden_id(format!("account {name:?} has the user id {}", found.uid)))?;
    if database.has_expired(name)? {
        return Err(
            Refusal::new(Reason::AccountLocked, "the mapped account has expired").detail(format!("account {name:?}"))
        );
    }
    Ok(Account {
        uid,
        gid: group(found.gid)?,
        groups: found.groups.iter().map(|id| group(*id)).collect::<Outcome<_>>()?,
        name: found.name,
        home: found.home,
        shell: found.shell,
    })
}

/// Looks a group up by name and accepts it only if its id may be used.
pub fn group(database: &dyn AccountDatabase, name: &str, limits: Limits) -> Outcome<TargetGid> {
    if !is_name(name) {
        return Err(unknown_group(format!("{name:?} is not a group name")));
    }
    let id = database.group(name)?.ok_or_else(|| unknown_group(format!("group {name:?}")))?;
    TargetGid::new(id, limits).ok_or_else(|| forbidden_id(format!("group {name:?} has the id {id}")))
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::fake::{Fake, LIMITS};
    use super::*;

    fn one(uid: u32, gid: u32, more: &[u32]) -> Result<Account, Reason> {
        let database = Fake { users: vec![("x".into(), uid, gid, more.to_vec())], ..Fake::default() };
        account(&database, "x", LIMITS).map_err(|refusal| refusal.reason())
    }

    #[test]
    fn what_is_no_name_is_no_account() {
        let long = "a".repeat(256);
        let bad = ["", "$", "0day", "1000", "-1", "+1000", "+", " root", "a b", "a\n", "a/b", ".a", "a$b", "ä", &long];
        for bad in bad {
            let refusal = account(&Fake::default(), bad, LIMITS).unwrap_err();
            assert_eq!(refusal.reason(), Reason::AccountUnknown);
        }
    }

    #[test]
    fn ids_of_root_nobody_nothing_and_the_system_are_forbidden_everywhere() {
        assert!(one(1000, 100, &[100, 2000]).is_ok());
        for id in [0, 1, 999, 65534, 65535, u32::MAX] {
            assert_eq!(one(id, 100, &[]), Err(Reason::AccountForbidden), "uid {id}");
        }
        for id in [0, 1, 99, 65534, 65535, u32::MAX] {
            assert_eq!(one(1000, id, &[]), Err(Reason::AccountForbidden), "gid {id}");
            assert_eq!(one(1000, 100, &[id]), Err(Reason::AccountForbidden), "group {id}");
        }
    }

    #[test]
    fn no_account_and_no_answer_are_told_apart() {
        let broken = Fake { broken: true, ..Fake::default() };
        assert_eq!(account(&broken, "x", LIMITS).unwrap_err().reason(), Reason::AccountLookup);
        assert_eq!(group(&broken, "x", LIMITS).unwrap_err().reason(), Reason::AccountLookup);
        assert_eq!(account(&Fake::default(), "x", LIMITS).unwrap_err().reason(), Reason::AccountUnknown);
        assert_eq!(group(&Fake::default(), "x", LIMITS).unwrap_err().reason(), Reason::AccountNoGroup);
    }

    #[test]
    fn an_expired_account_is_refused_for_that() {
        let database =
            Fake { users: vec![("x".into(), 2000, 200, vec![])], expired: vec!["x".into()], ..Fake::default() };
        assert_eq!(account(&database, "x", LIMITS).unwrap_err().reason(), Reason::AccountLocked);
    }
}
