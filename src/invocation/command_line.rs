//! The command line: `glexec [-h | --help] [-v | --version] [-V] [--] [command [args…]]`.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command, ValueHint};
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use std::ffi::OsString;

/// The payload: a command and its arguments, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The command as the caller wrote it; it is the payload's argv[0].
    pub command: OsString,
    /// Its arguments.
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
    /// The job: run a payload, or, without one, renew the target proxy only.
    Call(Option<Payload>),
}

/// Everything about the command line in one place: `--help` and the manual page come from it.
pub fn definition() -> Command {
    Command::new("glexec")
        .about("Runs a command as the local account of the grid user whose proxy GLEXEC_CLIENT_CERT names.")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .arg(flag("help", "Print this help").short('h').long("help"))
        .arg(flag("version", "Print the version").short('v').long("version"))
        .arg(flag("settings", "Print the compile-time settings (root only)").short('V'))
        .arg(
            Arg::new("payload")
                .value_name("command [args…]")
                .help("The command to run; without one, only the target proxy is (re)created")
                .trailing_var_arg(true)
                .num_args(0..)
                .value_hint(ValueHint::CommandWithArguments)
                .value_parser(ValueParser::os_string()),
        )
        .after_help(
            "Options end at the first operand. Exit codes: the payload's own; 201 the caller's fault, 202 the site's, \
             203 not authorized, 126 the command could not be executed.\n\n\
             Variables: GLEXEC_CLIENT_CERT, GLEXEC_SOURCE_PROXY, GLEXEC_TARGET_PROXY, \
             GLEXEC_EXPECTED_SUBJECT, GLEXEC_MODE, GLEXEC_ID, GLEXEC_ENV, GLEXEC_REPORT_FD, X509_USER_PROXY: see glexec(1).",
        )
}

/// The help text.
pub fn help() -> String {
    definition().render_help().to_string()
}

/// The version line.
pub fn version() -> String {
    format!("glexec {}\n", env!("CARGO_PKG_VERSION"))
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).action(ArgAction::SetTrue).help(help)
}

/// Reads the command line. argv[0] is ignored, whatever it is: callers put all kinds of things there.
pub fn parse(arguments: &[OsString]) -> Outcome<Ask> {
    // The kernel gives a program that was started with argc = 0 one empty argument (Linux 5.18).
    if matches!(arguments, [] | [_]) && arguments.first().is_none_or(|name| name.is_empty()) {
        return Err(Refusal::new(Reason::InvocationEmptyArgv, "started without arguments, not even argument zero"));
    }
    let arguments = arguments.iter().skip(1).cloned();
    let definition = definition().no_binary_name(true);
    let mut matches = definition.try_get_matches_from(arguments).map_err(|error| {
        let option = error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        let sentence = format!("unknown or misused option {}; see glexec --help", in_sentence(&option));
        Refusal::new(Reason::InvocationUsage, sentence)
    })?;
    if matches.get_flag("help") {
        return Ok(Ask::Help);
    }
    if matches.get_flag("version") {
        return Ok(Ask::Version);
    }
    if matches.get_flag("settings") {
        return Ok(Ask::Settings);
    }
    let mut words = matches.remove_many::<OsString>("payload").into_iter().flatten();
    Ok(Ask::Call(words.next().map(|command| Payload { command, arguments: words.collect() })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn call(command: &str, arguments: &[&str]) -> Ask {
        Ask::Call(Some(Payload { command: command.into(), arguments: words(arguments) }))
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
            (&["glexec"], Ask::Call(None)),
            (&["glexec", "--"], Ask::Call(None)),
            (&["glexec", "-h"], Ask::Help),
            (&["glexec", "--help", "x"], Ask::Help),
            (&["glexec", "-v"], Ask::Version),
            (&["glexec", "--version"], Ask::Version),
            (&["glexec", "-V"], Ask::Settings),
        ];
        for (arguments, expected) in table {
            assert_eq!(parse(&words(arguments)), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn unknown_options_and_an_empty_argv_are_refused() {
        let code = |arguments: &[&str]| parse(&words(arguments)).map_err(|r| r.reason());
        for bad in [&["glexec", "-x"][..], &["glexec", "--frobnicate", "id"], &["glexec", "-hx"]] {
            assert_eq!(code(bad), Err(Reason::InvocationUsage), "{bad:?}");
        }
        assert_eq!(code(&[]), Err(Reason::InvocationEmptyArgv));
        assert_eq!(code(&[""]), Err(Reason::InvocationEmptyArgv));
    }

    #[test]
    fn arguments_are_kept_byte_for_byte() {
        let odd = OsString::from_vec(vec![0xff, b'\n', b'%', b'n']);
        let parsed = parse(&[OsString::from("glexec"), OsString::from("echo"), odd.clone()]);
        assert_eq!(parsed, Ok(Ask::Call(Some(Payload { command: "echo".into(), arguments: vec![odd] }))));
    }
}
