//! The audit trail: what was decided and run for whom, one line a record, which nobody but root can forge or suppress.

pub mod log;
pub mod record;
