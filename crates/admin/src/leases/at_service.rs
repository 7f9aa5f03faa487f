//! Leases that the site's service keeps in a database: listed and taken back there.
//!
//! Which processes of an account run on which node the service does not know, and nodes remember answers. So an account that
//! is taken back rests: for that time nobody else gets it, and its holder, who comes again, keeps it.

use super::holder::{self, Holder};
use super::moving::{self, Account, Lease};
use super::row::Row;
use super::{DAY, table};
use crate::ask::{Consent, consent};
use crate::log::time::{SECOND, shown};
use crate::reading::{MAX_FILE, Said};
use crate::service;
use crate::show::Look;
use clap::ArgMatches;
use glexec_sys_more::plain;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The configuration of a service on this host.
const SITE: &str = "/etc/glexec-site.toml";
/// How many leases end with one request.
const AT_ONCE: usize = 500;

/// The configuration of this host's service, where it has one.
fn own() -> Result<Option<toml::Table>, String> {
    let path = Path::new(SITE);
    if !path.exists() {
        return Ok(None);
    }
    let text = plain::read_text(path, MAX_FILE).map_err(|error| format!("{SITE}: {error}"))?;
    text.parse().map(Some).map_err(|error: toml::de::Error| format!("{SITE}: {}", error.message()))
}

/// Whether the leases of the service are meant: it is named, or runs on this host with a database.
pub(super) fn is_meant(matches: &ArgMatches) -> bool {
    let named = |name: &str| matches.contains_id(name);
    let of_own =
        || own().ok().flatten().and_then(|table| Some(table.get("engine")?.get("type")?.as_str()? != "gridmapdir"));
    named("server") || (!named("gridmapdir") && of_own().unwrap_or(false))
}

/// The gridmapdir that the service of this host leases in.
pub(super) fn directory() -> Result<Option<PathBuf>, String> {
    let Some(table) = own()? else { return Ok(None) };
    let plugins = table.get("lcmaps").and_then(|lcmaps| lcmaps.get("plugins")).and_then(toml::Value::as_table);
    let all = plugins.iter().flat_map(|plugins| plugins.values());
    let directories: BTreeSet<&str> = all.filter_map(|plugin| plugin.get("gridmapdir")?.as_str()).collect();
    match directories.into_iter().collect::<Vec<_>>().as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(PathBuf::from(one))),
        _ => Err(format!("{SITE} names several gridmapdirs; name one with --gridmapdir")),
    }
}

fn holder(Lease { name, holder, since, .. }: &Lease) -> Holder {
    holder::named(name, Some(holder.clone()).filter(|holder| !holder.is_empty()), Some(*since))
}

/// Lists, releases, expires.
pub(super) fn run(command: &str, matches: &ArgMatches, look: Look) -> Result<Said, String> {
    let now = glexec_sys::time::now().map_err(|refusal| refusal.for_log())?;
    let json = matches.get_flag("json");
    let accounts = moving::all(matches)?;
    if command == "list" {
        let rows = accounts.into_iter().map(|Account { account, lease }| {
            let lease = lease.map(|lease| (holder(&lease), lease.used, lease.ends));
            Row::at_service(account, lease, now)
        });
        let rows: Vec<Row> = rows.filter(|row| matches.get_flag("free") || !row.is_free()).collect();
        return table(&rows, json, look).map(Said::from);
    }
    let seconds = |name: &str| {
        let days = matches.get_one::<u64>(name).copied().unwrap_or_default();
        i64::try_from(days.saturating_mul(DAY)).unwrap_or(i64::MAX)
    };
    let unused_since = (command == "expire").then(|| now.saturating_sub(seconds("unused-for")));
    let which = (command == "release").then(|| matches.get_one::<String>("which")).flatten();
    let is_wanted = |account: &Account| match (&account.lease, which, unused_since) {
        (Some(lease), Some(which), _) => account.account == *which || holder::is_meant(&holder(lease).name, which),
        (Some(lease), None, Some(before)) => lease.used < before && lease.ends.is_none(),
        _ => false,
    };
    let wanted: Vec<Account> = accounts.into_iter().filter(is_wanted).collect();
    match (wanted.is_empty(), which) {
        (true, Some(which)) => return Err(format!("the service has no lease of {which:?}")),
        (true, None) => return Ok(if json { "[]\n" } else { "nothing to take back\n" }.to_owned().into()),
        _ => {}
    }
    let names: Vec<&str> = wanted.iter().map(|account| account.account.as_str()).collect();
    match consent(&format!("Take back {} at the site's service?", names.join(", ")), matches.get_flag("yes")) {
        Consent::Given => {}
        Consent::Refused => return Err("nothing was done".to_owned()),
        Consent::Nobody => return Err("there is no terminal to ask on; say --yes to do it".to_owned()),
    }
    let mut ended: BTreeSet<String> = BTreeSet::new();
    for some in wanted.chunks(AT_ONCE) {
        let leases: Vec<_> = some.iter().filter_map(|one| Some((&one.account, &one.lease.as_ref()?.name))).collect();
        let body = json!({ "leases": leases, "unused_since": unused_since, "rest": seconds("rest") }).to_string();
        let answer = service::ask(matches, "post", &format!("{}/end", moving::ACCOUNTS), body.as_bytes())?;
        let names: Vec<String> =
            serde_json::from_slice(&answer).map_err(|error| format!("the service's answer: {error}"))?;
        ended.extend(names);
    }
    let until = shown(now.saturating_add(seconds("rest")).saturating_mul(SECOND));
    let says = |account: &str| match ended.contains(account) {
        true => format!("free from {until} on, unless its holder comes before"),
        false => "kept: somebody has just used it".to_owned(),
    };
    let text = match json {
        true => {
            let rows =
                names.iter().map(|name| json!({ "account": name, "freed": ended.contains(*name), "says": says(name) }));
            serde_json::Value::Array(rows.collect()).to_string() + "\n"
        }
        false => names.iter().map(|name| format!("{name}: {}\n", says(name))).collect(),
    };
    Ok(Said { text, code: u8::from(ended.len() < names.len()) })
}
