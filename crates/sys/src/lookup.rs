//! Whether a file can be executed with the effective identity of the process.

use crate::dir::kind;
use crate::place::Place;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{SFlag, fstat};
use nix::sys::statfs::{FUSE_SUPER_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, faccessat};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Longest first line of a script that the kernel looks at, in bytes (BINPRM_BUF_SIZE of linux/binfmts.h).
const FIRST_LINE: u64 = 256;

/// What the effective identity can do with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executable {
    /// Execute it.
    Yes,
    /// It is there, but no regular file or not executable.
    Forbidden,
    /// Nothing is there, or the way to it is barred.
    Missing,
}

/// Looks at a place, symbolic links followed.
pub fn executable(place: &Place<'_>) -> Executable {
    match place.root() {
        Some(_) => executable_below(place),
        None => executable_at(place.path()),
    }
}

fn executable_at(path: &Path) -> Executable {
    match std::fs::metadata(path) {
        Err(_) => Executable::Missing,
        Ok(status) if !status.is_file() => Executable::Forbidden,
        Ok(_) => match faccessat(nix::fcntl::AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS) {
            Ok(()) => Executable::Yes,
            Err(_) => Executable::Forbidden,
        },
    }
}

/// Where an absolute link in a tree leads to shows only when the tree is mounted: that is taken for executable, and
/// execve(2) judges it.
fn executable_below(place: &Place<'_>) -> Executable {
    let file = match place.open(OFlag::O_PATH) {
        Ok(file) => file,
        Err(Errno::EXDEV) => return Executable::Yes,
        Err(_) => return Executable::Missing,
    };
    if !fstat(&file).is_ok_and(|stat| kind(&stat) == SFlag::S_IFREG) {
        return Executable::Forbidden;
    }
    match faccessat(&file, "", AccessFlags::X_OK, AtFlags::AT_EACCESS | AtFlags::AT_EMPTY_PATH) {
        Ok(()) => Executable::Yes,
        Err(_) => Executable::Forbidden,
    }
}

fn searchable(dir: &Path) -> Result<(), Errno> {
    faccessat(nix::fcntl::AT_FDCWD, dir, AccessFlags::X_OK, AtFlags::AT_EACCESS)
}

/// The first directory on the way to an absolute path that the effective identity cannot search.
pub fn barrier(path: &Path) -> Option<PathBuf> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    above.into_iter().find(|dir| searchable(dir) == Err(Errno::EACCES)).map(Path::to_path_buf)
}

/// Whether the effective identity can see that something is there.
pub fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Where a file system of somebody's own (FUSE) is mounted that keeps the effective identity from a path: without the
/// option allow_other the kernel lets nobody else in, root included, nor a process that has been root (mount.fuse3(8)).
pub fn closed_fuse(path: &Path) -> Option<PathBuf> {
    let here = path.is_relative().then_some(Path::new("."));
    let above = path.ancestors().filter(|dir| !dir.as_os_str().is_empty()).chain(here);
    // What lies below it cannot be asked about, the place where it is mounted can.
    let (dir, status) = above.filter_map(|dir| Some((dir, statfs(dir).ok()?))).next()?;
    (status.filesystem_type() == FUSE_SUPER_MAGIC && searchable(dir) == Err(Errno::EACCES)).then(|| dir.to_path_buf())
}

/// Whether a path lies on a file system that is mounted noexec, mount(8).
pub fn is_on_noexec(path: &Path) -> bool {
    statvfs(path).is_ok_and(|status| status.flags().contains(FsFlags::ST_NOEXEC))
}

/// The interpreter that a script names in its first line, execve(2).
pub fn interpreter(script: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(script).ok()?;
    file.take(FIRST_LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    line.split(blank).find(|word| !word.is_empty()).map(<[u8]>::to_vec)
}
