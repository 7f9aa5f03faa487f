//! Which calls somebody asks for.

use super::envelope::Envelope;
use super::record::Read;
use super::time::SECOND;
use glexec_core::escape::visible;
use glexec_core::field::Field;
use glexec_core::spelling::as_printed;

/// Longer than any value of a record.
const MAX_VALUE: usize = 4096;

/// A value that a field must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    field: Field,
    /// As it was typed, and as the log would write it.
    texts: Vec<String>,
    /// Part of a name is enough, in any letter case.
    part: bool,
}

impl Wanted {
    /// Exactly this value.
    pub fn exact(field: Field, text: &str) -> Self {
        Wanted { field, texts: vec![text.to_owned(), visible(text.as_bytes(), MAX_VALUE)], part: false }
    }

    /// A distinguished name where it begins with `/`, in any spelling; otherwise a part of one.
    pub fn name(field: Field, text: &str) -> Self {
        let mut wanted = Wanted::exact(field, text);
        if text.starts_with('/') {
            wanted.texts.push(visible(as_printed(text).as_bytes(), MAX_VALUE));
        } else {
            wanted.part = true;
            wanted.texts = wanted.texts.iter().map(|text| text.to_lowercase()).collect();
        }
        wanted
    }

    fn fits(&self, record: &Read<'_>) -> bool {
        record.get(self.field).is_some_and(|value| match self.part {
            false => self.texts.iter().any(|text| text == value),
            true => {
                let value = value.to_lowercase();
                self.texts.iter().any(|text| value.contains(text.as_str()))
            }
        })
    }
}

/// Which calls.
#[derive(Clone, Debug)]
pub struct Filter {
    /// All of these.
    pub wanted: Vec<Wanted>,
    /// The calling process, or the payload's main one, which only the end record has.
    pub pid: Option<String>,
    /// The host that wrote the record.
    pub host: Option<String>,
    /// The first moment that is asked for.
    pub since: i64,
    /// The last.
    pub until: i64,
    /// For how long a call without an end record counts as running.
    pub longest: i64,
}

impl Filter {
    /// Whether a start record is about such a call, as far as it can say.
    pub fn fits(&self, envelope: &Envelope<'_>, record: &Read<'_>) -> bool {
        envelope.time <= self.until
            && self.is_of_host(envelope.host)
            && self.wanted.iter().all(|wanted| wanted.fits(record))
    }

    /// A name without its domain means the host as well.
    fn is_of_host(&self, host: &str) -> bool {
        let Some(wanted) = self.host.as_deref() else { return true };
        host.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether one of a call's processes is the one that is asked for.
    pub fn is_of_process(&self, caller: Option<&str>, payload: Option<&str>) -> bool {
        self.pid.as_deref().is_none_or(|pid| [caller, payload].contains(&Some(pid)))
    }

    /// Whether a moment is in the time asked for.
    pub fn is_within(&self, moment: i64) -> bool {
        (self.since..=self.until).contains(&moment)
    }

    /// Whether a call ran in the time asked for. Without an end, a refused one never ran, and one that nobody
    /// supervised may have run for the longest time.
    pub fn ran_within(&self, start: i64, end: Option<i64>, permitted: bool) -> bool {
        let end = end.unwrap_or(if permitted { start.saturating_add(self.longest) } else { start });
        start <= self.until && end.saturating_add(SECOND) > self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "event=start call=0123456789abcdef decision=permit caller_uid=1 caller_gid=2 caller_pid=3 \
        target_user=tvo001 target_uid=4 target_gid=5 user_dn=\"/DC=org/CN=J\u{f6}rg \\\\\\\\ M\"";

    fn filter(wanted: Vec<Wanted>) -> Filter {
        Filter { wanted, pid: None, host: Some("w1".into()), since: 100, until: 200, longest: 50 }
    }

    #[test]
    fn names_are_found_whole_as_typed_or_as_logged_and_in_part() {
        let record = Read::parse(LINE).unwrap();
        let fits = |wanted| filter(vec![wanted]).fits(&Envelope { time: 100, host: "w1", text: "" }, &record);
        let name = |text| fits(Wanted::name(Field::UserDn, text));
        assert!(name("/DC=org/CN=J\u{f6}rg \\\\ M") && name("/DC=org/CN=J\u{f6}rg \\\\\\\\ M"));
        assert!(name("j\u{f6}rg") && name("ORG") && !name("/DC=org") && !name("bob"));
        assert!(fits(Wanted::exact(Field::TargetUser, "tvo001")) && !fits(Wanted::exact(Field::TargetUser, "tvo00")));
        assert!(!fits(Wanted::exact(Field::Vo, "tvo")));
    }

    #[test]
    fn names_are_found_as_openssl_3_prints_them() {
        let line = LINE.replace("J\u{f6}rg \\\\\\\\ M", "host/a.org");
        let record = Read::parse(&line).unwrap();
        let fits = |text| {
            let wanted = vec![Wanted::name(Field::UserDn, text)];
            filter(wanted).fits(&Envelope { time: 100, host: "w1", text: "" }, &record)
        };
        assert!(fits("/DC=org/CN=host/a.org") && fits("/DC=org/CN=host\\/a.org"));
        assert!(!fits("/DC=org/CN=host\\/CN=a.org"));
    }

    #[test]
    fn a_host_is_meant_with_and_without_its_domain() {
        let filter = filter(vec![]);
        for (host, expected) in [("w1", true), ("w1.example.org", true), ("w10", false), ("w", false)] {
            assert_eq!(filter.is_of_host(host), expected, "{host}");
        }
    }

    #[test]
    fn a_process_is_the_callers_or_the_payloads() {
        let filter = Filter { pid: Some("7".into()), ..filter(vec![]) };
        assert!(filter.is_of_process(Some("7"), None) && filter.is_of_process(Some("3"), Some("7")));
        assert!(!filter.is_of_process(Some("3"), None) && !filter.is_of_process(Some("77"), Some("70")));
    }

    #[test]
    fn a_call_counts_where_it_ran() {
        let filter = filter(vec![]);
        let record = Read::parse(LINE).unwrap();
        assert!(!filter.fits(&Envelope { time: 201, host: "w1", text: "" }, &record));
        assert!(!filter.fits(&Envelope { time: 100, host: "w2", text: "" }, &record));
        let second = SECOND;
        let filter = Filter { since: 100 * second, until: 200 * second, longest: 50 * second, ..filter };
        for (start, end, permitted, expected) in [
            (150, None, true, true),
            (60, None, true, true),
            (40, None, true, false),
            (60, None, false, false),
            (10, Some(100), true, true),
            (10, Some(98), true, false),
            (10, Some(900), true, true),
            (201, Some(900), true, false),
        ] {
            let ran = filter.ran_within(start * second, end.map(|end| end * second), permitted);
            assert_eq!(ran, expected, "{start} {end:?} {permitted}");
        }
    }
}
