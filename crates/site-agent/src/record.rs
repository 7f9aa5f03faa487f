//! What it writes down: a line on standard error, which the journal keeps. Certificates are never in it.

use glexec_core::escape::visible;
use std::io::{Write, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest line in bytes.
const MAX_LINE: usize = 2048;
/// How long the log is spared another line of the same kind.
const QUIET: Duration = Duration::from_secs(60);

/// Writes a line.
pub fn tell(text: &str) {
    // A reader that does not listen must not stop it.
    let _ = stderr().write_all(format!("glexec-site-agent: {}\n", visible(text.as_bytes(), MAX_LINE)).as_bytes());
}

/// A complaint that may come often, and is made once in a while.
#[derive(Debug, Default)]
pub struct Complaint(Mutex<Option<Instant>>);

impl Complaint {
    /// Writes the line, unless such a one was written a short while ago.
    pub fn tell(&self, text: &str) {
        let Ok(mut last) = self.0.lock() else { return };
        if last.is_none_or(|last| last.elapsed() >= QUIET) {
            *last = Some(Instant::now());
            tell(text);
        }
    }

    /// The next one is written at once.
    pub fn is_over(&self) {
        if let Ok(mut last) = self.0.lock() {
            *last = None;
        }
    }
}
