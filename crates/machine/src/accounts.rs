//! The machine's own accounts.

use crate::account_files::AccountFiles;
use glexec_core::program::NoAnswer;
use glexec_policy::accounts::{AccountDatabase, Login, LookupFailed, UserEntry};
use glexec_sys::helper::Helper;
use glexec_sys::shadow;
use glexec_sys::time::now;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::fmt;
use std::path::PathBuf;
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

/// The same with a deadline, each question once: what the machine's own files do not tell a helper asks, which is ended with this
/// value.
#[derive(Debug, Default)]
pub struct Bounded {
    files: AccountFiles,
    asked: RefCell<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    helper: Option<Helper>,
    spent: Duration,
    answers: HashMap<Question, Vec<u8>>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Question {
    User(String),
    Login(String),
    LoginOf(u32),
    GroupsOf { name: String, gid: u32 },
    Group(String),
    GroupByGid(u32),
    HasExpired(String),
}

impl Question {
    /// The answer as bytes, by the libraries of this process; none where the question is none.
    fn answer(question: &[u8]) -> Vec<u8> {
        let answer = match serde_json::from_slice(question) {
            Ok(Question::User(name)) => serde_json::to_vec(&Nss.user(&name)),
            Ok(Question::Login(name)) => serde_json::to_vec(&Nss.login(&name)),
            Ok(Question::LoginOf(uid)) => serde_json::to_vec(&Nss.login_of(uid)),
            Ok(Question::GroupsOf { name, gid }) => serde_json::to_vec(&group_list(&name, Gid::from_raw(gid))),
            Ok(Question::Group(name)) => serde_json::to_vec(&Nss.group(&name)),
            Ok(Question::GroupByGid(gid)) => serde_json::to_vec(&Nss.group_by_gid(gid)),
            Ok(Question::HasExpired(name)) => serde_json::to_vec(&Nss.has_expired(&name)),
            Err(error) => Err(error),
        };
        answer.unwrap_or_default()
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::User(name) | Question::Login(name) => f.write_str(name),
            Question::LoginOf(uid) => write!(f, "uid {uid}"),
            Question::GroupsOf { name, .. } => write!(f, "the groups of {name}"),
            Question::Group(name) => write!(f, "group {name}"),
            Question::GroupByGid(gid) => write!(f, "gid {gid}"),
            Question::HasExpired(name) => write!(f, "the expiry of {name}"),
        }
    }
}

impl Asked {
    fn ask(&mut self, question: &Question) -> Result<Vec<u8>, NoAnswer> {
        if let Some(answer) = self.answers.get(question) {
            return Ok(answer.clone());
        }
        let helper = match &mut self.helper {
            Some(helper) => helper,
            none => none.insert(Helper::start(Question::answer)?),
        };
        // Names and numbers always become JSON; an empty question has no answer.
        let asked = serde_json::to_vec(question).unwrap_or_default();
        let began = Instant::now();
        let answer = helper.ask(&asked, PATIENCE.saturating_sub(self.spent), MAX_ANSWER);
        self.spent = self.spent.saturating_add(began.elapsed());
        let answer = answer?;
        self.answers.insert(question.clone(), answer.clone());
        Ok(answer)
    }
}

impl Bounded {
    fn ask<T: DeserializeOwned>(&self, question: &Question) -> Result<T, LookupFailed> {
        let failed = |why: String| LookupFailed { what: question.to_string(), why };
        let mut asked = self.asked.try_borrow_mut().map_err(|error| failed(error.to_string()))?;
        let answer = asked.ask(question).map_err(|why| failed(why.to_string()))?;
        serde_json::from_slice(&answer).unwrap_or_else(|error| Err(failed(error.to_string())))
    }
}

impl AccountDatabase for Bounded {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        match self.files.user(name) {
            Some(found) => Ok(found.map(|(login, groups, shell)| entry(login, groups, shell))),
            None => self.ask(&Question::User(name.to_owned())),
        }
    }

    fn login(&self, name: &str) -> Result<Option<Login>, LookupFailed> {
        self.files.login(name).map_or_else(|| self.ask(&Question::Login(name.to_owned())), Ok)
    }

    fn login_of(&self, uid: u32) -> Result<Option<Login>, LookupFailed> {
        self.files.login_of(uid).map_or_else(|| self.ask(&Question::LoginOf(uid)), Ok)
    }

    fn groups_of(&self, login: &Login) -> Result<Vec<u32>, LookupFailed> {
        let question = || Question::GroupsOf { name: login.name.clone(), gid: login.gid };
        self.files.groups_of(login).map_or_else(|| self.ask(&question()), Ok)
    }

    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        self.files.group(name).map_or_else(|| self.ask(&Question::Group(name.to_owned())), Ok)
    }

    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed> {
        self.files.group_by_gid(gid).map_or_else(|| self.ask(&Question::GroupByGid(gid)), Ok)
    }

    fn has_expired(&self, name: &str) -> Result<bool, LookupFailed> {
        let expiry = self.files.expiry(name);
        expiry.map_or_else(|| self.ask(&Question::HasExpired(name.to_owned())), |expiry| Ok(is_over(expiry)))
    }
}

/// Whether the day of an expiry has come.
fn is_over(expiry: Option<i64>) -> bool {
    let today = now().ok().and_then(|now| now.checked_div(DAY));
    // A clock before 1970 says nothing about any account.
    expiry.zip(today).is_some_and(|(expiry, today)| today >= expiry)
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

fn entry(login: Login, groups: Vec<u32>, shell: PathBuf) -> UserEntry {
    let Login { name, uid, gid, home } = login;
    // Login programs take these for fields that are empty, passwd(5); a home that is relative would be the caller's to place.
    let home = if home.is_absolute() { home } else { "/".into() };
    let shell = if shell.as_os_str().is_empty() { "/bin/sh".into() } else { shell };
    UserEntry { name, uid, gid, groups, home, shell }
}

fn with_groups(mut user: User) -> Result<UserEntry, LookupFailed> {
    let shell = std::mem::take(&mut user.shell);
    let groups = group_list(&user.name, user.gid)?;
    Ok(entry(login(user), groups, shell))
}

impl AccountDatabase for Nss {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        User::from_name(name).map_err(failed(name))?.map(with_groups).transpose()
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
        shadow::expires(name).map_err(failed(format!("the expiry of {name}"))).map(is_over)
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

    #[test]
    fn a_question_is_asked_once_and_none_when_the_time_is_up() {
        let database = Bounded::default();
        let group = || database.ask::<Option<u32>>(&Question::Group("root".into()));
        let by_gid = || database.ask::<Option<String>>(&Question::GroupByGid(0));
        assert_eq!(group().unwrap(), Some(0));
        database.asked.borrow_mut().spent = PATIENCE;
        assert_eq!(group().unwrap(), Some(0));
        assert_eq!(by_gid().unwrap_err().to_string(), "looking up gid 0: no answer after 0ns");
        assert!(by_gid().is_err());
    }
}
