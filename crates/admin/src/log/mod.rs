//! `glexec-admin log`: the audit records read back, joined, and asked.
//!
//! Everything is read once, in bounded memory. A record that glexec cannot have written is counted and not believed.

mod answer;
mod apel;
mod calls;
mod envelope;
mod filter;
mod follow;
mod lines;
mod page;
mod reader;
mod record;
mod refusals;
mod sources;
mod sums;
pub(super) mod time;
mod usage;

use super::show::Look;
use crate::reading::{self, Said};
use answer::{Answer, Form};
use apel::Apel;
use calls::{Counts, Waiting};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use filter::{Filter, Wanted};
use follow::Follow;
use glexec_core::field::Field;
use glexec_sys_more::plain;
use page::Page;
use reader::{Question, Reader};
use refusals::Refusals;
use std::io::Write;
use std::path::{Path, PathBuf};
use time::SECOND;
use usage::{By, Usage};

/// The command line.
pub fn definition() -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let number = |name: &'static str, help: &'static str| value(name, "N", help).value_parser(value_parser!(u32));
    Command::new("log")
        .about("Answers from the audit records: who ran as whom and when, what was refused, who used how much.")
        .arg(Arg::new("file").value_name("FILE").num_args(0..).value_parser(value_parser!(PathBuf)).help(
            "Logs to read: glexec's own, syslog's, `journalctl -o json`; also compressed with gzip; - is stdin",
        ))
        .arg(Arg::new("journal").long("journal").action(ArgAction::SetTrue).help("Reads the systemd journal"))
        .arg(value("account", "NAME", "Calls that ran as this account"))
        .arg(number("uid", "Calls that ran as this user id"))
        .arg(number("pid", "Calls by this process, or with it as the payload's main one"))
        .arg(value("host", "NAME", "Calls on this host, with or without its domain"))
        .arg(value("user", "DN", "Calls for this user: the whole name, which begins with /, or a part of it"))
        .arg(value("pilot", "DN", "Calls by the pilot with this name, or a part of it"))
        .arg(value("vo", "NAME", "Calls for users of this VO"))
        .arg(value("caller", "NAME", "Calls by this local account"))
        .arg(value("call", "ID", "The call with this id"))
        .arg(value("reason", "CODE", "Calls that were refused for this reason"))
        .arg(value("at", "TIME", "Calls that ran at this time").conflicts_with_all(["since", "until"]))
        .arg(value("since", "TIME", "Only from this time on: 2026-11-22, 2026-11-22T16:41:00Z, yesterday, 2h (ago)"))
        .arg(value("until", "TIME", "Only up to this time"))
        .arg(
            value("longest", "DAYS", "How long a call without an end record counts as running")
                .value_parser(value_parser!(u16))
                .default_value("7"),
        )
        .arg(
            value("show", "WHAT", "Single calls, refusals by reason, or usage by user and VO")
                .value_parser(["calls", "refusals", "usage"])
                .default_value("calls"),
        )
        .arg(
            value("by", "WHAT", "Usage, added up by one thing")
                .value_parser(By::NAMED.map(|(name, _)| name))
                .conflicts_with("show"),
        )
        .arg(
            Arg::new("html")
                .long("html")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all(["show", "by", "json", "csv", "format", "follow"])
                .help("Draws calls, refusals, users, VOs and time as one page for a browser"),
        )
        .arg(
            value("format", "FORM", "Job records for APEL, of calls that ended in the time asked for")
                .value_parser(["apel"])
                .conflicts_with_all(["show", "by", "json", "csv", "at", "follow"]),
        )
        .arg(
            Arg::new("follow")
                .short('f')
                .long("follow")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["show", "by", "json", "csv", "at", "until"])
                .help("Shows what happens from now on, or from --since, until it is interrupted"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON"))
        .arg(
            Arg::new("csv")
                .long("csv")
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help("Prints comma-separated values"),
        )
        .after_help(
            "Without FILE: the log that glexec.conf names with its rotated parts; where that is syslog, the journal, or \
             /var/log/syslog or /var/log/messages. Times are in UTC. Calls \
             are by the time in which they ran; refusals and usage by the time in which calls started. Exit code: 0 done, \
             1 mistakes, or some log could not be read to its end.",
        )
}

/// Runs the command; what it finds goes to `out`, what is wrong with the log to `complaints`.
pub(super) fn run(
    matches: &ArgMatches,
    look: Look,
    out: &mut dyn Write,
    complaints: &mut dyn Write,
) -> Result<Said, String> {
    let now = glexec_sys::time::now().map_err(|refusal| refusal.for_log())?.saturating_mul(SECOND);
    let filter = filter(matches, now)?;
    let sources = sources::of(matches)?;
    let mut page = Vec::new();
    let file = matches.get_one::<PathBuf>("html");
    let out: &mut dyn Write = if file.is_some() { &mut page } else { out };
    let mut reader = Reader::new(&filter, question(matches, &filter, now)?, Answer::new(form(matches, look), out));
    match reader.read(sources).and_then(|()| reader.finish()) {
        Ok(found) => {
            let warning = if matches.contains_id("format") { apel::WARNING } else { "" };
            // Nobody has to listen: the answer is written.
            let _ = complaints.write_all((found.text + warning).as_bytes());
            if let Some(file) = file {
                let written = plain::replace(file, &page, plain::Old::Goes);
                written.map_err(|error| format!("{}: {error}", file.display()))?;
            }
            Ok(Said { text: String::new(), code: u8::from(found.incomplete) })
        }
        // A reader that has seen enough is no mistake.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Said { text: String::new(), code: 0 }),
        Err(error) => Err(format!("the answer cannot be written: {error}")),
    }
}

/// What the command line asks of the records.
fn question<'f>(matches: &ArgMatches, filter: &'f Filter, now: i64) -> Result<Box<dyn Question + 'f>, String> {
    if matches.contains_id("html") {
        return Ok(Box::new(Page::default()));
    }
    if matches.contains_id("format") {
        let file = Path::new(apel::FILE);
        let site = apel::Site::parse(&reading::read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
        return Ok(Box::new(Apel::new(site, filter)));
    }
    if matches.get_flag("follow") {
        return Ok(Box::new(Follow::new(if matches.contains_id("since") { filter.since } else { now })));
    }
    let by = matches.get_one::<String>("by");
    if let Some((_, by)) = by.and_then(|by| By::NAMED.into_iter().find(|(name, _)| name == by)) {
        return Ok(Box::new(Usage::new(by)));
    }
    Ok(match matches.get_one::<String>("show").map(String::as_str) {
        Some("refusals") => Box::new(Refusals::default()),
        Some("usage") => Box::new(Usage::default()),
        _ => Box::new(Waiting::new(filter, Counts::Ran)),
    })
}

/// The form of the answer.
fn form(matches: &ArgMatches, look: Look) -> Form {
    let writes_itself = matches.contains_id("html") || matches.contains_id("format") || matches.get_flag("follow");
    if writes_itself { Form::Text } else { Form::of(matches, look) }
}

fn filter(matches: &ArgMatches, now: i64) -> Result<Filter, String> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let exact = [
        ("account", Field::TargetUser),
        ("vo", Field::Vo),
        ("caller", Field::CallerUser),
        ("call", Field::Call),
        ("reason", Field::Code),
    ];
    let numbers = [("uid", Field::TargetUid)];
    let names = [("user", Field::UserDn), ("pilot", Field::PilotDn)];
    let exact = exact.into_iter().filter_map(|(name, field)| Some(Wanted::exact(field, text(name)?)));
    let numbers = numbers
        .into_iter()
        .filter_map(|(name, field)| Some(Wanted::exact(field, &matches.get_one::<u32>(name)?.to_string())));
    let names = names.into_iter().filter_map(|(name, field)| Some(Wanted::name(field, text(name)?)));
    let moment = |name: &str| text(name).map(|text| time::of_argument(text, now)).transpose();
    let at = moment("at")?;
    let (since, until) = (moment("since")?, moment("until")?);
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err("--since is later than --until".to_owned());
    }
    let days = i64::from(matches.get_one::<u16>("longest").copied().unwrap_or(7));
    Ok(Filter {
        wanted: exact.chain(numbers).chain(names).collect(),
        pid: matches.get_one::<u32>("pid").map(u32::to_string),
        host: text("host").map(str::to_owned),
        since: since.or(at).unwrap_or(i64::MIN),
        // What was written while we read counts as well.
        until: until.or(at).unwrap_or(i64::MAX),
        longest: days.saturating_mul(86400).saturating_mul(SECOND),
    })
}
