//! Taking a free account: the steps of the protocol that [`super`] argues for, and undoing what somebody left half-done.

#![forbid(unsafe_code)]

use super::Gridmapdir;
use super::names::{CLAIM, CLAIM_LIFETIME, SET_ASIDE, claimed, private_name, seconds_now};
use super::view::{Listing, Record};
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
        if !self.view.entry(claim)?.is_some_and(|entry| entry.is_free()) {
            return Ok(Claim::Lost);
        }
        match self.view.directory().link(claim, lease.as_str().as_ref()) {
            Ok(()) => self.keep_or_undo(claim, account, lease),
            Err(Errno::ENOENT) => Ok(Claim::Lost),
            Err(Errno::EEXIST) => Ok(Claim::LeaseExists),
            Err(errno) => Err(self.view.failed("making a lease", errno)),
        }
    }

    /// The look after linking.
    pub(super) fn keep_or_undo(&self, claim: &OsStr, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        match self.view.entry(claim)? {
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
        let record = Record { holder: lease.holder().to_owned(), account: Some(account.to_owned()) };
        match self.view.directory().overwrite(name, made.inode, record.text().as_bytes()) {
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

    /// Gives the accounts behind abandoned claims their names back. A clock that runs backwards makes claims young,
    /// which is safe.
    pub(super) fn sweep(&self, listing: &Listing) -> Outcome<()> {
        let now = seconds_now();
        for (name, _) in listing {
            let old = |made: &u64| now.saturating_sub(*made) > CLAIM_LIFETIME.as_secs();
            if let Some((_, account)) = claimed(name).filter(|(made, _)| old(made)) {
                self.give_back(name, account)?;
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
