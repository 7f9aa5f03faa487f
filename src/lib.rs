//! glexec: a pilot job runs its payload as the local account of the grid user whom it belongs to.
//!
//! The library exists so that programs and tests share code; nothing of it is a public interface.

pub mod account;
pub mod config;
pub mod credential;
pub mod lcas;
pub mod lcmaps;
pub mod reason;
pub mod sys;
