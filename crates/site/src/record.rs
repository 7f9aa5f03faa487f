//! What the service writes down: one line an event on standard error, which the journal keeps. Certificates and tokens
//! are never in it.

use glexec_core::escape::{quoted, visible};
use std::fmt::Write as _;
use std::io::{Write as _, stderr};

/// Longest value in bytes.
const MAX_VALUE: usize = 2048;

/// A line that is being put together.
#[derive(Debug)]
pub struct Record(String);

impl Record {
    /// A line about an event of this name.
    pub fn new(event: &str) -> Self {
        Record(format!("event={event}"))
    }

    /// Adds a value, escaped: nobody's name ends the line or looks like another field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.0, " {name}={}", quoted(&visible(value.as_bytes(), MAX_VALUE)));
        self
    }

    /// Adds a value where there is one.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Writes the line. A reader that does not listen must not stop the service.
    pub fn write(self) {
        let _ = stderr().write_all((self.0 + "\n").as_bytes());
    }
}
