//! From lines to an answer.

use super::answer::{Answer, Columns};
use super::envelope::{self, Entry, Envelope};
use super::filter::Filter;
use super::lines::Line;
use super::record::{BEGINNINGS, Event, Read};
use super::sources::{self, Source};
use super::time::Zone;
use crate::progress::Progress;
use glexec_core::escape::is_visible;
use std::io::Error;

/// How many suspicious lines are named; the others are counted.
const NAMED: usize = 5;
/// After how many lines progress is looked at.
const STEP: u64 = 4096;

/// What is asked of the records.
pub trait Question {
    /// What the answer's columns are.
    fn columns(&self) -> Columns;
    /// Takes a start record that fits the filter.
    fn start(&mut self, filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>);
    /// Takes an end record of any call.
    fn end(&mut self, envelope: &Envelope<'_>, record: &Read<'_>);
    /// Writes what is known already.
    fn answer_some(&mut self, _answer: &mut Answer<'_>) -> Result<(), Error> {
        Ok(())
    }
    /// Writes the rest.
    fn answer_all(self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error>;
}

/// Why a source was not read to its end.
#[derive(Debug)]
enum Stopped {
    /// It cannot be read.
    Unreadable(String),
    /// The answer cannot be written.
    Unwritable(Error),
}

/// What is wrong with a log.
#[derive(Debug)]
pub struct Complaints {
    /// In words.
    pub text: String,
    /// Whether some of it could not be read at all.
    pub incomplete: bool,
}

/// A line that looks like a record and is none.
type Suspicion = &'static str;

/// Reads sources and answers a question.
pub struct Reader<'q, 'o> {
    filter: &'q Filter,
    question: Box<dyn Question + 'q>,
    answer: Answer<'o>,
    records: u64,
    suspicious: u64,
    named: Vec<String>,
    read: Vec<String>,
    unreadable: Vec<String>,
}

impl<'q, 'o> Reader<'q, 'o> {
    /// Nothing is read yet.
    pub fn new(filter: &'q Filter, question: Box<dyn Question + 'q>, answer: Answer<'o>) -> Self {
        let (named, read, unreadable) = (Vec::new(), Vec::new(), Vec::new());
        Reader { filter, question, answer, records: 0, suspicious: 0, named, read, unreadable }
    }

    /// Reads all sources in their order. One that cannot be read hides nothing of the others.
    pub fn read(&mut self, sources: Vec<Source>) -> Result<(), Error> {
        self.answer.begin(&self.question.columns())?;
        let mut progress = Progress::new(sources.iter().map(|source| source.size).sum());
        let zone = sources::zone();
        let mut result = Ok(());
        for source in sources {
            self.read.push(source.name.clone());
            match self.read_one(source, &zone, &mut progress) {
                Ok(()) => {}
                Err(Stopped::Unreadable(why)) => self.unreadable.push(why),
                Err(Stopped::Unwritable(error)) => {
                    result = Err(error);
                    break;
                }
            }
        }
        progress.clear();
        result
    }

    fn read_one(&mut self, source: Source, zone: &Zone, progress: &mut Progress) -> Result<(), Stopped> {
        let name = source.name.clone();
        let unreadable = |error: Error| Stopped::Unreadable(format!("{name}: {error}"));
        let zone = zone.until(source.written);
        let mut opened = source.open().map_err(unreadable)?;
        let (mut number, mut taken) = (0_u64, 0_u64);
        while let Some(line) = opened.lines.next_line().map_err(unreadable)? {
            number = number.saturating_add(1);
            let read = match line {
                Line::Whole(line) => self.take(line, &zone),
                Line::TooLong => Err("a line without end"),
            };
            if let Err(why) = read {
                self.suspect(&name, number, why);
            }
            self.question.answer_some(&mut self.answer).map_err(Stopped::Unwritable)?;
            if number.checked_rem(STEP) == Some(0) {
                let now = opened.lines.taken();
                progress.advance(now.saturating_sub(taken), self.records);
                taken = now;
            }
        }
        progress.advance(opened.lines.taken().saturating_sub(taken), self.records);
        opened.finish().map_err(Stopped::Unreadable)
    }

    /// Writes the rest of the answer; what is wrong with the log.
    pub fn finish(mut self) -> Result<Complaints, Error> {
        self.question.answer_all(&mut self.answer)?;
        self.answer.finish()?;
        let mut text = match self.suspicious {
            0 => String::new(),
            1 => "1 line looks like a record but was cut, damaged or forged, and was not counted:\n".to_owned(),
            many => format!("{many} lines look like records but were cut, damaged or forged, and were not counted:\n"),
        };
        for line in &self.named {
            text.push_str(&format!("  {line}\n"));
        }
        for why in &self.unreadable {
            text.push_str(&format!("not read to its end: {why}\n"));
        }
        if self.records == 0 {
            let read = if self.read.is_empty() { "there is no log yet".to_owned() } else { self.read.join(", ") };
            text.push_str(&format!("no record of glexec's was found ({read}); others can be named\n"));
        }
        Ok(Complaints { text, incomplete: !self.unreadable.is_empty() })
    }

    fn suspect(&mut self, source: &str, number: u64, why: Suspicion) {
        self.suspicious = self.suspicious.saturating_add(1);
        if self.named.len() < NAMED {
            self.named.push(format!("{source}:{number}: {why}"));
        }
    }

    /// One line of a log.
    fn take(&mut self, line: &[u8], zone: &Zone) -> Result<(), Suspicion> {
        let unless_it_resembles = |why: Suspicion| match resembles_a_record(line) {
            true => Err(why),
            false => Ok(()),
        };
        let Ok(text) = std::str::from_utf8(line) else {
            return unless_it_resembles("bytes that glexec would have written out");
        };
        if !text.starts_with('{') {
            return match envelope::of_line(text, zone) {
                Some(envelope) => self.take_message(&envelope),
                None => unless_it_resembles("it is not glexec's, or its time cannot be read"),
            };
        }
        let Ok(entry) = serde_json::from_str::<Entry<'_>>(text) else {
            return unless_it_resembles("an entry of the journal that cannot be understood");
        };
        match entry.envelope() {
            Some(envelope) if is_record(&envelope) && !entry.is_by_root() => Err("it was not sent by root"),
            Some(envelope) => self.take_message(&envelope),
            None => unless_it_resembles("it is not glexec's, or its time cannot be read"),
        }
    }

    /// One message of glexec's.
    fn take_message(&mut self, envelope: &Envelope<'_>) -> Result<(), Suspicion> {
        if !is_record(envelope) {
            return match BEGINNINGS.iter().any(|beginning| envelope.text.contains(beginning)) {
                true => Err("a record inside of something else"),
                false => Ok(()),
            };
        }
        // glexec's records name no host: the daemon's word goes to a terminal, too.
        if !is_visible(envelope.host) {
            return Err("the name of a host that is none");
        }
        let record = Read::parse(envelope.text)?;
        self.records = self.records.saturating_add(1);
        match record.event {
            Event::Start if self.filter.fits(envelope, &record) => self.question.start(self.filter, envelope, &record),
            Event::Start => {}
            Event::End => self.question.end(envelope, &record),
        }
        Ok(())
    }
}

/// Other messages of glexec's begin with words, or with the call that they are about.
fn is_record(envelope: &Envelope<'_>) -> bool {
    envelope.text.starts_with("event=")
}

fn resembles_a_record(line: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| memchr::memmem::find(line, beginning.as_bytes()).is_some())
}
