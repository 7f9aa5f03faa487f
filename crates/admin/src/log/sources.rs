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
    Stdin,
    Journal,
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

    pub fn open(self) -> Result<Opened, Error> {
        let (inner, program): (Box<dyn Read>, _) = match self.place {
            Place::File(path) => (Box::new(plain::open(&path)?.0), None),
            Place::Stdin => (Box::new(stdin()), None),
            Place::Journal => {
                let (program, output) = Program::start(Path::new(JOURNALCTL), &JOURNAL)?;
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
        return Ok(vec![Source::other("the journal", Place::Journal)]);
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
        LogDestination::Syslog if plain::open(Path::new(JOURNALCTL)).is_ok() => {
            Ok(vec![Source::other("the journal", Place::Journal)])
        }
        LogDestination::Syslog => Err(name_it(format!("{} logs to syslog", path.display()))),
    }
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
