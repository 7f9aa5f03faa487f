//! Bans in a file beside the gridmapdir, shared like it: replaced as a whole, by one service host at a time.

use super::answer::{Changed, not_older, unavailable};
use glexec_core::reason::Outcome;
use glexec_core::values::AbsolutePath;
use glexec_site_client::bans::{Change, List, MAX_LIST};
use glexec_sys::dir::{Directory, Writers};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long to wait for another host that changes the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file. Where there is none yet, nobody is banned.
pub struct BanFile {
    path: AbsolutePath,
    /// The newest version that was seen.
    seen: AtomicU64,
}

impl BanFile {
    /// The file of this path.
    pub fn new(path: AbsolutePath) -> Self {
        BanFile { path, seen: AtomicU64::new(0) }
    }

    fn place(&self) -> Outcome<(Directory, &OsStr)> {
        let path = self.path.as_path();
        let name = path.file_name().ok_or_else(|| unavailable(format!("{}: no file", path.display())))?;
        let directory = Directory::open_trusted(path.parent().unwrap_or(Path::new("/")), Writers::RootOnly);
        Ok((directory.map_err(|error| unavailable(error.to_string()))?, name))
    }

    pub fn read(&self) -> Outcome<List> {
        let (directory, name) = self.place()?;
        self.read_in(&directory, name)
    }

    fn read_in(&self, directory: &Directory, name: &OsStr) -> Outcome<List> {
        let failed = |why: String| unavailable(format!("{}: {why}", self.path.as_path().display()));
        let limit = u64::try_from(MAX_LIST).unwrap_or(u64::MAX);
        let bytes = directory.read_own(name, limit).map_err(|error| unavailable(error.to_string()))?;
        let list = bytes.map_or(Ok(List::default()), |bytes| List::read(&bytes)).map_err(failed)?;
        not_older(list, &self.seen)
    }

    /// Changes the list.
    pub fn change(&self, change: &Change, by: &str, now: i64) -> Outcome<Changed> {
        let failed = |why: &str| unavailable(format!("{}: {why}", self.path.as_path().display()));
        let (directory, name) = self.place()?;
        let _lock = directory.lock(PATIENCE).ok_or_else(|| failed("the directory stays locked"))?;
        let Some(list) = self.read_in(&directory, name)?.changed(change, by, now) else { return Ok(Changed::Nothing) };
        let text = serde_json::to_vec_pretty(&list).map_err(|error| failed(&error.to_string()))?;
        if text.len() > MAX_LIST {
            return Err(failed("there are too many bans: write a pattern"));
        }
        directory.replace(name, &text).map_err(|errno| failed(errno.desc()))?;
        self.seen.fetch_max(list.version, Ordering::Relaxed);
        Ok(Changed::Made(list))
    }
}
