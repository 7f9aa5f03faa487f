//! glexec: a pilot job runs its payload as the local account of the grid user whom it belongs to.
//!
//! The library exists so that programs and tests share code; nothing of it is a public interface. `pipeline` tells the
//! story; the crate sys holds the only unsafe code and the raw system calls.

pub mod agent;
pub mod audit;
pub mod call;
pub mod credential_files;
pub mod decision;
pub mod invocation;
pub mod payload;
pub mod pipeline;
pub mod report;
pub mod service;
pub mod site;
pub mod verifier;
