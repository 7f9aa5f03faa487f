//! Reading the text of glexec.conf: TOML, checked values; every mistake has line and column.

use crate::agent::{Agent, Use};
use crate::glexec::Glexec;
use crate::isolation::Isolation;
use crate::lcas::Plan;
use crate::lcas::table::Lcas;
use crate::lcmaps::table::{Lcmaps, PolicyNames};
use crate::options::ConfigError;
use crate::site::Site;
use crate::values::Cgroup;
use crate::{Config, advice, options};
use glexec_core::credentials::{Credentials, PilotProxy};
use glexec_core::reason::Reason;
use glexec_core::tokens::Tokens;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeTable;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct File {
    glexec: Glexec,
    isolation: Isolation,
    agent: Agent,
    credentials: Credentials,
    tokens: Option<Tokens>,
    site: Option<Spanned<Site>>,
    lcas: Lcas,
    lcmaps: Lcmaps,
}

/// A mistake in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub reason: Reason,
    pub message: String,
    /// Line and column, both from 1.
    pub position: (usize, usize),
    /// The names that would do in the place of one that is not known. They are too many for a sentence.
    pub known: Vec<String>,
}

/// Parses and checks the text of a configuration.
pub fn parse(text: &str) -> Result<Config, Mistake> {
    read(text, check)
}

/// Reads a text in TOML and checks what it says.
pub fn read<File: DeserializeOwned, Checked>(
    text: &str,
    check: impl FnOnce(File) -> Result<Checked, ConfigError>,
) -> Result<Checked, Mistake> {
    let mistake = |reason, message: String, span: Option<Range<usize>>| {
        let start = span.map_or(0, |span| span.start);
        let known = advice::known(&message);
        let message = match reason {
            Reason::ConfigHistoric => message,
            _ => advice::sentence(text, &message, start),
        };
        Mistake { reason, message, position: position(text, start), known }
    };
    let of_toml = |reason, error: toml::de::Error| mistake(reason, one_line(&worded(error.message())), error.span());
    let of_check = |error: ConfigError| mistake(Reason::ConfigInvalid, one_line(&error.message), error.span);
    let mut document = DeTable::parse(text).map_err(|error| {
        if is_historic(text) {
            let message = "this is a gLExec .ini file; convert it with: glexec-admin migrate".to_string();
            mistake(Reason::ConfigHistoric, message, error.span())
        } else {
            of_toml(Reason::ConfigSyntax, error)
        }
    })?;
    options::by_type(document.get_mut()).map_err(of_check)?;
    let file = File::deserialize(toml::Deserializer::from(document));
    check(file.map_err(|error| of_toml(Reason::ConfigInvalid, error))?).map_err(of_check)
}

fn check(file: File) -> Result<Config, ConfigError> {
    let File { glexec, agent, isolation, credentials, tokens, site, lcas, lcmaps } = file;
    let cgroup = matches!(glexec.cgroup.get_ref(), Cgroup::Below(_)).then(|| glexec.cgroup.span());
    let epilogue = glexec.epilogue.as_ref().map(Spanned::span);
    for (span, key, what) in [(epilogue, "epilogue", "run it"), (cgroup, "cgroup", "empty it")] {
        if span.is_some() && !glexec.linger {
            let message = format!("{key} needs linger = true: without it nothing of glexec is left to {what}");
            return Err(ConfigError { message, span });
        }
    }
    if let (PilotProxy::Ignored, Some(span)) = (credentials.pilot_proxy, lcas.judges_pilots()) {
        let message = "this needs the pilot's own proxy, which pilot_proxy = \"ignored\" does not look at";
        return Err(ConfigError { message: message.into(), span: Some(span) });
    }
    let site = site.map(|site| check_site(site, &agent)).transpose()?;
    if site.is_none() {
        if let Some(span) = lcas.asks_site().or_else(|| lcmaps.asks_site()) {
            let message =
                "a plug-in of type site asks the site's mapping service: it needs a table [site] with servers";
            return Err(ConfigError { message: message.into(), span: Some(span) });
        }
    }
    // What is not used is checked all the same.
    let lcas = if glexec.use_lcas { lcas.check()? } else { lcas.check().map(|_| Plan::default())? };
    let lcmaps = lcmaps.check(&PolicyNames {
        get_account: named(&glexec.lcmaps_get_account_policy),
        verify_account: named(&glexec.lcmaps_verify_account_policy),
    })?;
    Ok(Config { glexec, agent, isolation, credentials, tokens, site, lcas, lcmaps })
}

fn check_site(site: Spanned<Site>, agent: &Agent) -> Result<Site, ConfigError> {
    let span = Some(site.span());
    if agent.usage == Use::Never {
        let message = "[site] needs the agent, which asks it: leave use of [agent] at \"if-running\"";
        return Err(ConfigError { message: message.into(), span });
    }
    match site.get_ref().fault() {
        Some(message) => Err(ConfigError { message, span }),
        None => Ok(site.into_inner()),
    }
}

/// A policy's name and where it stands; defaults stand nowhere.
fn named(policy: &Spanned<String>) -> (String, Option<Range<usize>>) {
    (policy.get_ref().clone(), Some(policy.span()).filter(|span| !span.is_empty()))
}

/// Whether a file that is no TOML has the historic form: `key = value` without quotes below `[glexec]`. One with tables
/// that the original did not know is of today, and has a mistake.
fn is_historic(text: &str) -> bool {
    if text.lines().any(|line| {
        ["[agent", "[credentials", "[isolation", "[site", "[tokens", "[lcmaps", "[[lcas"]
            .iter()
            .any(|table| line.starts_with(table))
    }) {
        return false;
    }
    const KEYS: [&str; 12] = [
        "create_target_proxy",
        "lcas_db_file",
        "lcmaps_db_file",
        "lcmaps_get_account_policy",
        "linger",
        "log_destination",
        "log_file",
        "preserve_env_variables",
        "silent_logging",
        "use_lcas",
        "user_identity_switch_by",
        "user_white_list",
    ];
    text.lines().filter_map(|line| line.split_once('=')).any(|(key, value)| {
        let bare = value.trim_start().bytes().next().is_none_or(|b| b.is_ascii_alphabetic() || b"/*.%".contains(&b));
        KEYS.contains(&key.trim()) && bare && !matches!(value.trim(), "true" | "false")
    })
}

/// What the reader says of a key that is not known, alike for all tables: it has words of its own for some.
fn worded(message: &str) -> String {
    let keys =
        message.strip_prefix("unexpected keys in table: ").and_then(|keys| keys.split_once(", available keys: "));
    let Some((unknown, known)) = keys else { return options::with_options(message) };
    let known: Vec<_> = known.split(", ").map(|key| format!("`{key}`")).collect();
    format!("unknown field `{}`, expected one of {}", unknown.split(", ").next().unwrap_or(unknown), known.join(", "))
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Line and column (in characters) of a byte offset, both from 1.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let line = before.bytes().filter(|b| *b == b'\n').count().saturating_add(1);
    let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_table_of_today_is_not_a_historic_one_with_a_mistake() {
        let reason = |above: &str| parse(&format!("{above}[glexec]\nlog_file = /var/log/glexec\n")).unwrap_err().reason;
        assert_eq!(reason(""), Reason::ConfigHistoric);
        for table in ["agent", "credentials", "isolation", "site", "tokens"] {
            assert_eq!(reason(&format!("[{table}]\n")), Reason::ConfigSyntax, "{table}");
        }
    }

    #[test]
    fn no_rsa_key_below_1024_bits_can_be_allowed() {
        for key in ["min_rsa_bits", "min_proxy_rsa_bits"] {
            let said = |bits: u32| {
                parse(&format!("[credentials]\n{key} = {bits}\n")).map_or_else(|e| e.message, |_| "".into())
            };
            for bits in [0, 1, 512, 1023] {
                assert!(
                    said(bits).contains(&format!("{bits} is too little: at least 1024")),
                    "{key} {bits}: {}",
                    said(bits)
                );
            }
            assert!(!said(1024).contains("too little"), "{key}: {}", said(1024));
        }
    }
}
