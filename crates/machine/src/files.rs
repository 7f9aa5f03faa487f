//! The site's files on this machine.

use crate::map_index::{self, InMemory};
use glexec_core::file_error::FileError;
use glexec_core::values::AbsolutePath;
use glexec_policy::files::Files;
use glexec_policy::files::map_file::{MAX_FILE, Map};
use glexec_sys::dir::read_trusted;

/// The site's own files.
#[derive(Clone, Copy, Debug)]
pub struct SiteFiles;

impl Files for SiteFiles {
    fn read(&self, path: &AbsolutePath) -> Result<Vec<u8>, FileError> {
        read_trusted(path.as_path(), MAX_FILE).map(|file| file.bytes)
    }

    fn map(&self, path: &AbsolutePath) -> Result<Box<dyn Map>, FileError> {
        map_index::open(path)
    }
}

/// The site's own files, for a process that reads them again and again: of large maps it keeps indexes in memory, for as
/// long as they are unchanged.
#[derive(Debug, Default)]
pub struct IndexedFiles(InMemory);

impl Files for IndexedFiles {
    fn read(&self, path: &AbsolutePath) -> Result<Vec<u8>, FileError> {
        SiteFiles.read(path)
    }

    fn map(&self, path: &AbsolutePath) -> Result<Box<dyn Map>, FileError> {
        self.0.open(path)
    }
}
