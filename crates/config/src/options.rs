//! `[[lcas.plugin]]` and `[lcmaps.plugins.NAME]`: bringing the tables into the form in which serde reads an enum, so that each
//! type is a struct of its own options, and every mistake keeps its place.

use std::mem;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something in the configuration that cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    pub message: String,
    /// Where, in bytes from the start of the file; `None` where something is missing altogether.
    pub span: Option<Range<usize>>,
}

impl ConfigError {
    /// A mistake, and where.
    pub fn invalid(message: impl Into<String>, span: impl Into<Option<Range<usize>>>) -> Self {
        ConfigError { message: message.into(), span: span.into() }
    }
}

/// Options that several types share: below which name they go (none that anybody writes), for which types, and which of them
/// must be there.
struct Shared {
    name: &'static str,
    types: &'static [&'static str],
    needed: Option<&'static str>,
    options: &'static [&'static str],
}

const SHARED: [Shared; 5] = [
    Shared {
        name: " pools",
        types: &["poolaccount", "voms_poolaccount"],
        needed: Some("gridmapdir"),
        options: &["gridmapdir", "override_inconsistency", "strict_poolprefix_match", "max_mappings_per_credential"],
    },
    Shared {
        name: " group pools",
        types: &["voms_poolgroup"],
        needed: Some("groupmapdir"),
        options: &["groupmapdir", "override_inconsistency", "strict_poolprefix_match"],
    },
    Shared {
        name: " rules",
        types: &["voms_localgroup", "voms_poolgroup"],
        needed: None,
        options: &["map_to_secondary_groups", "mapall", "mapmin"],
    },
    Shared {
        name: " gids",
        types: &["voms_localaccount", "voms_poolaccount"],
        needed: None,
        options: &[
            "use_voms_gid",
            "use_account_gid",
            "add_primary_gid_from_mapped_account",
            "do_not_add_primary_gid_from_mapped_account",
            "add_primary_gid_as_secondary_gid_from_mapped_account",
            "add_secondary_gids_from_mapped_account",
            "do_not_add_secondary_gids_from_mapped_account",
        ],
    },
    Shared {
        name: " primary",
        types: &["voms_poolaccount"],
        needed: None,
        options: &["require_primary_gid", "do_not_require_primary_gid"],
    },
];

/// Does it for all plug-ins of a file. What is no table of plug-ins is left to its reader to complain about.
pub(crate) fn by_type(root: &mut DeTable<'_>) -> Result<(), ConfigError> {
    if let Some(DeValue::Table(table)) = root.get_mut("lcas").map(Spanned::get_mut) {
        lcas(table)?;
    }
    match root.get_mut("lcmaps").map(Spanned::get_mut) {
        Some(DeValue::Table(table)) => lcmaps(table),
        _ => Ok(()),
    }
}

/// Each becomes `{ plugin = { TYPE = { its options } }, subject = … }`.
fn lcas(table: &mut DeTable<'_>) -> Result<(), ConfigError> {
    let Some(DeValue::Array(plugins)) = table.get_mut("plugin").map(Spanned::get_mut) else { return Ok(()) };
    for plugin in plugins.iter_mut() {
        let subject = match plugin.get_mut() {
            DeValue::Table(options) => options.remove_entry("subject"),
            _ => None,
        };
        let (span, options) = (plugin.span(), typed(plugin)?);
        let options = (Spanned::new(span, "plugin".into()), options);
        *plugin.get_mut() = DeValue::Table(std::iter::once(options).chain(subject).collect());
    }
    Ok(())
}

/// Each becomes `{ TYPE = { its options } }`.
fn lcmaps(table: &mut DeTable<'_>) -> Result<(), ConfigError> {
    let Some(DeValue::Table(plugins)) = table.get_mut("plugins").map(Spanned::get_mut) else { return Ok(()) };
    for (_, plugin) in plugins.iter_mut() {
        *plugin = typed(plugin)?;
    }
    Ok(())
}

fn typed<'i>(plugin: &mut Spanned<DeValue<'i>>) -> Result<Spanned<DeValue<'i>>, ConfigError> {
    let span = plugin.span();
    let DeValue::Table(options) = plugin.get_mut() else {
        return Err(ConfigError::invalid("a plug-in is a table with a type", span));
    };
    let mut options = mem::take(options);
    let kind = options.remove("type").ok_or_else(|| ConfigError::invalid("a plug-in needs a type", span.clone()))?;
    let at = kind.span();
    let DeValue::String(name) = kind.into_inner() else {
        return Err(ConfigError::invalid("type takes a word in quotes", at));
    };
    for shared in SHARED.iter().filter(|shared| shared.types.contains(&&*name)) {
        let moved: Vec<_> = shared.options.iter().filter_map(|option| options.remove_entry(*option)).collect();
        let place = moved.first().map_or(span.clone(), |(option, _)| option.span());
        let moved: DeTable<'_> = moved.into_iter().collect();
        if let Some(needed) = shared.needed.filter(|needed| !moved.contains_key(*needed)) {
            return Err(ConfigError::invalid(format!("missing field `{needed}`"), span));
        }
        let moved = Spanned::new(place.clone(), DeValue::Table(moved));
        if options.insert(Spanned::new(place, shared.name.into()), moved).is_some() {
            return Err(ConfigError::invalid(format!("unknown field `{}`", shared.name), span));
        }
    }
    let options = Spanned::new(span.clone(), DeValue::Table(options));
    let one = std::iter::once((Spanned::new(at, name), options)).collect();
    Ok(Spanned::new(span, DeValue::Table(one)))
}

/// What the reader says, with the options in the place of the names that they were put below.
pub(crate) fn with_options(message: &str) -> String {
    SHARED.iter().fold(message.to_owned(), |message, shared| {
        message.replace(&format!("`{}`", shared.name), &format!("`{}`", shared.options.join("`, `")))
    })
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
