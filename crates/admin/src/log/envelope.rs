//! What logs put around a message: glexec's own file, syslog files of several templates, RFC 5424, the journal.

use super::time::{self, Zone};
use serde::Deserialize;
use std::borrow::Cow;

/// A message of glexec's and what the log says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// When it was written, in microseconds since 1970 UTC.
    pub time: i64,
    pub host: &'a str,
    /// The message.
    pub text: &'a str,
}

/// Takes a line of a log file apart; `None` where it is not glexec's.
pub fn of_line<'a>(line: &'a str, zone: &Zone) -> Option<Envelope<'a>> {
    let line = after_priority(line);
    if let Some(envelope) = rfc_5424(line) {
        return Some(envelope);
    }
    let (time, rest) = match line.as_bytes().first()? {
        b'0'..=b'9' => {
            let (stamp, rest) = line.split_once(' ')?;
            (time::of_text(stamp)?, rest)
        }
        _ => {
            let (time, rest) = zone.stamp(line)?;
            (time, rest.strip_prefix(' ')?)
        }
    };
    let (host, rest) = rest.split_once(' ')?;
    // A daemon that does not read RFC 5424 from its own socket takes all of it for the message; journalctl, which shows it
    // so, puts the program's name before it.
    match after_tag(rest) {
        Some(text) => rfc_5424(text).or(Some(Envelope { time, host, text })),
        None => rfc_5424(rest),
    }
}

/// What is behind `<29>`.
fn after_priority(line: &str) -> &str {
    let number = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    match line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((priority, rest)) if number(priority) => rest,
        _ => line,
    }
}

/// `glexec[34]: `, with or without process id and colon.
fn after_tag(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("glexec")?;
    let rest = match rest.strip_prefix('[') {
        Some(process) => {
            let (pid, rest) = process.split_once(']')?;
            pid.bytes().all(|b| b.is_ascii_digit()).then_some(rest)?
        }
        None => rest,
    };
    rest.strip_prefix(':').unwrap_or(rest).strip_prefix(' ')
}

/// `1 TIME HOST glexec PID MSGID [STRUCTURED DATA] TEXT`, or the same as the message of a daemon that took the version
/// for the program's name, `1 TIME HOST 1 - - -  TIME HOST glexec …` (rsyslog's protocol-23 template).
fn rfc_5424(line: &str) -> Option<Envelope<'_>> {
    let (stamp, rest) = line.strip_prefix("1 ")?.trim_start().split_once(' ')?;
    let time = time::of_text(stamp)?;
    let (host, rest) = rest.split_once(' ')?;
    let (program, rest) = rest.split_once(' ')?;
    let (_process, rest) = rest.split_once(' ')?;
    let (_message, rest) = rest.split_once(' ')?;
    let text = message(after_structured_data(rest)?);
    match program {
        "glexec" => Some(Envelope { time, host, text }),
        "1" => inner(text),
        _ => None,
    }
}

/// Such a message inside of another: `TIME HOST glexec PID MSGID [STRUCTURED DATA] TEXT`.
fn inner(text: &str) -> Option<Envelope<'_>> {
    let mut parts = text.splitn(6, ' ');
    let time = time::of_text(parts.next()?)?;
    let host = parts.next()?;
    let program = parts.next()?;
    let rest = parts.nth(2)?;
    (program == "glexec").then_some(())?;
    Some(Envelope { time, host, text: message(after_structured_data(rest)?) })
}

/// The message behind the structured data; it may begin with a byte order mark (RFC 5424 section 6.4).
fn message(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What follows `-` or `[ID NAME="VALUE"…]`; a `"`, `\` or `]` in a value has a backslash before it.
fn after_structured_data(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some(rest);
    }
    let mut rest = text.strip_prefix('[')?;
    let mut quoted = false;
    loop {
        let at = memchr::memchr3(b'"', b'\\', b']', rest.as_bytes())?;
        let found = rest.as_bytes().get(at)?;
        // What follows a backslash may be more than one byte long, but is no quote then.
        let taken = at.saturating_add(if *found == b'\\' { 2 } else { 1 });
        let after = rest.get(taken..).or_else(|| rest.get(at.saturating_add(1)..))?;
        match found {
            b'"' => quoted = !quoted,
            // Others may have added elements of their own.
            b']' if !quoted && !after.starts_with('[') => return Some(after),
            _ => {}
        }
        rest = after;
    }
}

/// An entry of the journal, `journalctl -o json`.
#[derive(Debug, Deserialize)]
pub struct Entry<'a> {
    #[serde(borrow, rename = "MESSAGE", default)]
    message: Option<Message<'a>>,
    #[serde(borrow, rename = "_UID", default)]
    uid: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "_HOSTNAME", default)]
    host: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "__REALTIME_TIMESTAMP", default)]
    time: Option<Cow<'a, str>>,
}

/// A text, or bytes where it is not printable; glexec's are.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Other(serde::de::IgnoredAny),
}

impl Entry<'_> {
    /// The message with its envelope; `None` where it is not glexec's.
    pub fn envelope(&self) -> Option<Envelope<'_>> {
        let Some(Message::Text(text)) = &self.message else { return None };
        // journald keeps the header of RFC 5424 in the message.
        rfc_5424(text).or_else(|| {
            let time = self.time.as_deref()?.parse().ok()?;
            let known = self.identifier.as_deref() == Some("glexec");
            known.then_some(Envelope { time, host: self.host.as_deref().unwrap_or(""), text })
        })
    }

    /// Whether a process of root sent it, which the kernel attests.
    pub fn is_by_root(&self) -> bool {
        self.uid.as_deref() == Some("0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        Zone::new(None, time::of_text("2026-12-01").unwrap())
    }

    fn read(line: &str) -> Option<(String, &str, &str)> {
        of_line(line, &zone()).map(|found| (time::shown(found.time), found.host, found.text))
    }

    #[test]
    fn every_form_that_logs_have_is_understood() {
        let inner = r#"2026-11-22T16:41:00.5Z worker001 glexec 34 1 [glexec@32473 args="a \"b\\\" \] c"] event=x"#;
        for line in [
            "2026-11-22T16:41:00.123456Z worker001 glexec[34]: event=x",
            "2026-11-22T17:41:00+01:00 worker001 glexec[34] event=x",
            "Nov 22 16:41:00 worker001 glexec[34]: event=x",
            "Nov 22 16:41:00 worker001 glexec: event=x",
            "<29>Nov 22 16:41:00 worker001 glexec[34]: event=x",
            "Nov 22 16:41:00.123456 worker001 glexec[34]: event=x",
            "2026-11-22T16:41:00,123+00:00 worker001 glexec[34]: event=x",
            "<29>1 2026-11-22T16:41:00Z worker001 glexec 34 1 - \u{feff}event=x",
            "<29>1 2026-11-22T16:41:00Z worker001 glexec 34 1 [glexec@32473 a=\"b]\"][other@1 a=\"]\"] event=x",
            &format!("Nov 22 16:41:00 worker001 glexec[34]: 1 {inner}"),
            &format!("2026-11-22T16:41:00+0000 worker001 glexec[34]: 1 {inner}"),
            "<29>1 2026-11-22T16:41:00Z worker001 glexec 34 1 - event=x",
            &format!("1 {inner}"),
            &format!("<29>1 {inner}"),
            &format!("Nov 22 16:41:00 worker001 1 {inner}"),
            &format!("2026-11-22T16:41:00+00:00 worker001 1 {inner}"),
            &format!("<29>1 2026-11-22T16:41:00+00:00 worker001 1 - - -  {inner}"),
        ] {
            assert_eq!(read(line), Some(("2026-11-22T16:41:00Z".into(), "worker001", "event=x")), "{line}");
        }
    }

    #[test]
    fn what_is_not_glexecs_is_none() {
        for line in [
            "",
            "glexec[34]: event=x",
            "Nov 22 16:41:00 worker001 sshd[34]: glexec[34]: event=x",
            "Nov 22 16:41:00 worker001 glexec[a]: event=x",
            "Nov 22 16:41:00 worker001 glexecutor: event=x",
            "<29>1 2026-11-22T16:41:00Z worker001 logger 34 1 - event=x",
            "<29>1 2026-11-22T16:41:00Z worker001 glexec 34 1 [glexec@32473 args=\"] event=x",
            "<29>1 2026-11-22T16:41:00Z worker001 1 - - - worker001 glexec 34 1 - event=x",
            "\u{feff}2026-11-22T16:41:00Z worker001 glexec[34]: event=x",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn entries_of_the_journal_say_who_sent_them() {
        let entry = |uid: &str| {
            format!(
                r#"{{"MESSAGE":"1 2026-11-22T16:41:00Z w glexec 34 1 [a b=\"c\"] event=x","_UID":"{uid}","_PID":"7"}}"#
            )
        };
        for (uid, by_root) in [("0", true), ("2000", false)] {
            let text = entry(uid);
            let entry: Entry = serde_json::from_str(&text).unwrap();
            assert_eq!((entry.envelope().unwrap().text, entry.is_by_root()), ("event=x", by_root));
        }
        let text = r#"{"MESSAGE":"event=x","SYSLOG_IDENTIFIER":"glexec","__REALTIME_TIMESTAMP":"1","_UID":"0"}"#;
        assert_eq!(serde_json::from_str::<Entry>(text).unwrap().envelope().unwrap().time, 1);
        for other in [r#"{"MESSAGE":[1,2]}"#, r#"{"MESSAGE":null}"#, "{}", r#"{"MESSAGE":"event=x"}"#] {
            assert!(serde_json::from_str::<Entry>(other).unwrap().envelope().is_none(), "{other}");
        }
    }
}
