//! `glexec-admin leases`: who has which pool account, and taking accounts back.

mod at_service;
mod holder;
pub(crate) mod moving;
mod row;
mod take_back;

use super::ask::{Consent, consent};
use super::show::{Look, Table};
use crate::reading::{Said, loaded};
use crate::{service, site_files};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use glexec_config::Config;
use glexec_machine::configuration;
use glexec_machine::gridmapdir::{PoolAccount, Standing, View};
use glexec_sys_more::plain::processes;
use row::Row;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use take_back::{Taken, Unused};

/// How long a call may take from finding its lease to its payload: it waits for locks of files, and for the log.
const GRACE: &str = "15";
pub(crate) const DAY: u64 = 86400;

/// The command line.
pub fn definition() -> Command {
    let directory = Arg::new("gridmapdir")
        .long("gridmapdir")
        .value_name("DIR")
        .global(true)
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::DirPath)
        .help("The directory, where glexec.conf names none or several");
    let yes = Arg::new("yes").long("yes").short('y').action(ArgAction::SetTrue).help("Does it without asking");
    let grace = Arg::new("grace")
        .long("grace")
        .value_name("SECONDS")
        .value_parser(value_parser!(u64))
        .default_value(GRACE)
        .help("How long to wait for calls that have just found the lease");
    let rest = Arg::new("rest")
        .long("rest")
        .value_name("DAYS")
        .value_parser(days)
        .default_value("8d")
        .help("At a service with a database: how long nobody else gets the account; longer than the longest job");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON");
    Command::new("leases")
        .about("Shows who has which pool account, and takes accounts back.")
        .subcommand_required(true)
        .arg(directory)
        .subcommand(
            Command::new("list")
                .about("Lists the leases: account, holder, groups, last use, processes that run now.")
                .arg(Arg::new("free").long("free").action(ArgAction::SetTrue).help("Lists the free accounts, too"))
                .arg(json.clone()),
        )
        .args(service::options())
        .subcommand(move_definition("import", "Gives a gridmapdir's accounts and leases to the site's service."))
        .subcommand(move_definition(
            "export",
            "Writes what the site's service has as a gridmapdir, into an empty directory.",
        ))
        .subcommand(
            Command::new("release")
                .about("Takes one account back, unless a process of it runs.")
                .arg(
                    Arg::new("which")
                        .value_name("ACCOUNT|DN")
                        .required(true)
                        .help("The account, or the holder's distinguished name"),
                )
                .args([yes.clone(), grace.clone(), rest.clone(), json.clone()]),
        )
        .subcommand(
            Command::new("expire")
                .about("Takes back what was not used for long and has no process.")
                .arg(
                    Arg::new("unused-for")
                        .long("unused-for")
                        .value_name("DAYS")
                        .required(true)
                        .value_parser(days)
                        .help("For how many days, as 30d"),
                )
                .args([yes, grace, rest, json]),
        )
        .after_help(
            "On a host of the site's service that has a database, and with --server, list, release and expire are about the service's \
             leases. Taking an account back is safe while glexec and services with the C library lease there. Its files stay: \
             clean the home directory before somebody else gets it. Exit code: 0 done, 1 not all could be done.",
        )
}

fn move_definition(name: &'static str, about: &'static str) -> Command {
    let directory = Arg::new("directory").value_name("DIR").required(true).value_parser(value_parser!(PathBuf));
    Command::new(name).about(about).arg(directory.value_hint(ValueHint::DirPath).help("The gridmapdir"))
}

fn days(text: &str) -> Result<u64, String> {
    text.strip_suffix('d').unwrap_or(text).parse().map_err(|_| "a number of days, as 30d".to_owned())
}

/// Runs the sub-command.
pub(super) fn run(matches: &ArgMatches, look: Look) -> Result<Said, String> {
    match matches.subcommand() {
        Some(("import", matches)) => return moving::import(matches),
        Some(("export", matches)) => return moving::export(matches),
        _ => {}
    }
    if let Some((command, own)) = matches.subcommand().filter(|_| at_service::is_meant(matches)) {
        return at_service::run(command, own, look);
    }
    let told = |refusal: glexec_core::reason::Refusal| refusal.for_log();
    let directory = match matches.get_one::<PathBuf>("gridmapdir") {
        Some(directory) => directory.clone(),
        None => match at_service::directory()? {
            Some(directory) => directory,
            None => only_one(&loaded(Path::new(configuration::CONFIG_FILE))?)?,
        },
    };
    let accounts = View::open(&directory).and_then(|view| view.accounts()).map_err(told)?;
    let Some((command, matches)) = matches.subcommand() else { return Err("no command".to_owned()) };
    let json = matches.get_flag("json");
    if command == "list" {
        let free = matches.get_flag("free");
        let shown = accounts.iter().filter(|account| free || account.standing != Standing::Free);
        let rows: Vec<Row> = shown.map(|account| Row::new(account, &processes())).collect();
        return table(&rows, json, look).map(Said::from);
    }
    let (wanted, unused) = match command {
        "release" => (one(&accounts, matches.get_one::<String>("which"))?, Unused::Whenever),
        _ => {
            let days = matches.get_one::<u64>("unused-for").copied().unwrap_or(u64::MAX);
            let unused = Unused::For(Duration::from_secs(days.saturating_mul(DAY)));
            (take_back::expired(&accounts, unused), unused)
        }
    };
    if wanted.is_empty() {
        return Ok(if json { "[]\n" } else { "nothing to take back\n" }.to_owned().into());
    }
    let question = format!("Take back {} in {}?", names(&wanted), directory.display());
    match consent(&question, matches.get_flag("yes")) {
        Consent::Given => {}
        Consent::Refused => return Err("nothing was done".to_owned()),
        Consent::Nobody => return Err("there is no terminal to ask on; say --yes to do it".to_owned()),
    }
    let grace = Duration::from_secs(matches.get_one::<u64>("grace").copied().unwrap_or_default());
    let taken = take_back::take_back(&directory, &wanted, unused, grace).map_err(told)?;
    let all = taken.iter().all(|(_, taken)| *taken == Taken::Freed);
    Ok(Said { text: told_of(&taken, json), code: u8::from(!all) })
}

/// The gridmapdir of the configuration.
fn only_one(config: &Config) -> Result<PathBuf, String> {
    let pools = site_files::pools(&config.lcmaps);
    let directories: BTreeSet<&Path> = pools.iter().map(|pools| pools.gridmapdir.as_path()).collect();
    match directories.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(format!("{} names no gridmapdir; name it with --gridmapdir", configuration::CONFIG_FILE)),
        _ => Err(format!("{} names several gridmapdirs; name one with --gridmapdir", configuration::CONFIG_FILE)),
    }
}

fn one(accounts: &[PoolAccount], which: Option<&String>) -> Result<Vec<PoolAccount>, String> {
    let which = which.map(String::as_str).unwrap_or_default();
    let found: Vec<_> = accounts.iter().filter(|account| holder::is(account, which)).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    match accounts.iter().find(|account| account.name == which) {
        Some(PoolAccount { standing: Standing::Free, .. }) => Err(format!("{which} is free already")),
        Some(_) => {
            Err(format!("{which} is just being changed, or has more names than one lease: look at the directory"))
        }
        None => Err(format!("there is no account and no lease of {which:?}")),
    }
}

fn names(accounts: &[PoolAccount]) -> String {
    accounts.iter().map(|account| account.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn table(rows: &[Row], json: bool, look: Look) -> Result<String, String> {
    if json {
        return serde_json::to_string_pretty(rows).map(|text| text + "\n").map_err(|error| error.to_string());
    }
    let mut out = Vec::new();
    let mut table = Table::new(&mut out, look, &Row::HEADINGS);
    rows.iter().try_for_each(|row| table.row(row.cells())).map_err(|error| error.to_string())?;
    table.finish().map_err(|error| error.to_string())?;
    String::from_utf8(out).map_err(|error| error.to_string())
}

fn told_of(taken: &[(String, Taken)], json: bool) -> String {
    match json {
        true => {
            let rows = taken.iter().map(|(account, taken)| {
                serde_json::json!({ "account": account, "freed": *taken == Taken::Freed, "says": taken.says() })
            });
            serde_json::Value::Array(rows.collect()).to_string() + "\n"
        }
        false => taken.iter().map(|(account, taken)| format!("{account}: {}\n", taken.says())).collect(),
    }
}
