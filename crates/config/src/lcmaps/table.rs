//! `[lcmaps.plugins.NAME]` and `[lcmaps.policies]`.

use crate::lcmaps::policy::{self, Policy};
use crate::lcmaps::{Plan, Plugin};
use crate::options::ConfigError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lcmaps {
    plugins: BTreeMap<Spanned<String>, Spanned<Plugin>>,
    policies: BTreeMap<Spanned<String>, Spanned<Vec<Spanned<String>>>>,
}

/// The policies that `[glexec]` names, with the places where it does (`None` for a default).
#[derive(Clone, Debug)]
pub struct PolicyNames {
    /// `lcmaps_get_account_policy`.
    pub get_account: (String, Option<Range<usize>>),
    /// `lcmaps_verify_account_policy`.
    pub verify_account: (String, Option<Range<usize>>),
}

fn check_name(name: &Spanned<String>) -> Result<(), ConfigError> {
    let message = || format!("{:?} is not a name: letters, digits, `_`, `.`, `-`", name.get_ref());
    if policy::is_name(name.get_ref()) { Ok(()) } else { Err(ConfigError::invalid(message(), name.span())) }
}

impl Lcmaps {
    /// Where it says that the site's service is asked.
    pub fn asks_site(&self) -> Option<Range<usize>> {
        self.plugins.values().find(|plugin| *plugin.get_ref() == Plugin::Site).map(Spanned::span)
    }

    /// Checks plug-ins and policies and gives the plan that mapping follows.
    pub fn check(&self, names: &PolicyNames) -> Result<Plan, ConfigError> {
        let mut plugins = BTreeMap::new();
        for (name, plugin) in &self.plugins {
            check_name(name)?;
            plugins.insert(name.get_ref().clone(), plugin.get_ref().clone());
        }
        let mut policies = BTreeMap::new();
        for (name, rules) in &self.policies {
            check_name(name)?;
            let texts = rules.get_ref().iter().map(|rule| rule.get_ref().as_str());
            let policy = Policy::parse(texts, |name| plugins.contains_key(name)).map_err(|bad| {
                let rule = bad.rule.and_then(|index| rules.get_ref().get(index)).map(Spanned::span);
                ConfigError::invalid(
                    format!("policy {}: {}", name.get_ref(), bad.why),
                    rule.unwrap_or_else(|| rules.span()),
                )
            })?;
            policies.insert(name.get_ref().as_str(), policy);
        }
        let chosen = |(name, span): &(String, Option<Range<usize>>)| {
            let missing = || ConfigError::invalid(format!("there is no LCMAPS policy named {name:?}"), span.clone());
            policies.get(name.as_str()).cloned().ok_or_else(missing)
        };
        let get_account = chosen(&names.get_account)?;
        // Who names no policy for it does without lcmaps_verify_account, which hardly anybody uses.
        let verify_account = match &names.verify_account {
            (_, Some(_)) => Some(chosen(&names.verify_account)?),
            (default, None) => policies.get(default.as_str()).cloned(),
        };
        Ok(Plan { plugins, get_account, verify_account })
    }
}
