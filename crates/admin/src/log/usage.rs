//! Usage per user and VO.

use super::answer::{Answer, Columns, Row};
use super::envelope::Envelope;
use super::filter::Filter;
use super::reader::Question;
use super::record::Read;
use crate::show::Cell;
use glexec_core::field::Field;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Error;

/// How many calls may wait for their end before the oldest are given up: half of what is kept at most.
const GENERATION: usize = 1_000_000;

/// What one user of one VO used.
#[derive(Clone, Debug, Default, PartialEq)]
struct Used {
    /// Permitted.
    calls: u64,
    refused: u64,
    /// Calls whose end is known; only they have times.
    ended: u64,
    /// Seconds.
    wall: f64,
    /// Seconds of processor time, the kernel's included.
    cpu: f64,
    /// The most memory that a process had, in KiB.
    max_rss: u64,
}

/// The sums, and the calls that wait for their end. Calls that never get one, because nobody supervised them, do not
/// pile up: there are two generations of them, and when the younger is full the older goes.
#[derive(Debug, Default)]
pub struct Usage {
    groups: HashMap<String, usize>,
    used: Vec<Used>,
    young: HashMap<u64, usize>,
    old: HashMap<u64, usize>,
    key: String,
}

impl Usage {
    /// Counts a start record.
    fn count(&mut self, record: &Read<'_>) {
        self.key.clear();
        self.key.push_str(record.get(Field::UserDn).unwrap_or_default());
        // No visible text has it.
        self.key.push('\n');
        self.key.push_str(record.get(Field::Vo).unwrap_or_default());
        let group = match self.groups.get(&self.key) {
            Some(group) => *group,
            None => {
                let group = self.used.len();
                self.used.push(Used::default());
                self.groups.insert(self.key.clone(), group);
                group
            }
        };
        let Some(used) = self.used.get_mut(group) else { return };
        if !record.is_permitted() {
            used.refused = used.refused.saturating_add(1);
            return;
        }
        used.calls = used.calls.saturating_add(1);
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(record.call, group);
    }

    /// Counts an end record; whether it belongs to a call that was counted.
    fn add(&mut self, record: &Read<'_>) -> bool {
        let group = match (self.young.entry(record.call), self.old.entry(record.call)) {
            (Entry::Occupied(found), _) | (_, Entry::Occupied(found)) => found.remove(),
            _ => return false,
        };
        let number = |field| record.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        if let Some(used) = self.used.get_mut(group) {
            used.ended = used.ended.saturating_add(1);
            used.wall += number(Field::Wall);
            used.cpu += number(Field::UserTime) + number(Field::SysTime);
            let max_rss = record.get(Field::MaxRss).and_then(|text| text.parse().ok()).unwrap_or(0);
            used.max_rss = used.max_rss.max(max_rss);
        }
        true
    }

    /// Who used most comes first.
    fn sorted(self) -> Vec<Line> {
        let mut all: Vec<_> = self
            .groups
            .into_iter()
            .filter_map(|(key, group)| {
                let (user, vo) = key.split_once('\n')?;
                Some(Line { user: user.to_owned(), vo: vo.to_owned(), used: self.used.get(group)?.clone() })
            })
            .collect();
        all.sort_by(|a, b| {
            let more = b.used.wall.total_cmp(&a.used.wall).then(b.used.calls.cmp(&a.used.calls));
            more.then_with(|| (&a.user, &a.vo).cmp(&(&b.user, &b.vo)))
        });
        all
    }
}

/// What one user of one VO used.
#[derive(Debug, PartialEq)]
struct Line {
    user: String,
    vo: String,
    used: Used,
}

/// What stands for a name that is not known.
fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

impl Row for Line {
    fn cells(&self) -> Vec<Cell> {
        let Used { calls, refused, ended, wall, cpu, max_rss } = &self.used;
        vec![
            or_dash(&self.user).into(),
            or_dash(&self.vo).into(),
            calls.to_string().into(),
            refused.to_string().into(),
            ended.to_string().into(),
            format!("{wall:.1}").into(),
            format!("{cpu:.1}").into(),
            format!("{:.1}", mebibytes(*max_rss)).into(),
        ]
    }

    fn json(&self) -> Value {
        let Used { calls, refused, ended, wall, cpu, max_rss } = &self.used;
        json!({
            "user_dn": self.user, "vo": self.vo, "calls": calls, "refused": refused, "ended": ended,
            "wall": rounded(*wall), "cpu": rounded(*cpu), "max_rss": max_rss,
        })
    }

    fn values(&self) -> Vec<String> {
        let Used { calls, refused, ended, wall, cpu, max_rss } = &self.used;
        let numbers = [calls, refused, ended].map(u64::to_string);
        let times = [wall, cpu].map(|seconds| format!("{seconds:.3}"));
        let names = [self.user.clone(), self.vo.clone()];
        names.into_iter().chain(numbers).chain(times).chain([max_rss.to_string()]).collect()
    }
}

/// To milliseconds: sums of decimal fractions have more digits than they mean.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn mebibytes(kibibytes: u64) -> f64 {
    u32::try_from(kibibytes).map_or(f64::INFINITY, f64::from) / 1024.0
}

impl Question for Usage {
    fn columns(&self) -> Columns {
        Columns {
            headings: &["USER", "VO", "CALLS", "REFUSED", "ENDED", "WALL s", "CPU s", "PEAK MiB"],
            names: vec!["user_dn", "vo", "calls", "refused", "ended", "wall", "cpu", "max_rss"],
        }
    }

    fn start(&mut self, filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>) {
        if filter.started_within(envelope.time) && filter.is_of_process(record.get(Field::CallerPid), None) {
            self.count(record);
        }
    }

    fn end(&mut self, _envelope: &Envelope<'_>, record: &Read<'_>) {
        self.add(record);
    }

    fn answer_all(self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error> {
        self.sorted().iter().try_for_each(|line| answer.row(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(call: u64, user: &str, decision: &str) -> String {
        format!(
            "event=start call={call:016x} decision={decision} caller_uid=1 caller_gid=1 caller_pid=1 target_user=a target_uid=4 target_gid=5 user_dn=\"{user}\" vo=v"
        )
    }

    fn end(call: u64, wall: u32, rss: u32) -> String {
        format!("event=end call={call:016x} status=0 wall={wall}.5 user_time=1.0 sys_time=0.5 max_rss={rss} killed=0")
    }

    #[test]
    fn what_a_user_used_is_added_up() {
        let mut usage = Usage::default();
        for call in 0..3 {
            usage.count(&Read::parse(&start(call, "/CN=a", "permit")).unwrap());
        }
        usage.count(&Read::parse(&start(3, "/CN=b", "deny code=lcas.userban")).unwrap());
        assert!(usage.add(&Read::parse(&end(0, 10, 7)).unwrap()));
        assert!(usage.add(&Read::parse(&end(1, 20, 5)).unwrap()));
        for unknown in [1, 3, 9] {
            assert!(!usage.add(&Read::parse(&end(unknown, 20, 5)).unwrap()), "{unknown}");
        }
        let a = Used { calls: 3, refused: 0, ended: 2, wall: 31.0, cpu: 3.0, max_rss: 7 };
        let b = Used { refused: 1, ..Used::default() };
        let line = |user: &str, used| Line { user: user.into(), vo: "v".into(), used };
        assert_eq!(usage.sorted(), [line("/CN=a", a), line("/CN=b", b)]);
    }

    #[test]
    fn calls_without_end_do_not_pile_up() {
        let young = || (0..u64::try_from(GENERATION).unwrap()).map(|call| (call, 0)).collect();
        let mut usage = Usage { young: young(), ..Usage::default() };
        usage.count(&Read::parse(&start(u64::MAX, "/CN=a", "permit")).unwrap());
        assert_eq!((usage.young.len(), usage.old.len()), (1, GENERATION));
        assert!(usage.add(&Read::parse(&end(5, 1, 1)).unwrap()), "the older generation is still known");
        usage.young = young();
        usage.count(&Read::parse(&start(u64::MAX - 1, "/CN=a", "permit")).unwrap());
        assert_eq!(usage.young.len() + usage.old.len(), GENERATION + 1);
    }
}
