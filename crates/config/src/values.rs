//! Values of the configuration that check themselves, so that an error has the line and column of its value.

use crate::variables::is_dangerous;
use serde::Deserialize;
use std::path::{Path, PathBuf};

pub use glexec_core::values::{AbsolutePath, Lifetime};

/// Where lingering payloads get cgroups of their own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Cgroup {
    /// In the caller's, where that can be.
    BelowCaller,
    None,
    /// In this one; without it nothing runs.
    Below(AbsolutePath),
}

impl TryFrom<String> for Cgroup {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "below-caller" => Ok(Cgroup::BelowCaller),
            "none" => Ok(Cgroup::None),
            path => AbsolutePath::try_from(PathBuf::from(path))
                .map(Cgroup::Below)
                .map_err(|_| format!("{path:?} is neither \"below-caller\" nor \"none\" nor an absolute path")),
        }
    }
}

/// A list of absolute directories, separated by colons.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SearchPath(String);

impl Default for SearchPath {
    fn default() -> Self {
        SearchPath("/usr/local/bin:/usr/bin:/bin".into())
    }
}

impl TryFrom<String> for SearchPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // An empty element would mean the working directory.
        if text.split(':').all(|dir| dir.starts_with('/')) && !text.contains('\0') {
            Ok(SearchPath(text))
        } else {
            Err(format!("{text:?} is not a list of absolute directories"))
        }
    }
}

impl SearchPath {
    /// As the value of PATH.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directories in order.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.0.split(':').map(Path::new)
    }
}

/// A program with its first arguments, to which a command is appended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Wrapper {
    program: AbsolutePath,
    arguments: Vec<String>,
}

impl TryFrom<Vec<String>> for Wrapper {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let program = words.next().ok_or("an empty list is no program")?;
        let program = AbsolutePath::try_from(PathBuf::from(program))?;
        let arguments: Vec<String> = words.collect();
        match arguments.iter().find(|word| word.contains('\0')) {
            Some(word) => Err(format!("{word:?} has a NUL in it")),
            None => Ok(Wrapper { program, arguments }),
        }
    }
}

impl Wrapper {
    pub fn program(&self) -> &AbsolutePath {
        &self.program
    }

    /// What stands between it and the command.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

/// A umask written in octal: `"022"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Umask(u32);

impl Default for Umask {
    fn default() -> Self {
        Umask(0o022)
    }
}

impl TryFrom<String> for Umask {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let octal = (1..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(&text, 8) {
            Ok(mask) if octal && mask <= 0o777 => Ok(Umask(mask)),
            _ => Err(format!("{text:?} is not an octal umask such as \"022\"")),
        }
    }
}

impl Umask {
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// How much is written besides audit records, from 1 (what ends a call) to 5 (everything).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(try_from = "i64")]
pub enum LogLevel {
    /// 1.
    Fatal,
    /// 2.
    Warning,
    /// 3.
    #[default]
    Notice,
    /// 4.
    Info,
    /// 5.
    Debug,
}

impl TryFrom<i64> for LogLevel {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            1 => Ok(LogLevel::Fatal),
            2 => Ok(LogLevel::Warning),
            3 => Ok(LogLevel::Notice),
            4 => Ok(LogLevel::Info),
            5 => Ok(LogLevel::Debug),
            other => Err(format!("{other} is not a log level from 1 to 5")),
        }
    }
}

/// A syslog facility under its C name, `LOG_DAEMON`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Facility(syslog::Facility);

const FACILITIES: [(&str, syslog::Facility); 12] = [
    ("LOG_AUTH", syslog::Facility::LOG_AUTH),
    ("LOG_AUTHPRIV", syslog::Facility::LOG_AUTHPRIV),
    ("LOG_DAEMON", syslog::Facility::LOG_DAEMON),
    ("LOG_LOCAL0", syslog::Facility::LOG_LOCAL0),
    ("LOG_LOCAL1", syslog::Facility::LOG_LOCAL1),
    ("LOG_LOCAL2", syslog::Facility::LOG_LOCAL2),
    ("LOG_LOCAL3", syslog::Facility::LOG_LOCAL3),
    ("LOG_LOCAL4", syslog::Facility::LOG_LOCAL4),
    ("LOG_LOCAL5", syslog::Facility::LOG_LOCAL5),
    ("LOG_LOCAL6", syslog::Facility::LOG_LOCAL6),
    ("LOG_LOCAL7", syslog::Facility::LOG_LOCAL7),
    ("LOG_USER", syslog::Facility::LOG_USER),
];

impl Default for Facility {
    fn default() -> Self {
        Facility(syslog::Facility::LOG_DAEMON)
    }
}

impl TryFrom<String> for Facility {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let found = FACILITIES.iter().find(|(name, _)| *name == text);
        found.map(|(_, facility)| Facility(*facility)).ok_or_else(|| {
            let names: Vec<_> = FACILITIES.iter().map(|(name, _)| *name).collect();
            format!("{text:?} is not one of {}", names.join(", "))
        })
    }
}

impl Facility {
    pub fn get(self) -> syslog::Facility {
        self.0
    }
}

/// Which variables of the caller the payload gets: a name, or a prefix with a trailing `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Preserve {
    Name(String),
    /// Those that begin so.
    Prefix(String),
}

impl TryFrom<String> for Preserve {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text.as_str(), false),
        };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || text.is_empty() {
            return Err(format!("{text:?} is neither a variable's name nor a prefix with a trailing *"));
        }
        if prefix && name.is_empty() {
            return Err(
                "a lone * passes on everything that a caller has; name the variables, or their beginnings".into()
            );
        }
        if !prefix && is_dangerous(name.as_bytes()) {
            return Err(format!("{name} changes how programs are loaded or interpreted and is never passed on"));
        }
        Ok(if prefix { Preserve::Prefix(name.into()) } else { Preserve::Name(name.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_umask_is_octal_and_has_at_most_nine_bits() {
        let bits = |text: &str| Umask::try_from(text.to_string()).map(Umask::bits);
        assert_eq!([bits("022"), bits("0077"), bits("0")], [Ok(0o22), Ok(0o77), Ok(0)]);
        for bad in ["", "8", "1000", "+22", "0x12", "-1", "00022"] {
            assert!(bits(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_search_path_has_absolute_directories_only() {
        assert!(SearchPath::try_from("/usr/bin:/bin".to_string()).is_ok());
        for bad in ["", "bin", "/bin:", ":/bin", "/bin::/usr/bin", "/bin:."] {
            assert!(SearchPath::try_from(bad.to_string()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_cgroup_is_a_word_or_an_absolute_path() {
        let cgroup = |text: &str| Cgroup::try_from(text.to_string());
        assert_eq!([cgroup("below-caller"), cgroup("none")], [Ok(Cgroup::BelowCaller), Ok(Cgroup::None)]);
        assert_eq!(cgroup("/sys/fs/cgroup/x"), Ok(Cgroup::Below(AbsolutePath::fixed("/sys/fs/cgroup/x"))));
        for bad in ["", "below", "None", "sys/fs/cgroup", "/x\0"] {
            assert!(cgroup(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_wrapper_begins_with_an_absolute_program() {
        let wrapper = |words: &[&str]| Wrapper::try_from(words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        let good = wrapper(&["/usr/bin/pagsh", "-c", ""]).unwrap();
        assert_eq!(
            (good.program().as_path(), good.arguments()),
            (Path::new("/usr/bin/pagsh"), &["-c".into(), "".into()][..])
        );
        for bad in [&[][..], &[""], &["pagsh"], &["/usr/bin/pagsh\0"], &["/usr/bin/pagsh", "a\0b"]] {
            assert!(wrapper(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn loader_variables_cannot_be_preserved_by_name() {
        assert_eq!(Preserve::try_from("CONDOR_*".to_string()), Ok(Preserve::Prefix("CONDOR_".into())));
        assert_eq!(Preserve::try_from("HOME".to_string()), Ok(Preserve::Name("HOME".into())));
        for bad in ["LD_PRELOAD", "BASH_ENV", "", "*", "**", "A B", "A=B", "A*B", "PYTHONPATH", "LUA_INIT_5_4"] {
            assert!(Preserve::try_from(bad.to_string()).is_err(), "{bad}");
        }
    }
}
