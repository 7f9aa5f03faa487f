//! Refused calls by reason.

use super::answer::{Answer, Columns, Row};
use super::envelope::Envelope;
use super::filter::Filter;
use super::reader::Question;
use super::record::Read;
use super::time::shown;
use crate::show::Cell;
use glexec_core::field::Field;
use glexec_core::reason::Reason;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Error;

/// What was refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How often.
    pub calls: u64,
    /// The first time.
    first: i64,
    /// The last.
    pub last: i64,
    /// What the last one said.
    said: String,
}

/// The counts.
#[derive(Debug, Default)]
pub struct Refusals(BTreeMap<&'static str, Refused>);

/// A reason of another version of glexec.
const OTHER: &str = "(unknown)";

impl Refusals {
    /// Counts a start record that refuses.
    fn count(&mut self, time: i64, record: &Read<'_>) {
        let Some(code) = record.get(Field::Code) else { return };
        // The catalogue bounds the list, whatever a log says.
        let code = Reason::from_code(code).map_or(OTHER, Reason::code);
        let said = record.get(Field::Reason).unwrap_or_default();
        let new = || Refused { calls: 0, first: time, last: time, said: String::new() };
        let refused = self.0.entry(code).or_insert_with(new);
        refused.calls = refused.calls.saturating_add(1);
        refused.first = refused.first.min(time);
        if time >= refused.last {
            refused.last = time;
            said.clone_into(&mut refused.said);
        }
    }

    /// Codes with their counts, the most frequent first.
    pub fn sorted(self) -> Vec<(&'static str, Refused)> {
        let mut all: Vec<_> = self.0.into_iter().collect();
        all.sort_by_key(|(code, refused)| (std::cmp::Reverse(refused.calls), *code));
        all
    }
}

impl Row for (&'static str, Refused) {
    fn cells(&self) -> Vec<Cell> {
        let (code, Refused { calls, first, last, said }) = self;
        vec![(*code).into(), calls.to_string().into(), shown(*first).into(), shown(*last).into(), said.as_str().into()]
    }

    fn json(&self) -> Value {
        let (code, Refused { calls, first, last, said }) = self;
        json!({ "code": code, "calls": calls, "first": shown(*first), "last": shown(*last), "reason": said })
    }

    fn values(&self) -> Vec<String> {
        let (code, Refused { calls, first, last, said }) = self;
        vec![(*code).to_owned(), calls.to_string(), shown(*first), shown(*last), said.clone()]
    }
}

impl Question for Refusals {
    fn columns(&self) -> Columns {
        Columns {
            headings: vec!["REASON", "CALLS", "FIRST", "LAST", "THE LAST SAID"],
            names: vec!["code", "calls", "first", "last", "reason"],
        }
    }

    fn start(&mut self, filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>) {
        if filter.is_within(envelope.time) && filter.is_of_process(record.get(Field::CallerPid), None) {
            self.count(envelope.time, record);
        }
    }

    fn end(&mut self, _envelope: &Envelope<'_>, _record: &Read<'_>) {}

    fn answer_all(self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error> {
        self.sorted().iter().try_for_each(|row| answer.row(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut refusals = Refusals::default();
        for (time, code, said) in
            [(1, "lcas.userban", "a"), (3, "credential.expired", "b"), (2, "credential.expired", "c"), (4, "x.y", "d")]
        {
            let line = format!(
                "event=start call=0123456789abcdef decision=deny code={code} caller_uid=1 caller_gid=1 caller_pid=1 reason={said}"
            );
            refusals.count(time, &Read::parse(&line).unwrap());
        }
        let refused = |calls, first, last, said: &str| Refused { calls, first, last, said: said.into() };
        let expected = [
            ("credential.expired", refused(2, 2, 3, "b")),
            ("(unknown)", refused(1, 4, 4, "d")),
            ("lcas.userban", refused(1, 1, 1, "a")),
        ];
        assert_eq!(refusals.sorted(), expected);
    }
}
