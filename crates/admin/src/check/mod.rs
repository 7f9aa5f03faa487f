//! `glexec-admin check`: everything that glexec needs of a site, looked at before a call does.
//!
//! What it reads it reads with glexec's own code: what is refused here is refused there.

mod agent;
mod call;
mod configuration;
pub(crate) mod finding;
mod maps;
mod names;
mod pools;
mod program;
mod site;
mod tokens;
mod trust;

use super::show::{Cell, Look, Table, counted};
use crate::reading::Said;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use finding::{Finding, Gauge, State};
use glexec_config::Config;
use glexec_sys::start::Inherited;
use serde_json::json;
use std::path::PathBuf;
use trust::ExpiredCas;

/// Where `make install` and the packages put the program.
const PROGRAM: &str = "/usr/sbin/glexec";

/// The command line.
pub fn definition() -> Command {
    let file = |name: &'static str, value: &'static str, help: &'static str| {
        let path = Arg::new(name).long(name).value_name(value).value_parser(value_parser!(PathBuf));
        path.value_hint(ValueHint::FilePath).help(help)
    };
    Command::new("check")
        .about("Checks everything that glexec needs of the site, and says what to do.")
        .arg(file("program", "FILE", "The installed program").default_value(PROGRAM))
        .arg(
            file("config", "FILE", "Looks at this glexec.conf, which is not in place yet, instead of the one that is")
                .conflicts_with("as"),
        )
        .arg(file("as", "PROXY", "Also tries a call with this proxy, without any effect"))
        .arg(
            Arg::new("caller")
                .long("caller")
                .value_name("USER")
                .requires("as")
                .value_hint(ValueHint::Username)
                .help("Who calls; the owner of the proxy where nobody is named"),
        )
        .arg(
            Arg::new("ignore-expired-cas")
                .long("ignore-expired-cas")
                .action(ArgAction::SetTrue)
                .help("Does not warn of CAs that have expired"),
        )
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("Shows also what is as it should be"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON"))
        .after_help(
            "Run it as root: others cannot see everything. Exit codes are those of monitoring plug-ins: 0 ok, 1 warning, \
             2 critical (calls are refused that should not be), 3 something could not be found out, mistakes on the \
             command line among it.",
        )
}

/// Runs the checks.
pub(super) fn run(matches: &ArgMatches, look: Look, inherited: &Inherited) -> Result<Said, String> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let mut found = program::check(&path("program").unwrap_or_default());
    let (config, mistakes) = path("config").map_or_else(configuration::load, |path| configuration::candidate(&path));
    found.extend(mistakes);
    if let Some(config) = &config {
        let expired = match matches.get_flag("ignore-expired-cas") {
            true => ExpiredCas::Ignored,
            false => ExpiredCas::Named,
        };
        found.extend(site(config, inherited.uid.is_root(), expired));
        // Last: as root it gives up what it does not need.
        if let Some(proxy) = path("as") {
            found.push(call::check(proxy, matches.get_one::<String>("caller").cloned(), inherited));
        }
    }
    let worst = found.iter().map(|finding| finding.state).max_by_key(|state| state.weight()).unwrap_or(State::Unknown);
    let text = match matches.get_flag("json") {
        true => json!({ "state": worst, "exit_code": worst.exit_code(), "findings": found }).to_string() + "\n",
        false => table(&found, worst, matches.get_flag("all"), look)?,
    };
    Ok(Said { text, code: worst.exit_code() })
}

fn site(config: &Config, as_root: bool, expired: ExpiredCas) -> Vec<Finding> {
    let mut found = configuration::check(config);
    found.extend(trust::check(config, as_root, expired));
    let tokens = tokens::check(config, as_root);
    found.extend(tokens.findings);
    found.extend(as_root.then(|| agent::check(config)).flatten());
    let maps = maps::check(config, &tokens.issuers);
    found.extend(maps.findings);
    found.extend(site::check(config, as_root));
    found.extend(pools::check(config, &maps.pools, &maps.group_pools));
    found
}

fn table(found: &[Finding], worst: State, all: bool, look: Look) -> Result<String, String> {
    let mut out = Vec::new();
    let mut table = Table::new(&mut out, look, &["STATE", "SUBJECT", "FINDING"]);
    let mut rows = || -> std::io::Result<()> {
        for finding in found.iter().filter(|finding| all || finding.state != State::Ok) {
            let reason = finding.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let state = Cell::new(finding.state.tone(), finding.state.word());
            table.row(vec![state, finding.subject.as_str().into(), format!("{}{reason}", finding.says).into()])?;
            if let Some(mend) = &finding.mend {
                table.row(vec!["".into(), "".into(), format!("-> {mend}").into()])?;
            }
        }
        Ok(())
    };
    rows().map_err(|error| error.to_string())?;
    table.finish().map_err(|error| error.to_string())?;
    let text = String::from_utf8(out).map_err(|error| error.to_string())?;
    let shown = if found.iter().all(|finding| finding.state == State::Ok) && !all { String::new() } else { text };
    Ok(format!("{}\n{shown}", summary(found, worst, look)))
}

/// The line that monitoring shows: the state, what is worst, how many accounts are free.
fn summary(found: &[Finding], worst: State, look: Look) -> String {
    let good = found.iter().filter(|finding| finding.state == State::Ok).count();
    let first = found.iter().find(|finding| finding.state == worst && worst != State::Ok);
    let first = first.map(|finding| format!("; {}: {}", finding.subject, finding.says).replace('|', ","));
    let gauges: Vec<String> = found.iter().filter_map(|finding| finding.gauge.as_ref()).map(Gauge::perfdata).collect();
    let gauges = if gauges.is_empty() { String::new() } else { format!(" | {}", gauges.join(" ")) };
    format!(
        "GLEXEC {}: {good} of {} as they should be{}{gauges}",
        look.paint(worst.tone(), worst.status()),
        counted(found.len(), "check"),
        first.unwrap_or_default(),
    )
}
