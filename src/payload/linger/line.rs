//! What the three processes say to each other: five bytes, a kind and a number.

use glexec_sys::supervise::Ended;

/// Over the line, from the monitor: how the payload ended. The first byte says which, the others are the number.
pub const EXITED: u8 = 1;
/// Ended by a signal.
pub const SIGNALED: u8 = 2;
/// Nothing was executed: glexec itself refused in the payload's process, which tells the monitor so, and it the front; the
/// number is the exit code.
pub const REFUSED: u8 = 3;
/// From the front: hand this signal on.
pub const SIGNAL: u8 = 4;
/// From the front to the monitor, and from there to the payload's process: nothing of the caller's is held any more.
pub const READY: u8 = 5;
/// From the payload's process to the one that reports: it executes the command now.
pub const EXECUTING: u8 = 6;

/// How a call ended for the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The payload ran and ended so.
    Ran(Ended),
    /// glexec refused in the payload's process with this exit code.
    Refused(i32),
}

impl Outcome {
    /// As it goes over the line.
    pub fn message(self) -> [u8; 5] {
        match self {
            Outcome::Ran(Ended::Exited(code)) => message(EXITED, code),
            Outcome::Ran(Ended::Signaled(signal)) => message(SIGNALED, signal),
            Outcome::Refused(code) => message(REFUSED, code),
        }
    }

    /// As it came over the line; nothing where that was something else.
    pub fn from_message(bytes: [u8; 5]) -> Option<Outcome> {
        let [kind, a, b, c, d] = bytes;
        let number = i32::from_le_bytes([a, b, c, d]);
        match kind {
            EXITED => Some(Outcome::Ran(Ended::Exited(number))),
            SIGNALED => Some(Outcome::Ran(Ended::Signaled(number))),
            REFUSED => Some(Outcome::Refused(number)),
            _ => None,
        }
    }
}

/// A message: its kind, and its number.
pub fn message(kind: u8, number: i32) -> [u8; 5] {
    let [a, b, c, d] = number.to_le_bytes();
    [kind, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_cross_the_line_unchanged() {
        for outcome in [
            Outcome::Ran(Ended::Exited(0)),
            Outcome::Ran(Ended::Exited(255)),
            Outcome::Ran(Ended::Signaled(64)),
            Outcome::Refused(202),
        ] {
            assert_eq!(Outcome::from_message(outcome.message()), Some(outcome));
        }
        assert_eq!(Outcome::from_message([0; 5]), None);
    }
}
