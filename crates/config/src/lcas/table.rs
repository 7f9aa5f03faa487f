//! `[[lcas.plugin]]`.

use crate::lcas::{Configured, Format, Plan, Plugin, Whose, WithoutVoms};
use crate::options::{ConfigError, Given, exec, only_own_options, required};
use crate::values::{AbsolutePath, Lifetime};
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The types of LCAS plug-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Userban,
    Userallow,
    Voms,
    Timeslots,
    CheckExecutable,
    Exec,
    Site,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Userban => "userban",
            Kind::Userallow => "userallow",
            Kind::Voms => "voms",
            Kind::Timeslots => "timeslots",
            Kind::CheckExecutable => "check_executable",
            Kind::Exec => "exec",
            Kind::Site => "site",
        }
    }

    /// Whether it judges people; the others judge the call, whatever `subject` says.
    fn is_personal(self) -> bool {
        !matches!(self, Kind::Timeslots | Kind::CheckExecutable | Kind::Site)
    }
}

/// One plug-in with the options of all types.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    r#type: Spanned<Kind>,
    subject: Option<Spanned<Whose>>,
    file: Option<Spanned<AbsolutePath>>,
    format: Option<Spanned<Format>>,
    use_user_dn: Option<Spanned<bool>>,
    commands: Option<Spanned<Vec<AbsolutePath>>>,
    command: Option<Spanned<Vec<String>>>,
    timeout: Option<Spanned<Lifetime>>,
}

/// The `[lcas]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lcas {
    plugin: Vec<Spanned<Table>>,
}

impl Lcas {
    /// Where it says that somebody is judged by the pilot's own proxy.
    pub fn judges_pilots(&self) -> Option<Range<usize>> {
        let personal = self.plugin.iter().filter(|plugin| plugin.get_ref().r#type.get_ref().is_personal());
        let subjects = personal.filter_map(|plugin| plugin.get_ref().subject.as_ref());
        subjects.filter(|subject| *subject.get_ref() != Whose::User).map(Spanned::span).next()
    }

    /// Where it says that the site's service is asked.
    pub fn asks_site(&self) -> Option<Range<usize>> {
        let mut kinds = self.plugin.iter().map(|plugin| &plugin.get_ref().r#type);
        kinds.find(|kind| *kind.get_ref() == Kind::Site).map(Spanned::span)
    }

    /// Checks the plug-ins and gives the plan that authorization follows.
    pub fn check(&self) -> Result<Plan, ConfigError> {
        self.plugin.iter().map(plugin).collect::<Result<_, _>>().map(Plan::new)
    }
}

fn plugin(table: &Spanned<Table>) -> Result<Configured, ConfigError> {
    let (span, table) = (table.span(), table.get_ref());
    let kind = *table.r#type.get_ref();
    let options = [
        Given::new("file", &table.file, &[Kind::Userban, Kind::Userallow, Kind::Timeslots, Kind::Voms]),
        Given::new("format", &table.format, &[Kind::Voms]),
        Given::new("use_user_dn", &table.use_user_dn, &[Kind::Voms]),
        Given::new("commands", &table.commands, &[Kind::CheckExecutable]),
        Given::new("command", &table.command, &[Kind::Exec]),
        Given::new("timeout", &table.timeout, &[Kind::Exec]),
    ];
    only_own_options(&kind, kind.name(), &options)?;
    let file = || required("file", &table.file, kind.name(), span.clone()).cloned();
    let plugin = match kind {
        Kind::Userban => Plugin::Userban { file: file()? },
        Kind::Userallow => Plugin::Userallow { file: file()? },
        Kind::Voms => Plugin::Voms { file: file()?, format: format(table), without: without_voms(table)? },
        Kind::Timeslots => Plugin::Timeslots { file: file()? },
        Kind::CheckExecutable => Plugin::CheckExecutable {
            commands: required("commands", &table.commands, kind.name(), span.clone())?.clone(),
        },
        Kind::Exec => Plugin::Exec(exec(&table.command, &table.timeout, kind.name(), span.clone())?),
        Kind::Site => Plugin::Site,
    };
    Ok(Configured { plugin, whose: table.subject.as_ref().map_or(Whose::User, |subject| *subject.get_ref()) })
}

fn format(table: &Table) -> Format {
    table.format.as_ref().map_or(Format::Simple, |format| *format.get_ref())
}

fn without_voms(table: &Table) -> Result<WithoutVoms, ConfigError> {
    match table.use_user_dn.as_ref().filter(|wanted| *wanted.get_ref()) {
        Some(wanted) if format(table) == Format::Gacl => {
            let message = "use_user_dn is for lists of format \"simple\": a GACL names people with <person>";
            Err(ConfigError::invalid(message, wanted.span()))
        }
        Some(_) => Ok(WithoutVoms::ByName),
        None => Ok(WithoutVoms::Refused),
    }
}
