//! What is kept of a CRL that was gone through.

use super::listed::Listed;
use super::scope::Scope;
use crate::x509::asn1::Malformed;
use std::ops::Deref;
use std::rc::Rc;

/// A CRL with a verified signature.
#[derive(Debug)]
pub struct Crl {
    pub(super) this_update: i64,
    pub(super) next_update: i64,
    pub(super) scope: Scope,
    pub(super) entries: Result<Listed, Malformed>,
}

impl Crl {
    /// Whether its entries have to be looked at for these serial numbers.
    pub fn may_list(&self, serials: &[Vec<u8>]) -> bool {
        self.entries.as_ref().is_ok_and(|listed| serials.iter().any(|serial| listed.may_have(serial)))
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.entries.as_ref().map_or(0, Listed::bytes).saturating_add(size_of::<Self>())
    }
}

/// A CRL with the name of its file, for the log.
#[derive(Debug)]
pub struct Named {
    pub(super) file: String,
    pub(super) crl: Rc<Crl>,
}

impl Deref for Named {
    type Target = Crl;

    fn deref(&self) -> &Crl {
        &self.crl
    }
}
