//! Usage by user and VO, or by one thing that the command line names.

use super::answer::{Answer, Columns, Row};
use super::envelope::Envelope;
use super::filter::Filter;
use super::reader::Question;
use super::record::Read;
use super::sums::{Groups, Open, Used};
use super::time;
use crate::show::Cell;
use glexec_core::field::Field;
use serde_json::{Map, Value};
use std::io::Error;

/// By what usage is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// By user, and by the VO that the user acted for.
    #[default]
    UserAndVo,
    /// By VO.
    Vo,
    /// By user.
    User,
    /// By the account that calls ran as.
    Account,
    /// By the month in which calls started, in UTC.
    Month,
    /// By host.
    Host,
}

impl By {
    /// Those that the command line names.
    pub const NAMED: [(&'static str, By); 5] =
        [("vo", By::Vo), ("user", By::User), ("account", By::Account), ("month", By::Month), ("host", By::Host)];

    /// The columns that name a group: in the table, elsewhere.
    fn columns(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            By::UserAndVo => (&["USER", "VO"], &["user_dn", "vo"]),
            By::Vo => (&["VO"], &["vo"]),
            By::User => (&["USER"], &["user_dn"]),
            By::Account => (&["ACCOUNT"], &["target_user"]),
            By::Month => (&["MONTH"], &["month"]),
            By::Host => (&["HOST"], &["host"]),
        }
    }

    /// Writes the names of a call's group, a line break between them: no visible text has one.
    fn write(self, key: &mut String, envelope: &Envelope<'_>, record: &Read<'_>) {
        let field = |field| record.get(field).unwrap_or_default();
        key.clear();
        match self {
            By::UserAndVo => key.extend([field(Field::UserDn), "\n", field(Field::Vo)]),
            By::Vo => key.push_str(field(Field::Vo)),
            By::User => key.push_str(field(Field::UserDn)),
            By::Account => key.push_str(field(Field::TargetUser)),
            By::Month => key.push_str(time::shown(envelope.time).get(..7).unwrap_or_default()),
            By::Host => key.push_str(envelope.host),
        }
    }
}

/// The sums.
#[derive(Debug, Default)]
pub struct Usage {
    by: By,
    groups: Groups,
    open: Open<usize>,
    key: String,
}

impl Usage {
    /// Nothing is counted yet.
    pub fn new(by: By) -> Self {
        Usage { by, ..Usage::default() }
    }

    /// Every group with its sums; who used most comes first, months come in their order.
    fn sorted(self) -> Vec<Line> {
        let mut all = self.groups.sorted();
        if self.by == By::Month {
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let line = |(key, used): (String, Used)| Line { by: self.by, names: names(&key), used };
        all.into_iter().map(line).collect()
    }
}

fn names(key: &str) -> Vec<String> {
    key.split('\n').map(str::to_owned).collect()
}

/// What one group used.
#[derive(Debug, PartialEq)]
struct Line {
    by: By,
    names: Vec<String>,
    used: Used,
}

/// What stands for a name that is not known.
fn or_dash(text: &str) -> Cell {
    if text.is_empty() { "-".into() } else { text.into() }
}

impl Row for Line {
    fn cells(&self) -> Vec<Cell> {
        let Used { calls, refused, ended, wall, cpu, max_rss } = &self.used;
        let numbers = [
            calls.to_string(),
            refused.to_string(),
            ended.to_string(),
            format!("{wall:.1}"),
            format!("{cpu:.1}"),
            format!("{:.1}", mebibytes(*max_rss)),
        ];
        self.names.iter().map(|name| or_dash(name)).chain(numbers.map(Cell::from)).collect()
    }

    fn json(&self) -> Value {
        let Used { calls, refused, ended, wall, cpu, max_rss } = &self.used;
        let keys = self.by.columns().1.iter().map(|key| (*key).to_owned());
        let mut object: Map<_, _> = keys.zip(self.names.iter().map(|name| name.as_str().into())).collect();
        for (key, number) in [("calls", calls), ("refused", refused), ("ended", ended), ("max_rss", max_rss)] {
            object.insert(key.to_owned(), (*number).into());
        }
        for (key, seconds) in [("wall", wall), ("cpu", cpu)] {
            object.insert(key.to_owned(), rounded(*seconds).into());
        }
        Value::Object(object)
    }

    fn values(&self) -> Vec<String> {
        let Used { calls, refused, ended, wall, cpu, max_rss } = &self.used;
        let numbers = [calls, refused, ended].map(u64::to_string);
        let times = [wall, cpu].map(|seconds| format!("{seconds:.3}"));
        self.names.iter().cloned().chain(numbers).chain(times).chain([max_rss.to_string()]).collect()
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
        let (headings, names) = self.by.columns();
        let sums = ["CALLS", "REFUSED", "ENDED", "WALL s", "CPU s", "PEAK MiB"];
        Columns {
            headings: headings.iter().copied().chain(sums).collect(),
            names: names.iter().copied().chain(["calls", "refused", "ended", "wall", "cpu", "max_rss"]).collect(),
        }
    }

    fn start(&mut self, filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>) {
        if !filter.is_within(envelope.time) || !filter.is_of_process(record.get(Field::CallerPid), None) {
            return;
        }
        self.by.write(&mut self.key, envelope, record);
        let group = self.groups.of(&self.key);
        if let Some(used) = self.groups.get(group) {
            used.start(record);
        }
        if record.is_permitted() {
            self.open.insert(record.call, group);
        }
    }

    fn end(&mut self, _envelope: &Envelope<'_>, record: &Read<'_>) {
        if let Some(used) = self.open.remove(record.call).and_then(|group| self.groups.get(group)) {
            used.end(record);
        }
    }

    fn answer_all(self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error> {
        self.sorted().iter().try_for_each(|line| answer.row(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Filter {
        Filter { wanted: vec![], pid: None, host: None, since: i64::MIN, until: i64::MAX, longest: 0 }
    }

    fn start(call: u64, user: &str, decision: &str) -> String {
        format!(
            "event=start call={call:016x} decision={decision} caller_uid=1 caller_gid=1 caller_pid=1 target_user=a target_uid=4 target_gid=5 user_dn=\"{user}\" vo=v"
        )
    }

    fn end(call: u64, wall: u32, rss: u32) -> String {
        format!("event=end call={call:016x} status=0 wall={wall}.5 user_time=1.0 sys_time=0.5 max_rss={rss} killed=0")
    }

    fn counted(by: By) -> Vec<Line> {
        let (filter, mut usage) = (everything(), Usage::new(by));
        let month = 31 * 86_400 * time::SECOND;
        let mut give = |at: i64, host: &str, text: &str| {
            let (envelope, record) = (Envelope { time: at, host, text }, Read::parse(text).unwrap());
            match record.event {
                super::super::record::Event::Start => usage.start(&filter, &envelope, &record),
                super::super::record::Event::End => usage.end(&envelope, &record),
            }
        };
        for call in 0..3 {
            give(0, "w1", &start(call, "/CN=a", "permit"));
        }
        give(month, "w2", &start(3, "/CN=b", "deny code=lcas.userban"));
        give(1, "w1", &end(0, 10, 7));
        give(1, "w1", &end(1, 20, 5));
        for unknown in [1, 3, 9] {
            give(1, "w1", &end(unknown, 20, 5));
        }
        usage.sorted()
    }

    #[test]
    fn what_a_user_used_is_added_up() {
        let a = Used { calls: 3, refused: 0, ended: 2, wall: 31.0, cpu: 3.0, max_rss: 7 };
        let b = Used { refused: 1, ..Used::default() };
        let both = Used { refused: 1, ..a.clone() };
        let lines = |by, lines: &[(&[&str], &Used)]| {
            let line = |(names, used): &(&[&str], &Used)| Line {
                by,
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                used: (*used).clone(),
            };
            assert_eq!(counted(by), lines.iter().map(line).collect::<Vec<_>>());
        };
        lines(By::UserAndVo, &[(&["/CN=a", "v"], &a), (&["/CN=b", "v"], &b)]);
        lines(By::User, &[(&["/CN=a"], &a), (&["/CN=b"], &b)]);
        lines(By::Vo, &[(&["v"], &both)]);
        lines(By::Account, &[(&["a"], &both)]);
        lines(By::Host, &[(&["w1"], &a), (&["w2"], &b)]);
        lines(By::Month, &[(&["1970-01"], &a), (&["1970-02"], &b)]);
    }

    #[test]
    fn every_form_has_as_many_names_as_columns() {
        for by in By::NAMED.map(|(_, by)| by).into_iter().chain([By::UserAndVo]) {
            let columns = Usage::new(by).columns();
            for line in counted(by) {
                assert_eq!(line.cells().len(), columns.headings.len());
                assert_eq!(line.values().len(), columns.names.len());
                assert!(columns.names.iter().all(|name| line.json().get(name).is_some()), "{by:?}");
            }
        }
    }
}
