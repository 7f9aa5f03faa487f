//! Who is banned at the site: the list that the service keeps and every node has.

use crate::files::banned::Banned;
use glexec_config::lcmaps::Matching;
use glexec_core::identity::{Dn, Fqan, Identity, MAX_DN};
use serde::{Deserialize, Serialize};

/// Where the list is fetched, with GET, and changed, with POST.
pub const BANS: &str = "/v1/bans";
/// What the path of the list on a node has after that of the agent's socket.
pub const FILE_SUFFIX: &str = ".bans";
/// Longest list in bytes: some ten thousand bans.
pub const MAX_LIST: usize = 4 * 1024 * 1024;
/// Longest reason in bytes.
const MAX_REASON: usize = 500;

/// What is banned: the name of a person or of a CA, in which `*`, `?` and `[…]` are those of a shell, or a VOMS attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim().to_owned();
        let bad = |why: &str| Err(format!("{text:?} {why}"));
        if text.len() > MAX_DN || text.chars().any(char::is_control) {
            return bad("is too long, or no text");
        }
        if !text.starts_with(['/', '*']) {
            return bad(
                "is not a name that starts with /: a distinguished name as /DC=org/CN=Alice, or a VOMS attribute as /vo/Role=pilot",
            );
        }
        // Anybody's: surely a slip.
        if text.trim_matches(['*', '/', '?']).is_empty() {
            return bad("would ban everybody");
        }
        Ok(Name(text))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn means(&self, name: &Banned) -> bool {
        name.is_meant(self.0.as_bytes(), Matching::Wildcards)
    }
}

/// What becomes of what a banned user has running on nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Running {
    /// It goes on; the node's log names it.
    #[default]
    GoesOn,
    /// It is ended.
    Ends,
}

impl Running {
    pub fn as_str(self) -> &'static str {
        match self {
            Running::GoesOn => "goes-on",
            Running::Ends => "ends",
        }
    }

    /// What a word says.
    pub fn of(word: &str) -> Option<Self> {
        [Running::GoesOn, Running::Ends].into_iter().find(|running| running.as_str() == word)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Whom it bans.
    pub name: Name,
    /// Until when, in seconds since 1970 UTC; without one until it is removed.
    pub until: Option<i64>,
    pub reason: Option<String>,
    /// Which operator has said so.
    pub by: String,
    /// Since when, in seconds since 1970 UTC.
    pub since: i64,
    /// What becomes of what runs.
    #[serde(default)]
    pub running: Running,
}

/// All bans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// It grows with every change.
    pub version: u64,
    /// In the order in which they were made.
    pub bans: Vec<Ban>,
}

/// What an operator wants changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Change {
    /// Bans, or bans otherwise.
    Add {
        name: Name,
        /// Until when, in seconds since 1970 UTC.
        until: Option<i64>,
        reason: Option<String>,
        /// What becomes of what runs.
        #[serde(default)]
        running: Running,
    },
    /// Lifts a ban: exactly the name that was banned.
    Remove {
        /// Whose.
        name: Name,
    },
}

impl Change {
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let change: Change = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match &change {
            Change::Add { reason: Some(reason), .. }
                if reason.len() > MAX_REASON || reason.chars().any(char::is_control) =>
            {
                Err("the reason is too long, or no text".to_owned())
            }
            _ => Ok(change),
        }
    }
}

impl List {
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// The list after a change; `None` where the change would remove what is not there.
    #[must_use]
    pub fn changed(&self, change: &Change, by: &str, now: i64) -> Option<List> {
        let (Change::Add { name, .. } | Change::Remove { name }) = change;
        let mut bans: Vec<Ban> = self.bans.iter().filter(|ban| ban.name != *name).cloned().collect();
        match change {
            Change::Add { name, until, reason, running } => bans.push(Ban {
                running: *running,
                name: name.clone(),
                until: *until,
                reason: reason.clone(),
                by: by.to_owned(),
                since: now,
            }),
            Change::Remove { .. } if bans.len() == self.bans.len() => return None,
            Change::Remove { .. } => {}
        }
        Some(List { version: self.version.saturating_add(1), bans })
    }

    /// The ban that counts now for somebody: for the person, its CA, or one of its VOMS attributes.
    pub fn of(&self, identity: &Identity, now: i64) -> Option<&Ban> {
        self.find(&identity.subject, identity.issuer(), &identity.fqans, now)
    }

    fn find(&self, subject: &Dn, issuer: Option<&Dn>, fqans: &[Fqan], now: i64) -> Option<&Ban> {
        if self.bans.is_empty() {
            return None;
        }
        let mut names = vec![Banned::person(subject)];
        names.extend(issuer.map(Banned::person));
        names.extend(fqans.iter().map(Banned::fqan));
        let counts = |ban: &&Ban| ban.until.is_none_or(|until| now < until);
        self.bans.iter().filter(counts).find(|ban| names.iter().any(|name| ban.name.means(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.to_owned().try_into().unwrap()
    }

    fn list(names: &[&str]) -> List {
        names.iter().fold(List::default(), |list, text| {
            let add = Change::Add { name: name(text), until: None, reason: None, running: Running::GoesOn };
            list.changed(&add, "/CN=Operator", 1).unwrap()
        })
    }

    fn bans(ban: &str, subject: &str, issuer: &str, fqans: &[&str]) -> bool {
        let dn = |text: &str| Dn::try_from(text.to_owned()).unwrap();
        let fqans: Vec<Fqan> = fqans.iter().map(|text| Fqan::try_from((*text).to_owned()).unwrap()).collect();
        list(&[ban]).find(&dn(subject), Some(&dn(issuer)), &fqans, 0).is_some()
    }

    #[test]
    fn people_cas_and_attributes_are_banned_in_every_spelling() {
        for (ban, banned) in [
            ("/DC=org/CN=Alice", true),
            ("/DC=org/CN=A*", true),
            ("/dc=org/cn=Alice", true),
            ("/CN=CA", true),
            ("/vo/Role=pilot", true),
            ("/vo/Role=pilot/Capability=NULL", true),
            ("/vo/*", true),
            ("/DC=org/CN=Bob", false),
            ("/vo/Role=prod", false),
            ("/vo", false),
            ("/CN=CA2", false),
        ] {
            let found = bans(ban, "/DC=org/CN=Alice", "/CN=CA", &["/vo/Role=pilot/Capability=NULL"]);
            assert_eq!(found, banned, "{ban}");
        }
    }

    #[test]
    fn a_ban_ends_when_it_says() {
        let dn = Dn::try_from("/CN=Alice".to_owned()).unwrap();
        let add = Change::Add { name: name("/CN=Alice"), until: Some(100), reason: None, running: Running::GoesOn };
        let list = List::default().changed(&add, "/CN=Operator", 1).unwrap();
        assert!(list.find(&dn, Some(&dn), &[], 99).is_some());
        assert!(list.find(&dn, Some(&dn), &[], 100).is_none());
    }

    #[test]
    fn the_version_grows_with_every_change_and_with_nothing_else() {
        let list = list(&["/CN=Alice", "/CN=Bob", "/CN=Alice"]);
        assert_eq!((list.version, list.bans.len()), (3, 2));
        assert_eq!(list.changed(&Change::Remove { name: name("/CN=Carol") }, "", 1), None);
        assert_eq!(list.changed(&Change::Remove { name: name("/CN=Bob") }, "", 1).unwrap().version, 4);
    }

    #[test]
    fn a_slip_bans_nobody() {
        for bad in ["", "*", "/*", "/", "CN=Alice", "Alice", "/CN=a\nb", &format!("/CN={}", "x".repeat(MAX_DN))] {
            assert!(Name::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        let long = format!(r#"{{"add":{{"name":"/CN=a","until":null,"reason":"{}"}}}}"#, "x".repeat(501));
        assert!(Change::read(long.as_bytes()).is_err());
        assert!(Change::read(long.replace('x', "").as_bytes()).is_ok());
    }
}
