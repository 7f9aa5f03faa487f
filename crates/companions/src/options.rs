//! What `glexec_wrapenv` and `glexec_unwrapenv` share: their options, and the variables that they leave alone.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Variables that are glexec's to set: they say who the payload is. GLEXEC_ENV is the last call's, and would grow with
/// every call of a shell that exports it.
const EXCLUDED: [&str; 6] = ["GLEXEC_ENV", "HOME", "LOGNAME", "USER", "X509_USER_PROXY", "_"];

/// What Perl's `die` gives, which the historic scripts ended with.
pub const FAILED: u8 = 255;

/// The command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// The help text.
    Help,
    Work(Options),
}

/// The variables to leave alone, and what follows the options.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    excluded: Vec<OsString>,
    /// The first operand and everything after it.
    pub operands: Vec<OsString>,
}

impl Options {
    /// Whether a variable is left alone. Names are compared as a whole.
    pub fn excludes(&self, name: &OsStr) -> bool {
        EXCLUDED.iter().any(|own| *own == name) || self.excluded.iter().any(|other| other == name)
    }
}

/// Reads `[-h | --help] [--exclude=A[,B…]]… [--] [operand…]`, without the program's own name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Ask, String> {
    let mut arguments = arguments.into_iter();
    let mut excluded = Vec::new();
    let mut operands = Vec::new();
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_bytes();
        if let Some(names) = bytes.strip_prefix(b"--exclude=") {
            excluded.extend(names_of(names));
        } else if bytes == b"--exclude" {
            let names = arguments.next().ok_or("--exclude needs the name of a variable")?;
            excluded.extend(names_of(names.as_bytes()));
        } else if bytes == b"-h" || bytes == b"--help" {
            return Ok(Ask::Help);
        } else if bytes == b"--" {
            break;
        } else if bytes.starts_with(b"-") {
            return Err(format!("unknown option {argument:?}"));
        } else {
            operands.push(argument);
            break;
        }
    }
    operands.extend(arguments);
    Ok(Ask::Work(Options { excluded, operands }))
}

fn names_of(list: &[u8]) -> impl Iterator<Item = OsString> {
    list.split(|b| *b == b',').filter(|name| !name.is_empty()).map(|name| OsString::from_vec(name.to_vec()))
}

/// Says on stderr why nothing is done.
pub fn failed(why: &str) {
    // A caller that does not listen still has the exit code.
    let _ = std::io::stderr().write_all(&[why.as_bytes(), b"\n"].concat());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Ask, String> {
        parse(arguments.iter().map(OsString::from))
    }

    fn options(arguments: &[&str]) -> Options {
        match parsed(arguments) {
            Ok(Ask::Work(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_excluded_as_a_whole() {
        let options = options(&["--exclude=A", "--exclude=B,CD", "--exclude", "E"]);
        for name in ["A", "B", "CD", "E", "GLEXEC_ENV", "HOME", "LOGNAME", "USER", "X509_USER_PROXY", "_"] {
            assert!(options.excludes(OsStr::new(name)), "{name}");
        }
        for name in ["C", "D", "AA", "a", "", "PROXY", "X509", "HOM", "SER", "OME"] {
            assert!(!options.excludes(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn options_end_at_the_first_operand_or_after_two_dashes() {
        for (arguments, operands) in [
            (&["--", "cd X; cmd"][..], &["cd X; cmd"][..]),
            (&["cmd", "--exclude=A", "--", "-h"], &["cmd", "--exclude=A", "--", "-h"]),
            (&["--exclude=A", "--", "--", "x"], &["--", "x"]),
            (&[], &[]),
        ] {
            assert_eq!(options(arguments).operands, operands, "{arguments:?}");
        }
        assert_eq!(parsed(&["--help"]), Ok(Ask::Help));
        assert!(parsed(&["--exlude=A"]).is_err() && parsed(&["--exclude"]).is_err());
    }
}
