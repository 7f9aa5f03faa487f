//! The only unsafe code and the only raw system calls: files, processes, identities, sandboxes.

#![allow(unsafe_code, clippy::as_conversions, clippy::disallowed_methods)]

pub mod dir;
