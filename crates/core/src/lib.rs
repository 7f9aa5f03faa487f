//! The ground floor, which everything else may import: reasons, names, settings, values. It makes no system call.

#![forbid(unsafe_code)]

pub mod account;
pub mod agent_state;
pub mod credentials;
pub mod described;
pub mod escape;
pub mod field;
pub mod file_error;
pub mod identity;
pub mod lock;
pub mod program;
pub mod question;
pub mod reason;
pub mod site;
pub mod spelling;
pub mod surveyed;
pub mod tokens;
pub mod values;
pub mod verdict;
pub mod vo;
