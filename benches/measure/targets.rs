//! What the project wants to reach, and whether it does.

use crate::figures::{self, Case, Spread};
use crate::page::Figures;
use crate::{beside, growth};

/// One line of the table.
pub struct Target {
    pub what: &'static str,
    pub goal: Goal,
    /// What was measured, where it was.
    pub measured: Option<Spread>,
}

#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub fn reached(&self) -> Option<bool> {
        let median = self.measured?.median;
        Some(match self.goal {
            Goal::AtMost(limit) => median <= limit,
            Goal::AtLeast(limit) => median >= limit,
        })
    }
}

pub fn all(figures: &Figures) -> Vec<Target> {
    use Goal::{AtLeast, AtMost};
    let ratio = |of: &str, to: &str| figures.beside.as_ref()?.first()?.ratio(of, to);
    let usual = |to: &str| ratio(beside::USUAL, to);
    let linger = || figures.beside.as_ref()?.first()?.ratio(beside::LINGER, beside::LEASE);
    let sandbox = || {
        let group = figures.beside.as_ref()?.first()?;
        Some(group.case(beside::SANDBOX)?.above(group.case(beside::LEASE)?))
    };
    let grown = |group: &str, large: &str, small: &str| {
        figures.growth.as_ref()?.iter().find(|one| one.name == group)?.ratio(large, small)
    };
    let target = |what, goal, measured| Target { what, goal, measured };
    vec![
        target("the usual call with the agent / `sudo -n`", AtMost(0.52), usual(beside::SUDO)),
        target("the same / sudo-rs 0.2.15", AtMost(0.57), usual(beside::SUDO_RS)),
        target("the same / the C stack with the system's CA bundle", AtMost(0.06), usual(beside::PEER_BUNDLE)),
        target("the same / `setpriv`", AtMost(1.9), usual(beside::SETPRIV)),
        target("without agent: the usual call / `sudo -n`", AtMost(1.25), ratio(beside::USUAL_PROGRAM, beside::SUDO)),
        target("without agent: the user's proxy alone / `sudo -n`", AtMost(1.0), ratio(beside::LEASE, beside::SUDO)),
        target("linger mode / exec mode", AtMost(1.35), linger()),
        target("`--sandbox` on top, ms", AtMost(0.4), sandbox()),
        target("100,000-line map / 10 lines", AtMost(1.15), grown(growth::MAP, "100,000", "10")),
        target("the same, half of them patterns", AtMost(1.15), grown(growth::PATTERNS, "100,000", "10")),
        target("10,000 accounts / 20", AtMost(1.10), grown(growth::POOL, "10,000", "20")),
        target("200 CAs / 5", AtMost(1.05), grown(growth::CAS, "200", "5")),
        target("1 MB CRL / 1 kB CRL", AtMost(1.02), grown(growth::CRL, "1 MB", "1 kB")),
        target("the same without agent", AtMost(1.25), grown(growth::CRL_PROGRAM, "1 MB", "1 kB")),
        target("8 proxies in the chain / 1", AtMost(1.10), grown(growth::DEPTH, "8", "1")),
        target("peak memory of any process, MiB", AtMost(8.0), peak(figures)),
        target("64 at once: throughput / the release before", AtLeast(1.2), throughput(figures)),
    ]
}

fn peak(figures: &Figures) -> Option<Spread> {
    let peaks: Vec<f64> = figures.memory.as_ref()?.iter().map(|peak| peak.resident_kib / 1024.0).collect();
    let highest = peaks.iter().copied().max_by(f64::total_cmp)?;
    Some(Spread { low: highest, median: highest, high: highest })
}

fn throughput(figures: &Figures) -> Option<Spread> {
    let level = |way: &str| {
        let load = figures.load.as_ref()?.iter().find(|load| load.way == way)?;
        let level = load.levels.iter().find(|level| level.at_once == 64)?;
        Some(Case { name: String::new(), ms: level.per_second.clone() })
    };
    Some(level(figures::AGENT)?.ratio(&level(figures::BEFORE)?))
}
