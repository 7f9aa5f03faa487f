//! glexec-admin: what an administrator does beside the calls. Nothing of it is in the setuid program.

#![forbid(unsafe_code)]

mod ask;
mod ban;
mod check;
mod convert_glexec;
mod convert_lcas;
mod convert_lcmaps;
pub mod explain;
mod fetch_keys;
mod issuers;
mod lcas_db;
mod lcmaps_db;
mod leases;
mod log;
pub mod mend;

mod migrate;
mod output;
mod progress;
mod reading;
mod service;
mod service_account;
mod show;
mod site_files;
mod sweep;

use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use glexec_config::parse::parse;
use glexec_machine::configuration;
use glexec_sys::start::{self, Inherited};
use glexec_sys_more::plain;
use reading::{Said, read, told};
use show::Look;
use std::io::{BufWriter, Write, stderr, stdout};
use std::path::{Path, PathBuf};

/// Everything about the command line in one place.
pub fn definition() -> Command {
    Command::new("glexec-admin")
        .about("Helps to configure glexec and to look after it.")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .subcommand(migrate_definition())
        .subcommand(check::definition())
        .subcommand(explain::definition())
        .subcommand(log::definition())
        .subcommand(leases::definition())
        .subcommand(ban::definition())
        .subcommand(sweep::definition())
        .subcommand(fetch_keys::definition())
        .subcommand(pools_definition())
}

fn pools_definition() -> Command {
    let names = Arg::new("names").value_name("NAME").required(true).num_args(1..).help("Accounts, as prod001 prod002");
    Command::new("pools")
        .about("Adds pool accounts to the database of the site's service.")
        .subcommand_required(true)
        .args(service::options())
        .subcommand(Command::new("add").about("Adds accounts that nobody has.").arg(names))
}

fn migrate_definition() -> Command {
    let file = |name: &'static str, help: &'static str| {
        let path = Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
        path.value_hint(ValueHint::FilePath).help(help)
    };
    Command::new("migrate")
        .about("Prints a historic configuration as a glexec.conf of today, with comments on what needs a look.")
        .arg(file("glexec-conf", "The historic glexec.conf"))
        .arg(file("lcmaps-db", "The historic lcmaps.db"))
        .arg(file("lcas-db", "The historic lcas.db"))
        .arg(file("output", "Writes this file, whole or not at all, and keeps what was there as FILE.bak"))
        .arg(file("check", "Prints nothing, but checks that this glexec.conf can be loaded").exclusive(true))
        .after_help("Without options: /etc/glexec.conf and the databases that it names.")
}

/// Runs the program; returns its exit code.
pub fn main() -> u8 {
    let inherited = start::take();
    let is_check = inherited.arguments.get(1).is_some_and(|command| command == "check");
    // Monitoring would take 1 for a warning about the site.
    let failed = if is_check { check::finding::UNKNOWN } else { 1 };
    match run(inherited, failed) {
        Ok(code) => code,
        Err(why) => {
            // Somebody who does not listen still has the exit code.
            let _ = stderr().write_all(format!("{}\n", why.trim_end()).as_bytes());
            failed
        }
    }
}

fn run(inherited: Inherited, failed: u8) -> Result<u8, String> {
    let matches = match definition().try_get_matches_from(&inherited.arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(say(&error.to_string().into(), failed)),
        Err(error) => return Err(error.to_string()),
    };
    let look = Look::of(&stdout(), &inherited.environment);
    let mut out = BufWriter::new(stdout());
    match matches.subcommand() {
        Some(("migrate", matches)) => migrate(matches).map(|text| say(&text.into(), failed)),
        Some(("explain", matches)) => explain::run(matches, inherited).map(|said| say(&said, failed)),
        Some(("check", matches)) => check::run(matches, look, &inherited).map(|said| say(&said, failed)),
        Some(("pools", matches)) => match matches.subcommand() {
            Some((_, matches)) => leases::moving::add(matches).map(|said| say(&said, failed)),
            None => Err("no command".to_owned()),
        },
        Some(("ban", matches)) => ban::run(matches, look).map(|said| say(&said, failed)),
        Some(("leases", matches)) => leases::run(matches, look).map(|said| say(&said, failed)),
        Some(("sweep", matches)) => sweep::run(matches).map(|(text, code)| say(&Said { text, code }, failed)),
        Some(("fetch-keys", matches)) => fetch_keys::run(matches).map(|said| say(&said, failed)),
        Some(("log", matches)) => log::run(matches, look, &mut out, &mut stderr()).map(|said| said.code),
        _ => Err("no command".to_owned()),
    }
}

fn say(said: &Said, failed: u8) -> u8 {
    if stdout().write_all(said.text.as_bytes()).is_ok() { said.code } else { failed }
}

fn migrate(matches: &ArgMatches) -> Result<String, String> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).map(PathBuf::as_path);
    if let Some(path) = path("check") {
        return check_file(path).map(|()| format!("{} can be loaded\n", path.display()));
    }
    let output = path("output");
    // The shell has emptied it before this program could read it.
    let read = |file: &Path| match output.is_none() && plain::is_stdout(file) {
        true => Err(format!(
            "{0} is both read and written, and the shell has emptied it: get it back, and use --output {0}",
            file.display()
        )),
        false => read(file),
    };
    let none = path("glexec-conf").or(path("lcmaps-db")).or(path("lcas-db")).is_none();
    let default = none.then_some(Path::new(configuration::CONFIG_FILE));
    let text = migrate::migrate(path("glexec-conf").or(default), path("lcmaps-db"), path("lcas-db"), &read)?;
    let Some(output) = output else { return Ok(text) };
    let kept = plain::replace(output, text.as_bytes(), plain::Old::Stays)
        .map_err(|error| format!("{}: {error}", output.display()))?;
    let kept = kept.map(|kept| format!("; what was there is {}", kept.display())).unwrap_or_default();
    let open = text.lines().filter(|line| line.starts_with("# LOOK")).count();
    Ok(format!("{} is written{kept}; {open} lines of it begin with # LOOK\n", output.display()))
}

fn check_file(path: &Path) -> Result<(), String> {
    parse(&read(path)?).map(drop).map_err(|mistake| told(path, &mistake))
}
