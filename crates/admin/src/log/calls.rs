//! Single calls: their two records joined, in the order in which they started.

use super::answer::{Answer, Columns, Row};
use super::envelope::Envelope;
use super::filter::Filter;
use super::reader::Question;
use super::record::{Read, is_number};
use super::time;
use crate::show::{Cell, Tone};
use glexec_core::field::Field;
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};
use std::io::Error;

/// Which calls count for a time that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Those that ran in it.
    Ran,
    /// Those that ended in it: each call counts in one of several times.
    Ended,
}

/// How many calls may wait for the end of an older one before that is shown without its end.
const MOST_WAITING: usize = 50_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    start: i64,
    end: Option<i64>,
    host: String,
    id: u64,
    fields: Vec<(Field, String)>,
}

impl Call {
    fn new(envelope: &Envelope<'_>, record: &Read<'_>) -> Self {
        let mut call = Call {
            start: envelope.time,
            end: None,
            host: envelope.host.to_owned(),
            id: record.call,
            fields: Vec::new(),
        };
        call.take(record);
        call
    }

    fn take(&mut self, record: &Read<'_>) {
        let new = record.fields().filter(|(field, _)| *field != Field::Event && self.get(*field).is_none());
        let new: Vec<_> = new.map(|(field, value)| (field, value.to_owned())).collect();
        self.fields.extend(new);
    }

    /// The call's id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The host that it ran on.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// When it ended, in microseconds since 1970 UTC; `None` where no record says so.
    pub fn end(&self) -> Option<i64> {
        self.end
    }

    /// The value of a field, visible as the log has it.
    pub fn get(&self, wanted: Field) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == wanted).map(|(_, value)| value.as_str())
    }

    fn is_permitted(&self) -> bool {
        self.get(Field::Decision) == Some("permit")
    }

    /// Whether an end record may still come.
    fn is_open(&self) -> bool {
        self.is_permitted() && self.end.is_none()
    }

    fn outcome(&self) -> Cell {
        match (self.get(Field::Code), self.get(Field::Status), self.get(Field::Signal)) {
            (Some(code), ..) => Cell::new(Tone::Warning, format!("refused: {code}")),
            (_, Some("0"), _) => Cell::new(Tone::Good, "exit 0"),
            (_, Some(status), _) => format!("exit {status}").into(),
            (.., Some(signal)) => Cell::new(Tone::Bad, format!("signal {signal}")),
            _ => "no end record".into(),
        }
    }

    fn all_fields() -> impl Iterator<Item = Field> {
        Field::ALL.iter().copied().filter(|field| *field != Field::Event)
    }
}

impl Row for Call {
    fn cells(&self) -> Vec<Cell> {
        let text = |field| Cell::from(self.get(field).unwrap_or("-"));
        let caller = self.get(Field::CallerUser).or(self.get(Field::CallerUid)).unwrap_or("-");
        vec![
            time::shown(self.start).into(),
            self.host.as_str().into(),
            format!("{:016x}", self.id).into(),
            caller.into(),
            text(Field::TargetUser),
            text(Field::Vo),
            self.outcome(),
            text(Field::Wall),
            text(Field::UserDn),
            text(Field::Command),
        ]
    }

    fn values(&self) -> Vec<String> {
        let end = self.end.map(time::shown).unwrap_or_default();
        let own = [time::shown(self.start), end, self.host.clone()];
        own.into_iter().chain(Self::all_fields().map(|field| self.get(field).unwrap_or_default().to_owned())).collect()
    }

    /// Every field that the call has, numbers as numbers.
    fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("start_time".to_owned(), time::shown(self.start).into());
        if let Some(end) = self.end {
            object.insert("end_time".to_owned(), time::shown(end).into());
        }
        object.insert("host".to_owned(), self.host.as_str().into());
        for (field, value) in &self.fields {
            let number = is_number(*field).then(|| value.parse().ok().map(Value::Number)).flatten();
            object.insert(field.name().to_owned(), number.unwrap_or_else(|| value.as_str().into()));
        }
        Value::Object(object)
    }
}

/// The calls that somebody asked for, on their way to the reader. A call waits for its end, and the later ones wait with
/// it, in bounded memory.
#[derive(Debug)]
pub struct Waiting<'f> {
    filter: &'f Filter,
    counts: Counts,
    queue: VecDeque<Call>,
    /// How many calls have left the queue.
    gone: usize,
    places: HashMap<u64, usize>,
}

impl<'f> Waiting<'f> {
    /// Nobody waits.
    pub fn new(filter: &'f Filter, counts: Counts) -> Self {
        Waiting { filter, counts, queue: VecDeque::new(), gone: 0, places: HashMap::new() }
    }

    /// The next call that is complete, where nothing is in its way.
    pub fn next_complete(&mut self) -> Option<Call> {
        self.next(MOST_WAITING)
    }

    /// The next call, complete or not.
    pub fn next_of_all(&mut self) -> Option<Call> {
        self.next(0)
    }

    /// The next call that is complete, or that more than so many cannot wait for any longer.
    fn next(&mut self, most: usize) -> Option<Call> {
        loop {
            if self.queue.len() <= most && self.queue.front().is_none_or(Call::is_open) {
                return None;
            }
            let call = self.queue.pop_front()?;
            self.gone = self.gone.saturating_add(1);
            if call.end.is_none() {
                self.places.remove(&call.id);
            }
            let within = match self.counts {
                Counts::Ran => self.filter.ran_within(call.start, call.end, call.is_permitted()),
                Counts::Ended => call.end.is_some_and(|end| self.filter.is_within(end)),
            };
            if within && self.filter.is_of_process(call.get(Field::CallerPid), call.get(Field::PayloadPid)) {
                return Some(call);
            }
        }
    }
}

impl Question for Waiting<'_> {
    fn columns(&self) -> Columns {
        let own = ["start_time", "end_time", "host"];
        Columns {
            headings: vec!["START", "HOST", "CALL", "CALLER", "ACCOUNT", "VO", "OUTCOME", "WALL", "USER", "COMMAND"],
            names: own.into_iter().chain(Call::all_fields().map(Field::name)).collect(),
        }
    }

    fn start(&mut self, _filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>) {
        let call = Call::new(envelope, record);
        if call.is_open() {
            self.places.insert(record.call, self.gone.saturating_add(self.queue.len()));
        }
        self.queue.push_back(call);
    }

    fn end(&mut self, envelope: &Envelope<'_>, record: &Read<'_>) {
        let place = self.places.remove(&record.call).and_then(|place| place.checked_sub(self.gone));
        if let Some(call) = place.and_then(|place| self.queue.get_mut(place)) {
            call.end = Some(envelope.time);
            call.take(record);
        }
    }

    fn answer_some(&mut self, answer: &mut Answer<'_>) -> Result<(), Error> {
        while let Some(call) = self.next_complete() {
            answer.row(&call)?;
        }
        Ok(())
    }

    fn answer_all(mut self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error> {
        while let Some(call) = self.next_of_all() {
            answer.row(&call)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Filter {
        Filter { wanted: vec![], pid: None, host: None, since: i64::MIN, until: i64::MAX, longest: 0 }
    }

    fn feed(waiting: &mut Waiting<'_>, time: i64, text: &str) {
        let (envelope, record) = (Envelope { time, host: "w1", text }, Read::parse(text).unwrap());
        match record.event {
            super::super::record::Event::Start => waiting.start(waiting.filter, &envelope, &record),
            super::super::record::Event::End => waiting.end(&envelope, &record),
        }
    }

    fn start(call: u64) -> String {
        format!(
            "event=start call={call:016x} decision=permit caller_uid=1 caller_gid=1 caller_pid=1 target_user=a target_uid=4 target_gid=5"
        )
    }

    fn end(call: u64) -> String {
        format!("event=end call={call:016x} status=0 wall=1.0 user_time=1.0 sys_time=0.5 max_rss=1 killed=0")
    }

    #[test]
    fn calls_come_in_the_order_of_their_starts_with_their_ends() {
        let filter = everything();
        let mut waiting = Waiting::new(&filter, Counts::Ran);
        feed(&mut waiting, 1, &start(1));
        feed(&mut waiting, 2, &start(2));
        feed(&mut waiting, 3, &end(2));
        assert_eq!(waiting.next(MOST_WAITING), None, "the first has not ended");
        feed(&mut waiting, 4, &end(1));
        let both: Vec<_> = std::iter::from_fn(|| waiting.next(MOST_WAITING)).map(|call| (call.id, call.end)).collect();
        assert_eq!(both, [(1, Some(4)), (2, Some(3))]);
        feed(&mut waiting, 5, &start(3));
        feed(&mut waiting, 6, &end(1));
        assert_eq!((waiting.next(MOST_WAITING), waiting.next(0).map(|call| call.end)), (None, Some(None)));
        assert!(waiting.places.is_empty());
    }

    #[test]
    fn not_more_than_so_many_wait() {
        let filter = everything();
        let mut waiting = Waiting::new(&filter, Counts::Ran);
        for call in 0..=u64::try_from(MOST_WAITING).unwrap() {
            feed(&mut waiting, 1, &start(call));
        }
        assert_eq!(waiting.next(MOST_WAITING).map(|call| call.id), Some(0));
        assert_eq!(waiting.next(MOST_WAITING), None);
    }

    #[test]
    fn numbers_are_numbers_in_json() {
        let filter = everything();
        let mut waiting = Waiting::new(&filter, Counts::Ran);
        feed(&mut waiting, 0, &start(1));
        feed(&mut waiting, 1_500_000, &end(1));
        let json = waiting.next(MOST_WAITING).unwrap().json();
        assert_eq!((json["caller_uid"].as_u64(), json["wall"].as_f64()), (Some(1), Some(1.0)));
        assert_eq!((json["end_time"].as_str(), json["host"].as_str()), (Some("1970-01-01T00:00:01Z"), Some("w1")));
    }
}
