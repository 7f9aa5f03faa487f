//! How far a long work is: one line on a terminal, nothing elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// How often the line is drawn anew.
const PAUSE: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// The line.
#[derive(Debug)]
pub struct Progress {
    total: u64,
    done: u64,
    drawn: Option<Instant>,
    on_terminal: bool,
}

impl Progress {
    /// Progress to so many bytes.
    pub fn new(total: u64) -> Self {
        Progress { total, done: 0, drawn: None, on_terminal: stderr().is_terminal() }
    }

    /// So many bytes more are done, which had so many records in all.
    pub fn advance(&mut self, bytes: u64, records: u64) {
        self.done = self.done.saturating_add(bytes);
        if self.on_terminal && self.drawn.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.drawn = Some(Instant::now());
            // A line that nobody sees is no loss.
            let _ = write!(stderr(), "\r{}", line(self.done, self.total, records));
        }
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(done: u64, total: u64, records: u64) -> String {
    let part = |of: u64| done.saturating_mul(of).checked_div(total).unwrap_or(0).min(of);
    let bar: String = (0..WIDTH).map(|at| if at < part(WIDTH) { '#' } else { '.' }).collect();
    format!("[{bar}] {:3} %  {records} records", part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_with_the_work() {
        assert_eq!(line(0, 0, 0), format!("[{}]   0 %  0 records", ".".repeat(30)));
        assert_eq!(line(50, 100, 7), format!("[{}{}]  50 %  7 records", "#".repeat(15), ".".repeat(15)));
        assert_eq!(line(300, 100, 7), format!("[{}] 100 %  7 records", "#".repeat(30)));
    }
}
