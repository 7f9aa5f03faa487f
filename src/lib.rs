//! glexec: a pilot job runs its payload as the local account of the grid user whom it belongs to.
//!
//! The library exists so that programs and tests share code; nothing of it is a public interface. `pipeline` tells the
//! story; the crate sys holds the only unsafe code and the raw system calls.

pub mod audit;
pub mod call;
pub mod config;
pub mod credential_files;
pub mod decision;
pub mod invocation;
pub mod payload;
pub mod pipeline;
pub mod report;
pub mod service;
pub mod verifier;

// Until every file names the crates themselves.
pub use glexec_core::reason;
pub use glexec_policy::{circumstances, trail, world};
/// Authorization.
pub mod lcas {
    pub use glexec_config::lcas::*;
    pub use glexec_policy::lcas::*;
}
/// Accounts.
pub mod account {
    pub use glexec_core::account::*;
    pub use glexec_machine::accounts::*;
    pub use glexec_policy::accounts::*;
}
/// Programs of the site's.
pub mod outside {
    pub use glexec_config::exec::Exec;
    pub use glexec_machine::programs::*;
    pub use glexec_policy::programs::*;
}
/// Mapping.
pub mod lcmaps {
    pub use glexec_config::lcmaps::*;
    pub use glexec_policy::files::{ban_file, banned, fnmatch, lease_name, subject};
    pub use glexec_policy::lcmaps::*;
    pub use glexec_policy::mapping::Mapping;
    /// Map files.
    pub mod map_file {
        pub use glexec_config::lcmaps::Matching;
        pub use glexec_machine::files::*;
        pub use glexec_policy::files::Files;
        pub use glexec_policy::files::map_file::*;
    }
    /// Leases.
    pub mod gridmapdir {
        pub use glexec_config::lcmaps::{Inconsistency, Members};
        pub use glexec_machine::gridmapdir::*;
        pub use glexec_policy::leases::*;
    }
}
pub use glexec_sys as sys;
