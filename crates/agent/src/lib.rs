//! The agent: judges credentials for glexec as the verifier's program does, in processes that are forked ahead.
//!
//! One credential, one process. The zygote takes no call and sees no byte of one: it forks workers, each takes one call,
//! closes its sandbox, judges one credential, and ends.

#![forbid(unsafe_code)]

mod learning;
pub mod start;
mod worker;
mod zygote;
