//! What a check finds.

use crate::mend;
use crate::show::Tone;
use glexec_core::reason::{Reason, Refusal};
use serde::{Deserialize, Serialize};

/// The exit code where nothing was found out.
pub const UNKNOWN: u8 = 3;

/// How bad it is; the numbers are the exit codes that monitoring knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// 0: as it should be.
    Ok,
    /// 1: calls work, or most do; somebody should look.
    Warning,
    /// 2: calls are refused that should not be.
    Critical,
    /// 3: that could not be found out.
    Unknown,
}

impl State {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            State::Ok => 0,
            State::Warning => 1,
            State::Critical => 2,
            State::Unknown => UNKNOWN,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Critical => "CRITICAL",
            State::Unknown => "unknown",
        }
    }

    /// The colour.
    pub fn tone(self) -> Tone {
        match self {
            State::Ok => Tone::Good,
            State::Warning | State::Unknown => Tone::Warning,
            State::Critical => Tone::Bad,
        }
    }

    /// Which counts more: critical, then unknown, then warnings.
    pub fn weight(self) -> u8 {
        match self {
            State::Ok => 0,
            State::Warning => 1,
            State::Unknown => 2,
            State::Critical => 3,
        }
    }
}

/// One finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub state: State,
    /// What it is about: a file, an account, a pool.
    pub subject: String,
    /// What was found.
    pub says: String,
    /// The reason that calls are refused for.
    pub reason: Option<String>,
    /// What to do.
    pub mend: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(subject: impl Into<String>, says: impl Into<String>) -> Self {
        Finding { state: State::Ok, subject: subject.into(), says: says.into(), reason: None, mend: None }
    }

    /// Something is not.
    pub fn bad(state: State, subject: impl Into<String>, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { state, subject: subject.into(), says: says.into(), reason: None, mend: Some(mend.into()) }
    }

    /// Something that calls are refused for.
    pub fn refused(state: State, subject: impl Into<String>, says: impl Into<String>, reason: Reason) -> Self {
        let mend = Some(mend::mend(reason).to_owned());
        Finding { state, subject: subject.into(), says: says.into(), reason: Some(reason.code().to_owned()), mend }
    }

    /// What a refusal says.
    pub fn of(state: State, subject: impl Into<String>, refusal: &Refusal) -> Self {
        Finding::refused(state, subject, refusal.for_log(), refusal.reason())
    }
}
