//! Programs of the site that decide: plug-ins of type `exec`.

use crate::values::{AbsolutePath, Lifetime};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// How long it may take where nothing is said.
const TIMEOUT: u64 = 10;
/// The longest that may be said: callers give up, too.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);

/// A program and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct Exec {
    pub program: AbsolutePath,
    pub arguments: Vec<String>,
    pub timeout: Duration,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    command: Vec<String>,
    timeout: Option<Lifetime>,
}

impl TryFrom<Table> for Exec {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let (program, arguments) = table.command.split_first().ok_or("an empty command")?;
        if arguments.iter().any(|argument| argument.contains('\0')) {
            return Err("a NUL in an argument".into());
        }
        let timeout = table.timeout.unwrap_or(Lifetime::seconds(TIMEOUT)).duration();
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            return Err(format!("timeout must be between 1s and {}m", MAX_TIMEOUT.as_secs() / 60));
        }
        let program = AbsolutePath::try_from(PathBuf::from(program))?;
        Ok(Exec { program, arguments: arguments.to_vec(), timeout })
    }
}

impl Exec {
    /// A text about the program, for the log: a site may have several. Without a text its name alone.
    pub fn about(&self, text: &str) -> String {
        let program = self.program.as_path().display();
        if text.is_empty() { program.to_string() } else { format!("{program}: {text}") }
    }
}
