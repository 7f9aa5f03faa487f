//! Where calls leave what saves the next ones of this machine work.

/// Root's alone, and empty after a boot.
pub(crate) const DIRECTORY: &str = "/run/glexec";
