//! What has to be done at the end of a call, written down before its payload begins: where front, monitor and payload are
//! ended at once, `glexec-admin sweep` finds it and does it.
//!
//! A file of a call is below /run/glexec/calls, root's alone. The monitor holds it locked as long as it lives.

use super::epilogue::Epilogue;
use super::monitor::Tree;
use crate::payload::switch::Prepared;
use glexec_sys::dir::{Directory, FileError};
use glexec_sys::left_file::LeftFile;
use glexec_sys::supervise;
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const RUN: &str = "/run/glexec";
const CALLS: &str = "/run/glexec/calls";
/// Largest file of a call: an epilogue's environment, with the arguments of the payload, is most of it.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// A process, and when it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: Pid,
    /// Its start, as [`supervise::started`] tells.
    pub started: String,
}

impl Process {
    fn of(pid: Pid) -> Process {
        Process { pid, started: supervise::started(pid) }
    }
}

/// What is left of a call.
#[derive(Debug)]
pub struct Remains {
    /// The call's id.
    pub call: String,
    /// The start of the machine and the pid namespace that the numbers of the processes mean something in.
    pub world: String,
    /// The process that the caller knew.
    pub front: Process,
    /// The payload's main process.
    pub payload: Process,
    /// The payload's cgroup, by path and inode.
    pub cgroup: Option<(PathBuf, u64)>,
    /// Files to be removed.
    pub files: Vec<LeftFile>,
    /// The site's epilogue, ready to run.
    pub epilogue: Option<Epilogue>,
    /// How the epilogue ended, where it has been run already and the end record could not be written.
    pub epilogue_ended: Option<String>,
}

/// The directory that the files of calls are in.
pub fn directory() -> Result<Directory, FileError> {
    Directory::open_private(Path::new(RUN))?;
    Directory::open_private(Path::new(CALLS))
}

/// A file of a call, held by the monitor of the call.
#[derive(Debug)]
pub struct Kept {
    directory: Directory,
    call: String,
    _locked: File,
}

impl Kept {
    /// Removes it: everything is done.
    pub fn done(self) -> Result<(), String> {
        self.directory.unlink(OsStr::new(&self.call)).map_err(|errno| errno.to_string())
    }
}

/// Writes down what has to be done.
pub fn keep(
    call: &str,
    front: Pid,
    payload: &Tree,
    prepared: &Prepared,
    epilogue: Option<&Epilogue>,
) -> Result<Kept, String> {
    let directory = directory().map_err(|error| error.to_string())?;
    let cgroup = payload.cgroup.as_ref().map(|cgroup| {
        let (path, inode) = cgroup.place();
        (path.to_owned(), inode)
    });
    let mut text = Text::default();
    text.head(call, &Process::of(front), &Process::of(payload.main));
    text.cgroup(cgroup.as_ref());
    prepared.left_files().iter().for_each(|file| text.line("file", &file.write()));
    epilogue.into_iter().for_each(|epilogue| epilogue.write(&mut |name, value| text.line(name, value)));
    let file = directory.put_locked(OsStr::new(call), &text.0).map_err(|errno| format!("{CALLS}: {errno}"))?;
    Ok(Kept { directory, call: call.to_owned(), _locked: file })
}

/// Lines `name=value` that end with a NUL: nothing that is written down holds one.
#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn line(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(0);
    }

    fn head(&mut self, call: &str, front: &Process, payload: &Process) {
        self.line("call", call.as_bytes());
        self.line("world", supervise::world().as_bytes());
        for (name, process) in [("front", front), ("payload", payload)] {
            self.line(name, format!("{} {}", process.pid, process.started).as_bytes());
        }
    }

    fn cgroup(&mut self, cgroup: Option<&(PathBuf, u64)>) {
        if let Some((path, inode)) = cgroup {
            self.line("cgroup", &[format!("{inode} ").as_bytes(), path.as_os_str().as_bytes()].concat());
        }
    }
}

impl Remains {
    /// Reads a file of a call.
    pub fn read(bytes: &[u8]) -> Option<Remains> {
        let lines: Vec<(&str, &[u8])> = bytes.split(|byte| *byte == 0).filter_map(line).collect();
        let first = |name: &str| lines.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        let text = |name: &str| first(name).and_then(|value| std::str::from_utf8(value).ok());
        let process = |name: &str| {
            let (pid, started) = text(name)?.split_once(' ')?;
            Some(Process { pid: Pid::from_raw(pid.parse().ok()?), started: started.to_owned() })
        };
        let cgroup = |value: &[u8]| {
            let at = value.iter().position(|byte| *byte == b' ')?;
            let (inode, path) = value.split_at_checked(at)?;
            let path = Path::new(OsStr::from_bytes(path.get(1..)?)).to_owned();
            Some((path, std::str::from_utf8(inode).ok()?.parse().ok()?))
        };
        Some(Remains {
            call: text("call")?.to_owned(),
            world: text("world")?.to_owned(),
            front: process("front")?,
            payload: process("payload")?,
            cgroup: first("cgroup").and_then(cgroup),
            files: lines.iter().filter(|(name, _)| *name == "file").filter_map(|(_, f)| LeftFile::read(f)).collect(),
            epilogue: Epilogue::read(&lines),
            epilogue_ended: text("epilogue-ended").map(str::to_owned),
        })
    }

    /// Notes that the epilogue has been run, so that it is not run again.
    pub fn note_epilogue(&self, word: &str) -> Result<(), String> {
        let mut text = Text::default();
        text.head(&self.call, &self.front, &self.payload);
        text.line("epilogue-ended", word.as_bytes());
        let directory = directory().map_err(|error| error.to_string())?;
        directory.put(OsStr::new(&self.call), &text.0).map_err(|errno| errno.to_string())
    }
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let (name, value) = bytes.split_at_checked(at)?;
    Some((std::str::from_utf8(name).ok()?, value.get(1..)?))
}
