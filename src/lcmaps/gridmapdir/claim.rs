//! Taking a free account: the steps of the protocol that [`super`] argues for, and undoing what somebody left half-done.

#![forbid(unsafe_code)]

use super::Gridmapdir;
use super::names::{CLAIM, CLAIM_LIFETIME, MARK, Passing, SET_ASIDE, passing, private_name, seconds_now};
use super::record;
use super::view::Listing;
use crate::lcmaps::lease_name::LeaseName;
use crate::reason::Outcome;
use nix::errno::Errno;
use std::ffi::OsStr;

/// What came of trying for one account.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The lease was made.
    Won,
    /// Somebody else has the account.
    Lost,
    /// The lease exists meanwhile.
    LeaseExists,
}

impl Gridmapdir {
    /// Steps 2 to 5 for an account that was seen free.
    pub(super) fn claim(&self, account: &str, lease: &LeaseName) -> Outcome<Claim> {
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
    pub(super) fn link_claim(&self, claim: &OsStr, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        let mark = private_name(MARK, account);
        if !self.link(claim, &mark)? {
            return Ok(Claim::Lost);
        }
        let made = self.make_of(&mark, lease);
        if !matches!(made, Ok(Claim::Won)) {
            self.drop_name(&mark)?;
        }
        made
    }

    fn make_of(&self, mark: &OsStr, lease: &LeaseName) -> Outcome<Claim> {
        if !self.view.entry(mark)?.is_some_and(|entry| entry.regular && entry.links == 2) {
            return Ok(Claim::Lost);
        }
        match self.view.directory().move_new(mark, lease.as_str().as_ref()) {
            Ok(()) => Ok(Claim::Won),
            Err(Errno::ENOENT) => Ok(Claim::Lost),
            Err(Errno::EEXIST) => Ok(Claim::LeaseExists),
            Err(errno) => Err(self.view.failed("making a lease", errno)),
        }
    }

    /// False where the first name is gone.
    fn link(&self, from: &OsStr, to: &OsStr) -> Outcome<bool> {
        match self.view.directory().link(from, to) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.view.failed("marking an account", errno)),
        }
    }

    /// Removes a name that nobody relies on; that it is gone already is as good.
    pub(super) fn drop_name(&self, name: &OsStr) -> Outcome<()> {
        match self.view.directory().unlink(name) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.view.failed("removing a name", errno)),
        }
    }

    /// Step 6, and the last look at a new lease.
    fn is_made(&self, account: &str, lease: &LeaseName) -> Outcome<bool> {
        let name: &OsStr = lease.as_str().as_ref();
        let (Some(made), Some(leased)) = (self.view.entry(name)?, self.view.entry(account.as_ref())?) else {
            return Ok(false);
        };
        if made.inode != leased.inode {
            return Ok(false);
        }
        let record = record::write(lease.holder(), seconds_now(), account);
        match self.view.directory().overwrite(name, made.inode, record.as_bytes()) {
            Ok(()) => self.touch(lease),
            Err(Errno::ENOENT | Errno::ESTALE) => Ok(false),
            Err(errno) => Err(self.view.failed("recording a lease's holder", errno)),
        }
    }

    /// Step 5. That it is done already is as good. An account that has got a new file meanwhile keeps that one.
    fn give_back(&self, claim: &OsStr, account: &str) -> Outcome<()> {
        match self.view.directory().rename_new(claim, account.as_ref()) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EEXIST) => self.rename(claim, &private_name(SET_ASIDE, account)).map(|_| ()),
            Err(errno) => Err(self.view.failed("giving an account its name back", errno)),
        }
    }

    /// Gives the accounts behind abandoned claims their names back, and then removes abandoned marks: without its mark a
    /// maker can make nothing any more. A clock that runs backwards makes them young, which is safe.
    pub(super) fn sweep(&self, listing: &Listing) -> Outcome<()> {
        let now = seconds_now();
        let abandoned = || {
            let all = listing.iter().filter_map(|(name, _)| Some((name, passing(name)?)));
            all.filter(|(_, (made, _))| now.saturating_sub(*made) > CLAIM_LIFETIME.as_secs())
        };
        for (name, (_, what)) in abandoned() {
            if let Passing::Claim(account) = what {
                self.give_back(name, account)?;
            }
        }
        for (name, (_, what)) in abandoned() {
            if let Passing::Mark(_) = what {
                self.drop_name(name)?;
            }
        }
        Ok(())
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> Outcome<bool> {
        match self.view.directory().rename_new(from, to) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.view.failed("renaming", errno)),
        }
    }
}
