//! Programs of the site that decide: plug-ins of type `exec`.

use crate::values::AbsolutePath;
use std::time::Duration;

/// A program and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    pub program: AbsolutePath,
    pub arguments: Vec<String>,
    /// The deadline.
    pub timeout: Duration,
}

impl Exec {
    /// A text about the program, for the log: a site may have several. Without a text its name alone.
    pub fn about(&self, text: &str) -> String {
        let program = self.program.as_path().display();
        if text.is_empty() { program.to_string() } else { format!("{program}: {text}") }
    }
}
