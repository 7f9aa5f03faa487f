//! What was measured, as it is kept in target/bench/*.json, and the statistics of it.

use serde::{Deserialize, Serialize};

/// Cases that were measured in turn, so that their rounds can be compared.
#[derive(Serialize, Deserialize)]
pub struct Group {
    /// What differs between the cases.
    pub name: String,
    pub cases: Vec<Case>,
}

#[derive(Serialize, Deserialize)]
pub struct Case {
    pub name: String,
    /// Milliseconds of every round.
    pub ms: Vec<f64>,
}

/// A median with the 10th and the 90th percentile.
#[derive(Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(values: &[f64]) -> Self {
        let [low, median, high] = [0.1, 0.5, 0.9].map(|part| quantile(values, part));
        Spread { low, median, high }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.low, self.high)
    }
}

impl Group {
    pub fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }

    /// The ratios of two cases, each of one round.
    pub fn ratio(&self, of: &str, to: &str) -> Option<Spread> {
        Some(self.case(of)?.ratio(self.case(to)?))
    }

    pub fn rounds(&self) -> usize {
        self.cases.iter().map(|case| case.ms.len()).min().unwrap_or(0)
    }
}

impl Case {
    /// What it takes more, in milliseconds.
    pub fn above(&self, other: &Case) -> Spread {
        Spread::of(&self.ms.iter().zip(&other.ms).map(|(own, other)| own - other).collect::<Vec<_>>())
    }

    pub fn ratio(&self, to: &Case) -> Spread {
        let ratios: Vec<f64> = self.ms.iter().zip(&to.ms).map(|(own, other)| own / other).collect();
        Spread::of(&ratios)
    }
}

/// The value below which a part of all lie.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

pub const AGENT: &str = "with its agent";
pub const PROGRAM: &str = "without agent";
pub const BEFORE: &str = "the release before";

/// The part `load`: so many calls at once, closed loop.
#[derive(Serialize, Deserialize)]
pub struct Load {
    /// What judges: one of those above.
    pub way: String,
    pub cores: usize,
    pub calls: usize,
    pub levels: Vec<Level>,
}

#[derive(Serialize, Deserialize)]
pub struct Level {
    pub at_once: usize,
    /// Calls a second, by round.
    pub per_second: Vec<f64>,
    /// Milliseconds of every call.
    pub ms: Vec<f64>,
}

/// The part `phases`: microseconds of every traced call.
#[derive(Serialize, Deserialize)]
pub struct Phases {
    /// What judges: one of those above.
    pub way: String,
    /// The whole call, not traced and traced.
    pub plain_ms: Vec<f64>,
    pub traced_ms: Vec<f64>,
    /// In the order in which they happen.
    pub phases: Vec<Phase>,
    /// Within the others.
    pub lookups: Option<Phase>,
    /// How many lookups a call makes.
    pub lookups_a_call: f64,
    /// System calls of the privileged process and of the verifier, in one call.
    pub system_calls: [usize; 2],
}

#[derive(Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    pub us: Vec<f64>,
}

/// The part `memory`: the peak of each process in KiB.
#[derive(Serialize, Deserialize)]
pub struct Peak {
    pub call: String,
    pub process: String,
    pub resident_kib: f64,
    /// What is its own alone: neither program nor libraries.
    pub anonymous_kib: f64,
}

/// The part `instructions`: instructions as callgrind counts them.
#[derive(Serialize, Deserialize)]
pub struct Count {
    pub what: String,
    pub instructions: u64,
}

/// The part `verification`: one credential, our verifier beside openssl.
#[derive(Serialize, Deserialize)]
pub struct Verification {
    pub name: String,
    /// Processor time of one verification in a process that has made others before, in milliseconds.
    pub inside_ms: f64,
    /// Processor time of whole processes.
    pub group: Group,
}
