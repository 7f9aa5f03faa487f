//! Pool accounts: leases in a gridmapdir that other machines and the C library may use at the same time.
//!
//! The directory has an empty file for each pool account. A lease is a second hard link to it, named after its holder:
//! an account with one link is free, one with two is leased. Whoever finds his lease with two links runs as that
//! account, so a lease that anybody may have found must never be taken away. The C library links first and looks
//! afterwards; when it then sees three links it takes its own lease back, although another job of the same person may
//! have found it, and the account goes to somebody else. Here an account is taken out of sight before it is linked:
//!
//! 1. The account has one link.
//! 2. Rename the account to a *claim*, a random name that starts with a dot. Of all who try, one succeeds. No lookup
//!    ever leads to a claim, and whoever looks for the account finds no file to link any more.
//! 3. The claim must have one link. If it has two, somebody had been faster: the account gets its name back, his lease
//!    was never touched.
//! 4. Link the claim to the lease. That fails where the lease exists: another job of the same person was faster, and its
//!    lease is used. Now there must be two links. If there are three, somebody had found the account's file before step 2
//!    and linked it after step 3 (link(2) does not do both at once): the lease is removed again. Nobody can have relied
//!    on it, because from a lease whose other name is a claim nobody gets to an account, the C library no more than this
//!    program. Whoever links it after the look sees three links himself and goes away.
//! 5. Rename the claim back to the account. Only now the lease leads to it.
//! 6. Write the record (below), then touch the lease. Whoever comes to nothing before changes no time stamp that means
//!    something: a touch says that the maker of a lease keeps it.
//!
//! A process that is stopped or killed on the way leaves a claim, which says what account it was; others rename it back
//! after [`CLAIM_LIFETIME`]. If its maker had got past step 4, that completes the lease; if not, the maker finds its claim
//! gone and has nothing. Nobody but the same person ever waits for it.
//!
//! What remains is the C library's own doing. It may fail, as it does when two of its own processes meet, because an
//! account vanishes for the moment of steps 2 to 5. With its `-override_inconsistency` it may replace a lease in that
//! moment; the lease is looked at once more at the end. A lease that it made just now may be taken back by its maker
//! until that one has touched it, its last step; so a lease that was linked but not touched since is looked at again
//! before it is used. When two of its processes have taken back a lease that a third relies on, the account looks free;
//! an account that was used a short while ago and then freed is therefore taken last.
//!
//! Names of leases are in lower case, so two people may have the same one. The account's file, empty otherwise, holds
//! the exact name of whom this program leased it to; nobody else reads it. Where the record proves that the lease is
//! another person's, the mapping is refused. A lease that the C library made has no record and proves nothing.

#![forbid(unsafe_code)]

use crate::account;
use crate::credential::identity::MAX_DN;
use crate::lcmaps::lease_name::LeaseName;
use crate::reason::{Outcome, Reason, Refusal};
use crate::sys::dir::{Directory, Entry, FileError, Writers};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How claims are named; a name that starts with a dot is nothing to the C library.
const CLAIM: &str = ".glexec-claim.";
/// How accounts are named that were set aside. No lease has such a name, since every distinguished name starts with `/`
/// (`%2f`); to expiry tools it looks like one.
const SET_ASIDE: &str = "%2eset-aside.";
/// After this time a claim is held for abandoned: steps 2 to 5 take microseconds.
pub const CLAIM_LIFETIME: Duration = Duration::from_secs(5);
/// How long an account that was just freed is taken last.
const COOLING: Duration = Duration::from_secs(3600);
/// How often something is looked at again that others are just changing. The pauses between grow to [`LONGEST_PAUSE`],
/// about a second in all.
const ATTEMPTS: u32 = 60;
/// The same for a lease that is being made, until its claim is abandoned for certain.
const CLAIM_ATTEMPTS: u32 = 500;
const LONGEST_PAUSE: Duration = Duration::from_millis(30);

/// What an account's name must be to belong to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// The pool's name and then only digits.
    Numbered,
    /// Anything that starts with the pool's name (`strict_poolprefix_match` off).
    Prefixed,
}

/// What to do with a lease of the same name on an account of another pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inconsistency {
    /// Refuse.
    Refuse,
    /// Make a new lease in the right pool (`override_inconsistency`).
    Override,
}

/// A pool of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What its accounts' names start with.
    pub prefix: String,
    /// What may follow.
    pub members: Members,
    /// Leases on other pools' accounts.
    pub inconsistency: Inconsistency,
}

impl Pool {
    /// Whether an account belongs to the pool.
    pub fn has(&self, account: &str) -> bool {
        account::is_name(account)
            && account != "root"
            && account.strip_prefix(&self.prefix).is_some_and(|suffix| match self.members {
                Members::Numbered => !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit()),
                Members::Prefixed => true,
            })
    }

    /// Sorts accounts by number: `p2` before `p10`.
    fn rank<'a>(&self, account: &'a str) -> (usize, &'a str, &'a str) {
        let suffix = account.get(self.prefix.len()..).unwrap_or_default();
        let number = suffix.trim_start_matches('0');
        (number.len(), number, account)
    }
}

/// Whether an account of the pool may be used at all; an error ends the search.
pub type Usable<'a> = dyn Fn(&str) -> Outcome<bool> + 'a;

/// What a lease leads to.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    /// There is none.
    Nothing,
    /// An account.
    Account(String, Entry),
    /// No account any more: its file is gone.
    Orphan,
    /// Something that cannot be understood.
    Conflict(String),
    /// Others are changing it.
    Changing,
}

/// What the accounts of a pool are that are not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// All leased.
    Leased,
    /// Some may yet become free.
    Changing,
}

/// What came of trying for one account.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// The lease was made.
    Won,
    /// Somebody else has the account.
    Lost,
    /// The lease exists meanwhile.
    LeaseExists,
}

/// All entries of the directory with the inode numbers that it has for them.
type Listing = Vec<(OsString, u64)>;

/// An open gridmapdir.
#[derive(Debug)]
pub struct Gridmapdir {
    directory: Directory,
}

/// Turns what is wrong with a site's file into a refusal.
pub(super) fn file_refusal(error: &FileError) -> Refusal {
    let reason = match error {
        FileError::Insecure { .. } => Reason::LcmapsFileInsecure,
        FileError::Missing(_) | FileError::Unreadable { .. } | FileError::Unusable { .. } => Reason::LcmapsFileMissing,
    };
    Refusal::new(reason, "a file of the site's account mapping cannot be used").detail(error.to_string())
}

fn pause(attempt: u32) {
    let longest = Duration::from_micros(200).saturating_mul(attempt.saturating_add(1)).min(LONGEST_PAUSE);
    let micros = u64::try_from(longest.as_micros()).unwrap_or(1).max(1);
    std::thread::sleep(Duration::from_micros(random().checked_rem(micros).unwrap_or(0)));
}

/// Random enough for names that must not meet and for pauses; nothing secret rests on it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A name that nobody else will have: what it is, when it was made, and of which account.
fn private_name(prefix: &str, account: &str) -> OsString {
    format!("{prefix}{}.{:016x}{:016x}.{account}", seconds_now(), random(), random()).into()
}

/// Whether a free account was used a short while ago and has lost its lease since: links change one time stamp, use
/// sets both.
fn is_cooling(account: &Entry, now: u64) -> bool {
    let used = u64::try_from(account.modified.0).unwrap_or(0);
    account.changed > account.modified && now.saturating_sub(used) < COOLING.as_secs()
}

fn is_claim(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(CLAIM.as_bytes())
}

/// When a claim was made, and the account that it is.
fn claimed(claim: &OsStr) -> Option<(u64, &str)> {
    let mut parts = claim.to_str()?.strip_prefix(CLAIM)?.splitn(3, '.');
    let (made, _, account) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    account::is_name(account).then_some((made, account))
}

impl Gridmapdir {
    /// Opens a gridmapdir: its group may write to it, as sites have it, but nobody else.
    pub fn open(path: &Path) -> Outcome<Self> {
        let directory = Directory::open_trusted(path, Writers::RootAndGroup).map_err(|error| file_refusal(&error))?;
        Ok(Gridmapdir { directory })
    }

    fn failed(&self, doing: &str, errno: Errno) -> Refusal {
        Refusal::new(Reason::LcmapsGridmapdir, "the site's pool accounts cannot be leased").detail(format!(
            "{}: {doing}: {}",
            self.directory.path().display(),
            errno.desc()
        ))
    }

    fn conflict(&self, lease: &LeaseName, why: &str) -> Refusal {
        Refusal::new(Reason::LcmapsLeaseConflict, "the lease of a pool account is in conflict with the site's policy")
            .detail(format!("{}/{}: {why}", self.directory.path().display(), lease.as_str()))
    }

    fn listing(&self) -> Outcome<Listing> {
        self.directory.listing().map_err(|error| file_refusal(&error))
    }

    fn entry(&self, name: &OsStr) -> Outcome<Option<Entry>> {
        self.directory.entry(name).map_err(|errno| self.failed("looking at an entry", errno))
    }

    /// Step 5. That it is done already is as good. An account that has got a new file meanwhile keeps that one.
    fn give_back(&self, claim: &OsStr, account: &str) -> Outcome<()> {
        match self.directory.rename_new(claim, account.as_ref()) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EEXIST) => self.rename(claim, &private_name(SET_ASIDE, account)).map(|_| ()),
            Err(errno) => Err(self.failed("giving an account its name back", errno)),
        }
    }

    /// Gives the accounts behind abandoned claims their names back. A clock that runs backwards makes claims young,
    /// which is safe.
    fn sweep(&self, listing: &Listing) -> Outcome<()> {
        let now = seconds_now();
        for (name, _) in listing {
            if let Some((made, account)) = claimed(name)
                && now.saturating_sub(made) > CLAIM_LIFETIME.as_secs()
            {
                self.give_back(name, account)?;
            }
        }
        Ok(())
    }

    /// The account of an existing lease, which is marked as used now; `None` where there is no lease.
    pub fn existing(&self, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        let mut attempt = 0_u32;
        loop {
            match self.held(lease.as_str().as_ref())? {
                Held::Nothing | Held::Orphan => return Ok(None),
                Held::Account(account, entry) if pool.has(&account) => {
                    let settled = entry.changed <= entry.modified || attempt >= ATTEMPTS;
                    if settled && self.is_for(lease)? && self.touch(lease)? {
                        return Ok(Some(account));
                    }
                }
                Held::Account(..) if pool.inconsistency == Inconsistency::Override => return Ok(None),
                Held::Account(account, _) => {
                    return Err(self.conflict(lease, &format!("{account} is not of pool {}", pool.prefix)));
                }
                Held::Conflict(why) if attempt >= ATTEMPTS => return Err(self.conflict(lease, &why)),
                Held::Changing if attempt >= CLAIM_ATTEMPTS => {
                    return Err(self.conflict(lease, "others keep changing it"));
                }
                Held::Conflict(_) | Held::Changing => {}
            }
            if attempt > CLAIM_ATTEMPTS {
                return Err(self.conflict(lease, "it keeps vanishing"));
            }
            pause(attempt);
            attempt = attempt.saturating_add(1);
        }
    }

    /// Marks a lease as used; false where it is gone.
    fn touch(&self, lease: &LeaseName) -> Outcome<bool> {
        match self.directory.touch(lease.as_str().as_ref()) {
            // Looked at again, so that a lease which its maker was just taking back is noticed as late as can be.
            Ok(()) => Ok(self.entry(lease.as_str().as_ref())?.is_some_and(|entry| entry.links >= 2)),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.failed("touching a lease", errno)),
        }
    }

    /// Refuses where the record proves that the lease belongs to somebody else. False where the lease is gone.
    fn is_for(&self, lease: &LeaseName) -> Outcome<bool> {
        let limit = u64::try_from(MAX_DN).unwrap_or(u64::MAX);
        let recorded = match self.directory.read(lease.as_str().as_ref(), limit) {
            Ok(recorded) => recorded,
            Err(FileError::Missing(_)) => return Ok(false),
            // Something else than a record: too large, or a file that others may write, which proves nothing.
            Err(_) => return Ok(true),
        };
        let recorded = String::from_utf8_lossy(&recorded);
        if lease.is_shared_with(&recorded) {
            let sentence = "your name differs only in letter case from another user's, who has this lease";
            return Err(Refusal::new(Reason::LcmapsLeaseName, sentence).detail(format!("holder {recorded:?}")));
        }
        Ok(true)
    }

    /// What a lease leads to.
    fn held(&self, lease: &OsStr) -> Outcome<Held> {
        let Some(entry) = self.entry(lease)? else { return Ok(Held::Nothing) };
        if !entry.regular {
            return Ok(Held::Conflict("it is not a regular file".to_owned()));
        }
        let listing = self.listing()?;
        let names = self.names_of(entry, lease, &listing)?;
        if names.iter().any(|name| is_claim(name)) {
            self.sweep(&listing)?;
            return Ok(Held::Changing);
        }
        let account = names.first().and_then(|name| name.to_str()).filter(|name| account::is_name(name));
        Ok(match (entry.links, names.len(), account) {
            (1, 0, _) => Held::Orphan,
            (2, 1, Some(account)) => Held::Account(account.to_owned(), entry),
            (links, ..) => Held::Conflict(format!("it has {links} links; other names here: {names:?}")),
        })
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
    fn candidates(pool: &Pool, listing: &Listing) -> Vec<String> {
        let mut links: BTreeMap<u64, u32> = BTreeMap::new();
        for (_, inode) in listing.iter().filter(|(name, _)| !is_claim(name)) {
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

    fn exhausted(&self, pool: &Pool, lease: &LeaseName) -> Refusal {
        let sentence = format!("all accounts of the pool {} are taken", pool.prefix);
        let place = format!("{}, lease {}", self.directory.path().display(), lease.as_str());
        Refusal::new(Reason::LcmapsPoolExhausted, sentence).detail(place)
    }

    /// The account of an existing lease; `None` where one can be made. Refuses where the pool has no account left.
    pub fn look(&self, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<Option<String>> {
        if let Some(account) = self.existing(pool, lease)? {
            return Ok(Some(account));
        }
        if self.has_free(pool, usable)? {
            return Ok(None);
        }
        // Another job of the same person may have taken the last account in between.
        self.existing(pool, lease)?.map(Some).ok_or_else(|| self.exhausted(pool, lease))
    }

    /// The member of the pool that a lease made now would most likely get.
    pub fn first_free(&self, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        for member in self.free(pool, &self.listing()?)?.0 {
            if usable(&member)? {
                return Ok(member);
            }
        }
        Err(self.exhausted(pool, lease))
    }

    /// Whether the pool seems to have a free account, or one that is just being claimed and may yet become free.
    fn has_free(&self, pool: &Pool, usable: &Usable<'_>) -> Outcome<bool> {
        let listing = self.listing()?;
        for account in self.free(pool, &listing)?.0 {
            if usable(&account)? {
                return Ok(true);
            }
        }
        Ok(Self::claims_in(pool, &listing))
    }

    /// The free accounts of a pool in the order in which they are taken.
    fn free(&self, pool: &Pool, listing: &Listing) -> Outcome<(Vec<String>, Rest)> {
        let (mut free, mut last, mut rest) = (Vec::new(), Vec::new(), Rest::Leased);
        let now = seconds_now();
        for account in Self::candidates(pool, listing) {
            match self.entry(account.as_ref())? {
                Some(entry) if entry.is_free() && is_cooling(&entry, now) => last.push(account),
                Some(entry) if entry.is_free() => free.push(account),
                Some(entry) if !entry.regular => {}
                // Somebody is claiming it, or has leased it since the listing.
                _ => rest = Rest::Changing,
            }
        }
        free.append(&mut last);
        Ok((free, rest))
    }

    /// Whether an account of the pool is just being claimed.
    fn claims_in(pool: &Pool, listing: &Listing) -> bool {
        listing.iter().any(|(name, _)| claimed(name).is_some_and(|(_, account)| pool.has(account)))
    }

    /// Finds the lease or makes one on the first free account.
    pub fn lease(&self, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        for attempt in 0..ATTEMPTS {
            if let Some(account) = self.existing(pool, lease)? {
                return Ok(account);
            }
            self.clear_way(pool, lease)?;
            let listing = self.listing()?;
            let mut contended = Self::claims_in(pool, &listing);
            let (free, rest) = self.free(pool, &listing)?;
            contended |= rest == Rest::Changing;
            for account in free {
                if !usable(&account)? {
                    continue;
                }
                match self.claim(&account, lease)? {
                    Claim::Won => return Ok(account),
                    Claim::Lost => contended = true,
                    Claim::LeaseExists => {
                        contended = true;
                        break;
                    }
                }
            }
            if !contended {
                // Another job of the same person may have taken the last account since the lease was looked for.
                match self.existing(pool, lease)? {
                    Some(account) => return Ok(account),
                    None => break,
                }
            }
            self.sweep(&listing)?;
            pause(attempt);
        }
        Err(self.exhausted(pool, lease))
    }

    /// Steps 2 to 5 for an account that was seen free.
    fn claim(&self, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        let claim = private_name(CLAIM, account);
        if !self.rename(account.as_ref(), &claim)? {
            return Ok(Claim::Lost);
        }
        let made = self.link_claim(&claim, account, lease);
        self.give_back(&claim, account)?;
        match made? {
            Claim::Won if !self.is_made(account, lease)? => Ok(Claim::Lost),
            made => Ok(made),
        }
    }

    /// Steps 3 and 4.
    fn link_claim(&self, claim: &OsStr, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        if !self.entry(claim)?.is_some_and(|entry| entry.is_free()) {
            return Ok(Claim::Lost);
        }
        match self.directory.link(claim, lease.as_str().as_ref()) {
            Ok(()) => self.keep_or_undo(claim, account, lease),
            Err(Errno::ENOENT) => Ok(Claim::Lost),
            Err(Errno::EEXIST) => Ok(Claim::LeaseExists),
            Err(errno) => Err(self.failed("making a lease", errno)),
        }
    }

    /// The look after linking.
    fn keep_or_undo(&self, claim: &OsStr, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        match self.entry(claim)? {
            Some(entry) if entry.links > 2 => {}
            // With two links the lease is ours; without a claim somebody else has completed it.
            _ => return Ok(Claim::Won),
        }
        // A new claim, so that nobody holds it for abandoned while the lease is removed.
        let renewed = private_name(CLAIM, account);
        if !self.rename(claim, &renewed)? {
            return Ok(Claim::Won);
        }
        let undone = self.drop_name(lease.as_str().as_ref());
        self.give_back(&renewed, account)?;
        undone.map(|()| Claim::Lost)
    }

    /// Removes a name that nobody relies on; that it is gone already is as good.
    fn drop_name(&self, name: &OsStr) -> Outcome<()> {
        match self.directory.unlink(name) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.failed("removing a name", errno)),
        }
    }

    /// Step 6, and the last look at a new lease.
    fn is_made(&self, account: &str, lease: &LeaseName) -> Outcome<bool> {
        let name: &OsStr = lease.as_str().as_ref();
        let (Some(made), Some(account)) = (self.entry(name)?, self.entry(account.as_ref())?) else { return Ok(false) };
        if made.inode != account.inode {
            return Ok(false);
        }
        match self.directory.overwrite(name, made.inode, lease.holder().as_bytes()) {
            Ok(()) => self.touch(lease),
            Err(Errno::ENOENT | Errno::ESTALE) => Ok(false),
            Err(errno) => Err(self.failed("recording a lease's holder", errno)),
        }
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> Outcome<bool> {
        match self.directory.rename_new(from, to) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.failed("renaming", errno)),
        }
    }

    /// Takes a lease out of the way that leads to no account, or to another pool's where the site wants that.
    ///
    /// It is renamed first and judged afterwards: what was looked at may have been replaced by a good lease meanwhile,
    /// which then is put back. An account that was leased is not free afterwards: processes of its holder may still run
    /// there. It stays set aside until the site's expiry tool finds it unused for long enough.
    fn clear_way(&self, pool: &Pool, lease: &LeaseName) -> Outcome<()> {
        let name: &OsStr = lease.as_str().as_ref();
        match self.held(name)? {
            Held::Orphan => {}
            Held::Account(account, _) if !pool.has(&account) && pool.inconsistency == Inconsistency::Override => {}
            _ => return Ok(()),
        }
        let aside = private_name(SET_ASIDE, "lease");
        if !self.rename(name, &aside)? {
            return Ok(());
        }
        match self.held(&aside)? {
            // One link under a name that only this process knows.
            Held::Orphan => self.drop_name(&aside),
            Held::Account(account, _) if pool.has(&account) => match self.directory.rename_new(&aside, name) {
                // Where the holder has another lease meanwhile, this account stays aside.
                Ok(()) | Err(Errno::EEXIST | Errno::ENOENT) => Ok(()),
                Err(errno) => Err(self.failed("putting a lease back", errno)),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
