//! Accounts and groups as names and nothing else: the service needs none of its own, and what a name stands for is each
//! node's to look up. Policy works with numbers, so every name gets one for as long as a question lasts.

use glexec_core::account::{Limits, TargetGid};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::accounts::{AccountDatabase, Login, LookupFailed, UserEntry};
use glexec_policy::mapping::Mapping;
use glexec_site_client::wire::OwnGroups;
use std::cell::RefCell;

/// Limits that let every number of this file through.
pub const LIMITS: Limits = Limits { min_uid: 1, min_gid: 1 };

/// Stands for the primary group that the account has on its node.
const OWN_PRIMARY: u32 = 1;
/// Stands for all groups that the account has there.
const OWN_ALL: u32 = 2;
/// The number of the first name.
const FIRST: usize = 1000;

/// The names of one question.
#[derive(Debug, Default)]
pub struct Names(RefCell<Vec<String>>);

/// What a mapping says by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Groups {
    /// The primary group; without one it is the account's own.
    pub primary: Option<String>,
    /// Supplementary groups.
    pub others: Vec<String>,
    /// Supplementary groups that are the account's own.
    pub own: OwnGroups,
}

impl Names {
    fn number(&self, name: &str) -> u32 {
        // Root is root everywhere, and forbidden.
        if name == "root" {
            return 0;
        }
        let mut names = self.0.borrow_mut();
        let index = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len().saturating_sub(1)
        });
        u32::try_from(index.saturating_add(FIRST)).unwrap_or(0)
    }

    fn name(&self, number: u32) -> Option<String> {
        let index = usize::try_from(number).ok()?.checked_sub(FIRST)?;
        self.0.borrow().get(index).cloned()
    }

    pub fn groups(&self, mapping: &Mapping) -> Outcome<Groups> {
        let named = |gid: TargetGid| {
            let nameless = || Refusal::new(Reason::SystemFailed, "a group of the mapping has no name");
            self.name(gid.get()).ok_or_else(nameless)
        };
        let primary = (mapping.gid.get() != OWN_PRIMARY).then(|| named(mapping.gid)).transpose()?;
        let has = |wanted: u32| mapping.groups.iter().any(|gid| gid.get() == wanted);
        let own = match (has(OWN_ALL), has(OWN_PRIMARY)) {
            (true, _) => OwnGroups::All,
            (false, true) => OwnGroups::Primary,
            (false, false) => OwnGroups::None,
        };
        let others = mapping.groups.iter().filter(|gid| ![OWN_ALL, OWN_PRIMARY].contains(&gid.get()));
        Ok(Groups { primary, others: others.map(|gid| named(*gid)).collect::<Outcome<_>>()?, own })
    }
}

impl AccountDatabase for Names {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        Ok(Some(UserEntry {
            name: name.to_owned(),
            uid: self.number(name),
            gid: OWN_PRIMARY,
            groups: vec![OWN_ALL],
            home: "/".into(),
            shell: "/bin/sh".into(),
        }))
    }

    fn login(&self, name: &str) -> Result<Option<Login>, LookupFailed> {
        Ok(Some(Login { name: name.to_owned(), uid: self.number(name), gid: OWN_PRIMARY, home: "/".into() }))
    }

    fn login_of(&self, _uid: u32) -> Result<Option<Login>, LookupFailed> {
        Ok(None)
    }

    fn groups_of(&self, _login: &Login) -> Result<Vec<u32>, LookupFailed> {
        Ok(vec![OWN_ALL])
    }

    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(self.number(name)))
    }

    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed> {
        Ok(self.name(gid))
    }

    fn has_expired(&self, _name: &str) -> Result<bool, LookupFailed> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_policy::accounts::{account, group};

    #[test]
    fn every_name_has_its_own_number_and_root_none_that_may_be_used() {
        let names = Names::default();
        let (a, b) = (group(&names, "a", LIMITS).unwrap(), group(&names, "b", LIMITS).unwrap());
        assert_ne!(a, b);
        assert_eq!(group(&names, "a", LIMITS).unwrap(), a);
        assert_eq!(names.group_by_gid(b.get()).unwrap().as_deref(), Some("b"));
        assert!(account(&names, "root", LIMITS).is_err());
        assert!(group(&names, "root", LIMITS).is_err());
        assert!(account(&names, "0", LIMITS).is_err());
    }
}
