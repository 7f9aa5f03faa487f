//! Pool accounts: leases in a gridmapdir that other machines and the C library may use at the same time.
//!
//! The directory has an empty file for each pool account. A lease is a second hard link to it, named after its holder:
//! an account with one link is free, one with two is leased. Whoever finds his lease with two links runs as that
//! account, so a lease that anybody may have found must never be taken away. The C library links first and looks
//! afterwards; when it then sees three links it takes its own lease back, although another job of the same person may
//! have found it, and the account goes to somebody else. Here an account is kept from others before its lease exists:
//!
//! 1. The account has one link.
//! 2. Link the account to a *mark*, a random name that starts with a dot, to which no lookup ever leads. From now on
//!    whoever looks at the account sees two links and passes it over. Whoever had looked before and links it only now sees
//!    three, and goes away.
//! 3. Look at the mark: there must be two links. If there are three, somebody had been faster: the mark is removed, and
//!    nobody else's lease was touched.
//! 4. Rename the mark to the lease. That fails where the lease exists: another job of the same person was faster, and
//!    its lease is used; the mark is removed.
//! 5. Write the record (below), then touch the lease. Whoever comes to nothing before changes no time stamp that means
//!    something: a touch says that the maker of a lease keeps it.
//!
//! So no lease is ever removed again, and no account changes its name, not even for a moment: the C library looks at
//! one name after the other for the account of a lease, and removes the lease when it meets none.
//!
//! A process that is stopped or killed on the way leaves a mark, which says what account it was; after
//! [`MARK_LIFETIME`] others remove it. If its maker goes on after that, it finds its mark gone and has nothing. Nobody
//! ever waits for it.
//!
//! Between machines nothing is asked of the file system but that link(2) and rename(2) are atomic, as they are over NFS
//! (RFC 1813 sections 3.3.14 and 3.3.15), and clocks need not agree: whoever is swept too early finds the mark gone.
//! Where a server's answer is lost and the call repeated, it fails although it was done: then the mark is swept later
//! as an abandoned one, or the next look finds the lease. Where the file system has locks, one lock keeps calls of this
//! program from marking an account between the look and the lease of another. Nothing rests on it but that fewer come
//! too late, and that the C library sees fewer third links; so whoever waits for long goes on without.
//!
//! What remains is the C library's own doing. It may fail, as it does when two of its own processes meet, because it
//! sees a mark as the third link. A lease that it made just now may be taken back by its maker until that one has
//! touched it, its last step; so a lease that was linked but not touched since is looked at again before it is used.
//! One of its processes that finds somebody else's lease where it meant to make its own removes it when yet another one
//! makes it see three links. When two of its processes have taken back a lease that a third relies on, the account
//! looks free; an account that was used a short while ago and then freed is therefore taken last. With its
//! `-override_inconsistency` it may replace a lease; a new one is looked at once more at the end.
//!
//! A lease may be there under several names, where versions of OpenSSL print a name differently
//! ([`LeaseName::spellings`]): the first that is there counts, so that nobody gets a second account for the spelling of
//! a name.
//!
//! Names of leases are in lower case, so two people may have the same one. The account's file, empty otherwise, holds
//! the exact name of whom this program leased it to, when, and its own name; nobody else reads it. Where the record
//! proves that the lease is another person's, the mapping is refused. A lease that the C library made has no record and
//! proves nothing. The account's name is a hint: where the file has two names, the lease and that one, the account is
//! found without a look at the whole directory. For a lease without a record each machine notes it for itself
//! ([`note`]).

mod claim;
mod directory;
mod names;
mod note;
mod overview;
mod record;
mod release;
mod view;

pub use directory::Gridmapdir;
pub use overview::{Lease, PoolAccount, Standing};
pub use release::{PutBack, SetAside};
pub use view::View;

use claim::Claim;
use glexec_config::lcmaps::Inconsistency;
use glexec_core::reason::Outcome;
use glexec_policy::files::lease_name::LeaseName;
use glexec_policy::leases::{Leases, Pool, Usable};
use names::{SET_ASIDE, private_name, random};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;
use view::{Held, Rest};

/// How often something is looked at again that others are just changing. The pauses between grow to [`LONGEST_PAUSE`],
/// about a second in all.
const ATTEMPTS: u32 = 140;
/// The same for a lease whose account has a mark, until that is abandoned for certain.
const MARK_ATTEMPTS: u32 = 500;
const LONGEST_PAUSE: Duration = Duration::from_millis(30);

fn pause(attempt: u32) {
    let longest = Duration::from_micros(200).saturating_mul(attempt.saturating_add(1)).min(LONGEST_PAUSE);
    let micros = u64::try_from(longest.as_micros()).unwrap_or(1).max(1);
    std::thread::sleep(Duration::from_micros(random().checked_rem(micros).unwrap_or(0)));
}

/// Makes leases and marks them as used, as calls do.
#[derive(Clone, Copy, Debug)]
pub struct Leasing;

impl Leases for Leasing {
    fn spelled(&self, directory: &Path, lease: LeaseName) -> Outcome<LeaseName> {
        View::spelled(directory, lease)
    }

    fn first_free(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        View::open(directory)?.first_free(pool, lease, usable)
    }

    fn existing(&self, directory: &Path, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        Gridmapdir::open(directory)?.existing(pool, lease)
    }

    fn look(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<Option<String>> {
        Gridmapdir::open(directory)?.look(pool, lease, usable)
    }

    fn lease(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        Gridmapdir::open(directory)?.lease(pool, lease, usable)
    }
}

/// Looks at leases and changes nothing, not even a time stamp: it has no more than a [`View`].
#[derive(Clone, Copy, Debug)]
pub struct Looking;

impl Leases for Looking {
    fn spelled(&self, directory: &Path, lease: LeaseName) -> Outcome<LeaseName> {
        View::spelled(directory, lease)
    }

    fn first_free(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        View::open(directory)?.first_free(pool, lease, usable)
    }

    fn existing(&self, directory: &Path, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        View::open(directory)?.existing(pool, lease)
    }

    fn look(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<Option<String>> {
        let view = View::open(directory)?;
        match view.existing(pool, lease)? {
            Some(account) => Ok(Some(account)),
            None => view.first_free(pool, lease, usable).map(|_| None),
        }
    }

    fn lease(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        let view = View::open(directory)?;
        match view.existing(pool, lease)? {
            Some(account) => Ok(account),
            None => view.first_free(pool, lease, usable),
        }
    }
}

impl Gridmapdir {
    /// The account of an existing lease, which is marked as used now; `None` where there is no lease.
    pub fn existing(&self, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        let mut attempt = 0_u32;
        loop {
            let (held, listing) = self.view.held(lease.as_str().as_ref())?;
            match held {
                Held::Nothing => return Ok(None),
                Held::Orphan => return Err(self.view.orphan(lease)),
                Held::Account(account, entry) if pool.has(&account) => {
                    let settled = entry.changed <= entry.modified || attempt >= ATTEMPTS;
                    if settled && self.view.is_for(lease)? && self.touch(lease)? {
                        note::write(entry.inode, &account, listing.len());
                        return Ok(Some(account));
                    }
                }
                Held::Account(..) if pool.inconsistency == Inconsistency::Override => return Ok(None),
                Held::Account(account, _) => {
                    return Err(self.view.foreign(lease, &account, pool));
                }
                Held::Conflict(why) if attempt >= ATTEMPTS => return Err(self.view.conflict(lease, &why)),
                Held::Passing(_) if attempt >= MARK_ATTEMPTS => {
                    return Err(self.view.conflict(lease, "others keep changing it"));
                }
                Held::Passing(_) => self.sweep(&listing)?,
                Held::Conflict(_) => {}
            }
            if attempt > MARK_ATTEMPTS {
                return Err(self.view.conflict(lease, "it keeps vanishing"));
            }
            pause(attempt);
            attempt = attempt.saturating_add(1);
        }
    }

    /// The account of an existing lease; `None` where one can be made. Refuses where the pool has no account left.
    pub fn look(&self, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<Option<String>> {
        if let Some(account) = self.existing(pool, lease)? {
            return Ok(Some(account));
        }
        let free = self.view.has_free(pool, usable)?;
        // Another job of the same person may have taken an account in between.
        match self.existing(pool, lease)? {
            None if !free => Err(self.view.exhausted(pool, lease)),
            found => Ok(found),
        }
    }

    /// Finds the lease or makes one on the first free account.
    pub fn lease(&self, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        for attempt in 0..ATTEMPTS {
            if let Some(account) = self.existing(pool, lease)? {
                return Ok(account);
            }
            self.clear_way(pool, lease)?;
            let listing = self.view.listing()?;
            let mut contended = View::marks_in(pool, &listing);
            let (made, rest) = self.view.visit_free(pool, &listing, |account| {
                if !usable(account)? {
                    return Ok(None);
                }
                let claim = self.claim(account, lease)?;
                contended |= claim != Claim::Won;
                Ok((claim != Claim::Lost).then(|| (claim, account.to_owned())))
            })?;
            if let Some((Claim::Won, account)) = made {
                return Ok(account);
            }
            contended |= rest == Rest::Changing;
            if !contended && self.view.is_settled(&listing)? {
                // Another job of the same person may have taken the last account since the lease was looked for.
                match self.existing(pool, lease)? {
                    Some(account) => return Ok(account),
                    None => break,
                }
            }
            self.sweep(&listing)?;
            pause(attempt);
        }
        Err(self.view.exhausted(pool, lease))
    }

    /// Takes a lease out of the way that leads to another pool's account, where the site wants that.
    ///
    /// It is renamed first and judged afterwards: what was looked at may have been replaced by a good lease meanwhile,
    /// which then is put back. An account that was leased is not free afterwards: processes of its holder may still run
    /// there. It stays set aside until the site's expiry tool finds it unused for long enough.
    fn clear_way(&self, pool: &Pool, lease: &LeaseName) -> Outcome<()> {
        let name: &OsStr = lease.as_str().as_ref();
        match self.view.held(name)?.0 {
            Held::Account(account, _) if !pool.has(&account) && pool.inconsistency == Inconsistency::Override => {}
            _ => return Ok(()),
        }
        let aside = private_name(SET_ASIDE, "lease");
        if !self.renamed(name, &aside)? {
            return Ok(());
        }
        match self.view.held(&aside)?.0 {
            // Where the holder has another lease meanwhile, this account stays aside. One that leads to no account any
            // more gets its name back, and is refused by it.
            Held::Orphan => self.renamed(&aside, name).map(drop),
            Held::Account(account, _) if pool.has(&account) => self.renamed(&aside, name).map(drop),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
