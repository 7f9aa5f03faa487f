//! Files of the site: who is mapped, listed or banned.

pub mod ban_file;
pub mod banned;
pub mod fnmatch;
pub mod lease_name;
pub mod map_file;
pub mod subject;

use glexec_core::file_error::FileError;
use glexec_core::values::AbsolutePath;
use map_file::Map;

/// Where map and ban files come from; a trait so that plug-ins can be tested without files that belong to root.
pub trait Files {
    /// The content of a file that only root can have written.
    fn read(&self, path: &AbsolutePath) -> Result<Vec<u8>, FileError>;

    /// Such a file to look names up in.
    fn map(&self, path: &AbsolutePath) -> Result<Box<dyn Map>, FileError> {
        Ok(Box::new(self.read(path)?))
    }
}
