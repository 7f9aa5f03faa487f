//! Where records and messages go: the syslog daemon or a file.

use crate::audit::record::Record;
use glexec_config::glexec::{Glexec, LogDestination};
use glexec_config::values::{Facility, LogLevel};
use glexec_core::escape::visible;
use glexec_core::field::Field;
use glexec_core::lock::Mechanism;
use glexec_sys::datagram::send_as_oneself;
use glexec_sys::dir::open_for_appending;
use glexec_sys::identity;
use glexec_sys::lock::{self, Purpose};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use syslog::{Formatter5424, LogFormat, Severity};
use time::OffsetDateTime;

/// The local syslog daemon's socket, syslog(3).
const SOCKET: &str = "/dev/log";
/// How long a daemon that does not read may hold a call up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest syslog message in bytes: rsyslog's default bound (`maxMessageSize` 8k).
const MAX_MESSAGE: usize = 8 * 1024;
/// Longest free message in bytes.
const MAX_TEXT: usize = 2048;
/// The structured data's name. 32473 is the enterprise number for examples (RFC 5612): glexec has none of its own.
const STRUCTURED_ID: &str = "glexec@32473";
/// MSGID of all messages (RFC 5424 section 6.2.7); the `event` field tells them apart.
const MESSAGE_ID: u32 = 1;

/// An open destination.
#[derive(Debug)]
pub struct Log {
    sink: Sink,
    level: LogLevel,
    pid: u32,
    host: String,
}

#[derive(Debug)]
enum Sink {
    Syslog(UnixDatagram, Facility),
    File(File),
    /// It could not be opened; the reason is told when something must be written.
    Closed(String),
}

impl Log {
    /// The destination before the configuration is known: syslog with default settings.
    pub fn early() -> Self {
        let facility = Facility::default();
        Log::with(open_syslog(facility), LogLevel::default())
    }

    /// The configured destination.
    pub fn open(config: &Glexec) -> Self {
        let sink = match config.log_destination {
            LogDestination::Syslog => open_syslog(config.syslog_facility),
            LogDestination::File => match open_for_appending(config.log_file.as_path()) {
                Ok(file) => Sink::File(file),
                Err(error) => Sink::Closed(error.to_string()),
            },
        };
        Log::with(sink, config.log_level)
    }

    fn with(sink: Sink, level: LogLevel) -> Self {
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        // RFC 5424's word for nothing: a field of the line must not be missing.
        let host = host.filter(|name| !name.is_empty()).unwrap_or_else(|| "-".into());
        Log { sink, level, pid: std::process::id(), host }
    }

    /// Writes a record, at every level.
    pub fn record(&self, record: &Record, severity: LogLevel) -> Result<(), String> {
        self.write(severity, &record.line(), record.fields())
    }

    /// Whether messages of this level are written.
    pub fn wants(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// Writes a message when the level asks for it. A message that cannot be written is not worth a refusal.
    pub fn message(&self, level: LogLevel, text: &str) {
        if self.wants(level) {
            let _ = self.write(level, &visible(text.as_bytes(), MAX_TEXT), &[]);
        }
    }

    fn write(&self, level: LogLevel, line: &str, fields: &[(Field, String)]) -> Result<(), String> {
        match &self.sink {
            Sink::Closed(why) => Err(why.clone()),
            Sink::Syslog(socket, facility) => self.send(socket, *facility, level, line, fields),
            Sink::File(file) => append(file, &format!("{} {} glexec[{}]: {line}\n", now(), self.host, self.pid)),
        }
    }

    /// One datagram: RFC 5424 with the fields as structured data and again as `key=value` message, for daemons that do
    /// not keep structured data. What would be longer than a daemon takes goes without its structured data.
    fn send(
        &self,
        socket: &UnixDatagram,
        facility: Facility,
        level: LogLevel,
        line: &str,
        fields: &[(Field, String)],
    ) -> Result<(), String> {
        let formatter = Formatter5424 {
            facility: facility.get(),
            hostname: Some(self.host.clone()),
            process: "glexec".into(),
            pid: self.pid,
        };
        let format = |data: BTreeMap<String, BTreeMap<String, String>>| {
            let mut bytes = Vec::new();
            formatter.format(&mut bytes, severity(level), (MESSAGE_ID, data, line)).map_err(|e| e.to_string())?;
            Ok::<_, String>(bytes)
        };
        let mut message = format(structured(fields))?;
        if message.len() > MAX_MESSAGE {
            message = format(BTreeMap::new())?;
        }
        match send_as_oneself(socket, &message) {
            Ok(sent) if sent == message.len() => Ok(()),
            Ok(_) => Err(format!("{SOCKET}: the message was cut")),
            Err(error) => Err(format!("{SOCKET}: {error}")),
        }
    }
}

/// The fields as one element of structured data. It is written out here and handed to the formatter as a name without
/// parameters, for the formatter sorts those by the alphabet: what callers choose must not come before what glexec
/// found.
fn structured(fields: &[(Field, String)]) -> BTreeMap<String, BTreeMap<String, String>> {
    if fields.is_empty() {
        return BTreeMap::new();
    }
    let params: String = fields.iter().map(|(name, value)| format!(" {name}=\"{}\"", protected(value))).collect();
    BTreeMap::from([(format!("{STRUCTURED_ID}{params}"), BTreeMap::new())])
}

/// A value in structured data: RFC 5424 section 6.3.3.
fn protected(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

fn severity(level: LogLevel) -> Severity {
    match level {
        LogLevel::Fatal => Severity::LOG_ERR,
        LogLevel::Warning => Severity::LOG_WARNING,
        LogLevel::Notice => Severity::LOG_NOTICE,
        LogLevel::Info => Severity::LOG_INFO,
        LogLevel::Debug => Severity::LOG_DEBUG,
    }
}

fn open_syslog(facility: Facility) -> Sink {
    let open = || {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.connect(SOCKET)?;
        Ok::<_, std::io::Error>(socket)
    };
    match open() {
        Ok(socket) => Sink::Syslog(socket, facility),
        Err(error) => Sink::Closed(format!("{SOCKET}: {error}")),
    }
}

/// Appends a whole line or nothing: what a full disk cut short is taken back, so that it cannot swallow the next line.
///
/// Every call of the machine waits for this lock, so no caller may stop its holder. A cgroup of the caller's can freeze
/// it all the same: a process that waits too long, or is not root any more and could be stopped, writes without the
/// lock, and takes no half line back.
fn append(file: &File, line: &str) -> Result<(), String> {
    let alone = || {
        lock::acquire(file, Mechanism::Flock, Purpose::Replace).ok()?;
        let appended = append_whole(file, line);
        lock::release(file);
        Some(appended)
    };
    let appended = identity::undisturbed(alone).flatten().unwrap_or_else(|| write_line(file, line));
    appended.map_err(|why| why.to_string())
}

/// Why a line is not in the file.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    #[error("the disk is full")]
    Cut(u64),
    #[error(transparent)]
    Failed(#[from] std::io::Error),
}

fn append_whole(file: &File, line: &str) -> Result<(), Unwritten> {
    let before = file.metadata()?.len();
    let appended = write_line(file, line);
    if let Err(Unwritten::Cut(written)) = appended {
        // Not where somebody without the lock has written behind it.
        if file.metadata()?.len() == before.saturating_add(written) {
            file.set_len(before)?;
        }
    }
    appended
}

fn write_line(mut file: &File, line: &str) -> Result<(), Unwritten> {
    let written = file.write(line.as_bytes())?;
    if written == line.len() { Ok(()) } else { Err(Unwritten::Cut(u64::try_from(written).unwrap_or(0))) }
}

/// The time in UTC, RFC 3339 with microseconds.
fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let (year, month, day) = now.to_calendar_date();
    let (hour, minute, second, micro) = now.to_hms_micro();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z", u8::from(month))
}
