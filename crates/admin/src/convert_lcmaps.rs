//! `[lcmaps]` from lcmaps.db.
//!
//! Policies stay as they are. verify_proxy and posix_enf, which glexec does anyway, become plug-ins that succeed.

use super::lcmaps_db::{Database, Variable, safe};
use super::output::{Output, list, quoted};
use glexec_core::values::Lifetime;

/// A file or directory that a plug-in needs.
#[derive(Clone, Copy)]
struct Needs {
    /// The option that names it here.
    name: &'static str,
    /// What it was called otherwise; the C library took capital letters, too.
    also: &'static [&'static str],
    /// Where it was looked for when no option named it.
    default: &'static str,
}

const GRIDMAPFILE: Needs =
    Needs { name: "gridmapfile", also: &["gridmap"], default: "/etc/grid-security/grid-mapfile" };
const GRIDMAPDIR: Needs = Needs { name: "gridmapdir", also: &[], default: "/etc/grid-security/gridmapdir" };
const GROUPMAPFILE: Needs =
    Needs { name: "groupmapfile", also: &["groupmap"], default: "/etc/grid-security/groupmapfile" };
const GROUPMAPDIR: Needs = Needs { name: "groupmapdir", also: &[], default: "/etc/grid-security/groupmapdir" };
const BANMAPFILE: Needs = Needs {
    name: "banmapfile",
    also: &["ban_mapfile", "gridmapfile", "gridmap"],
    default: "/etc/grid-security/ban-mapfile",
};
/// Where relative names were looked for.
const DIRECTORY: &str = "/etc/lcmaps/";

/// What becomes of a module.
#[derive(Clone, Copy)]
enum Fate {
    /// The same, with these files that it needs.
    Same(&'static [Needs]),
    /// It does nothing any more, for this reason.
    Succeeds(&'static str),
    /// It decided something; until it is replaced it refuses. What to do instead.
    Fails(&'static str),
}

const CALL_OUT: &str = "a call-out: ask the service from a plug-in of type exec (docs/reference/plugins.md)";

fn fate(module: &str) -> Fate {
    match module {
        "localaccount" | "voms_localaccount" => Fate::Same(&[GRIDMAPFILE]),
        "poolaccount" | "voms_poolaccount" => Fate::Same(&[GRIDMAPFILE, GRIDMAPDIR]),
        "voms_localgroup" => Fate::Same(&[GROUPMAPFILE]),
        "voms_poolgroup" => Fate::Same(&[GROUPMAPFILE, GROUPMAPDIR]),
        "ban_dn" | "ban_fqan" => Fate::Same(&[BANMAPFILE]),
        "tracking_groupid" | "dummy_good" | "dummy_bad" => Fate::Same(&[]),
        "verify_proxy" => Fate::Succeeds("glexec always verifies; its options are in [credentials]"),
        "posix_enf" => Fate::Succeeds("glexec itself switches"),
        "voms" => Fate::Succeeds("glexec always reads VOMS attributes"),
        "jobrep" => Fate::Succeeds("no job repository; the audit record has everything, in syslog"),
        "glexec_tracking" | "process_tracking" => Fate::Succeeds(
            "linger = true ends what the payload leaves behind; tracking_groupid keeps a batch system's group",
        ),
        "mount_under_scratch" => Fate::Succeeds("private_tmp in [isolation] does it"),
        "afs" => Fate::Succeeds("LOOK: no AFS tokens, unless wrapper gets them (docs/reference/payload.md)"),
        "c_pep" => Fate::Fails("a call-out: ask it by argus in [site] and type = \"site\" (docs/use/site-service.md)"),
        "scas_client" | "gums_client" | "saz_client" => Fate::Fails(CALL_OUT),
        "pilot_sub_proxy" => Fate::Fails("no users without certificates: give them proxies of their own"),
        _ => Fate::Fails("unknown: write a plug-in of type exec (docs/reference/plugins.md)"),
    }
}

/// A module's name without directory, prefix and suffix, and without the number of a copy: OSG had `lcmaps_verify_proxy2.mod`
/// and others, since the C library cannot load one file twice.
fn module(variable: &Variable) -> &str {
    let file = variable.module.rsplit('/').next().unwrap_or_default();
    let name = file.trim_end_matches(".mod").trim_start_matches("lcmaps_");
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// An option's name as glexec has it, and its value where one follows.
fn options(variable: &Variable) -> Vec<(String, Option<&str>)> {
    let mut options: Vec<(String, Option<&str>)> = Vec::new();
    for word in &variable.arguments {
        match word.strip_prefix('-') {
            Some(name) => {
                let name = name.trim_start_matches('-');
                // In --max-proxy-level-ttl=N the time is the next word.
                let (name, value) = match name.split_once('=') {
                    Some((name, value)) if !name.ends_with("-ttl") => (name, Some(value)),
                    _ => (name, None),
                };
                options.push((name.to_ascii_lowercase().replace('-', "_"), value));
            }
            None => match options.last_mut() {
                Some((_, value @ None)) => *value = Some(word),
                _ => options.push((word.clone(), None)),
            },
        }
    }
    options
}

/// Writes plug-ins and policies.
pub fn write(database: &Database, out: &mut Output) {
    for variable in &database.variables {
        out.table(&format!("[lcmaps.plugins.{}]", quoted(&safe(&variable.name))));
        out.comment(&format!("was {} {}", variable.module, variable.arguments.join(" ")));
        match fate(module(variable)) {
            Fate::Same(files) => same(variable, files, out),
            Fate::Succeeds(why) => {
                out.comment(why);
                if module(variable) == "verify_proxy" {
                    say_what_is_lost(variable, out);
                }
                out.set("type", "\"dummy_good\"");
            }
            Fate::Fails(instead) => {
                out.comment(&format!("LOOK: it has no equivalent and refuses until you replace it: {instead}"));
                out.set("type", "\"dummy_bad\"");
            }
        }
    }
    if database.variables.iter().any(|variable| module(variable) == "mount_under_scratch") {
        out.table("[isolation]");
        out.comment("a /tmp and a /var/tmp of each payload's own, as mount_under_scratch made them");
        out.set("private_tmp", "\"always\"");
    }
    if !database.policies.is_empty() {
        out.table("[lcmaps.policies]");
    }
    for policy in &database.policies {
        let rules: Vec<String> = policy.rules.iter().map(|rule| safe(rule)).collect();
        out.set(&quoted(&safe(&policy.name)), &list(rules.iter().map(String::as_str)));
    }
}

fn same(variable: &Variable, files: &[Needs], out: &mut Output) {
    out.set("type", &quoted(module(variable)));
    let options = options(variable);
    let names = |file: &Needs, name: &str| file.name == name || file.also.contains(&name);
    for file in files {
        let given = options.iter().find(|(name, _)| names(file, name)).and_then(|(_, value)| *value);
        out.set(file.name, &quoted(&absolute(given.unwrap_or(file.default))));
    }
    if module(variable) == "voms_localaccount" && !options.iter().any(|(name, _)| name == "all_fqans") {
        out.comment(
            "LOOK: OSG's build mapped by the first FQAN only without -all-fqans; glexec tries them all, as others did",
        );
    }
    let mut written: Vec<&str> = Vec::new();
    for (name, value) in &options {
        let name = match name.as_str() {
            "disablewildcard" | "disablewildcards" => "no_wildcard",
            name => name,
        };
        if files.iter().any(|file| names(file, name)) || written.contains(&name) {
            continue;
        }
        written.push(name);
        let value = value.unwrap_or_default();
        match name {
            "no_wildcard"
            | "override_inconsistency"
            | "use_voms_gid"
            | "use_account_gid"
            | "mapall"
            | "add_primary_gid_from_mapped_account"
            | "do_not_add_primary_gid_from_mapped_account"
            | "add_primary_gid_as_secondary_gid_from_mapped_account"
            | "add_secondary_gids_from_mapped_account"
            | "do_not_add_secondary_gids_from_mapped_account"
            | "require_primary_gid"
            | "do_not_require_primary_gid"
            | "do_not_use_secondary_gids"
            | "map_to_secondary_groups" => out.set(name, "true"),
            "strict_poolprefix_match" => out.set(name, if value == "no" { "false" } else { "true" }),
            "max_mappings_per_credential" | "mapmin" | "min_gid" | "max_gid" if value.parse::<u32>().is_ok() => {
                out.set(name, value)
            }
            "all_fqans" => out.comment("all-fqans: glexec always tries every FQAN"),
            "dummy_username" | "dummy_group" | "dummy_sec_group" => {
                if matches!(value, "nobody" | "root") {
                    out.comment(&format!(
                        "LOOK: {name} {value}: glexec never runs a payload as {value}; name another account"
                    ));
                }
                out.set(name, &quoted(value));
            }
            _ => out.comment(&format!("LOOK: {name} {value}: unknown here (an account or a group must be named)")),
        }
    }
}

fn absolute(file: &str) -> String {
    if file.starts_with('/') { file.to_owned() } else { format!("{DIRECTORY}{file}") }
}

/// Names the options of verify_proxy that `[credentials]` does not have as they were.
fn say_what_is_lost(variable: &Variable, out: &mut Output) {
    for (name, value) in options(variable) {
        let value = value.unwrap_or_default();
        let is_level = name.starts_with("max_proxy_level_ttl");
        let why = match name.as_str() {
            "certdir" | "cadir" | "capath" | "allow_limited_proxy" | "disallow_limited_proxy" => continue,
            "require_limited_proxy" | "never_discard_private_key_absence" => continue,
            "discard_private_key_absence" => "name the callers who may do so in omission_private_key_white_list",
            "only_enforce_lifetime_checks" => "signatures are always verified",
            "max_voms_ttl" if lifetime(value).is_some() => continue,
            _ if is_level && lifetime(value).is_some() => "max_proxy_lifetime, the shortest, holds for every proxy",
            _ if is_level || name == "max_voms_ttl" => "no time of the form 2d-13:37, so no limit",
            _ => "unknown",
        };
        out.comment(&format!("LOOK: {name} {value}: {why}"));
    }
}

/// What verify_proxy's options mean in `[credentials]`, values in TOML. Of lifetimes the shortest counts, so that nothing
/// is let in that was refused; of the others the first.
pub fn credentials(database: &Database) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = Vec::new();
    let verify = database.variables.iter().filter(|variable| module(variable) == "verify_proxy");
    let mut options: Vec<_> = verify.flat_map(options).collect();
    options.sort_by_key(|(_, value)| value.and_then(minutes));
    for (name, value) in options {
        let value = value.unwrap_or_default();
        let level = name.strip_prefix("max_proxy_level_ttl").is_some();
        let (key, value) = match name.as_str() {
            "certdir" | "cadir" | "capath" => ("certdir", quoted(value)),
            "disallow_limited_proxy" => ("limited_proxy", quoted("refuse")),
            "require_limited_proxy" => ("limited_proxy", quoted("require")),
            "max_voms_ttl" if lifetime(value).is_some() => {
                ("max_ac_lifetime", quoted(&lifetime(value).unwrap_or_default()))
            }
            _ if level && lifetime(value).is_some() => {
                ("max_proxy_lifetime", quoted(&lifetime(value).unwrap_or_default()))
            }
            _ => continue,
        };
        if !settings.iter().any(|(other, _)| other == key) {
            settings.push((key.to_owned(), value));
        }
    }
    settings
}

/// `[Nd-]HH:MM` as glexec writes it.
fn lifetime(text: &str) -> Option<String> {
    let text = format!("{}m", minutes(text)?);
    Lifetime::try_from(text.clone()).ok().map(|_| text)
}

fn minutes(text: &str) -> Option<u64> {
    let (days, time) = text.split_once("d-").unwrap_or(("0", text));
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str| text.parse::<u64>().ok();
    number(days)?.checked_mul(24)?.checked_add(number(hours)?)?.checked_mul(60)?.checked_add(number(minutes)?)
}
