//! What policy asks, on this machine: accounts, files, pool accounts, programs; and loading the configuration.

#![forbid(unsafe_code)]

mod account_files;
pub mod accounts;
pub mod configuration;
pub mod files;
pub mod gridmapdir;
mod map_index;
mod notes;
#[cfg(test)]
mod policies_tests;
pub mod programs;
