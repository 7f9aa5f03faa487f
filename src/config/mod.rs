//! glexec.conf: the schema, and loading it securely.

#![forbid(unsafe_code)]

pub mod glexec;
pub mod load;
pub mod plugins;
pub mod values;

pub use glexec_core::credentials;

use credentials::Credentials;
use glexec::Glexec;

/// The checked configuration of a call.
#[derive(Debug)]
pub struct Config {
    /// `[glexec]`.
    pub glexec: Glexec,
    /// `[credentials]`.
    pub credentials: Credentials,
    /// The LCAS plug-ins.
    pub lcas: crate::lcas::Plan,
    /// The LCMAPS plug-ins and policies.
    pub lcmaps: crate::lcmaps::Plan,
}
