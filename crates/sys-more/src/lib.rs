//! What only programs without the setuid bit ask the kernel: the verifier's sandbox, the agent's socket, plain files.
//!
//! It is beside [`glexec_sys`] so that the setuid program consists of nothing that it does not need.

#![allow(unsafe_code, clippy::as_conversions, clippy::disallowed_methods)]

pub mod answering;
pub mod beside;
mod filter;
pub mod inherited;
pub mod kernel;
mod landlock;
pub mod plain;
pub mod sandbox;
