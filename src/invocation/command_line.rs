//! The command line: `glexec [-h | --help] [-v | --version] [-V] [--sandbox DIR] [--] [command [args…]]`.

use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The payload: a command and its arguments, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The command as the caller wrote it; it is the payload's argv[0].
    pub command: OsString,
    pub arguments: Vec<OsString>,
}

/// What the caller asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// The help text.
    Help,
    /// The version line.
    Version,
    /// The compile-time settings.
    Settings,
    Call(Job),
}

/// The job: run a payload, or, without one, renew the target proxy only.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// The directory to work in, as the caller wrote it.
    pub sandbox: Option<PathBuf>,
    /// What to run.
    pub payload: Option<Payload>,
}

/// An option.
#[derive(Debug)]
pub struct Flag {
    /// Its letter.
    pub short: u8,
    /// Its word.
    pub long: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

/// An option that has a value, in the next word or behind a `=`.
#[derive(Debug)]
pub struct Valued {
    /// Its word.
    pub long: &'static str,
    /// What stands for its value.
    pub value: &'static str,
    /// What it does.
    pub help: &'static str,
}

const HELP: Flag = Flag { short: b'h', long: Some("help"), help: "Print this help" };
const VERSION: Flag = Flag { short: b'v', long: Some("version"), help: "Print the version" };
const SETTINGS: Flag = Flag { short: b'V', long: None, help: "Print the compile-time settings (root only)" };

/// All options: what `--help` and the manual page say, and what is understood.
pub const FLAGS: [Flag; 3] = [HELP, VERSION, SETTINGS];

/// And the one that has a value.
pub const SANDBOX: Valued = Valued {
    long: "sandbox",
    value: "DIR",
    help: "Work in DIR, a directory of the caller's, as if it were the target account's own",
};

const ABOUT: &str = "\
Runs a command as the local account of the grid user whose proxy GLEXEC_CLIENT_CERT names.

Usage: glexec [OPTIONS] [--] [command [args…]]

Without a command only the target proxy is (re)created.

Options:
";
const MORE: &str = "
Options end at the first operand. Exit codes: the payload's own; 201 the caller's fault, 202 the site's, 203 not
authorized, 126 the command could not be executed.

Variables: GLEXEC_CLIENT_CERT, GLEXEC_SOURCE_PROXY, GLEXEC_TARGET_PROXY, GLEXEC_CLIENT_TOKEN, GLEXEC_SOURCE_TOKEN,
GLEXEC_TARGET_TOKEN, GLEXEC_EXPECTED_SUBJECT, GLEXEC_MODE, GLEXEC_ID, GLEXEC_ENV, GLEXEC_REPORT_FD, X509_USER_PROXY,
BEARER_TOKEN_FILE: see glexec(1).
";

/// The help text.
pub fn help() -> String {
    let line = |Flag { short, long, help }: &Flag| {
        let long = long.map(|word| format!(", --{word}")).unwrap_or_default();
        format!("  -{}{long:<11}  {help}\n", char::from(*short))
    };
    let options: String = FLAGS.iter().map(line).collect();
    let Valued { long, value, help } = SANDBOX;
    format!("{ABOUT}{options}  --{long} {value}  {help}\n{MORE}")
}

/// The version line.
pub fn version() -> String {
    format!("glexec {}\n", env!("CARGO_PKG_VERSION"))
}

fn misused(option: &OsStr) -> Refusal {
    let sentence = format!("unknown or misused option {}; see glexec --help", in_sentence(option));
    Refusal::new(Reason::InvocationUsage, sentence)
}

/// The letters of the options that a word gives: its own, `-hv`, or that of a long one.
fn letters(word: &OsStr) -> Outcome<&[u8]> {
    let bytes = word.as_bytes();
    let known = match bytes.strip_prefix(b"--") {
        Some(long) => FLAGS.iter().find(|flag| flag.long.is_some_and(|name| name.as_bytes() == long)),
        None => {
            let letters = bytes.get(1..).unwrap_or_default();
            let unknown = letters.iter().find(|letter| FLAGS.iter().all(|flag| flag.short != **letter));
            return unknown.map_or(Ok(letters), |letter| Err(misused(OsStr::from_bytes(&[b'-', *letter]))));
        }
    };
    known.map(|flag| std::slice::from_ref(&flag.short)).ok_or_else(|| misused(word))
}

/// What follows the word of the option that has a value: nothing, or the value behind a `=`.
fn behind_sandbox(word: &OsStr) -> Option<Option<&OsStr>> {
    match word.as_bytes().strip_prefix(b"--")?.strip_prefix(SANDBOX.long.as_bytes())? {
        [] => Some(None),
        [b'=', value @ ..] => Some(Some(OsStr::from_bytes(value))),
        _ => None,
    }
}

/// Reads the command line. argv[0] is ignored, whatever it is: callers put all kinds of things there.
pub fn parse(arguments: &[OsString]) -> Outcome<Ask> {
    // The kernel gives a program that was started with argc = 0 one empty argument (Linux 5.18).
    if matches!(arguments, [] | [_]) && arguments.first().is_none_or(|name| name.is_empty()) {
        return Err(Refusal::new(Reason::InvocationEmptyArgv, "started without arguments, not even argument zero"));
    }
    let mut words = arguments.iter().skip(1).peekable();
    let (mut given, mut sandbox) = (Vec::new(), None);
    while let Some(word) = words.next_if(|word| word.len() > 1 && word.as_bytes().starts_with(b"-")) {
        if word == "--" {
            break;
        }
        match behind_sandbox(word) {
            Some(behind) => {
                let value = behind.or_else(|| words.next().map(OsString::as_os_str));
                sandbox = Some(PathBuf::from(value.ok_or_else(|| misused(word))?));
            }
            None => given.extend(letters(word)?),
        }
    }
    let payload = words.next().map(|command| Payload { command: command.clone(), arguments: words.cloned().collect() });
    Ok(match given {
        given if given.contains(&HELP.short) => Ask::Help,
        given if given.contains(&VERSION.short) => Ask::Version,
        given if given.contains(&SETTINGS.short) => Ask::Settings,
        _ => Ask::Call(Job { sandbox, payload }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn payload(command: &str, arguments: &[&str]) -> Option<Payload> {
        Some(Payload { command: command.into(), arguments: words(arguments) })
    }

    fn call(command: &str, arguments: &[&str]) -> Ask {
        Ask::Call(Job { sandbox: None, payload: payload(command, arguments) })
    }

    #[test]
    fn options_end_at_the_first_operand_and_the_rest_is_the_payloads() {
        let table = [
            (&["glexec", "/bin/id", "-u"][..], call("/bin/id", &["-u"])),
            (&["glexec", "--", "/bin/id", "--help"], call("/bin/id", &["--help"])),
            (&["glexec", "sh", "--", "-c", "--"], call("sh", &["--", "-c", "--"])),
            (&["glexec", "--", "-x"], call("-x", &[])),
            (&["glexec", "x", "-h", "-v", "-V", ""], call("x", &["-h", "-v", "-V", ""])),
            (&["glexec", "", "a"], call("", &["a"])),
            (&["/usr/bin/python", "/opt/gsido", "-v", "0"], call("/opt/gsido", &["-v", "0"])),
            (&["", "x"], call("x", &[])),
            (&["glexec"], Ask::Call(Job::default())),
            (&["glexec", "--"], Ask::Call(Job::default())),
            (&["glexec", "-h"], Ask::Help),
            (&["glexec", "--help", "x"], Ask::Help),
            (&["glexec", "-v"], Ask::Version),
            (&["glexec", "--version"], Ask::Version),
            (&["glexec", "-V"], Ask::Settings),
            (&["glexec", "-Vv", "--", "x"], Ask::Version),
            (&["glexec", "-", "x"], call("-", &["x"])),
        ];
        for (arguments, expected) in table {
            assert_eq!(parse(&words(arguments)), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn a_sandbox_is_an_option_with_a_value_before_the_command() {
        let ask = |sandbox: &str, payload| Ok(Ask::Call(Job { sandbox: Some(sandbox.into()), payload }));
        let table = [
            (&["glexec", "--sandbox", "/w/box", "id", "-u"][..], ask("/w/box", payload("id", &["-u"]))),
            (&["glexec", "--sandbox=box", "--", "--sandbox"], ask("box", payload("--sandbox", &[]))),
            (&["glexec", "--sandbox", "/w/box"], ask("/w/box", None)),
            (&["glexec", "--sandbox", ""], ask("", None)),
            (&["glexec", "id", "--sandbox", "/w"], Ok(call("id", &["--sandbox", "/w"]))),
        ];
        for (arguments, expected) in table {
            assert_eq!(parse(&words(arguments)), expected, "{arguments:?}");
        }
        assert_eq!(parse(&words(&["glexec", "--sandbox"])).map_err(|r| r.reason()), Err(Reason::InvocationUsage));
    }

    #[test]
    fn unknown_options_and_an_empty_argv_are_refused() {
        let code = |arguments: &[&str]| parse(&words(arguments)).map_err(|r| r.reason());
        for bad in [
            &["glexec", "-x"][..],
            &["glexec", "--frobnicate", "id"],
            &["glexec", "-hx"],
            &["glexec", "--help=x"],
            &["glexec", "-h", "--hel"],
            &["glexec", "---"],
            &["glexec", "-1"],
        ] {
            assert_eq!(code(bad), Err(Reason::InvocationUsage), "{bad:?}");
        }
        assert_eq!(code(&[]), Err(Reason::InvocationEmptyArgv));
        assert_eq!(code(&[""]), Err(Reason::InvocationEmptyArgv));
    }

    #[test]
    fn arguments_are_kept_byte_for_byte() {
        let odd = OsString::from_vec(vec![0xff, b'\n', b'%', b'n']);
        let parsed = parse(&[OsString::from("glexec"), OsString::from("echo"), odd.clone()]);
        let payload = Some(Payload { command: "echo".into(), arguments: vec![odd] });
        assert_eq!(parsed, Ok(Ask::Call(Job { sandbox: None, payload })));
    }
}
