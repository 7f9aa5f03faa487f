//! `glexec_unwrapenv`: puts the variables that GLEXEC_ENV carries into the environment and runs a command.

// Unprivileged, and about the environment and the command of its own user: the rules for the setuid program do not apply.
#![allow(clippy::disallowed_methods)]

use super::options::{self, Ask, FAILED, Options};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};
use flate2::read::ZlibDecoder;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

const HELP: &str = "\
usage: glexec glexec_unwrapenv [--exclude=NAME[,NAME...]]... [--] COMMAND [ARGUMENT...]
Sets the variables that GLEXEC_ENV carries (see glexec_wrapenv), then becomes the command. A command that is one word
with shell characters in it is given to /bin/sh -c.
  --exclude=NAME[,NAME...]  variables to leave as they are
  -h, --help                print this help
";

/// Exit codes of a command that cannot be executed, as shells have them.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Most that GLEXEC_ENV may unpack to, in bytes: more than execve(2) takes as a whole environment.
const MAX_UNPACKED: u64 = 8 * 1024 * 1024;

/// Decodes with or without padding: the historic Perl module did.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Runs the program; returns only when it could not become the command.
pub fn main() -> ExitCode {
    let (why, code) = match prepare() {
        Ok(Prepared::Help) => {
            return match std::io::stdout().write_all(HELP.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(FAILED),
            };
        }
        Ok(Prepared::Command(mut command)) => {
            let error = command.exec();
            let code = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
            (format!("glexec_unwrapenv: {:?}: {error}", command.get_program()), code)
        }
        Err(why) => (why, FAILED),
    };
    options::failed(&why);
    ExitCode::from(code)
}

enum Prepared {
    Help,
    Command(Command),
}

fn prepare() -> Result<Prepared, String> {
    let ours = |why: String| format!("glexec_unwrapenv: {why}");
    let options = match options::parse(std::env::args_os().skip(1)).map_err(ours)? {
        Ask::Help => return Ok(Prepared::Help),
        Ask::Work(options) => options,
    };
    let wrapped = std::env::var_os("GLEXEC_ENV").ok_or("GLEXEC_ENV not set. No environment to pass on")?;
    let mut command = command(&options.operands).ok_or_else(|| ours("no command given".into()))?;
    command.envs(unwrap(&wrapped, &options).map_err(|why| ours(format!("GLEXEC_ENV {why}")))?);
    Ok(Prepared::Command(command))
}

/// The variables in a value of GLEXEC_ENV, but those that are excluded.
fn unwrap(wrapped: &OsStr, options: &Options) -> Result<Vec<(OsString, OsString)>, String> {
    let packed = decode(wrapped.as_bytes()).ok_or("is not base64")?;
    let mut items = Vec::new();
    let unpacking = ZlibDecoder::new(packed.as_slice()).take(MAX_UNPACKED.saturating_add(1)).read_to_end(&mut items);
    unpacking.map_err(|error| format!("cannot be unpacked: {error}"))?;
    if u64::try_from(items.len()).is_ok_and(|length| length > MAX_UNPACKED) {
        return Err(format!("unpacks to more than {MAX_UNPACKED} bytes"));
    }
    let mut variables = Vec::new();
    for item in items.split(|b| *b == b' ').filter(|item| !item.is_empty()) {
        let item = decode(item).ok_or("has an item that is not base64")?;
        let mut parts = item.splitn(2, |b| *b == b'=');
        let (Some(name), Some(value)) = (parts.next().filter(|name| !name.is_empty()), parts.next()) else {
            return Err("has an item that is not NAME=VALUE".into());
        };
        if item.contains(&0) {
            return Err("has an item with a NUL in it".into());
        }
        let name = OsString::from_vec(name.to_vec());
        // Without a word: callers take whatever a payload says on stderr for a failure, and the historic script was silent.
        if !options.excludes(&name) {
            variables.push((name, OsString::from_vec(value.to_vec())));
        }
    }
    Ok(variables)
}

/// Decodes base64; line breaks do not count, some encoders insert them.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    BASE64.decode(text).ok()
}

/// The command as Perl's exec has it: several words are the command and its arguments; one word is a shell command, or,
/// without shell characters in it, words with blanks between. `None` without a command.
fn command(operands: &[OsString]) -> Option<Command> {
    let (first, rest) = operands.split_first()?;
    if !rest.is_empty() {
        let mut command = Command::new(first);
        command.args(rest);
        return Some(command);
    }
    if needs_shell(first.as_bytes()) {
        let mut command = Command::new("/bin/sh");
        command.arg0("sh").arg("-c").arg(first);
        return Some(command);
    }
    let mut words =
        first.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(OsStr::from_bytes);
    let mut command = Command::new(words.next()?);
    command.args(words);
    Some(command)
}

/// What makes Perl's exec ask the shell: a shell character, an assignment in front, the words `exec` and `.` (perlfunc,
/// doio.c).
fn needs_shell(text: &[u8]) -> bool {
    const SHELL_CHARACTERS: &[u8] = b"$&*(){}[]'\";\\|?<>~`\n";
    let text = text.trim_ascii();
    let name = text.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let begins_with =
        |word: &[u8]| text.strip_prefix(word).and_then(<[u8]>::first).is_some_and(u8::is_ascii_whitespace);
    begins_with(b"exec")
        || begins_with(b".")
        || text.get(name) == Some(&b'=')
        || text.iter().any(|b| SHELL_CHARACTERS.contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;

    fn pack(items: &[u8]) -> OsString {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        packed.write_all(items).unwrap();
        BASE64.encode(packed.finish().unwrap()).into()
    }

    fn unwrapped(wrapped: &OsStr) -> Result<Vec<(String, String)>, String> {
        let Ok(Ask::Work(options)) = options::parse(["--exclude=NOT".into()]) else { panic!() };
        let text = |os: OsString| os.to_string_lossy().into_owned();
        Ok(unwrap(wrapped, &options)?.into_iter().map(|(n, v)| (text(n), text(v))).collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn what_perl_wrapped_is_unwrapped() {
        // perl -MCompress::Zlib -MMIME::Base64 -e 'print encode_base64(compress(join("", map { encode_base64($_, "") . " " }
        //     "A=1", "HOME=/x", "PROXY=p=q", "E=", "NOT=1", "T=two\nlines")), "")'
        let perl = "eJwLDDGoUAh2tfQLCjEoS3W0tVUIdfMKCHfLtkx2MaxQAIraKoRkW4YGhLjaKoS5GBqkGFl4J7nnlEZF+NoqAAAwohG/";
        let expected = [pair("A", "1"), pair("PROXY", "p=q"), pair("E", ""), pair("T", "two\nlines")];
        assert_eq!(unwrapped(OsStr::new(perl)).unwrap(), expected);
        let with_breaks = format!("{}\n{}\n", &perl[..40], &perl[40..]);
        assert_eq!(unwrapped(OsStr::new(&with_breaks)).unwrap(), expected);
        assert_eq!(unwrapped(OsStr::new(perl.trim_end_matches('='))).unwrap(), expected);
    }

    #[test]
    fn hostile_values_are_errors() {
        let bomb = vec![b' '; 9 * 1024 * 1024];
        for (wrapped, why) in [
            (OsString::from("%%%"), "is not base64"),
            (OsString::from("AAAA"), "cannot be unpacked"),
            (OsString::from(""), "cannot be unpacked"),
            (pack(&bomb), "unpacks to more than"),
            (pack(b"QT0x !!! "), "not base64"),
            (pack(b"QQ== "), "not NAME=VALUE"),
            (pack(b"PTE= "), "not NAME=VALUE"),
            (pack(b"QT0A "), "NUL"),
        ] {
            let error = unwrapped(&wrapped).unwrap_err();
            assert!(error.contains(why), "{wrapped:?}: {error}");
        }
        assert_eq!(unwrapped(&pack(b"")), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unwrapped(OsStr::from_bytes(&bytes));
            let _ = unwrapped(&OsString::from(BASE64.encode(&bytes)));
            let _ = unwrapped(&pack(&bytes));
            let _ = unwrapped(&pack(BASE64.encode(&bytes).as_bytes()));
        }
    }

    #[test]
    fn commands_are_what_perl_makes_of_them() {
        for (operands, expected) in [
            (&["cd X; cmd 2>&1;"][..], &["/bin/sh", "-c", "cd X; cmd 2>&1;"][..]),
            (&["A=1 cmd"], &["/bin/sh", "-c", "A=1 cmd"]),
            (&["exec cmd"], &["/bin/sh", "-c", "exec cmd"]),
            (&["exec\tcmd"], &["/bin/sh", "-c", "exec\tcmd"]),
            (&[". ./setup.sh"], &["/bin/sh", "-c", ". ./setup.sh"]),
            (&["./setup.sh x"], &["./setup.sh", "x"]),
            (&["executable x"], &["executable", "x"]),
            (&["=x"], &["/bin/sh", "-c", "=x"]),
            (&[" id  -u "], &["id", "-u"]),
            (&["id\n"], &["id"]),
            (&["id --user=x"], &["id", "--user=x"]),
            (&["cd X; cmd", "-a"], &["cd X; cmd", "-a"]),
            (&["id"], &["id"]),
        ] {
            let operands: Vec<OsString> = operands.iter().map(OsString::from).collect();
            let command = command(&operands).unwrap();
            let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
            assert_eq!(words, expected, "{operands:?}");
        }
        assert!(command(&[]).is_none() && command(&[" ".into()]).is_none());
    }
}
