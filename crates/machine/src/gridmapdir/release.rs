//! Taking leases away, in a directory that others use.
//!
//! Whoever finds a lease runs as its account a little later. So an account must not be given to somebody else as long as
//! somebody may have found the old lease and not yet shown up as a process:
//!
//! 1. The lease is renamed to a private name that no lookup leads to. From now on nobody finds it. glexec touches the
//!    lease that it has found, by its name, and looks again where that fails: only calls that had got that far still come.
//!    The account keeps two links, so nobody takes it for free, the C library no more than this program.
//! 2. What was renamed must be what was looked at: the same file, not touched since. Otherwise it gets its name back.
//! 3. The caller waits until every call that had found the lease has become a process of the account or an error.
//! 4. If no process of the account runs, the private name is removed: the account is free, and because of its time stamps
//!    taken last for an hour. If one does, the lease gets its name back, or, where its holder has got another one
//!    meanwhile, stays aside.
//!
//! Whoever is killed on the way leaves an account that is set aside: nobody gets it, and the next expiry finds it.

use super::directory::Gridmapdir;
use super::names::{SET_ASIDE, private_name};
use super::overview::Lease;
use glexec_core::reason::Outcome;
use std::ffi::OsString;

/// A lease that nobody finds any more.
#[derive(Debug)]
pub struct SetAside {
    lease: Lease,
    name: OsString,
}

/// What became of a lease that was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// It has its name again.
    Back,
    /// Its holder has another lease meanwhile; the account stays out of use.
    Aside,
}

impl Lease {
    /// Whether an earlier release was broken off, or glexec itself had to set the account aside.
    pub fn is_set_aside(&self) -> bool {
        self.name.as_encoded_bytes().starts_with(SET_ASIDE.as_bytes())
    }
}

impl Gridmapdir {
    /// Steps 1 and 2. `None` where the lease was used or changed since it was looked at.
    pub fn set_aside(&self, lease: &Lease) -> Outcome<Option<SetAside>> {
        let name = private_name(SET_ASIDE, "lease");
        if !self.renamed(&lease.name, &name)? {
            return Ok(None);
        }
        let aside = SetAside { lease: lease.clone(), name };
        if self.is_unused(&aside)? {
            return Ok(Some(aside));
        }
        self.put_back(aside)?;
        Ok(None)
    }

    /// Whether the file is the one that was looked at, with its two links, and was not used since.
    pub fn is_unused(&self, aside: &SetAside) -> Outcome<bool> {
        let looked_at = aside.lease.entry;
        Ok(self.view.entry(&aside.name)?.is_some_and(|now| {
            (now.inode, now.links, now.modified) == (looked_at.inode, looked_at.links, looked_at.modified)
        }))
    }

    /// Step 4, where nobody came.
    pub fn free(&self, aside: SetAside) -> Outcome<()> {
        self.drop_name(&aside.name)
    }

    /// Step 4, where somebody did.
    pub fn put_back(&self, aside: SetAside) -> Outcome<PutBack> {
        match aside.lease.is_set_aside() {
            true => Ok(PutBack::Aside),
            false if self.renamed(&aside.name, &aside.lease.name)? => Ok(PutBack::Back),
            false => Ok(PutBack::Aside),
        }
    }
}
