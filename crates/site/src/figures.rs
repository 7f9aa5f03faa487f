//! What the service counts: for the status page and for Prometheus.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many minutes the plot goes back.
const MINUTES: usize = 180;
/// Most nodes that are remembered; beyond them the oldest are forgotten.
const MAX_NODES: usize = 20_000;
/// Upper bounds of the answers' times, in microseconds.
pub const BOUNDS: [u64; 6] = [1_000, 5_000, 20_000, 100_000, 1_000_000, 5_000_000];

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an account.
    Permit,
    /// With a refusal, by its code.
    Deny(&'static str),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Which one, since 1970 UTC.
    pub number: i64,
    /// Answers with an account.
    pub permits: u64,
    /// Refusals.
    pub denials: u64,
}

/// A node that has asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// When it was last seen, in seconds since 1970 UTC.
    pub seen: i64,
    /// Its questions.
    pub asked: u64,
    /// How many of them were refused.
    pub refused: u64,
}

/// All counters, since the start.
#[derive(Debug, Default)]
pub struct Figures {
    permits: AtomicU64,
    /// Those who may not ask.
    pub turned_away: AtomicU64,
    /// Questions for which there was no time.
    pub busy: AtomicU64,
    /// Connections that are open.
    pub connections: AtomicU64,
    micros: AtomicU64,
    times: [AtomicU64; BOUNDS.len()],
    denials: Mutex<BTreeMap<&'static str, u64>>,
    nodes: Mutex<BTreeMap<String, Node>>,
    minutes: Mutex<VecDeque<Minute>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked with the lock has left a counter as it was, or one more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Figures {
    /// Counts an answer to a node.
    pub fn count(&self, node: &str, end: End, took: Duration, now: i64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        for (bound, counter) in BOUNDS.iter().zip(&self.times) {
            counter.fetch_add(u64::from(micros <= *bound), Ordering::Relaxed);
        }
        let refused = match end {
            End::Permit => {
                self.permits.fetch_add(1, Ordering::Relaxed);
                0
            }
            End::Deny(code) => {
                let mut denials = locked(&self.denials);
                let number = denials.entry(code).or_default();
                *number = number.saturating_add(1);
                1
            }
        };
        self.count_node(node, refused, now);
        self.count_minute(refused, now);
    }

    fn count_node(&self, name: &str, refused: u64, now: i64) {
        let mut nodes = locked(&self.nodes);
        if !nodes.contains_key(name) && nodes.len() >= MAX_NODES {
            let oldest = nodes.iter().min_by_key(|(_, node)| node.seen).map(|(name, _)| name.clone());
            oldest.map(|oldest| nodes.remove(&oldest));
        }
        let node = nodes.entry(name.to_owned()).or_default();
        node.seen = now;
        node.asked = node.asked.saturating_add(1);
        node.refused = node.refused.saturating_add(refused);
    }

    fn count_minute(&self, refused: u64, now: i64) {
        let number = now.div_euclid(60);
        let mut minutes = locked(&self.minutes);
        if minutes.back().is_none_or(|last| last.number < number) {
            minutes.push_back(Minute { number, ..Minute::default() });
            if minutes.len() > MINUTES {
                minutes.pop_front();
            }
        }
        if let Some(minute) = minutes.back_mut() {
            minute.permits = minute.permits.saturating_add(1_u64.saturating_sub(refused));
            minute.denials = minute.denials.saturating_add(refused);
        }
    }

    /// Answers with an account.
    pub fn permits(&self) -> u64 {
        self.permits.load(Ordering::Relaxed)
    }

    /// Refusals by code.
    pub fn denials(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.denials).clone()
    }

    /// The nodes that have asked.
    pub fn nodes(&self) -> BTreeMap<String, Node> {
        locked(&self.nodes).clone()
    }

    /// The minutes up to now, those without a question as well.
    pub fn minutes(&self, now: i64) -> Vec<Minute> {
        let known = locked(&self.minutes).clone();
        let last = now.div_euclid(60);
        let first = last.saturating_sub(i64::try_from(MINUTES).unwrap_or(0)).saturating_add(1);
        let minute = |number| known.iter().find(|minute| minute.number == number).copied();
        (first..=last).map(|number| minute(number).unwrap_or(Minute { number, ..Minute::default() })).collect()
    }

    /// How many answers took at most [`BOUNDS`], and all answers' microseconds.
    pub fn times(&self) -> (Vec<u64>, u64) {
        let times = self.times.iter().map(|counter| counter.load(Ordering::Relaxed)).collect();
        (times, self.micros.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_is_counted_by_node_minute_and_reason() {
        let figures = Figures::default();
        let took = Duration::from_millis(3);
        figures.count("wn1", End::Permit, took, 120);
        figures.count("wn1", End::Deny("lcas.userban"), took, 130);
        figures.count("wn2", End::Deny("lcas.userban"), took, 300);
        assert_eq!((figures.permits(), figures.denials()["lcas.userban"]), (1, 2));
        assert_eq!(figures.nodes()["wn1"], Node { seen: 130, asked: 2, refused: 1 });
        let minutes = figures.minutes(300);
        assert_eq!(minutes.len(), MINUTES);
        assert_eq!(minutes[MINUTES - 4], Minute { number: 2, permits: 1, denials: 1 });
        assert_eq!(minutes[MINUTES - 1], Minute { number: 5, permits: 0, denials: 1 });
        assert_eq!(figures.times(), (vec![0, 3, 3, 3, 3, 3], 9000));
    }
}
