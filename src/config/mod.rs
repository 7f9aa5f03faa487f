//! glexec.conf: the crate config, and loading it securely.

#![forbid(unsafe_code)]

pub use glexec_config::*;
pub use glexec_core::credentials;
/// Loading it.
pub mod load {
    pub use glexec_config::parse::{Mistake, parse};
    pub use glexec_machine::configuration::*;
}
