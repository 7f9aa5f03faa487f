//! What happens now: a line for each record, as it is written.

use super::answer::{Answer, Columns};
use super::envelope::Envelope;
use super::filter::Filter;
use super::reader::Question;
use super::record::Read;
use super::sums::Open;
use super::time;
use glexec_core::field::Field;
use std::io::Error;

/// Lines that are to be shown.
pub struct Follow {
    /// What began before is not shown.
    since: i64,
    lines: Vec<String>,
    /// Who a call is for, until it ends.
    open: Open<String>,
}

impl Follow {
    /// Shows what begins from a moment on, in microseconds since 1970 UTC.
    pub fn new(since: i64) -> Self {
        Follow { since, lines: Vec::new(), open: Open::default() }
    }
}

impl Question for Follow {
    fn columns(&self) -> Columns {
        Columns { headings: Vec::new(), names: Vec::new() }
    }

    fn start(&mut self, _filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>) {
        let text = |field| record.get(field).unwrap_or("-");
        let caller = record.get(Field::CallerUser).unwrap_or(text(Field::CallerUid));
        let who = format!("{} {:016x} {caller}", envelope.host, record.call);
        let user = text(Field::UserDn);
        let line = match record.get(Field::Code) {
            Some(code) => format!("refused {code}  {user}"),
            None => format!("as {}  {user}  {}", text(Field::TargetUser), text(Field::Command)),
        };
        if envelope.time >= self.since {
            self.lines.push(format!("{} {who} {line}\n", time::shown(envelope.time)));
        }
        if record.is_permitted() {
            self.open.insert(record.call, who);
        }
    }

    fn end(&mut self, envelope: &Envelope<'_>, record: &Read<'_>) {
        let Some(who) = self.open.remove(record.call).filter(|_| envelope.time >= self.since) else { return };
        let how = match (record.get(Field::Status), record.get(Field::Signal)) {
            (Some(status), _) => format!("exit {status}"),
            (_, Some(signal)) => format!("signal {signal}"),
            _ => "ended".to_owned(),
        };
        let wall = record.get(Field::Wall).unwrap_or("-");
        self.lines.push(format!("{} {who} {how} after {wall} s\n", time::shown(envelope.time)));
    }

    fn answer_some(&mut self, answer: &mut Answer<'_>) -> Result<(), Error> {
        self.lines.drain(..).try_for_each(|line| answer.text(&line))
    }

    fn answer_all(mut self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error> {
        self.answer_some(answer)
    }
}
