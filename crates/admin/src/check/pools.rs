//! Pools: their directory, their accounts, how many are free.

use super::finding::{Finding, Gauge, State};
use crate::show::counted;
use crate::site_files;
use glexec_config::Config;
use glexec_config::lcmaps::Pools;
use glexec_core::account::Limits;
use glexec_core::reason::{Outcome, Reason};
use glexec_machine::accounts::Nss;
use glexec_machine::gridmapdir::{PoolAccount, Standing, View};
use glexec_policy::accounts::{self, AccountDatabase};
use glexec_policy::leases::Pool;
use glexec_sys_more::plain;
use nix::sys::statvfs::FsFlags;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Below one free account in so many a pool is worth a warning.
const FEW: usize = 10;
/// How many accounts are named.
const NAMED: usize = 10;

/// Where the kernel says whether people may make hard links to what they cannot write, proc_sys_fs(5).
const PROTECTED_HARDLINKS: &str = "/proc/sys/fs/protected_hardlinks";
/// The group's permission to write, inode(7).
const GROUP_WRITES: u32 = 0o020;

/// What a pool has.
#[derive(Clone, Copy)]
enum Of {
    Accounts,
    Groups,
}

impl Of {
    fn one(self) -> &'static str {
        match self {
            Of::Accounts => "account",
            Of::Groups => "group",
        }
    }

    /// Its id, where there is one.
    fn id(self, name: &str) -> Option<u32> {
        match self {
            Of::Accounts => Nss.user(name).ok().flatten().map(|user| user.uid),
            Of::Groups => Nss.group(name).ok().flatten(),
        }
    }

    /// Whether a call could get it.
    fn look(self, name: &str, limits: Limits) -> Outcome<()> {
        match self {
            Of::Accounts => accounts::account(&Nss, name, limits).map(drop),
            Of::Groups => accounts::group(&Nss, name, limits).map(drop),
        }
    }
}

/// Checks every gridmapdir and groupmapdir, and the pools in it that a map names.
pub fn check(config: &Config, accounts: &BTreeSet<String>, groups: &BTreeSet<String>) -> Vec<Finding> {
    let limits = Limits { min_uid: config.glexec.min_uid, min_gid: config.glexec.min_gid };
    let all = |of, pools: Vec<&Pools>, named| {
        let directories: BTreeMap<&Path, &Pools> =
            pools.into_iter().map(|pools| (pools.gridmapdir.as_path(), pools)).collect();
        directories.into_iter().flat_map(move |(path, pools)| directory(of, path, pools, named, limits)).collect()
    };
    let mut found: Vec<Finding> = all(Of::Accounts, site_files::pools(&config.lcmaps), accounts);
    found.append(&mut all(Of::Groups, site_files::group_pools(&config.lcmaps), groups));
    found.extend(shared(Of::Accounts, site_files::pools(&config.lcmaps), accounts));
    found.extend(shared(Of::Groups, site_files::group_pools(&config.lcmaps), groups));
    found
}

/// Members of pools that have one id: two people would be one to the system.
fn shared(of: Of, pools: Vec<&Pools>, named: &BTreeSet<String>) -> Vec<Finding> {
    let mut by_id: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for pools in pools {
        let accounts = View::open(pools.gridmapdir.as_path()).and_then(|view| view.accounts()).unwrap_or_default();
        for prefix in named {
            let pool = Pool { prefix: prefix.clone(), members: pools.members, inconsistency: pools.inconsistency };
            for member in accounts.iter().filter(|account| pool.has(&account.name)) {
                if let Some(id) = of.id(&member.name) {
                    by_id.entry(id).or_default().insert(member.name.clone());
                }
            }
        }
    }
    let several = by_id.into_iter().filter(|(_, names)| names.len() > 1);
    let finding = |(id, names): (u32, BTreeSet<String>)| {
        let names: Vec<String> = names.into_iter().collect();
        let says = format!("they have one id, {id}: a user who gets one of them can do what the others can");
        let mend = "give each an id of its own, and its files to it, before anybody gets them";
        Finding::bad(State::Critical, format!("pool {}s {}", of.one(), names.join(", ")), says, mend)
    };
    several.map(finding).collect()
}

fn directory(of: Of, path: &Path, pools: &Pools, named: &BTreeSet<String>, limits: Limits) -> Vec<Finding> {
    let subject = path.display().to_string();
    let read = |view: View| Ok((view.accounts()?, view.orphans()?));
    let (accounts, orphans) = match View::open(path).and_then(read) {
        Ok(read) => read,
        Err(refusal) => return vec![Finding::of(State::Critical, subject, &refusal)],
    };
    let mut found = Vec::new();
    if plain::mounted(path).is_ok_and(|flags| flags.contains(FsFlags::ST_RDONLY)) {
        let says = "its file system is read-only: no lease can be made";
        found.push(Finding::refused(State::Critical, subject.clone(), says, Reason::LcmapsGridmapdir));
    } else {
        found.push(Finding::ok(subject.clone(), counted(accounts.len(), of.one())));
    }
    if let Some(first) = orphans.first() {
        let says = format!(
            "leases with one link lead to no account, and their holders are refused: {}, {} the first",
            orphans.len(),
            first.to_string_lossy()
        );
        let mend =
            "copy the directory with its hard links (rsync -H, cp -a, tar), or remove leases whose account is gone";
        found.push(Finding {
            mend: Some(mend.to_owned()),
            ..Finding::refused(State::Critical, subject.clone(), says, Reason::LcmapsLeaseConflict)
        });
    }
    found.extend(links_of_others(&subject, path));
    for account in &accounts {
        if let Standing::Conflict(names) = &account.standing {
            let says = format!("{} has several leases: {names:?}", account.name);
            let mend = "end its processes, and remove the leases that are too many";
            found.push(Finding::bad(State::Warning, subject.clone(), says, mend));
        }
    }
    for prefix in named {
        let pool = Pool { prefix: prefix.clone(), members: pools.members, inconsistency: pools.inconsistency };
        found.extend(one(of, &pool, path, &accounts, limits));
    }
    found
}

/// glexec writes an account's record into the account's file, as root. Who may make names in the directory could make
/// one a link to another file owned by root on that file system, where the kernel lets people link what they cannot
/// write.
fn links_of_others(subject: &str, path: &Path) -> Option<Finding> {
    let (owner, mode) = plain::permissions(path).ok()?;
    let others_write = mode & GROUP_WRITES != 0 || !owner.is_root();
    let unprotected = plain::read_text(Path::new(PROTECTED_HARDLINKS), 16).is_ok_and(|text| text.trim() == "0");
    (others_write && unprotected).then(|| {
        let says = "who may write it can make root overwrite root's files: fs.protected_hardlinks is 0";
        let mend = "sysctl -w fs.protected_hardlinks=1, or chown root and chmod g-w the directory";
        Finding::bad(State::Warning, subject.to_owned(), says, mend)
    })
}

fn one(of: Of, pool: &Pool, path: &Path, accounts: &[PoolAccount], limits: Limits) -> Vec<Finding> {
    let subject = format!("pool {} in {}", pool.prefix, path.display());
    let members: Vec<_> = accounts.iter().filter(|account| pool.has(&account.name)).collect();
    let mut found = Vec::new();
    let mut unusable: BTreeMap<&'static str, (Reason, Vec<&str>)> = BTreeMap::new();
    let mut free = 0_usize;
    for member in &members {
        match of.look(&member.name, limits) {
            Ok(_) if member.standing == Standing::Free => free = free.saturating_add(1),
            Ok(_) => {}
            Err(refusal) => {
                let reason = refusal.reason();
                unusable.entry(reason.code()).or_insert((reason, Vec::new())).1.push(&member.name);
            }
        }
    }
    for (reason, names) in unusable.values() {
        let more = if names.len() > NAMED { ", …" } else { "" };
        let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
        let says = format!("{} of its {}s cannot be used: {}{more}", names.len(), of.one(), shown.join(", "));
        found.push(Finding::refused(State::Warning, subject.clone(), says, *reason));
    }
    let total = members.len();
    let are = if free == 1 || total == 1 { "is" } else { "are" };
    let says = format!("{free} of {} {are} free", counted(total, of.one()));
    let few = free.saturating_mul(FEW) < total;
    let name = match of {
        Of::Accounts => format!("free {}", pool.prefix),
        Of::Groups => format!("free groups {}", pool.prefix),
    };
    let gauge = Some(Gauge { name, free, total, few: total.div_ceil(FEW) });
    if total == 0 {
        let says = format!("it has no {}", of.one());
        let refused = Finding::refused(State::Critical, subject, says, Reason::LcmapsPoolExhausted);
        let mend = format!(
            "touch an empty file {}/{}001 and so on, one for each {} of the pool",
            path.display(),
            pool.prefix,
            of.one()
        );
        found.push(Finding { mend: Some(mend), gauge, ..refused });
        return found;
    }
    let standing = match (free, few) {
        (0, _) => Finding::refused(State::Critical, subject, says, Reason::LcmapsPoolExhausted),
        (_, true) => Finding::refused(State::Warning, subject, says, Reason::LcmapsPoolExhausted),
        (_, false) => Finding::ok(subject, says),
    };
    found.push(Finding { gauge, ..standing });
    found
}
