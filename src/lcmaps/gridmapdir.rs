//! Pool accounts: leases in a gridmapdir that other machines and the C library may use at the same time.
//!
//! The directory has an empty file for each pool account. A lease is a second hard link to it, named after its holder:
//! an account with one link is free, one with two is leased. Whoever finds his lease with two links runs as that
//! account, so a lease that anybody may have found must never be taken away. How one is made:
//!
//! 1. The account has one link. Remember its time stamps.
//! 2. link(2) it to a *claim*: a random name that starts with a dot. Nobody else knows the name and no lookup ever leads
//!    to it, so a claim can always be removed: by its maker, and by others when it was left behind.
//! 3. The file behind the claim must now have exactly two links. If so, the account is ours alone: of all who link it,
//!    each one looks after linking, so only the first can see two, and whoever comes later, the C library too, sees three
//!    and goes away. Otherwise the claim is removed and the next account is tried; when two remove theirs at once, both
//!    try again after a random time.
//! 4. Rename the claim to the lease, in one step that fails where the lease exists (another job of the same person was
//!    faster: its lease is used, the claim removed) or where the claim is gone (somebody held it for abandoned). The lease
//!    never exists with three links, which the C library would answer by removing it.
//!
//! A process that is stopped or killed anywhere leaves either nothing, a whole lease, or a claim that others remove
//! after [`CLAIM_LIFETIME`]. No step waits for another process, so nobody can hold up others by stopping one.
//!
//! The C library takes its own lease back when it sees three links, although another job of the same person may have
//! found it with two a moment before. Nothing can be done about that between its own processes. Here it shows: such a
//! job has set the time stamps between steps 1 and 3. Then the account is set aside: it keeps a second link that no
//! lookup leads to and that the site's expiry tool removes as it does unused leases. On NFS, step 4 needs two steps, and
//! a C process that makes the first lease of the *same* person in that moment may remove it; the lease is looked at once
//! more afterwards, and made again.
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
/// After this time a claim is held for abandoned: steps 2 to 4 take microseconds.
pub const CLAIM_LIFETIME: Duration = Duration::from_secs(10);
/// How often something is looked at again that others are just changing. The pauses between grow to [`LONGEST_PAUSE`],
/// about a second in all.
const ATTEMPTS: u32 = 60;
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
    Account(String),
    /// No account any more: its file is gone.
    Orphan(Entry),
    /// Something that cannot be understood.
    Conflict(String),
    /// Others are changing it.
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

fn private_name(prefix: &str) -> OsString {
    format!("{prefix}{}.{:016x}{:016x}", seconds_now(), random(), random()).into()
}

fn is_claim(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(CLAIM.as_bytes())
}

/// Whether a claim is so old that its maker must have died. A clock that runs backwards makes it young, which is safe.
fn is_abandoned(claim: &OsStr, now: u64) -> bool {
    let made = claim.to_str().and_then(|name| name.strip_prefix(CLAIM)?.split_once('.')?.0.parse::<u64>().ok());
    made.is_some_and(|made| now.saturating_sub(made) > CLAIM_LIFETIME.as_secs())
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

    /// Removes a name that nobody relies on; that it is gone already is as good.
    fn drop_name(&self, name: &OsStr) -> Outcome<()> {
        match self.directory.unlink(name) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.failed("removing a claim", errno)),
        }
    }

    /// Removes claims whose makers must have died; see the head of this file why that is always safe.
    fn sweep(&self, listing: &Listing) -> Outcome<()> {
        let now = seconds_now();
        let abandoned = |name: &&OsString| is_claim(name) && is_abandoned(name, now);
        listing.iter().map(|(name, _)| name).filter(abandoned).try_for_each(|name| self.drop_name(name))
    }

    /// The account of an existing lease, which is marked as used now; `None` where there is no lease.
    pub fn existing(&self, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        let mut attempt = 0_u32;
        loop {
            match self.held(lease.as_str().as_ref())? {
                Held::Nothing | Held::Orphan(_) => return Ok(None),
                Held::Account(account) if pool.has(&account) => {
                    self.check_holder(lease)?;
                    if self.touch(lease)? {
                        return Ok(Some(account));
                    }
                }
                Held::Account(_) if pool.inconsistency == Inconsistency::Override => return Ok(None),
                Held::Account(account) => {
                    return Err(self.conflict(lease, &format!("{account} is not of pool {}", pool.prefix)));
                }
                Held::Conflict(why) if attempt >= ATTEMPTS => return Err(self.conflict(lease, &why)),
                Held::Changing if attempt >= ATTEMPTS => return Err(self.conflict(lease, "others keep changing it")),
                Held::Conflict(_) | Held::Changing => {}
            }
            if attempt > ATTEMPTS {
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

    /// Refuses where the record proves that the lease belongs to somebody else.
    fn check_holder(&self, lease: &LeaseName) -> Outcome<()> {
        let limit = u64::try_from(MAX_DN).unwrap_or(u64::MAX);
        let Ok(recorded) = self.directory.read(lease.as_str().as_ref(), limit) else { return Ok(()) };
        let recorded = String::from_utf8_lossy(&recorded);
        if lease.is_shared_with(&recorded) {
            let sentence = "your name differs only in letter case from another user's, who has this lease";
            return Err(Refusal::new(Reason::LcmapsLeaseName, sentence).detail(format!("holder {recorded:?}")));
        }
        Ok(())
    }

    /// What a lease leads to.
    fn held(&self, lease: &OsStr) -> Outcome<Held> {
        let Some(entry) = self.entry(lease)? else { return Ok(Held::Nothing) };
        if !entry.regular {
            return Ok(Held::Conflict("it is not a regular file".to_owned()));
        }
        let listing = self.listing()?;
        let names = self.names_of(entry, lease, &listing)?;
        let (claims, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_claim(name));
        // Somebody is about to see that he came too late. A C process may be about to take its lease back, too.
        if !claims.is_empty() {
            self.sweep(&listing)?;
            return Ok(Held::Changing);
        }
        let account = names.first().and_then(|name| name.to_str()).filter(|name| account::is_name(name));
        Ok(match (entry.links, names.len(), account) {
            (1, 0, _) => Held::Orphan(entry),
            (2, 1, Some(account)) => Held::Account(account.to_owned()),
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

    /// Whether the pool seems to have a free account, or one that is just being claimed and may yet become free.
    fn has_free(&self, pool: &Pool, usable: &Usable<'_>) -> Outcome<bool> {
        for account in Self::candidates(pool, &self.listing()?) {
            if self.entry(account.as_ref())?.is_some_and(|entry| entry.regular) && usable(&account)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds the lease or makes one on the first free account.
    pub fn lease(&self, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        for attempt in 0..ATTEMPTS {
            if let Some(account) = self.existing(pool, lease)? {
                return Ok(account);
            }
            self.clear_way(pool, lease)?;
            let listing = self.listing()?;
            let mut contended = false;
            for account in Self::candidates(pool, &listing) {
                let Some(entry) = self.entry(account.as_ref())?.filter(|entry| entry.regular) else { continue };
                if entry.links != 1 {
                    // Neither free nor leased: claimed by somebody who may yet go away, or leased since the listing.
                    contended = true;
                    continue;
                }
                if !usable(&account)? {
                    continue;
                }
                match self.claim(&account, entry, lease)? {
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
        let sentence = format!("all accounts of the pool {} are taken", pool.prefix);
        Err(Refusal::new(Reason::LcmapsPoolExhausted, sentence).detail(format!(
            "{}, lease {}",
            self.directory.path().display(),
            lease.as_str()
        )))
    }

    /// Steps 2 to 4 for an account that was seen free.
    fn claim(&self, account: &str, seen: Entry, lease: &LeaseName) -> Outcome<Claim> {
        let claim = private_name(CLAIM);
        match self.directory.link(account.as_ref(), &claim) {
            // A server may have carried out a request whose answer was lost: then the name exists and is ours.
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(Errno::ENOENT) => return Ok(Claim::Lost),
            Err(errno) => return Err(self.failed("linking an account", errno)),
        }
        let Some(entry) = self.entry(&claim)? else { return Ok(Claim::Lost) };
        if entry.links != 2 || entry.inode != seen.inode {
            self.drop_name(&claim)?;
            return Ok(Claim::Lost);
        }
        // Setting both times is what a job does that found a lease; writing or reading sets one.
        if entry.modified != seen.modified && entry.accessed != seen.accessed {
            self.rename(&claim, &private_name(SET_ASIDE))?;
            return Ok(Claim::Lost);
        }
        self.directory
            .overwrite(&claim, entry.inode, lease.holder().as_bytes())
            .or_else(|errno| if errno == Errno::ENOENT { Ok(()) } else { Err(errno) })
            .map_err(|errno| self.failed("recording a lease's holder", errno))?;
        match self.directory.rename_new(&claim, lease.as_str().as_ref()) {
            Ok(()) if self.is_made(lease, entry.inode)? => Ok(Claim::Won),
            Ok(()) | Err(Errno::ENOENT) => Ok(Claim::Lost),
            Err(Errno::EEXIST) => {
                self.drop_name(&claim)?;
                Ok(Claim::LeaseExists)
            }
            Err(errno) => Err(self.failed("making a lease", errno)),
        }
    }

    /// The last look at a new lease, after marking it as used.
    fn is_made(&self, lease: &LeaseName, inode: u64) -> Outcome<bool> {
        let touched = self.touch(lease)?;
        let name: &OsStr = lease.as_str().as_ref();
        Ok(touched && self.entry(name)?.is_some_and(|entry| entry.inode == inode && entry.links >= 2))
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
            Held::Orphan(_) => {}
            Held::Account(account) if !pool.has(&account) && pool.inconsistency == Inconsistency::Override => {}
            _ => return Ok(()),
        }
        let aside = private_name(SET_ASIDE);
        if !self.rename(name, &aside)? {
            return Ok(());
        }
        match self.held(&aside)? {
            // One link under a name that only this process knows.
            Held::Orphan(_) => self.drop_name(&aside),
            Held::Account(account) if pool.has(&account) => match self.directory.rename_new(&aside, name) {
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
