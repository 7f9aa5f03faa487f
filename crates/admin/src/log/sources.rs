//! Where records come from: files, stdin, the journal.

use super::lines::Lines;
use super::time::Zone;
use crate::reading::MAX_FILE;
use clap::ArgMatches;
use glexec_config::glexec::LogDestination;
use glexec_config::parse::parse;
use glexec_machine::configuration;
use glexec_sys_more::plain::{self, Program};
use std::io::{Error, Read, stdin};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const JOURNALCTL: &str = "/usr/bin/journalctl";
/// The fields that matter; without `--all` the long ones would be left out.
const JOURNAL: [&str; 6] = [
    "--all",
    "--no-pager",
    "--quiet",
    "--output=json",
    "--output-fields=MESSAGE,_UID,_HOSTNAME,SYSLOG_IDENTIFIER",
    "_TRANSPORT=syslog",
];
/// What systemd keeps the journal in, the first over a restart of the machine.
const JOURNALS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// Where stock syslog daemons write what glexec says: Debian's, the others'.
const SYSLOGS: [&str; 2] = ["/var/log/syslog", "/var/log/messages"];
const ZONE: &str = "/etc/localtime";
const MAX_ZONE: u64 = 1024 * 1024;

/// A log.
#[derive(Debug)]
pub struct Source {
    /// What people call it.
    pub name: String,
    /// Its size in bytes, as far as it is known.
    pub size: u64,
    /// When it was last written, in microseconds since 1970 UTC.
    pub written: i64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    /// A file that grows while it is read, and goes on under its name when it is rotated.
    Growing(PathBuf),
    Stdin,
    Journal,
    /// The journal, and what comes.
    GrowingJournal,
}

/// A log that is being read.
pub struct Opened {
    pub lines: Lines<Box<dyn Read>>,
    program: Option<Program>,
}

impl Opened {
    /// Whether it was read to its end.
    pub fn finish(self) -> Result<(), String> {
        drop(self.lines);
        let Some(program) = self.program else { return Ok(()) };
        match program.finish() {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{JOURNALCTL} failed")),
            Err(error) => Err(format!("{JOURNALCTL}: {error}")),
        }
    }
}

fn micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

/// The machine's time zone, for the logs that do not name theirs.
pub fn zone() -> Zone {
    Zone::new(plain::read_bytes(Path::new(ZONE), MAX_ZONE).ok().as_deref(), micros(SystemTime::now()))
}

impl Source {
    fn file(path: &Path) -> Result<Source, String> {
        let (_, size, written) = plain::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.display().to_string();
        Ok(Source { name, size, written: micros(written), place: Place::File(path.into()) })
    }

    fn other(name: &str, place: Place) -> Source {
        Source { name: name.to_owned(), size: 0, written: micros(SystemTime::now()), place }
    }

    /// The same, and what comes; its size is not known then.
    fn growing(self) -> Source {
        let place = match self.place {
            Place::File(path) => Place::Growing(path),
            Place::Journal => Place::GrowingJournal,
            other => other,
        };
        Source { size: 0, place, ..self }
    }

    /// Opens it.
    pub fn open(self) -> Result<Opened, Error> {
        let (inner, program): (Box<dyn Read>, _) = match self.place {
            Place::File(path) => (Box::new(plain::open(&path)?.0), None),
            Place::Stdin => (Box::new(stdin()), None),
            Place::Growing(path) => (Box::new(plain::Growing::open(path)?), None),
            Place::Journal => {
                let (program, output) = Program::start(Path::new(JOURNALCTL), &JOURNAL)?;
                (Box::new(output), Some(program))
            }
            Place::GrowingJournal => {
                let arguments: Vec<_> = JOURNAL.into_iter().chain(["--follow", "--no-tail"]).collect();
                let (program, output) = Program::start(Path::new(JOURNALCTL), &arguments)?;
                (Box::new(output), Some(program))
            }
        };
        Ok(Opened { lines: Lines::new(inner)?, program })
    }
}

/// The logs that the command line names, or that glexec.conf does; the one that was written last comes last, so that the
/// parts of a rotated log are in their order whatever they are called.
pub fn of(matches: &ArgMatches) -> Result<Vec<Source>, String> {
    if matches.get_flag("journal") {
        let journal = Source::other("the journal", Place::Journal);
        return Ok(vec![if matches.get_flag("follow") { journal.growing() } else { journal }]);
    }
    let mut sources: Vec<Source> = match matches.get_many::<PathBuf>("file") {
        Some(paths) => paths
            .map(|path| match path.as_os_str() == "-" {
                true => Ok(Source::other("stdin", Place::Stdin)),
                false => Source::file(path),
            })
            .collect::<Result<_, _>>()?,
        None => of_configuration()?,
    };
    sources.sort_by_key(|source| source.written);
    if matches.get_flag("follow") {
        return Ok(sources.into_iter().next_back().map(Source::growing).into_iter().collect());
    }
    Ok(sources)
}

fn of_configuration() -> Result<Vec<Source>, String> {
    let path = Path::new(configuration::CONFIG_FILE);
    let name_it = |why: String| format!("{why}; name the logs to read, or say --journal");
    let text = plain::read_text(path, MAX_FILE).map_err(|error| name_it(format!("{}: {error}", path.display())))?;
    let config = parse(&text).map_err(|mistake| {
        let (line, column) = mistake.position;
        name_it(format!("{}:{line}:{column}: {}", path.display(), mistake.message))
    })?;
    match config.glexec.log_destination {
        LogDestination::File => rotated(config.glexec.log_file.as_path()),
        LogDestination::Syslog => of_syslog().ok_or_else(|| {
            let looked = JOURNALS.into_iter().chain(SYSLOGS).collect::<Vec<_>>().join(", ");
            name_it(format!("{} logs to syslog, and none of {looked} is there", path.display()))
        })?,
    }
}

/// The journal where systemd keeps one, or what a stock syslog daemon writes.
fn of_syslog() -> Option<Result<Vec<Source>, String>> {
    let is_there = |path: &&str| plain::open(Path::new(*path)).is_ok();
    if is_there(&JOURNALCTL) && JOURNALS.iter().any(is_there) {
        return Some(Ok(vec![Source::other("the journal", Place::Journal)]));
    }
    SYSLOGS.iter().find(|path| is_there(path)).map(|path| rotated(Path::new(path)))
}

/// A log and what rotation has made of its elders: `glexec.log.1`, `glexec.log-20261122.gz`.
fn rotated(log: &Path) -> Result<Vec<Source>, String> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Err(format!("{}: no file", log.display()));
    };
    let is_elder =
        |other: &str| other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']));
    let names = plain::names(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let parts = names.iter().filter(|name| name.to_str().is_some_and(is_elder));
    parts.map(|name| Source::file(&folder.join(name))).collect()
}
