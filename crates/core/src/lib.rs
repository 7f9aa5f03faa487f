//! The ground floor, which everything else may import: reasons, names, settings, values. It makes no system call.

#![forbid(unsafe_code)]

pub mod credentials;
pub mod escape;
pub mod field;
pub mod identity;
pub mod reason;
pub mod values;
pub mod vo;
