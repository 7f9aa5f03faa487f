//! `glexec-admin migrate`: the historic files in, one glexec.conf out.
//!
//! What has no equivalent is never left out silently: where it decided something, what stands for it refuses until the
//! administrator has had a look.

use super::convert_glexec::{self, Old};
use super::output::Output;
use super::{convert_lcas, convert_lcmaps, lcas_db, lcmaps_db};
use glexec_config::parse::parse;
use std::path::{Path, PathBuf};

/// How files are read.
pub type Read<'a> = dyn Fn(&Path) -> Result<String, String> + 'a;

/// The database of LCAS that was read where none was named.
const LCAS_DB: &str = "/etc/lcas/lcas.db";

/// Tables that only a file of today has; it alone has lists in brackets, too.
const NEW_TABLES: [&str; 3] = ["[credentials", "[lcmaps", "[[lcas"];

fn parsed(path: &Path, text: &str) -> Result<Vec<lcas_db::Plugin>, String> {
    lcas_db::parse(text).map_err(|why| format!("{}:{why}", path.display()))
}

/// Reads the historic glexec.conf.
fn historic(text: &str) -> Result<Old, String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    let is_new = |line: &str| {
        let is_list = line.split_once('=').is_some_and(|(_, value)| value.trim_start().starts_with('['));
        is_list || NEW_TABLES.iter().any(|table| line.starts_with(table))
    };
    if parse(text).is_ok() || text.lines().any(is_new) {
        return Err("converted already; glexec-admin migrate --check FILE says whether it can be loaded".to_owned());
    }
    Old::parse(text)
}

/// Converts the files. A database that is not given is the one that glexec.conf names, if it can be read.
pub fn migrate(
    glexec_conf: Option<&Path>,
    lcmaps_db: Option<&Path>,
    lcas_db: Option<&Path>,
    read: &Read<'_>,
) -> Result<String, String> {
    let old = match glexec_conf {
        Some(path) => historic(&read(path)?).map_err(|why| format!("{}: {why}", path.display()))?,
        None => Old::default(),
    };
    let mut out = Output::default();
    out.comment("glexec.conf, converted from the historic files by glexec-admin migrate.");
    out.comment("Lines that begin with LOOK need a decision of yours.");
    let named = |given: Option<&Path>, key: &str| given.map(PathBuf::from).or(old.get(key).map(PathBuf::from));
    let mut policies = lcmaps_db::Database::default();
    if let Some(path) = named(lcmaps_db, "lcmaps_db_file") {
        match read(&path) {
            Ok(text) => policies = lcmaps_db::parse(&text).map_err(|why| format!("{}:{why}", path.display()))?,
            Err(why) if lcmaps_db.is_none() => out.comment(&format!("LOOK: {why}; give it with --lcmaps-db")),
            Err(why) => return Err(why),
        }
    }
    lcmaps_db::add_modules(&mut policies);
    let built_in = glexec_conf.is_some().then(|| PathBuf::from(LCAS_DB));
    let plugins = match named(lcas_db, "lcas_db_file").or(built_in) {
        Some(path) if lcas_db.is_some() => Some(parsed(&path, &read(&path)?)?),
        Some(path) if old.uses_lcas() => match read(&path) {
            Ok(text) => Some(parsed(&path, &text)?),
            Err(why) => {
                out.comment(&format!("LOOK: {why}; give it with --lcas-db"));
                None
            }
        },
        _ => Some(Vec::new()),
    };
    convert_glexec::write(&old, &policies, &mut out);
    match plugins {
        Some(plugins) => convert_lcas::write(&plugins, &mut out),
        None => convert_lcas::write_unread(&mut out),
    }
    convert_lcmaps::write(&policies, &mut out);
    let text = out.finish();
    match parse(&text) {
        Ok(_) => Ok(text),
        Err(mistake) => {
            let (line, column) = mistake.position;
            let why = format!("# LOOK: this cannot be loaded yet: line {line}, column {column}: {}", mistake.message);
            Ok(format!("{text}\n{}\n", why.replace('\n', " ")))
        }
    }
}

#[cfg(test)]
mod tests;
