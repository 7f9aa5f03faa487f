//! An open gridmapdir, and the smallest changes in it.

use super::view::View;
use glexec_core::reason::Outcome;
use glexec_policy::files::lease_name::LeaseName;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::path::Path;

/// An open gridmapdir to lease in.
#[derive(Debug)]
pub struct Gridmapdir {
    pub(super) view: View,
}

impl Gridmapdir {
    /// Opens a gridmapdir: its group may write to it, as sites have it, but nobody else.
    pub fn open(path: &Path) -> Outcome<Self> {
        Ok(Gridmapdir { view: View::open(path)? })
    }

    /// Marks a lease as used; false where it is gone.
    pub(super) fn touch(&self, lease: &LeaseName) -> Outcome<bool> {
        match self.view.directory().touch(lease.as_str().as_ref()) {
            // Looked at again, so that a lease which its maker was just taking back is noticed as late as can be.
            Ok(()) => Ok(self.view.entry(lease.as_str().as_ref())?.is_some_and(|entry| entry.links >= 2)),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.view.failed("touching a lease", errno)),
        }
    }

    /// Removes a name that nobody relies on; that it is gone already is as good.
    pub(super) fn drop_name(&self, name: &OsStr) -> Outcome<()> {
        match self.view.directory().unlink(name) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.view.failed("removing a name", errno)),
        }
    }

    /// Renames a lease; false where it is gone, or the new name is taken.
    pub(super) fn renamed(&self, from: &OsStr, to: &OsStr) -> Outcome<bool> {
        match self.view.directory().rename_new(from, to) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT | Errno::EEXIST) => Ok(false),
            Err(errno) => Err(self.view.failed("renaming a lease", errno)),
        }
    }
}
