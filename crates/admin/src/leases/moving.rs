//! Leases between a gridmapdir and the service's database.

use crate::reading::Said;
use crate::service;
use clap::ArgMatches;
use glexec_core::account::is_name;
use glexec_core::site::is_lease;
use glexec_machine::gridmapdir::{PoolAccount, Standing, View};
use glexec_sys::dir::{Directory, Writers};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub(super) const ACCOUNTS: &str = "/v1/accounts";
/// How many accounts one request brings: those with the longest names stay below what the service takes.
const AT_ONCE: usize = 250;

/// An account as the service has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) account: String,
    pub(super) lease: Option<Lease>,
}

/// A lease as the service has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) name: String,
    pub(super) holder: String,
    pub(super) since: i64,
    pub(super) used: i64,
    /// When it ends, unless its holder comes before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<i64>,
}

impl Account {
    fn is_one(&self) -> bool {
        let is_whole = |lease: &Lease| is_lease(&lease.name) && !lease.holder.contains(char::is_control);
        is_name(&self.account) && self.lease.as_ref().is_none_or(is_whole)
    }
}

/// All accounts that the service has, in the order of their names.
pub(super) fn all(matches: &ArgMatches) -> Result<Vec<Account>, String> {
    let mut all: Vec<Account> = Vec::new();
    loop {
        let after = all.last().map(|last| last.account.as_str()).unwrap_or_default();
        let answer = service::ask(matches, "get", &format!("{ACCOUNTS}?after={after}"), b"")?;
        let accounts: Vec<Account> =
            serde_json::from_slice(&answer).map_err(|error| format!("the service's answer: {error}"))?;
        // Names become names of files here, whatever the service is.
        if let Some(bad) = accounts.iter().find(|account| !account.is_one()) {
            let what = &bad.account;
            return Err(format!("the service's answer: {what:?} is not an account with a lease, or without one"));
        }
        if accounts.is_empty() {
            return Ok(all);
        }
        all.extend(accounts);
    }
}

fn directory(matches: &ArgMatches) -> Result<&Path, String> {
    matches.get_one::<PathBuf>("directory").map(PathBuf::as_path).ok_or_else(|| "no directory".to_owned())
}

fn account(account: PoolAccount) -> Result<Account, String> {
    let PoolAccount { name, standing } = account;
    let lease = match standing {
        Standing::Free => None,
        Standing::Leased(lease) => {
            let text =
                lease.name.into_string().map_err(|_| format!("the lease of {name} has a name that is no text"))?;
            let holder = lease.holder.unwrap_or_default();
            Some(Lease { name: text, holder, since: lease.since.unwrap_or(lease.used), used: lease.used, ends: None })
        }
        Standing::Changing => {
            return Err(format!("{name} is just being changed: stop what leases there, and try again"));
        }
        Standing::Conflict(_) => {
            return Err(format!("{name} has more names than one lease: glexec-admin check says more"));
        }
    };
    Ok(Account { account: name, lease })
}

fn send(matches: &ArgMatches, accounts: &[Account]) -> Result<u64, String> {
    let mut new: u64 = 0;
    for some in accounts.chunks(AT_ONCE) {
        let body = serde_json::to_vec(some).map_err(|error| error.to_string())?;
        let answer = service::ask(matches, "post", ACCOUNTS, &body)?;
        let added: u64 = serde_json::from_slice(&answer).map_err(|error| format!("the service's answer: {error}"))?;
        new = new.saturating_add(added);
    }
    Ok(new)
}

/// Reads a gridmapdir and gives its accounts and leases to the service.
pub(crate) fn import(matches: &ArgMatches) -> Result<Said, String> {
    let accounts = View::open(directory(matches)?).and_then(|view| view.accounts());
    let accounts = accounts.map_err(|refusal| refusal.for_log())?;
    // All of it is understood before anything is sent.
    let accounts = accounts.into_iter().map(account).collect::<Result<Vec<_>, _>>()?;
    let leased = accounts.iter().filter(|account| account.lease.is_some()).count();
    let new = send(matches, &accounts)?;
    Ok(format!("{} accounts, {leased} of them leased; {new} are new to the service\n", accounts.len()).into())
}

/// Adds free accounts.
pub(crate) fn add(matches: &ArgMatches) -> Result<Said, String> {
    let names = matches.get_many::<String>("names").unwrap_or_default();
    let accounts: Vec<Account> = names.map(|name| Account { account: name.clone(), lease: None }).collect();
    let new = send(matches, &accounts)?;
    Ok(format!("{new} of {} accounts are new to the service\n", accounts.len()).into())
}

/// Writes what the service has as a gridmapdir.
pub(crate) fn export(matches: &ArgMatches) -> Result<Said, String> {
    let path = directory(matches)?;
    let target = Directory::open_trusted(path, Writers::RootAndGroup).map_err(|error| error.to_string())?;
    if !target.names().map_err(|error| error.to_string())?.is_empty() {
        return Err(format!("{} is not empty", path.display()));
    }
    let now = glexec_sys::time::now().map_err(|refusal| refusal.for_log())?;
    let (mut number, mut leased) = (0_usize, 0_usize);
    for mut account in all(matches)? {
        // Where there is no service beside the directory, nobody else waits for the end.
        account.lease = account.lease.filter(|lease| lease.ends.is_none_or(|ends| ends > now));
        write(&target, &account).map_err(|errno| format!("{}: {errno}", path.join(&account.account).display()))?;
        number = number.saturating_add(1);
        leased = leased.saturating_add(usize::from(account.lease.is_some()));
    }
    Ok(format!("{} has {number} accounts, {leased} of them leased\n", path.display()).into())
}

fn write(target: &Directory, Account { account, lease }: &Account) -> Result<(), nix::errno::Errno> {
    let record = lease.as_ref().filter(|lease| !lease.holder.is_empty());
    let record = record.map(|lease| format!("{}\n{}\n{account}\n", lease.holder, lease.since)).unwrap_or_default();
    target.replace(account.as_ref(), record.as_bytes())?;
    match lease {
        Some(lease) => target.link(account.as_ref(), lease.name.as_ref()),
        None => Ok(()),
    }
}
