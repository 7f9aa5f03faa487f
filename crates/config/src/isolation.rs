//! `[isolation]`: what a payload shares with others.

use serde::Deserialize;

/// The `[isolation]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Isolation {
    /// Whether callers may use `--sandbox`.
    pub sandbox: bool,
}

impl Default for Isolation {
    fn default() -> Self {
        Isolation { sandbox: true }
    }
}
