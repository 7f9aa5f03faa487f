//! The machine's own accounts.

use glexec_policy::accounts::{AccountDatabase, LookupFailed, UserEntry};
use glexec_sys::shadow;
use glexec_sys::time::now;
use nix::unistd::{Gid, Group, User, getgrouplist};
use std::ffi::CString;

/// Seconds of a day.
const DAY: i64 = 86400;

/// The machine's own accounts, through the name service switch.
#[derive(Clone, Copy, Debug)]
pub struct Nss;

/// What a lookup of something says when the database does not answer.
pub fn failed(what: impl Into<String>) -> impl FnOnce(nix::Error) -> LookupFailed {
    let what = what.into();
    move |errno| LookupFailed { what, why: errno.desc().to_owned() }
}

fn entry(user: User) -> Result<UserEntry, LookupFailed> {
    let name = CString::new(user.name.as_str()).map_err(|_| failed(user.name.as_str())(nix::Error::EINVAL))?;
    let groups = getgrouplist(&name, user.gid).map_err(failed(format!("the groups of {}", user.name)))?;
    Ok(UserEntry {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
        // Login programs take these for fields that are empty, passwd(5); a home that is relative would be the caller's to place.
        home: if user.dir.is_absolute() { user.dir } else { "/".into() },
        shell: if user.shell.as_os_str().is_empty() { "/bin/sh".into() } else { user.shell },
    })
}

impl AccountDatabase for Nss {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        User::from_name(name).map_err(failed(name))?.map(entry).transpose()
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
