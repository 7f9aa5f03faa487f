//! Files as whoever runs the program may read them: for unprivileged tools only.

use nix::unistd::Uid;
use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
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

/// Whose a file is, links followed; `None` where that cannot be told.
pub fn owner(path: &Path) -> Option<Uid> {
    std::fs::metadata(path).ok().map(|status| Uid::from_raw(status.uid()))
}
