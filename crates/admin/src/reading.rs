//! What sub-commands read, and what they say.

use glexec_config::Config;
use glexec_config::parse::{Mistake, parse};
use glexec_sys_more::plain;
use std::path::Path;

/// Largest file that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 1024 * 1024;

/// What a sub-command has to say, and its exit code.
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: u8,
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Said { text, code: 0 }
    }
}

/// A text file, for the account that runs the program.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    plain::read_text(path, MAX_FILE).map_err(|error| format!("{}: {error}", path.display()))
}

/// A mistake in a configuration with its place.
pub(crate) fn told(path: &Path, mistake: &Mistake) -> String {
    let (line, column) = mistake.position;
    format!("{}:{line}:{column}: {} ({})", path.display(), mistake.message, mistake.reason)
}

/// A configuration as it can be read.
pub(crate) fn loaded(path: &Path) -> Result<Config, String> {
    parse(&read(path)?).map_err(|mistake| told(path, &mistake))
}
