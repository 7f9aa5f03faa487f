//! What a decision asks of the machine, each behind a trait: so that policy can be tested without one, and explained
//! without changing anything on it.

use crate::accounts::AccountDatabase;
use crate::files::Files;
use crate::leases::Leases;
use crate::programs::Programs;
use crate::site::Site;

/// The machine, as plug-ins see it.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Map, ban and list files.
    pub files: &'a dyn Files,
    /// Plug-ins from outside.
    pub programs: &'a dyn Programs,
    /// Accounts and groups.
    pub accounts: &'a dyn AccountDatabase,
    /// Pool accounts.
    pub leases: &'a dyn Leases,
    /// The site's mapping service.
    pub site: &'a dyn Site,
}
