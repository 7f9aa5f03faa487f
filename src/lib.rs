//! glexec: a pilot job runs its payload as the local account of the grid user whom it belongs to.
//!
//! The library exists so that programs and tests share code; nothing of it is a public interface. `pipeline` tells the
//! story; the crate sys holds the only unsafe code and the raw system calls.

pub mod account;
pub mod admin;
pub mod audit;
pub mod call;
pub mod circumstances;
pub mod config;
pub mod credential_files;
pub mod decision;
pub mod invocation;
pub mod lcas;
pub mod lcmaps;
pub mod outside;
pub mod payload;
pub mod pipeline;
pub mod report;
pub mod service;
pub mod trail;
pub mod verifier;
pub mod world;

// Until every file names the crates themselves.
pub use glexec_core::reason;
pub use glexec_sys as sys;
