//! `glexec-admin ban`: who may not run at the site, kept by its mapping service.

use crate::log::time::{SECOND, of_text, shown};
use crate::reading::{Said, read};
use crate::service;
use crate::show::{Cell, Look, Table};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use glexec_policy::files::map_file::lines;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;

const BANS: &str = "/v1/bans";

/// The command line.
pub(crate) fn definition() -> Command {
    let name = Arg::new("name")
        .value_name("NAME")
        .required(true)
        .help("A distinguished name (of a person or a CA, with * ? [] as in a shell), or a VOMS attribute");
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let until = text("until", "TIME", "When it ends, RFC 3339: 2026-12-24T18:00:00Z");
    let reason = text("reason", "TEXT", "Why; it is shown to operators and logged");
    let kill =
        Arg::new("kill").long("kill").action(ArgAction::SetTrue).help("Ends what they have running on the nodes");
    Command::new("ban")
        .about("Says who may not run at the site, on every node within seconds.")
        .subcommand_required(true)
        .args(service::options())
        .subcommand(Command::new("add").about("Bans, or bans otherwise.").args([name.clone(), until.clone(), reason.clone(), kill]))
        .subcommand(Command::new("remove").about("Lifts a ban: exactly the name that was banned.").arg(name))
        .subcommand(
            Command::new("list")
                .about("Shows the bans: who, until when, by whom, why.")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON")),
        )
        .subcommand(
            Command::new("import")
                .about("Bans everybody that a ban file names.")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(value_parser!(PathBuf))
                        .value_hint(ValueHint::FilePath)
                        .help("A ban file of LCAS or LCMAPS: a name a line, in quotes where it has blanks"),
                )
                .args([until, reason]),
        )
        .after_help("The service takes changes from the certificates that its [[operator]]s have, and from root of a service host.")
}

#[derive(Deserialize)]
struct List {
    bans: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    name: String,
    until: Option<i64>,
    reason: Option<String>,
    by: String,
    since: i64,
    running: String,
}

/// Runs the sub-command.
pub(crate) fn run(matches: &ArgMatches, look: Look) -> Result<Said, String> {
    match matches.subcommand() {
        Some(("add", matches)) => {
            let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
            add(matches, name)?;
            Ok(format!("{name} is banned\n").into())
        }
        Some(("remove", matches)) => {
            let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
            change(matches, &json!({ "remove": { "name": name } }))?;
            Ok(format!("{name} is not banned any more\n").into())
        }
        Some(("import", matches)) => import(matches),
        Some((_, matches)) => list(matches, look),
        None => Err("no command".to_owned()),
    }
}

fn change(matches: &ArgMatches, change: &serde_json::Value) -> Result<(), String> {
    service::ask(matches, "post", BANS, change.to_string().as_bytes()).map(drop)
}

fn add(matches: &ArgMatches, name: &str) -> Result<(), String> {
    let until = match matches.get_one::<String>("until") {
        Some(text) => {
            let time = of_text(text).ok_or_else(|| format!("{text:?} is no time such as 2026-12-24T18:00:00Z"))?;
            Some(time.div_euclid(SECOND))
        }
        None => None,
    };
    // An import ends nobody's work.
    let kills = matches.try_get_one::<bool>("kill").ok().flatten().is_some_and(|kill| *kill);
    let running = if kills { "ends" } else { "goes-on" };
    let reason = matches.get_one::<String>("reason");
    change(matches, &json!({ "add": { "name": name, "until": until, "reason": reason, "running": running } }))
}

fn import(matches: &ArgMatches) -> Result<Said, String> {
    let Some(file) = matches.get_one::<PathBuf>("file") else { return Err("no file".to_owned()) };
    let text = read(file)?;
    // All of it is understood before anybody is banned.
    let mut names = Vec::new();
    for line in lines(text.as_bytes()) {
        let line = line.map_err(|malformed| format!("{}: {malformed}", file.display()))?;
        let name = String::from_utf8(line.unquoted.unwrap_or(line.name).trim_ascii_end().to_vec());
        names.push(name.map_err(|_| format!("{} line {}: it is not UTF-8 text", file.display(), line.number))?);
    }
    for name in &names {
        add(matches, name)?;
    }
    Ok(format!("{} names are banned\n", names.len()).into())
}

fn list(matches: &ArgMatches, look: Look) -> Result<Said, String> {
    let answer = service::ask(matches, "get", BANS, b"")?;
    if matches.get_flag("json") {
        return String::from_utf8(answer).map(|text| (text + "\n").into()).map_err(|error| error.to_string());
    }
    let list: List = serde_json::from_slice(&answer).map_err(|error| format!("the service's answer: {error}"))?;
    let mut out = Vec::new();
    let mut table = Table::new(&mut out, look, &["NAME", "UNTIL", "SINCE", "RUNNING", "BY", "REASON"]);
    for Ban { name, until, reason, by, since, running } in list.bans {
        let time = |seconds: i64| shown(seconds.saturating_mul(SECOND));
        let cells =
            [name, until.map_or_else(|| "-".to_owned(), time), time(since), running, by, reason.unwrap_or_default()];
        table.row(cells.map(Cell::from).into()).map_err(|error| error.to_string())?;
    }
    table.finish().map_err(|error| error.to_string())?;
    String::from_utf8(out).map(Said::from).map_err(|error| error.to_string())
}
