//! What may be wrong with a file that the site provides.

use std::path::PathBuf;

/// Why a file that the site provides cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It does not exist.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// Somebody else than root could have written it.
    #[error("{path}: {why}")]
    Insecure {
        /// The file or directory at fault.
        path: PathBuf,
        why: String,
    },
    /// The system does not let us read it.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file or directory at fault.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is not a regular file, or larger than it may be.
    #[error("{path}: {why}")]
    Unusable {
        /// The file at fault.
        path: PathBuf,
        why: String,
    },
}
