//! The machine's own accounts.

use glexec_policy::accounts::{AccountDatabase, Login, LookupFailed, UserEntry};
use glexec_sys::process::ask_within;
use glexec_sys::shadow;
use glexec_sys::time::now;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// How long all look-ups of a call may take together: who waits longer for a name service is not helped by more waiting.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest answer of a look-up in bytes: an account with the 65,536 groups that Linux knows.
const MAX_ANSWER: usize = 1024 * 1024;

/// Seconds of a day.
const DAY: i64 = 86400;

/// The machine's own accounts, through the name service switch. It answers when it answers.
#[derive(Clone, Copy, Debug)]
pub struct Nss;

/// The same with a deadline: each look-up is a process of its own, which is ended when the time is up. For a process with
/// one thread.
#[derive(Debug, Default)]
pub struct Bounded {
    spent: Cell<Duration>,
}

impl Bounded {
    fn ask<T: Serialize + DeserializeOwned>(
        &self,
        what: &str,
        look: impl FnOnce() -> Result<T, LookupFailed>,
    ) -> Result<T, LookupFailed> {
        let began = Instant::now();
        let left = PATIENCE.saturating_sub(self.spent.get());
        // An empty answer is none.
        let answer = ask_within(left, MAX_ANSWER, || serde_json::to_vec(&look()).unwrap_or_default());
        self.spent.set(self.spent.get().saturating_add(began.elapsed()));
        let failed = |why: String| LookupFailed { what: what.to_owned(), why };
        let answer = answer.map_err(|why| failed(why.to_string()))?;
        serde_json::from_slice(&answer).unwrap_or_else(|error| Err(failed(error.to_string())))
    }
}

impl AccountDatabase for Bounded {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        self.ask(name, || Nss.user(name))
    }

    fn login(&self, name: &str) -> Result<Option<Login>, LookupFailed> {
        self.ask(name, || Nss.login(name))
    }

    fn login_of(&self, uid: u32) -> Result<Option<Login>, LookupFailed> {
        self.ask(&format!("uid {uid}"), || Nss.login_of(uid))
    }

    fn groups_of(&self, login: &Login) -> Result<Vec<u32>, LookupFailed> {
        self.ask(&format!("the groups of {}", login.name), || Nss.groups_of(login))
    }

    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        self.ask(&format!("group {name}"), || Nss.group(name))
    }

    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed> {
        self.ask(&format!("gid {gid}"), || Nss.group_by_gid(gid))
    }

    fn has_expired(&self, name: &str) -> Result<bool, LookupFailed> {
        self.ask(&format!("the expiry of {name}"), || Nss.has_expired(name))
    }
}

/// What a lookup of something says when the database does not answer.
fn failed(what: impl Into<String>) -> impl FnOnce(nix::Error) -> LookupFailed {
    let what = what.into();
    move |errno| LookupFailed { what, why: errno.desc().to_owned() }
}

fn group_list(name: &str, gid: Gid) -> Result<Vec<u32>, LookupFailed> {
    let named = CString::new(name).map_err(|_| failed(name)(nix::Error::EINVAL))?;
    let groups = getgrouplist(&named, gid).map_err(failed(format!("the groups of {name}")))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

fn login(user: User) -> Login {
    Login { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
}

fn entry(user: User) -> Result<UserEntry, LookupFailed> {
    let groups = group_list(&user.name, user.gid)?;
    Ok(UserEntry {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups,
        // Login programs take these for fields that are empty, passwd(5); a home that is relative would be the caller's to place.
        home: if user.dir.is_absolute() { user.dir } else { "/".into() },
        shell: if user.shell.as_os_str().is_empty() { "/bin/sh".into() } else { user.shell },
    })
}

impl AccountDatabase for Nss {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        User::from_name(name).map_err(failed(name))?.map(entry).transpose()
    }

    fn login(&self, name: &str) -> Result<Option<Login>, LookupFailed> {
        Ok(User::from_name(name).map_err(failed(name))?.map(login))
    }

    fn login_of(&self, uid: u32) -> Result<Option<Login>, LookupFailed> {
        Ok(User::from_uid(Uid::from_raw(uid)).map_err(failed(format!("uid {uid}")))?.map(login))
    }

    fn groups_of(&self, login: &Login) -> Result<Vec<u32>, LookupFailed> {
        group_list(&login.name, Gid::from_raw(login.gid))
    }

    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Group::from_name(name).map_err(failed(name))?.map(|group| group.gid.as_raw()))
    }

    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed> {
        let group = Group::from_gid(Gid::from_raw(gid)).map_err(failed(format!("gid {gid}")))?;
        Ok(group.map(|group| group.name))
    }

    fn has_expired(&self, name: &str) -> Result<bool, LookupFailed> {
        let expiry = shadow::expires(name).map_err(failed(format!("the expiry of {name}")))?;
        let today = now().ok().and_then(|now| now.checked_div(DAY));
        // A clock before 1970 says nothing about any account.
        Ok(expiry.zip(today).is_some_and(|(expiry, today)| today >= expiry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_core::account::Limits;
    use glexec_core::reason::Reason;
    use glexec_policy::accounts::{account, group};

    const LIMITS: Limits = Limits { min_uid: 1000, min_gid: 100 };

    #[test]
    fn the_machine_s_root_is_found_and_forbidden() {
        assert_eq!(account(&Nss, "root", LIMITS).unwrap_err().reason(), Reason::AccountForbidden);
        assert_eq!(group(&Nss, "root", LIMITS).unwrap_err().reason(), Reason::AccountForbidden);
        assert_eq!(account(&Nss, "no-such-account", LIMITS).unwrap_err().reason(), Reason::AccountUnknown);
        assert_eq!(Nss.group_by_gid(0).unwrap().unwrap(), "root");
    }
}
