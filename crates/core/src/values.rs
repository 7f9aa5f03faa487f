//! Values of the configuration that check themselves, so that an error has the line and column of its value.

use serde::{Deserialize, Serialize, Serializer};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An absolute path without NUL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathBuf")]
pub struct AbsolutePath(PathBuf);

impl TryFrom<PathBuf> for AbsolutePath {
    type Error = String;

    fn try_from(path: PathBuf) -> Result<Self, String> {
        if path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0) {
            Ok(AbsolutePath(path))
        } else {
            Err(format!("{path:?} is not an absolute path"))
        }
    }
}

impl AbsolutePath {
    /// A default of this program; the caller vouches that it is absolute.
    pub fn fixed(path: &str) -> Self {
        AbsolutePath(PathBuf::from(path))
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// A span of time written as a number and a unit: `30s`, `10m`, `12h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Lifetime(Duration);

impl TryFrom<String> for Lifetime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a time such as \"30s\", \"10m\", \"12h\" or \"7d\"");
        let unit = match text.as_bytes().last() {
            Some(b's') => 1_u64,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86400,
            _ => return Err(bad()),
        };
        let digits = text.get(..text.len().saturating_sub(1)).ok_or_else(bad)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let number: u64 = digits.parse().map_err(|_| bad())?;
        number.checked_mul(unit).map(|s| Lifetime(Duration::from_secs(s))).ok_or_else(bad)
    }
}

impl Serialize for Lifetime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}s", self.0.as_secs()))
    }
}

impl Lifetime {
    /// A default of this program.
    pub fn seconds(seconds: u64) -> Self {
        Lifetime(Duration::from_secs(seconds))
    }

    pub fn duration(self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        let seconds = |text: &str| Lifetime::try_from(text.to_string()).map(|t| t.duration().as_secs());
        assert_eq!(
            [seconds("30s"), seconds("10m"), seconds("12h"), seconds("7d")],
            [Ok(30), Ok(600), Ok(43200), Ok(604_800)]
        );
        for bad in ["", "7", "d", "-1d", "+1d", "1 d", "1w", "18446744073709551615d", "1dd", "½d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
