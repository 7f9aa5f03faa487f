//! How a decision came about: what each plug-in looked at and what it answered, in order.

use glexec_core::reason::Outcome;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a plug-in found on its way to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A line of a file that counted.
    Line {
        file: PathBuf,
        /// The line's number, from 1.
        number: usize,
        says: String,
    },
    /// A line of a file that cannot be understood.
    PassedOver {
        file: PathBuf,
        /// The line's number and what is wrong with it.
        why: String,
    },
    /// A lease that is there.
    Lease {
        path: PathBuf,
        /// The account or group that it leads to.
        of: String,
    },
    /// A lease that has to be made.
    NoLease {
        path: PathBuf,
        /// What the names of the accounts or groups start with that it can lead to.
        pool: String,
    },
    /// What the site's service has answered.
    Site { account: String },
}

impl Seen {
    /// A line that counted.
    pub fn line(file: &Path, number: usize, says: impl Into<String>) -> Self {
        Seen::Line { file: file.into(), number, says: says.into() }
    }

    /// A line that was passed over.
    pub fn passed_over(file: &Path, why: impl ToString) -> Self {
        Seen::PassedOver { file: file.into(), why: why.to_string() }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Line { file, number, says } => write!(f, "{} line {number}: {says}", file.display()),
            Seen::PassedOver { file, why } => write!(f, "{}: {why}; passed over", file.display()),
            Seen::Lease { path, of } => write!(f, "{} leads to {of}", path.display()),
            Seen::Site { account } => write!(f, "the site's mapping service says {account}"),
            Seen::NoLease { path, pool } => write!(f, "{} does not exist yet; the pool is {pool}", path.display()),
        }
    }
}

/// Which side of the policy a plug-in is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// LCAS: may this user run here.
    Authorization,
    /// LCMAPS: which account.
    Mapping,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Authorization => "LCAS",
            Side::Mapping => "LCMAPS",
        })
    }
}

/// One plug-in's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// LCAS or LCMAPS.
    pub side: Side,
    /// The plug-in's type, and after it whom it judged or what the configuration calls it.
    pub plugin: String,
    /// What it found.
    pub seen: Vec<Seen>,
    /// What it answered.
    pub answer: Outcome<()>,
}

impl Step {
    /// The answer in words, with what only the log may tell.
    pub fn in_words(&self) -> String {
        match &self.answer {
            Ok(()) => "yes".into(),
            Err(refusal) => format!("no, {} ({})", refusal.for_log(), refusal.reason()),
        }
    }
}

/// All answers so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The steps in their order.
    pub steps: Vec<Step>,
}

impl Trail {
    /// What an administrator may want to know of it, for the log: each once.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for seen in self.steps.iter().flat_map(|step| &step.seen) {
            if let Seen::PassedOver { file, why } = seen {
                let note = format!("{}: {why}; the line was passed over", file.display());
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }
}
