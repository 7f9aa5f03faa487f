//! What the project wants to reach, and whether it does.

use crate::figures::{Case, Spread};
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
    let call = |to: &str| figures.beside.as_ref()?.first()?.ratio(beside::LEASE, to);
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
        target("VOMS proxy, existing lease, exec mode / `sudo -n`", AtMost(0.5), call(beside::SUDO)),
        target("the same / the C stack with the same proxy", AtMost(0.12), call(beside::PEER_BUNDLE)),
        target("the same / the C stack, empty system CA bundle", AtMost(0.35), call(beside::PEER)),
        target("the same / `setpriv`", AtMost(2.0), call(beside::SETPRIV)),
        target("linger mode / exec mode", AtMost(1.35), linger()),
        target("`--sandbox` on top, ms", AtMost(0.4), sandbox()),
        target("100,000-line map / 10 lines", AtMost(1.15), grown(growth::MAP, "100,000", "10")),
        target("10,000 accounts / 20", AtMost(1.10), grown(growth::POOL, "10,000", "20")),
        target("200 CAs / 5", AtMost(1.05), grown(growth::CAS, "200", "5")),
        target("1 MB CRL / 1 kB CRL", AtMost(1.25), grown(growth::CRL, "1 MB", "1 kB")),
        target("peak memory of any process, MiB", AtMost(8.0), peak(figures)),
        target("64 at once: throughput per core / one at a time", AtLeast(0.9), per_core(figures)),
    ]
}

fn peak(figures: &Figures) -> Option<Spread> {
    let peaks: Vec<f64> = figures.memory.as_ref()?.iter().map(|peak| peak.resident_kib / 1024.0).collect();
    let highest = peaks.iter().copied().max_by(f64::total_cmp)?;
    Some(Spread { low: highest, median: highest, high: highest })
}

fn per_core(figures: &Figures) -> Option<Spread> {
    let load = figures.load.as_ref()?;
    let level = |at_once: usize| {
        let level = load.levels.iter().find(|level| level.at_once == at_once)?;
        Some(Case { name: String::new(), ms: level.per_second.clone() })
    };
    let Spread { low, median, high } = level(64)?.ratio(&level(1)?);
    let cores = load.cores as f64;
    Some(Spread { low: low / cores, median: median / cores, high: high / cores })
}
