//! `glexec_wrapenv`: the environment as one value for GLEXEC_ENV, because glexec gives a payload a new environment.
//!
//! The codec is the historic one, so that old and new wrap and unwrap understand each other:
//! base64(zlib(base64("NAME=VALUE") " " base64("NAME=VALUE") " " …)).

// Unprivileged and for the caller's own environment: the rules for the setuid program do not apply.
#![allow(clippy::disallowed_methods)]

use super::options::{self, Ask, FAILED, Options};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

const HELP: &str = "\
usage: export GLEXEC_ENV=`glexec_wrapenv [--exclude=NAME[,NAME...]]...`
Prints the environment as one line for GLEXEC_ENV, which glexec hands on and glexec_unwrapenv unpacks.
  --exclude=NAME[,NAME...]  variables to leave out
  -h, --help                print this help
";

/// Longest value that execve(2) accepts: 32 pages with `GLEXEC_ENV=` and the closing NUL.
const MAX_VALUE: usize = 131_072 - 12;

/// Runs the program.
pub fn main() -> ExitCode {
    match run() {
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(FAILED),
        },
        Err(why) => {
            options::failed(&format!("glexec_wrapenv: {why}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run() -> Result<String, String> {
    match options::parse(std::env::args_os().skip(1))? {
        Ask::Help => Ok(HELP.into()),
        Ask::Work(options) if !options.operands.is_empty() => Err("no operands expected".into()),
        Ask::Work(options) => {
            let wrapped = wrap(std::env::vars_os(), &options).map_err(|error| error.to_string())?;
            if wrapped.len() > MAX_VALUE {
                return Err(format!(
                    "the environment is too large for one variable: {} bytes wrapped; leave some out with --exclude",
                    wrapped.len()
                ));
            }
            Ok(wrapped + "\n")
        }
    }
}

/// Wraps variables; of two with the same name the first counts, as for getenv(3).
fn wrap(variables: impl Iterator<Item = (OsString, OsString)>, options: &Options) -> std::io::Result<String> {
    let mut seen = BTreeSet::new();
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    // To std an entry like `=A=1` has the name `=A`, to everybody else none: nothing could be made of it.
    for (name, value) in variables.filter(|(name, _)| !name.as_bytes().starts_with(b"=")) {
        if options.excludes(&name) {
            skipping(&name);
        } else if !seen.contains(&name) {
            let item = [name.as_bytes(), b"=", value.as_bytes()].concat();
            packed.write_all(STANDARD.encode(item).as_bytes())?;
            packed.write_all(b" ")?;
            seen.insert(name);
        }
    }
    Ok(STANDARD.encode(packed.finish()?))
}

/// Says on stderr that a variable is left alone, as the historic script did.
fn skipping(name: &OsStr) {
    // Who does not listen has the variables all the same.
    let _ = std::io::stderr().write_all(&[b"Skipping ", name.as_bytes(), b"\n"].concat());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;
    use std::os::unix::ffi::OsStringExt;

    fn items(variables: &[(&[u8], &[u8])]) -> String {
        let Ok(Ask::Work(options)) = options::parse(["--exclude=NOT".into()]) else { panic!() };
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let wrapped = wrap(variables.iter().map(|(n, v)| (os(n), os(v))), &options).unwrap();
        let mut text = String::new();
        ZlibDecoder::new(&STANDARD.decode(wrapped).unwrap()[..]).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn each_variable_is_an_item_and_a_blank() {
        assert_eq!(items(&[(b"A", b"1"), (b"B", b""), (b"HOME", b"/x"), (b"NOT", b"x")]), "QT0x Qj0= ");
        assert_eq!(items(&[(b"A", b"1"), (b"A", b"2")]), "QT0x ");
        assert_eq!(items(&[(b"A", b"\xff\n=")]), format!("{} ", STANDARD.encode(b"A=\xff\n=")));
        assert_eq!(items(&[(b"=A", b"1"), (b"B", b"=")]), format!("{} ", STANDARD.encode(b"B==")));
        assert_eq!(items(&[]), "");
    }
}
