//! Asking before something is destroyed.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    Given,
    /// Anything else.
    Refused,
    /// There is nobody to ask.
    Nobody,
}

/// Asks on the terminal, unless the command line has said yes.
pub fn consent(question: &str, said_yes: bool) -> Consent {
    if said_yes {
        return Consent::Given;
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Consent::Nobody;
    }
    let mut answer = String::new();
    let asked = write!(stderr(), "{question} [y/N] ").and_then(|()| stdin().lock().read_line(&mut answer));
    match answer.trim() {
        "y" | "Y" | "yes" if asked.is_ok() => Consent::Given,
        _ => Consent::Refused,
    }
}
