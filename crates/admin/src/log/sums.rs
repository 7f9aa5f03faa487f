//! What calls used, added up: by user, VO, account, host or month, and the calls whose end is still to come.

use super::record::Read;
use glexec_core::field::Field;
use std::collections::HashMap;

/// How many calls may wait for their end before the oldest are given up: half of what is kept at most.
pub const GENERATION: usize = 1_000_000;

/// What some calls used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Used {
    /// Permitted.
    pub calls: u64,
    /// Refused.
    pub refused: u64,
    /// Calls whose end is known; only they have times.
    pub ended: u64,
    /// Seconds.
    pub wall: f64,
    /// Seconds of processor time, the kernel's included.
    pub cpu: f64,
    /// The most memory that a process had, in KiB.
    pub max_rss: u64,
}

impl Used {
    /// Counts a start record.
    pub fn start(&mut self, record: &Read<'_>) {
        let count = if record.is_permitted() { &mut self.calls } else { &mut self.refused };
        *count = count.saturating_add(1);
    }

    /// Counts an end record.
    pub fn end(&mut self, record: &Read<'_>) {
        let number = |field| record.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        self.ended = self.ended.saturating_add(1);
        self.wall += number(Field::Wall);
        self.cpu += number(Field::UserTime) + number(Field::SysTime);
        let max_rss = record.get(Field::MaxRss).and_then(|text| text.parse().ok()).unwrap_or(0);
        self.max_rss = self.max_rss.max(max_rss);
    }

    /// Both together.
    pub fn add(&mut self, other: &Used) {
        self.calls = self.calls.saturating_add(other.calls);
        self.refused = self.refused.saturating_add(other.refused);
        self.ended = self.ended.saturating_add(other.ended);
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.max_rss = self.max_rss.max(other.max_rss);
    }
}

/// Sums by a key, which is a text.
#[derive(Debug, Default)]
pub struct Groups {
    numbers: HashMap<String, usize>,
    used: Vec<Used>,
}

impl Groups {
    /// The number of a group, which is new where nothing has its key yet.
    pub fn of(&mut self, key: &str) -> usize {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = self.used.len();
        self.used.push(Used::default());
        self.numbers.insert(key.to_owned(), number);
        number
    }

    /// A group's sums.
    pub fn get(&mut self, number: usize) -> Option<&mut Used> {
        self.used.get_mut(number)
    }

    /// Every group; the one that used most comes first.
    pub fn sorted(self) -> Vec<(String, Used)> {
        let Groups { numbers, used } = self;
        let found = |(key, number): (String, usize)| used.get(number).map(|used| (key, used.clone()));
        let mut all: Vec<_> = numbers.into_iter().filter_map(found).collect();
        all.sort_by(|(a_key, a), (b_key, b)| {
            b.wall.total_cmp(&a.wall).then(b.calls.cmp(&a.calls)).then_with(|| a_key.cmp(b_key))
        });
        all
    }
}

/// What is known of calls whose end is still to come. Calls that never get one, because nobody supervised them, do not
/// pile up: there are two generations, and when the younger is full the older goes.
#[derive(Debug)]
pub struct Open<T> {
    young: HashMap<u64, T>,
    old: HashMap<u64, T>,
}

impl<T> Default for Open<T> {
    fn default() -> Self {
        Open { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<T> Open<T> {
    /// A call has begun.
    pub fn insert(&mut self, call: u64, what: T) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(call, what);
    }

    /// A call has ended; `None` where nobody counted its start.
    pub fn remove(&mut self, call: u64) -> Option<T> {
        self.young.remove(&call).or_else(|| self.old.remove(&call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_without_end_do_not_pile_up() {
        let generation = || 0..u64::try_from(GENERATION).unwrap();
        let mut open = Open::default();
        generation().for_each(|call| open.insert(call, ()));
        open.insert(u64::MAX, ());
        assert_eq!((open.young.len(), open.old.len()), (1, GENERATION));
        assert!(open.remove(5).is_some(), "the older generation is still known");
        generation().for_each(|call| open.insert(call, ()));
        assert_eq!(open.young.len() + open.old.len(), GENERATION + 1);
    }
}
