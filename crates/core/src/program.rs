//! What a program answers that was asked something.

use std::time::Duration;

/// What a program said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub status: i32,
    pub output: Vec<u8>,
    /// The beginning of its standard error.
    pub errors: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoAnswer {
    /// The system refused a step on our side.
    #[error("{0}: {1}")]
    System(&'static str, String),
    /// It took too long.
    #[error("no answer after {0:?}")]
    Deadline(Duration),
    /// It answered more than it may.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// It did not end with exit code 0; the text is the sandbox's complaint where there is one.
    #[error("{0}")]
    Died(String),
}
