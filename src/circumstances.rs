//! What a policy may know of a call besides whom the credentials stand for, as owned data.

#![forbid(unsafe_code)]

use crate::invocation::caller::Caller;
use crate::sys::start::Inherited;

/// The circumstances of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The caller's account.
    pub caller: String,
    /// The caller's user id.
    pub caller_uid: u32,
    /// The caller's group id.
    pub caller_gid: u32,
    /// The caller's supplementary groups, as its process has them.
    pub caller_groups: Vec<u32>,
}

impl Circumstances {
    /// Takes what belongs to a policy out of what the call is made of.
    pub fn of(caller: &Caller, inherited: &Inherited) -> Self {
        Circumstances {
            caller: caller.name.clone(),
            caller_uid: caller.uid,
            caller_gid: caller.gid,
            caller_groups: inherited.groups.iter().map(|gid| gid.as_raw()).collect(),
        }
    }
}
