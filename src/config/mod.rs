//! glexec.conf: the crate config, and loading it securely.

#![forbid(unsafe_code)]

pub mod load;

pub use glexec_config::*;
pub use glexec_core::credentials;
