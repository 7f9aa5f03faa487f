//! Which local account: mapping plug-ins, combined by a policy.

#![forbid(unsafe_code)]

pub mod fnmatch;
pub mod map_file;
pub mod policy;
pub mod subject;
