//! Taking a free account: the steps of the protocol that [`super`] argues for, and undoing what somebody left half-done.

use super::directory::Gridmapdir;
use super::names::{MARK, MARK_LIFETIME, marked, private_name, seconds_now};
use super::record;
use super::view::Listing;
use glexec_core::reason::Outcome;
use glexec_policy::files::lease_name::LeaseName;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::time::Duration;

/// How long a call waits for others to lease. They take microseconds, unless their caller has stopped them.
const PATIENCE: Duration = Duration::from_millis(100);

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
    /// All steps for an account that was seen free.
    pub(super) fn claim(&self, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        match self.mark(account, lease)? {
            Claim::Won if !self.is_made(account, lease)? => Ok(Claim::Lost),
            made => Ok(made),
        }
    }

    /// Steps 1 to 4, under the lock where it can be had: the account was seen free some time ago.
    fn mark(&self, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        let _lock = self.view.directory().lock(PATIENCE);
        match self.view.entry(account.as_ref())? {
            Some(entry) if entry.is_free() => self.link_mark(account, lease),
            _ => Ok(Claim::Lost),
        }
    }

    /// Steps 2 to 4.
    pub(super) fn link_mark(&self, account: &str, lease: &LeaseName) -> Outcome<Claim> {
        let mark = private_name(MARK, account);
        match self.view.directory().link(account.as_ref(), &mark) {
            Ok(()) => {}
            // A server that repeats a call whose answer was lost says that the name exists.
            Err(Errno::ENOENT | Errno::EEXIST) => return Ok(Claim::Lost),
            Err(errno) => return Err(self.view.failed("marking an account", errno)),
        }
        let made = self.make_of(&mark, lease);
        if !matches!(made, Ok(Claim::Won)) {
            self.drop_name(&mark)?;
        }
        made
    }

    /// Steps 3 and 4.
    pub(super) fn make_of(&self, mark: &OsStr, lease: &LeaseName) -> Outcome<Claim> {
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

    /// Step 5, and the last look at a new lease.
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

    /// Removes abandoned marks: without its mark a maker can make nothing any more. A clock that runs backwards makes
    /// them young, which is safe.
    pub(super) fn sweep(&self, listing: &Listing) -> Outcome<()> {
        let oldest = seconds_now().saturating_sub(MARK_LIFETIME.as_secs());
        let is_abandoned = |name: &OsStr| marked(name).is_some_and(|(made, _)| made < oldest);
        listing.iter().filter(|(name, _)| is_abandoned(name)).try_for_each(|(name, _)| self.drop_name(name))
    }
}
