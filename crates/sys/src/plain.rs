//! Files as whoever runs the program may read them: for unprivileged tools only.

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Uid;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::SystemTime;

/// Longest /proc/PID/status in bytes: long lists of groups and processors make it long.
const MAX_STATUS: u64 = 1024 * 1024;
/// In bytes: a file system with less than some records need is full.
const LITTLE: u64 = 64 * 1024;

/// Reads a text file of at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Error> {
    String::from_utf8(read_bytes(path, limit)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Reads a file of at most `limit` bytes.
pub fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        true => Ok(bytes),
        false => Err(Error::new(ErrorKind::FileTooLarge, "too large")),
    }
}

/// Opens a file; its size in bytes and when it was last written.
pub fn open(path: &Path) -> Result<(File, u64, SystemTime), Error> {
    let file = File::open(path)?;
    let status = file.metadata()?;
    Ok((file, status.len(), status.modified()?))
}

/// The names of a directory's entries.
pub fn names(path: &Path) -> Result<Vec<OsString>, Error> {
    std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

/// A program of the system that is being read from.
pub struct Program(Child);

impl Program {
    /// Starts a program, whose output can be read then; its errors go where ours go.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<(Self, ChildStdout), Error> {
        let mut command = Command::new(program);
        let mut child =
            command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        Ok((Program(child), output))
    }

    /// Waits for its end; whether it succeeded.
    pub fn finish(mut self) -> Result<bool, Error> {
        Ok(self.0.wait()?.success())
    }
}

/// Whose a file is, links followed; `None` where that cannot be told.
pub fn owner(path: &Path) -> Option<Uid> {
    std::fs::metadata(path).ok().map(|status| Uid::from_raw(status.uid()))
}

/// How many processes each user id has, counted by every id that a process could come back to.
pub fn processes() -> BTreeMap<u32, usize> {
    let mut all: BTreeMap<u32, usize> = BTreeMap::new();
    for name in names(Path::new("/proc")).unwrap_or_default() {
        let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        // One that has ended meanwhile is none.
        let status = is_process.then(|| read_text(&Path::new("/proc").join(name).join("status"), MAX_STATUS));
        let Some(Ok(status)) = status else { continue };
        let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        let ids: BTreeSet<u32> = ids.split_whitespace().filter_map(|id| id.parse().ok()).collect();
        for id in ids {
            let number = all.entry(id).or_default();
            *number = number.saturating_add(1);
        }
    }
    all
}

/// Owner and permission bits of a file, links followed.
pub fn permissions(path: &Path) -> Result<(Uid, u32), Error> {
    let status = std::fs::metadata(path)?;
    Ok((Uid::from_raw(status.uid()), status.mode() & 0o7777))
}

/// How the file system of a file is mounted.
pub fn mounted(path: &Path) -> Result<FsFlags, Error> {
    Ok(statvfs(path)?.flags())
}

/// Whether root can write nothing more on the file system of a path.
pub fn is_full(path: &Path) -> Result<bool, Error> {
    let system = statvfs(path)?;
    let bytes = system.blocks_free().saturating_mul(system.fragment_size());
    Ok(bytes < LITTLE || (system.files() > 0 && system.files_free() == 0))
}

/// Whether something reads from a socket of datagrams.
pub fn is_listening(socket: &Path) -> Result<(), Error> {
    UnixDatagram::unbound()?.connect(socket)
}
