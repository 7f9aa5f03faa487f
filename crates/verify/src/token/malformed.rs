//! What is no token at all.

use glexec_core::reason::{Reason, Refusal};

/// The refusal of a file that has not the form of a token.
pub fn malformed(why: &str) -> Refusal {
    Refusal::new(Reason::TokenMalformed, format!("the token file is malformed: {why}"))
}
