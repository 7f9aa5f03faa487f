//! All accounts of a gridmapdir at once, for those who look after it.

use super::names::is_mark;
use super::record::Record;
use super::view::View;
use glexec_core::account;
use glexec_core::reason::Outcome;
use glexec_sys::dir::Entry;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// How the names of leases begin: with an encoded `/`, or, where a token's user has a long name, with this word.
const LEASES: [&[u8]; 2] = [b"%2f", b"token%3a"];

/// What an account of a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Free,
    Leased(Lease),
    /// Just being claimed or changed by somebody.
    Changing,
    /// It has more names than a lease gives: the names.
    Conflict(Vec<OsString>),
}

/// A lease as the directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The file's name.
    pub name: OsString,
    /// What the record says: the exact name of the holder. Nothing where the C library made the lease.
    pub holder: Option<String>,
    /// When it was made, in seconds since 1970 UTC, as the record says.
    pub since: Option<i64>,
    /// When it was last used.
    pub used: i64,
    pub(super) entry: Entry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolAccount {
    pub name: String,
    pub standing: Standing,
}

impl View {
    /// All accounts, in the order of their names.
    pub fn accounts(&self) -> Outcome<Vec<PoolAccount>> {
        let mut files: BTreeMap<u64, (Option<Entry>, Vec<OsString>)> = BTreeMap::new();
        for (name, _) in self.listing()? {
            if let Some(entry) = self.entry(&name)?.filter(|entry| entry.regular) {
                let file = files.entry(entry.inode).or_default();
                file.0 = Some(entry);
                file.1.push(name);
            }
        }
        let mut all = Vec::new();
        for (entry, names) in files.into_values() {
            let (accounts, others): (Vec<_>, Vec<_>) =
                names.into_iter().partition(|name| name.to_str().is_some_and(account::is_name));
            let (Some(entry), [account]) = (entry, accounts.as_slice()) else { continue };
            let Some(name) = account.to_str().map(str::to_owned) else { continue };
            all.push(PoolAccount { name, standing: self.standing(entry, others) });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Names of leases that lead to no account: they have one link.
    pub fn orphans(&self) -> Outcome<Vec<OsString>> {
        let mut found = Vec::new();
        for (name, _) in self.listing()? {
            let is_lease = LEASES.iter().any(|start| name.as_encoded_bytes().starts_with(start));
            if is_lease && self.entry(&name)?.is_some_and(|entry| entry.is_free()) {
                found.push(name);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn standing(&self, entry: Entry, others: Vec<OsString>) -> Standing {
        match (entry.links, others.as_slice()) {
            (1, []) => Standing::Free,
            (_, others) if others.iter().any(|name| is_mark(name)) => Standing::Changing,
            (2, [name]) => {
                let (holder, since) = self.recorded(name);
                Standing::Leased(Lease { name: name.clone(), holder, since, used: entry.modified.0, entry })
            }
            (links, _) if links > 2 => Standing::Conflict(others),
            _ => Standing::Changing,
        }
    }

    fn recorded(&self, name: &OsStr) -> (Option<String>, Option<i64>) {
        let Record { holder, since, .. } = self.record(name).ok().flatten().unwrap_or_default();
        (Some(holder).filter(|holder| holder.starts_with('/')), since)
    }
}
