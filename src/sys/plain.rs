//! Files as whoever runs the program may read them: for unprivileged tools only.

use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// Reads a text file of at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Error> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(limit.saturating_add(1)).read_to_string(&mut text)?;
    match u64::try_from(text.len()).is_ok_and(|length| length <= limit) {
        true => Ok(text),
        false => Err(Error::new(ErrorKind::FileTooLarge, "too large")),
    }
}
