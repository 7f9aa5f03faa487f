//! `[[lcas.plugin]]`.

use crate::lcas::{Configured, Format, Plan, Plugin, Whose, WithoutVoms};
use crate::options::ConfigError;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// One plug-in, in the form that [`crate::options`] gives it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    plugin: Spanned<Plugin>,
    subject: Option<Spanned<Whose>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lcas {
    plugin: Vec<Row>,
}

impl Lcas {
    /// Where it says that somebody is judged by the pilot's own proxy.
    pub fn judges_pilots(&self) -> Option<Range<usize>> {
        let personal = self.plugin.iter().filter(|row| row.plugin.get_ref().is_personal());
        let mut subjects = personal.filter_map(|row| row.subject.as_ref());
        subjects.find(|subject| *subject.get_ref() != Whose::User).map(Spanned::span)
    }

    /// Where it says that the site's service is asked.
    pub fn asks_site(&self) -> Option<Range<usize>> {
        self.plugin.iter().find(|row| *row.plugin.get_ref() == Plugin::Site).map(|row| row.plugin.span())
    }

    /// Checks the plug-ins and gives the plan that authorization follows.
    pub fn check(&self) -> Result<Plan, ConfigError> {
        self.plugin.iter().map(configured).collect::<Result<_, _>>().map(Plan::new)
    }
}

fn configured(row: &Row) -> Result<Configured, ConfigError> {
    if let Plugin::Voms { format: Format::Gacl, without: WithoutVoms::ByName, .. } = row.plugin.get_ref() {
        let message = "use_user_dn is for lists of format \"simple\": a GACL names people with <person>";
        return Err(ConfigError::invalid(message, row.plugin.span()));
    }
    let whose = row.subject.as_ref().map_or(Whose::User, |subject| *subject.get_ref());
    Ok(Configured { plugin: row.plugin.get_ref().clone(), whose })
}
