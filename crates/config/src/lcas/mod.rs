//! Authorization as it is configured: `[[lcas.plugin]]`.

pub mod table;

use crate::exec::Exec;
use crate::values::AbsolutePath;
use serde::Deserialize;
use std::path::Path;

/// Whose identity a plug-in judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// The user's, whom the payload belongs to.
    User,
    /// The pilot's, where it has a proxy or token of its own: each of them where it has both.
    Pilot,
    Both,
}

/// How the list of a `voms` plug-in is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As a grid-mapfile: patterns for FQANs.
    #[default]
    Simple,
    /// As a Grid Access Control List in XML.
    Gacl,
}

/// What becomes of a proxy without VOMS attributes in a `voms` plug-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub enum WithoutVoms {
    #[default]
    Refused,
    /// It passes where the list has the person's name (`use_user_dn`).
    ByName,
}

impl From<bool> for WithoutVoms {
    fn from(use_user_dn: bool) -> Self {
        if use_user_dn { WithoutVoms::ByName } else { WithoutVoms::Refused }
    }
}

/// A plug-in with its options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Plugin {
    /// A list of banned people.
    Userban { file: AbsolutePath },
    /// A list of people who may run.
    Userallow { file: AbsolutePath },
    /// A list of VOMS attributes that may run.
    Voms {
        file: AbsolutePath,
        /// How it is written.
        #[serde(default)]
        format: Format,
        /// Whether it may have people's names as well.
        #[serde(default, rename = "use_user_dn")]
        without: WithoutVoms,
    },
    /// When anybody may run.
    Timeslots {
        /// The list of time slots.
        file: AbsolutePath,
    },
    /// What may be run.
    CheckExecutable { commands: Vec<AbsolutePath> },
    /// A program of the site's.
    Exec(Exec),
    /// The site's mapping service.
    Site,
}

impl Plugin {
    /// The type's name.
    pub fn name(&self) -> &'static str {
        match self {
            Plugin::Userban { .. } => "userban",
            Plugin::Userallow { .. } => "userallow",
            Plugin::Voms { .. } => "voms",
            Plugin::Timeslots { .. } => "timeslots",
            Plugin::CheckExecutable { .. } => "check_executable",
            Plugin::Exec(_) => "exec",
            Plugin::Site => "site",
        }
    }

    /// The list that the plug-in reads.
    pub fn file(&self) -> Option<&AbsolutePath> {
        match self {
            Plugin::Userban { file }
            | Plugin::Userallow { file }
            | Plugin::Voms { file, .. }
            | Plugin::Timeslots { file } => Some(file),
            Plugin::CheckExecutable { .. } | Plugin::Exec(_) | Plugin::Site => None,
        }
    }

    /// Whether it judges people; the others judge the call, no matter who makes it. The service judges user and pilot
    /// at once.
    pub fn is_personal(&self) -> bool {
        match self {
            Plugin::Userban { .. } | Plugin::Userallow { .. } | Plugin::Voms { .. } | Plugin::Exec(_) => true,
            Plugin::Timeslots { .. } | Plugin::CheckExecutable { .. } | Plugin::Site => false,
        }
    }
}

/// A plug-in, and whom it looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    pub plugin: Plugin,
    /// Whose identity it judges.
    pub whose: Whose,
}

/// What the configuration says about authorization, checked when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    plugins: Vec<Configured>,
}

impl Plan {
    /// A plan that runs the plug-ins in this order.
    pub fn new(plugins: Vec<Configured>) -> Self {
        Plan { plugins }
    }

    /// The plug-ins in their order, and whom each judges.
    pub fn configured(&self) -> &[Configured] {
        &self.plugins
    }

    /// The plug-ins in their order.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter().map(|configured| &configured.plugin)
    }

    /// Whether the site lets a file be run: it is on every list of commands that there is.
    pub fn lets_run(&self, path: &Path) -> bool {
        self.plugins.iter().all(|configured| match &configured.plugin {
            Plugin::CheckExecutable { commands } => commands.iter().any(|command| command.as_path() == path),
            _ => true,
        })
    }
}
