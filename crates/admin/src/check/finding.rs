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
    pub fn exit_code(self) -> u8 {
        match self {
            State::Ok => 0,
            State::Warning => 1,
            State::Critical => 2,
            State::Unknown => UNKNOWN,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Critical => "CRITICAL",
            State::Unknown => "unknown",
        }
    }

    /// The word that monitoring plug-ins begin with.
    pub fn status(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
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
    /// What monitoring draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gauge: Option<Gauge>,
}

/// How many accounts or groups of a pool are free.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gauge {
    /// The pool.
    pub name: String,
    /// How many are free.
    pub free: usize,
    /// How many there are.
    pub total: usize,
    /// Fewer free ones are worth a warning.
    pub few: usize,
}

impl Gauge {
    /// As monitoring plug-ins print it: label, value, the ranges without warning and without alarm, least, most.
    pub fn perfdata(&self) -> String {
        let label = self.name.replace(['\'', '=', '|'], "_");
        format!("'{label}'={};{}:;1:;0;{}", self.free, self.few, self.total)
    }
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(subject: impl Into<String>, says: impl Into<String>) -> Self {
        Finding { state: State::Ok, subject: subject.into(), says: says.into(), reason: None, mend: None, gauge: None }
    }

    /// Something is not.
    pub fn bad(state: State, subject: impl Into<String>, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding {
            state,
            subject: subject.into(),
            says: says.into(),
            reason: None,
            mend: Some(mend.into()),
            gauge: None,
        }
    }

    /// Something that calls are refused for.
    pub fn refused(state: State, subject: impl Into<String>, says: impl Into<String>, reason: Reason) -> Self {
        let mend = Some(mend::mend(reason).to_owned());
        let reason = Some(reason.code().to_owned());
        Finding { state, subject: subject.into(), says: says.into(), reason, mend, gauge: None }
    }

    /// What a refusal says.
    pub fn of(state: State, subject: impl Into<String>, refusal: &Refusal) -> Self {
        Finding::refused(state, subject, refusal.for_log(), refusal.reason())
    }
}
