//! Loading glexec.conf as root.

use glexec_config::Config;
use glexec_config::parse::{Mistake, parse, position};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::dir::{FileError, TrustedFile, read_trusted};
use std::path::Path;
use std::str::Utf8Error;

/// The configuration file, fixed when glexec is built.
pub const CONFIG_FILE: &str = match option_env!("GLEXEC_CONFIG_FILE") {
    Some(path) => path,
    None => "/etc/glexec.conf",
};

/// The compile-time settings, one a line, for `glexec -V`.
pub fn settings() -> String {
    format!("GLEXEC_CONFIG_FILE=\"{CONFIG_FILE}\"\n")
}

/// Largest configuration file in bytes; a large site's has some ten thousand.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads the configuration as root; refuses what somebody else could have written.
pub fn load() -> Outcome<Config> {
    let path = Path::new(CONFIG_FILE);
    let file = read_trusted(path, MAX_BYTES).map_err(|error| not_loaded(path, &error))?;
    let text = std::str::from_utf8(&file.bytes).map_err(|error| describe(&no_text(&file.bytes, error), &file))?;
    parse(text).map_err(|mistake| describe(&mistake, &file))
}

/// The mistake of whoever has written a character in another encoding.
fn no_text(bytes: &[u8], error: Utf8Error) -> Mistake {
    let before = bytes.get(..error.valid_up_to()).map(String::from_utf8_lossy).unwrap_or_default();
    let message = "a character that is not UTF-8".to_owned();
    Mistake { reason: Reason::ConfigSyntax, message, position: position(&before, before.len()), known: Vec::new() }
}

/// What glexec would say of a configuration that it cannot use as it lies there; `None` where it would read it.
pub fn would_refuse(path: &Path) -> Option<Refusal> {
    read_trusted(path, MAX_BYTES).err().map(|error| not_loaded(path, &error))
}

fn not_loaded(path: &Path, error: &FileError) -> Refusal {
    let (reason, sentence) = match error {
        FileError::Missing(_) => (Reason::ConfigMissing, "does not exist"),
        FileError::Insecure { .. } => (Reason::ConfigInsecure, "can be written by others than root"),
        FileError::Unreadable { .. } | FileError::Unusable { .. } => (Reason::ConfigUnreadable, "cannot be read"),
    };
    Refusal::new(reason, format!("the site's configuration {} {sentence}", path.display())).detail(error.to_string())
}

/// The caller gets the position; the text only where it could read the file itself.
fn describe(mistake: &Mistake, file: &TrustedFile) -> Refusal {
    let (line, column) = mistake.position;
    let place = format!("{CONFIG_FILE}:{line}:{column}");
    if file.world_readable {
        Refusal::new(mistake.reason, format!("{place}: {}", mistake.message))
    } else {
        let sentence = format!("the site's configuration has a mistake at {place}");
        Refusal::new(mistake.reason, sentence).detail(mistake.message.clone())
    }
}
