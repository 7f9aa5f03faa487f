//! glexec.conf: the schema, and loading it securely.

#![forbid(unsafe_code)]

pub mod credentials;
pub mod plugins;
pub mod values;
