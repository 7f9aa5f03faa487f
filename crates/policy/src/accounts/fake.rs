//! Accounts in memory, for tests.

use super::{AccountDatabase, Limits, Login, LookupFailed, UserEntry};

pub(crate) const LIMITS: Limits = Limits { min_uid: 1000, min_gid: 100 };

/// A database in memory: accounts as (name, uid, gid, other groups), groups as (name, gid).
#[derive(Clone, Default)]
pub(crate) struct Fake {
    pub(crate) users: Vec<(String, u32, u32, Vec<u32>)>,
    pub(crate) groups: Vec<(String, u32)>,
    pub(crate) expired: Vec<String>,
    pub(crate) broken: bool,
}

impl Fake {
    fn answer<T>(&self, value: T) -> Result<T, LookupFailed> {
        if self.broken { Err(LookupFailed { what: "x".into(), why: "EAGAIN".into() }) } else { Ok(value) }
    }

    fn find(&self, wanted: impl Fn(&(String, u32, u32, Vec<u32>)) -> bool) -> Option<UserEntry> {
        self.users.iter().find(|user| wanted(user)).map(|(name, uid, gid, more)| UserEntry {
            name: name.clone(),
            uid: *uid,
            gid: *gid,
            groups: std::iter::once(*gid).chain(more.iter().copied()).collect(),
            home: format!("/home/{name}").into(),
            shell: "/bin/sh".into(),
        })
    }
}

impl AccountDatabase for Fake {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        self.answer(self.find(|user| user.0 == name))
    }
    fn login(&self, _: &str) -> Result<Option<Login>, LookupFailed> {
        unreachable!("policy asks for accounts with their groups")
    }
    fn login_of(&self, _: u32) -> Result<Option<Login>, LookupFailed> {
        unreachable!("policy asks by name")
    }
    fn groups_of(&self, _: &Login) -> Result<Vec<u32>, LookupFailed> {
        unreachable!("policy asks for accounts with their groups")
    }
    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        self.answer(self.groups.iter().find(|group| group.0 == name).map(|group| group.1))
    }
    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed> {
        self.answer(self.groups.iter().find(|group| group.1 == gid).map(|group| group.0.clone()))
    }
    fn has_expired(&self, name: &str) -> Result<bool, LookupFailed> {
        self.answer(self.expired.iter().any(|expired| expired == name))
    }
}
