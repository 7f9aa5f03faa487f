//! The files of the account database, as the C library reads them where the switch says so (nsswitch.conf(5)).

use crate::identity::reading_everything;
use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Largest file that is read, in bytes: a hundred thousand accounts.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Where nscd(8) listens: the C library asks it before it looks at nsswitch.conf.
const CACHE: &str = "/var/run/nscd/socket";

/// A file of the account database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountFile {
    /// nsswitch.conf(5).
    Switch,
    /// passwd(5).
    Passwd,
    /// group(5).
    Group,
    /// shadow(5), which has mode 0000 on some systems: read with the right to look at everything, where the process has it.
    Shadow,
}

impl AccountFile {
    fn path(self) -> &'static str {
        match self {
            AccountFile::Switch => "/etc/nsswitch.conf",
            AccountFile::Passwd => "/etc/passwd",
            AccountFile::Group => "/etc/group",
            AccountFile::Shadow => "/etc/shadow",
        }
    }
}

/// Whether a daemon may answer in the files' place, and out of others than those that are here: it may run outside of this
/// container.
pub fn has_cache() -> bool {
    Path::new(CACHE).exists()
}

/// Reads one; it is wiped when it is let go.
pub fn read(file: AccountFile) -> Result<Zeroizing<Vec<u8>>, Error> {
    let open = || OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(file.path());
    let opened = if file == AccountFile::Shadow { reading_everything(open) } else { open() }?;
    let status = opened.metadata()?;
    let length = status.len();
    let capacity = usize::try_from(length.saturating_add(1)).map_err(|_| ErrorKind::FileTooLarge)?;
    if length > MAX_FILE || !status.is_file() {
        return Err(ErrorKind::FileTooLarge.into());
    }
    // Room for all of it from the start: what grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    opened.take(length.saturating_add(1)).read_to_end(&mut text)?;
    // One that grows under the reader may be cut in the middle of a line.
    match u64::try_from(text.len()).is_ok_and(|read| read == length) {
        true => Ok(text),
        false => Err(ErrorKind::InvalidData.into()),
    }
}
