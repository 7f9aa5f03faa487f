//! Files as the account that runs the program may read them: for unprivileged tools only.

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Uid;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

/// Longest /proc/PID/status in bytes: long lists of groups and processors make it long.
const MAX_STATUS: u64 = 1024 * 1024;
/// In bytes: a file system with less than some records need is full.
const LITTLE: u64 = 64 * 1024;

/// More backups of one file are somebody's mistake.
const MOST_BACKUPS: u32 = 100;

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

/// Whether standard output is this file.
pub fn is_stdout(path: &Path) -> bool {
    let same = |out: &nix::sys::stat::FileStat| {
        std::fs::metadata(path).is_ok_and(|file| (file.dev(), file.ino()) == (out.st_dev, out.st_ino))
    };
    nix::sys::stat::fstat(std::io::stdout()).is_ok_and(|out| same(&out))
}

/// What becomes of a file that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// It is kept as `NAME.bak`, `NAME.bak1` and so on.
    Stays,
    /// It goes.
    Goes,
}

/// Writes a file in the place of what has the name, whole or not at all; says as what the old one is kept. A symbolic
/// link goes on leading to it.
pub fn replace(path: &Path, content: &[u8], old: Old) -> Result<Option<PathBuf>, Error> {
    let keep = old == Old::Stays;
    let path = match std::fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let old = match std::fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        found => Some(found?),
    };
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let named = |suffix: String| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    // Others may read what they could, but write nothing.
    let mode = old.as_ref().map_or(0o644, |old| old.mode() & 0o644);
    let new = named(format!(".new{}", std::process::id()));
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        let backup = if keep && old.is_some() { Some(kept(&path, named)?) } else { None };
        std::fs::rename(&new, &path)?;
        Ok(backup)
    };
    written().inspect_err(|_: &Error| drop(std::fs::remove_file(&new)))
}

/// Gives a file another name that nothing has yet.
fn kept(path: &Path, named: impl Fn(String) -> PathBuf) -> Result<PathBuf, Error> {
    let suffixes = std::iter::once(String::new()).chain((1..MOST_BACKUPS).map(|number| number.to_string()));
    for suffix in suffixes {
        let backup = named(format!(".bak{suffix}"));
        match std::fs::hard_link(path, &backup) {
            Ok(()) => return Ok(backup),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::AlreadyExists, "there are too many backups of it"))
}

/// Makes a directory that everybody may read, where there is none; what is above it must be there.
pub fn make_directory(path: &Path) -> Result<(), Error> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Whatever the umask is.
        made => made.and_then(|()| std::fs::set_permissions(path, Permissions::from_mode(0o755))),
    }
}

/// Opens a file; its size in bytes and when it was last written.
pub fn open(path: &Path) -> Result<(File, u64, SystemTime), Error> {
    let file = File::open(path)?;
    let status = file.metadata()?;
    Ok((file, status.len(), status.modified()?))
}

/// How often a file that grows is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A log that is being written: at its end, reading waits for more; where another file has its name, that one goes on.
pub struct Growing {
    path: PathBuf,
    file: File,
}

impl Growing {
    /// Opens it at its beginning.
    pub fn open(path: PathBuf) -> Result<Self, Error> {
        let file = File::open(&path)?;
        Ok(Growing { path, file })
    }

    /// The file that has the name now, if it is another one, or the same, which has been emptied.
    fn successor(&mut self) -> Result<Option<File>, Error> {
        // While it is being rotated, nothing has the name.
        let Ok(file) = File::open(&self.path) else { return Ok(None) };
        let (ours, new) = (self.file.metadata()?, file.metadata()?);
        let is_other = (ours.dev(), ours.ino()) != (new.dev(), new.ino());
        Ok((is_other || ours.len() < self.file.stream_position()?).then_some(file))
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            let successor = self.successor()?;
            // What came into the old one meanwhile is read first.
            match (self.file.read(buffer)?, successor) {
                (0, Some(file)) => self.file = file,
                (0, None) => std::thread::sleep(LOOK_AGAIN),
                (read, _) => return Ok(read),
            }
        }
    }
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

/// Runs a program of ours with this on its standard input; its output, which has at most `limit` bytes, and whether it
/// succeeded. Its errors go where ours go.
pub fn ask(program: &Path, arguments: &[&OsStr], input: &[u8], limit: u64) -> Result<(Vec<u8>, bool), Error> {
    let mut command = Command::new(program);
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (to, from) = (child.stdin.take(), child.stdout.take());
    let mut output = Vec::new();
    let read = std::thread::scope(|scope| {
        // Both at once, or each might wait for the other.
        scope.spawn(move || to.map(|mut to| to.write_all(input)));
        from.map_or(Ok(0), |from| from.take(limit).read_to_end(&mut output))
    });
    let succeeded = child.wait()?.success();
    read.map(|_| (output, succeeded))
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
