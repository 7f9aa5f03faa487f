//! `[agent]`: whether calls have their credentials judged by the agent, and where it is.

use crate::values::{AbsolutePath, Lifetime};
use serde::Deserialize;

/// Whether calls go to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Where one answers; without it the verifier's program judges.
    IfRunning,
    /// Always: without it nothing runs.
    Required,
    Never,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Whether calls go to it.
    #[serde(rename = "use")]
    pub usage: Use,
    /// Its socket, in a directory that only root may write to.
    pub socket: SocketPath,
    /// How many processes wait, each for one credential.
    pub workers: Workers,
    /// How long a call waits for it.
    pub timeout: Lifetime,
}

impl Default for Agent {
    fn default() -> Self {
        Agent {
            usage: Use::IfRunning,
            socket: SocketPath(AbsolutePath::fixed("/run/glexec/agent")),
            workers: Workers(4),
            timeout: Lifetime::seconds(2),
        }
    }
}

/// Most bytes of a socket's path: `sun_path` without its NUL (unix(7)), and the five that the path of the socket beside it has
/// after this one's.
const MAX_PATH: usize = 102;

/// An absolute path that a socket can have.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "AbsolutePath")]
pub struct SocketPath(AbsolutePath);

impl TryFrom<AbsolutePath> for SocketPath {
    type Error = String;

    fn try_from(path: AbsolutePath) -> Result<Self, String> {
        match path.as_path().as_os_str().len() <= MAX_PATH {
            true => Ok(SocketPath(path)),
            false => Err(format!("a socket's path has at most {MAX_PATH} bytes")),
        }
    }
}

impl SocketPath {
    pub fn as_path(&self) -> &std::path::Path {
        self.0.as_path()
    }
}

/// A number of processes from 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Workers(usize);

impl TryFrom<i64> for Workers {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match usize::try_from(number) {
            Ok(number @ 1..=64) => Ok(Workers(number)),
            _ => Err(format!("{number} is not a number of workers from 1 to 64")),
        }
    }
}

impl Workers {
    pub fn number(self) -> usize {
        self.0
    }
}
