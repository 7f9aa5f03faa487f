//! What a gridmapdir says, without changing anything in it.

use super::names::{is_mark, marked, seconds_now};
use super::note;
use super::record::{self, MAX_RECORD, Record};
use glexec_config::lcmaps::Inconsistency;
use glexec_core::account;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::files::lease_name::LeaseName;
use glexec_policy::lcmaps::file_refusal;
use glexec_policy::leases::{Pool, Usable};
use glexec_sys::dir::{Directory, Entry, FileError, Writers};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

/// How long an account that was just freed is taken last.
const COOLING: Duration = Duration::from_secs(3600);

/// What a lease leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// There is none.
    Nothing,
    Account(String, Entry),
    /// No account any more: its file is gone.
    Orphan,
    /// Something that cannot be understood.
    Conflict(String),
    /// An account that is just being taken: one of its other names is this mark.
    Passing(OsString),
}

/// What the accounts of a pool are that are not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// All leased.
    Leased,
    /// Some may yet become free.
    Changing,
}

/// All entries of the directory with the inode numbers that it has for them.
pub(super) type Listing = Vec<(OsString, u64)>;

/// The lease is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone;

/// An open gridmapdir to look at.
#[derive(Debug)]
pub struct View {
    directory: Directory,
}

/// Whether a free account was used a short while ago and has lost its lease since: links change one time stamp, use
/// sets both.
fn is_cooling(account: &Entry, now: u64) -> bool {
    let used = u64::try_from(account.modified.0).unwrap_or(0);
    account.changed > account.modified && now.saturating_sub(used) < COOLING.as_secs()
}

impl View {
    /// Opens a gridmapdir: its group may write to it, as sites have it, but nobody else.
    pub fn open(path: &Path) -> Outcome<Self> {
        let directory = Directory::open_trusted(path, Writers::RootAndGroup).map_err(|error| file_refusal(&error))?;
        Ok(View { directory })
    }

    /// A lease under the one of its names that is there, where there is one.
    pub(super) fn spelled(path: &Path, lease: LeaseName) -> Outcome<LeaseName> {
        if lease.spellings().nth(1).is_none() {
            return Ok(lease);
        }
        let view = View::open(path)?;
        for name in lease.spellings() {
            if view.entry(name.as_ref())?.is_some() {
                return Ok(lease.under(name));
            }
        }
        Ok(lease)
    }

    /// The directory itself, for those who lease in it.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn failed(&self, doing: &str, errno: Errno) -> Refusal {
        Refusal::new(Reason::LcmapsGridmapdir, "the site's pool accounts cannot be leased").detail(format!(
            "{}: {doing}: {}",
            self.directory.path().display(),
            errno.desc()
        ))
    }

    pub(super) fn conflict(&self, lease: &LeaseName, why: &str) -> Refusal {
        Refusal::new(Reason::LcmapsLeaseConflict, "the lease of a pool account is in conflict with the site's policy")
            .detail(format!("{}/{}: {why}", self.directory.path().display(), lease.as_str()))
    }

    /// Its account's file is gone, or was copied without the link: the account may look free, and be somebody else's by now.
    pub(super) fn orphan(&self, lease: &LeaseName) -> Refusal {
        self.conflict(
            lease,
            "it has one link, so that it leads to no account; was the directory copied without hard links (use rsync -H, \
             cp -a or tar)? Link it to its account again (ln), or remove it where the account is nobody's",
        )
    }

    pub(super) fn foreign(&self, lease: &LeaseName, account: &str, pool: &Pool) -> Refusal {
        self.conflict(lease, &format!("{account} is not of pool {}", pool.prefix))
    }

    pub(super) fn exhausted(&self, pool: &Pool, lease: &LeaseName) -> Refusal {
        let sentence = format!("all accounts of the pool {} are taken", pool.prefix);
        let place = format!("{}, lease {}", self.directory.path().display(), lease.as_str());
        Refusal::new(Reason::LcmapsPoolExhausted, sentence).detail(place)
    }

    pub(super) fn listing(&self) -> Outcome<Listing> {
        self.directory.listing().map_err(|error| file_refusal(&error))
    }

    pub(super) fn entry(&self, name: &OsStr) -> Outcome<Option<Entry>> {
        self.directory.entry(name).map_err(|errno| self.failed("looking at an entry", errno))
    }

    /// The account of an existing lease as it is now; `None` where there is no lease. One that is just being made is
    /// taken for made.
    pub fn existing(&self, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        let account = match self.held(lease.as_str().as_ref())?.0 {
            Held::Nothing => return Ok(None),
            Held::Orphan => return Err(self.orphan(lease)),
            Held::Conflict(why) => return Err(self.conflict(lease, &why)),
            Held::Account(account, _) => account,
            Held::Passing(name) => match marked(&name) {
                Some((_, account)) => account.to_owned(),
                None => return Err(self.conflict(lease, "others are changing it")),
            },
        };
        match pool.has(&account) {
            true => Ok(self.is_for(lease)?.then_some(account)),
            false if pool.inconsistency == Inconsistency::Override => Ok(None),
            false => Err(self.foreign(lease, &account, pool)),
        }
    }

    /// Refuses where the record proves that the lease belongs to somebody else. False where the lease is gone.
    pub(super) fn is_for(&self, lease: &LeaseName) -> Outcome<bool> {
        let recorded = match self.record(lease.as_str().as_ref()) {
            Ok(Some(record)) => record.holder,
            Ok(None) => return Ok(true),
            Err(Gone) => return Ok(false),
        };
        if lease.is_shared_with(&recorded) {
            let sentence = "your name differs only in letter case from another user's, who has this lease";
            return Err(Refusal::new(Reason::LcmapsLeaseName, sentence).detail(format!("holder {recorded:?}")));
        }
        Ok(true)
    }

    /// The record of a lease, where it has one.
    pub(super) fn record(&self, lease: &OsStr) -> Result<Option<Record>, Gone> {
        let limit = u64::try_from(MAX_RECORD).unwrap_or(u64::MAX);
        match self.directory.read(lease, limit) {
            Ok(recorded) => Ok(Some(record::read(&recorded))),
            Err(FileError::Missing(_)) => Err(Gone),
            // Something else than a record: too large, or a file that others may write, which proves nothing.
            Err(_) => Ok(None),
        }
    }

    /// The account of a lease as its record or a note has it, where that is certain: a file with two names, which are the
    /// lease and this account, has no other. It saves looking for the account in a directory with thousands.
    fn known_account(&self, lease: &OsStr, entry: Entry) -> Outcome<Option<String>> {
        if entry.links != 2 {
            return Ok(None);
        }
        let recorded = self.record(lease).ok().flatten().and_then(|record| record.account);
        let told = recorded.or_else(|| note::read(entry.inode));
        let Some(account) = told.filter(|name| account::is_name(name) && lease != name.as_str()) else {
            return Ok(None);
        };
        let is_its = self.entry(account.as_ref())?.is_some_and(|named| named.inode == entry.inode);
        Ok(is_its.then_some(account))
    }

    /// What a lease leads to, and the listing that says so, where one was needed.
    pub(super) fn held(&self, lease: &OsStr) -> Outcome<(Held, Listing)> {
        let Some(entry) = self.entry(lease)? else { return Ok((Held::Nothing, Listing::new())) };
        if !entry.regular {
            return Ok((Held::Conflict("it is not a regular file".to_owned()), Listing::new()));
        }
        if let Some(account) = self.known_account(lease, entry)? {
            return Ok((Held::Account(account, entry), Listing::new()));
        }
        let listing = self.listing()?;
        let names = self.names_of(entry, lease, &listing)?;
        if let Some(name) = names.iter().find(|name| is_mark(name)) {
            return Ok((Held::Passing(name.clone()), listing));
        }
        let account = names.first().and_then(|name| name.to_str()).filter(|name| account::is_name(name));
        let held = match (entry.links, names.len(), account) {
            (1, 0, _) => Held::Orphan,
            (2, 1, Some(account)) => Held::Account(account.to_owned(), entry),
            (links, ..) => Held::Conflict(format!("it has {links} links; other names here: {names:?}")),
        };
        Ok((held, listing))
    }

    /// The other names of a file. The directory's inode numbers are tried first: they save looking at every entry.
    fn names_of(&self, file: Entry, except: &OsStr, listing: &Listing) -> Outcome<Vec<OsString>> {
        let others = u64::try_from(listing.len()).unwrap_or(u64::MAX).min(file.links.saturating_sub(1));
        for hinted in [true, false] {
            let mut names = Vec::new();
            for (name, inode) in listing {
                if name != except
                    && (!hinted || *inode == file.inode)
                    && self.entry(name)?.is_some_and(|entry| entry.inode == file.inode)
                {
                    names.push(name.clone());
                }
            }
            if !hinted || u64::try_from(names.len()).is_ok_and(|found| found == others) {
                return Ok(names);
            }
        }
        Ok(Vec::new())
    }

    /// The accounts of a pool that the listing does not show as leased, in order.
    pub(super) fn candidates(pool: &Pool, listing: &Listing) -> Vec<String> {
        let mut links: BTreeMap<u64, u32> = BTreeMap::new();
        for (_, inode) in listing.iter().filter(|(name, _)| !is_mark(name)) {
            let count = links.entry(*inode).or_default();
            *count = count.saturating_add(1);
        }
        let leased = |inode: &u64| links.get(inode).is_some_and(|count| *count > 1);
        let member = |name: &OsString| name.to_str().filter(|name| pool.has(name)).map(str::to_owned);
        let mut accounts: Vec<String> =
            listing.iter().filter(|(_, inode)| !leased(inode)).filter_map(|(name, _)| member(name)).collect();
        accounts.sort_by(|a, b| pool.rank(a).cmp(&pool.rank(b)));
        accounts
    }

    /// Visits the free accounts of a pool in the order in which they are taken, each as soon as it is seen to be free, until
    /// one gives something.
    pub(super) fn visit_free<T>(
        &self,
        pool: &Pool,
        listing: &Listing,
        mut visit: impl FnMut(&str) -> Outcome<Option<T>>,
    ) -> Outcome<(Option<T>, Rest)> {
        let (mut last, mut rest) = (Vec::new(), Rest::Leased);
        let now = seconds_now();
        for account in Self::candidates(pool, listing) {
            match self.entry(account.as_ref())? {
                Some(entry) if entry.is_free() && is_cooling(&entry, now) => last.push(account),
                Some(entry) if entry.is_free() => {
                    if let Some(found) = visit(&account)? {
                        return Ok((Some(found), rest));
                    }
                }
                Some(entry) if !entry.regular => {}
                // Somebody is claiming it, or has leased it since the listing.
                _ => rest = Rest::Changing,
            }
        }
        for account in last {
            if let Some(found) = visit(&account)? {
                return Ok((Some(found), rest));
            }
        }
        Ok((None, rest))
    }

    fn first_usable(&self, pool: &Pool, listing: &Listing, usable: &Usable<'_>) -> Outcome<Option<String>> {
        let found = self.visit_free(pool, listing, |account| Ok(usable(account)?.then(|| account.to_owned())))?;
        Ok(found.0)
    }

    /// The member of the pool that a lease made now would most likely get.
    pub fn first_free(&self, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        self.first_usable(pool, &self.listing()?, usable)?.ok_or_else(|| self.exhausted(pool, lease))
    }

    /// Whether the pool seems to have a free account, or one that is just being claimed and may yet become free.
    pub(super) fn has_free(&self, pool: &Pool, usable: &Usable<'_>) -> Outcome<bool> {
        let listing = self.listing()?;
        Ok(self.first_usable(pool, &listing, usable)?.is_some()
            || Self::marks_in(pool, &listing)
            || !self.is_settled(&listing)?)
    }

    /// Whether the directory still has just these names. A listing that others were changing meanwhile may lack a name that
    /// was there all the time (readdir(3p)): that a pool is exhausted is true only of one that has settled.
    pub(super) fn is_settled(&self, listing: &Listing) -> Outcome<bool> {
        let sorted = |mut listing: Listing| {
            listing.sort_unstable();
            listing
        };
        Ok(sorted(self.listing()?) == sorted(listing.clone()))
    }

    /// Whether an account of the pool is just being claimed.
    pub(super) fn marks_in(pool: &Pool, listing: &Listing) -> bool {
        listing.iter().any(|(name, _)| marked(name).is_some_and(|(_, account)| pool.has(account)))
    }
}
