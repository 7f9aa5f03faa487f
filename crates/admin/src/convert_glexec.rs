//! `[glexec]` and `[credentials]` from the historic glexec.conf.

use super::lcmaps_db::{Database, safe};
use super::output::{Output, list, quoted};
use glexec_config::values::{Facility, Preserve};
use glexec_config::white_list::Pattern;

/// The settings of the historic file: those below `[glexec]`, the last of each name.
#[derive(Debug, Default)]
pub struct Old(Vec<(String, String)>);

impl Old {
    /// Reads the .ini form; an error begins with the line's number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut settings: Vec<(String, String)> = Vec::new();
        let mut section = String::new();
        for (number, line) in (1_usize..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                let name = name.split_once(']').ok_or_else(|| format!("line {number}: a section without ]"))?.0;
                section = name.trim().to_ascii_lowercase();
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| format!("line {number}: neither key nor section"))?;
            let comment = [" #", "\t#"].into_iter().filter_map(|mark| value.find(mark)).min();
            let value = comment.and_then(|at| value.get(..at)).unwrap_or(value).trim();
            let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
            if section.is_empty() {
                return Err(format!("line {number}: a setting outside of all sections"));
            }
            if section == "glexec" {
                let key = key.trim().to_ascii_lowercase();
                settings.retain(|(old, _)| *old != key);
                settings.push((key, value.to_owned()));
            }
        }
        Ok(Old(settings))
    }

    /// A setting that is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether LCAS was asked, as it was unless the file said otherwise.
    pub fn uses_lcas(&self) -> bool {
        self.get("use_lcas").and_then(truth) != Some(false)
    }
}

/// Settings that have gone, and why nobody misses them.
const GONE: [(&str, &str); 19] = [
    ("backlog_path", "has no equivalent"),
    ("diff_syslog_levels", "syslog levels are always distinct"),
    ("lcas_debug_level", "one log_level for everything"),
    ("lcas_libdir", "nothing is loaded at run time"),
    ("lcas_log_file", "one log for everything"),
    ("lcas_log_level", "one log_level for everything"),
    ("lcmaps_debug_level", "one log_level for everything"),
    ("lcmaps_libdir", "nothing is loaded at run time"),
    ("lcmaps_log_file", "one log for everything"),
    ("lcmaps_log_level", "one log_level for everything"),
    ("lcmaps_voms_verification", "VOMS attributes are always verified"),
    ("log_file_group", "the log belongs to root; let a daemon forward it"),
    ("pedantic_security_checks", "every check is always made"),
    ("prohibit_exec_via_symlink", "use the LCAS plug-in check_executable"),
    ("silent_logging", "glexec prints one line where it refuses, nothing else"),
    ("user_identity_switch_by", "glexec itself switches"),
    ("lcas_db_file", "converted below"),
    ("lcmaps_db_file", "converted below"),
    ("lock_mechanism", "the old name of target_lock_mechanism"),
];

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', ' ', '\t']).filter(|word| !word.is_empty())
}

/// Writes the two tables.
pub fn write(old: &Old, policies: &Database, out: &mut Output) {
    out.table("[glexec]");
    white_list(old, out);
    let mut policy_named = false;
    for (key, value) in &old.0 {
        let value = value.as_str();
        match key.as_str() {
            "user_white_list" | "group_white_list" | "certdir" | "vomsdir" => {}
            _ if value.is_empty() => {}
            "linger" | "use_lcas" | "create_target_proxy" => boolean(key, value, out),
            "target_lock_mechanism" | "input_lock_mechanism" => out.set(key, &quoted(&value.to_ascii_lowercase())),
            "lock_mechanism" if old.get("target_lock_mechanism").is_none() => {
                out.set("target_lock_mechanism", &quoted(&value.to_ascii_lowercase()));
            }
            "log_destination" => out.set(key, &quoted(&value.to_ascii_lowercase())),
            "log_file" => out.set(key, &quoted(value)),
            "log_level" => match value.parse::<u32>() {
                Ok(level) => out.set(key, &level.clamp(1, 5).to_string()),
                Err(_) => look(key, value, "no number", out),
            },
            "syslog_facility" => match Facility::try_from(value.to_ascii_uppercase()) {
                Ok(_) => out.set(key, &quoted(&value.to_ascii_uppercase())),
                Err(why) => look(key, value, &why, out),
            },
            "lcmaps_verify_account_policy" if lacks(value, policies) => {
                look(
                    key,
                    value,
                    "not in lcmaps.db, so that nobody was ever verified: the policy for mapping is taken",
                    out,
                );
            }
            "lcmaps_get_account_policy" | "lcmaps_verify_account_policy" => {
                policy_named |= key == "lcmaps_get_account_policy";
                let policy = one_policy(key, value, policies, out);
                out.set(key, &quoted(&safe(policy)));
            }
            "omission_private_key_white_list" => patterns(key, words(value), out),
            "preserve_env_variables" => preserve(key, value, out),
            "epilogue" if !value.starts_with('/') => look(key, value, "not an absolute path", out),
            "epilogue" | "epilogue_user" | "epilogue_group" => out.set(key, &quoted(value)),
            "epilogue_timeout" => match value.parse::<std::num::NonZeroU32>() {
                Ok(seconds) => out.set(key, &seconds.to_string()),
                Err(_) => look(key, value, "no number of seconds", out),
            },
            key => match GONE.iter().find(|(gone, _)| *gone == key) {
                Some((_, why)) => out.comment(&format!("{key} = {value}: {why}")),
                None => look(key, value, "unknown", out),
            },
        }
    }
    default_policies(old, policies, policy_named, out);
    credentials(old, policies, out);
}

/// What the proxies of pilot frameworks may need, which the C library took without asking.
const PROXIES: [&str; 3] = [
    "DIRAC v6 makes legacy proxies: proxy_types = [\"rfc3820\", \"legacy\"]. RSA keys of 1024 bits (DIRAC, WMCore): min_proxy_rsa_bits = 1024, the default.",
    "voms-proxy-init signs with SHA-1 below a CA with an elliptic curve: proxy_digests = [\"sha256\", \"sha384\", \"sha512\", \"sha1\"].",
    "docs/use/frameworks has what each framework needs.",
];

fn credentials(old: &Old, policies: &Database, out: &mut Output) {
    out.table("[credentials]");
    PROXIES.iter().for_each(|line| out.comment(line));
    let mut settings = crate::convert_lcmaps::credentials(policies);
    for key in ["certdir", "vomsdir"] {
        if let Some(value) = old.get(key) {
            settings.retain(|(other, _)| other != key);
            settings.push((key.to_owned(), quoted(value)));
        }
    }
    for (key, value) in settings {
        out.set(&key, &value);
    }
}

/// Without names the C library tried all policies in their order; glexec runs one.
fn default_policies(old: &Old, policies: &Database, policy_named: bool, out: &mut Output) {
    let Some(first) = policies.policies.first() else { return };
    if !policy_named {
        out.set("lcmaps_get_account_policy", &quoted(&safe(&first.name)));
        for other in policies.policies.iter().skip(1) {
            out.comment(&format!("LOOK: policy {} was tried, too, where {} failed: join them", other.name, first.name));
        }
    }
    if old.get("lcmaps_verify_account_policy").is_none_or(|names| lacks(names, policies)) {
        let get = old.get("lcmaps_get_account_policy").map_or(first.name.as_str(), |names| first_of(names, policies));
        let get = safe(get);
        out.set("lcmaps_verify_account_policy", &quoted(&get));
    }
}

/// Whether the database was read and has none of these policies.
fn lacks(names: &str, policies: &Database) -> bool {
    let has = |name: &str| policies.policies.iter().any(|policy| policy.name == name);
    !policies.policies.is_empty() && !names.split(':').any(has)
}

/// The policy that was tried first: of several names the one that comes first in the database.
fn first_of<'a>(names: &'a str, policies: &'a Database) -> &'a str {
    let named = |name: &str| names.split(':').any(|other| other == name);
    policies.policies.iter().map(|policy| policy.name.as_str()).find(|name| named(name)).unwrap_or(names)
}

fn one_policy<'a>(key: &str, names: &'a str, policies: &'a Database, out: &mut Output) -> &'a str {
    let first = first_of(names, policies);
    if first != names {
        look(key, names, &format!("only {first}, which was tried first, is here: join them"), out);
    }
    first
}

fn look(key: &str, value: &str, why: &str, out: &mut Output) {
    out.comment(&format!("LOOK: {key} = {value}: {why}"));
}

fn boolean(key: &str, value: &str, out: &mut Output) {
    match truth(value) {
        Some(truth) => out.set(key, &truth.to_string()),
        None => look(key, value, "neither yes nor no", out),
    }
}

fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn white_list(old: &Old, out: &mut Output) {
    let users = words(old.get("user_white_list").unwrap_or_default()).map(str::to_owned);
    let group = |group: &str| if group == "*" { "*".to_owned() } else { format!("%{group}") };
    let groups = words(old.get("group_white_list").unwrap_or_default()).map(group);
    let entries: Vec<String> = users.chain(groups).collect();
    patterns("user_white_list", entries.iter().map(String::as_str), out);
}

fn patterns<'a>(key: &str, entries: impl Iterator<Item = &'a str>, out: &mut Output) {
    let (good, bad): (Vec<&str>, Vec<&str>) = entries.partition(|entry| Pattern::try_from((*entry).to_owned()).is_ok());
    out.set(key, &list(good));
    for entry in bad {
        look(key, entry, "not a name, a %group, a .pool or name*", out);
    }
}

fn preserve(key: &str, value: &str, out: &mut Output) {
    // `yes` and `no` were taken for names of variables.
    let names = words(value).filter(|name| !matches!(*name, "yes" | "no" | "GLEXEC_ENV"));
    let (good, bad): (Vec<&str>, Vec<&str>) = names.partition(|name| Preserve::try_from((*name).to_owned()).is_ok());
    out.set(key, &list(good));
    for name in bad {
        let why = if name == "*" { "name the variables: a lone * is not taken" } else { "never passed on" };
        look(key, name, why, out);
    }
}
