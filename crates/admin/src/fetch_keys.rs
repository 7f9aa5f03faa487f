//! `glexec-admin fetch-keys`: the public keys of the issuers of tokens, fetched and put where calls look for them.
//!
//! Three processes have a part in it, so that nobody who speaks with strangers can write, and nobody who writes reads what
//! strangers have written: `fetch-keys` below libexec asks the issuer, as the service user; the verifier, which has no
//! network, judges what came; this program, as root, wraps the bytes and renames the file into its place.

use crate::issuers::Issuers;
use crate::log::time::shown;
use crate::reading::Said;
use crate::service_account;
use crate::show::counted;
use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use glexec::verifier::Verifier;
use glexec_config::Config;
use glexec_core::reason::Refusal;
use glexec_core::surveyed::TokenIssuer;
use glexec_core::tokens::Tokens;
use glexec_machine::configuration;
use glexec_sys::dir::{self, Directory, Writers};
use glexec_sys::identity::Actor;
use glexec_sys::program::{self, Executable, Program};
use glexec_sys::time;
use glexec_sys_more::plain;
use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What asks an issuer.
const PROGRAM: &str = "/usr/libexec/glexec/fetch-keys";
/// How long it may take; it ends by itself after 30 s.
const DEADLINE: Duration = Duration::from_secs(35);
/// Largest JWK set, and largest key file, in bytes.
const MAX_SET: usize = 256 * 1024;
/// How long fetched keys are good, in seconds: the WLCG Common JWT Profile recommends two days.
const GOOD_FOR: i64 = 2 * 86400;

/// The command line.
pub(super) fn definition() -> Command {
    let issuer = Arg::new("issuer").long("issuer").value_name("URL").value_hint(ValueHint::Url);
    let from = Arg::new("from").long("from").value_name("FILE").requires("issuer");
    let from = from.value_parser(value_parser!(PathBuf)).value_hint(ValueHint::FilePath);
    Command::new("fetch-keys")
        .about("Fetches the public keys of the issuers of tokens that the site trusts.")
        .arg(issuer.help("Only this one of the issuers"))
        .arg(from.help("Takes its keys, a JWK set, from a file: for sites without a way out"))
        .after_help(
            "Asks every issuer of issuers.d over HTTPS, with the CAs of the system, and writes its keys into the first \
             directory of jwks, where they are good for two days. Whatever goes wrong, the keys that are there stay as \
             they are. For root; glexec-fetch-keys.timer runs it every hour. Prints a line for each issuer; exits with 1 \
             where one has no new keys.",
        )
}

/// Fetches them.
pub(super) fn run(matches: &ArgMatches) -> Result<Said, String> {
    if !geteuid().is_root() {
        return Err("only root can write the keys of issuers".into());
    }
    let config = configuration::load().map_err(in_words)?;
    let Some(tokens) = &config.tokens else {
        return Ok("glexec.conf has no table [tokens]: tokens are refused, and no keys are needed\n".to_owned().into());
    };
    let fetch = Fetch::new(&config, tokens)?;
    let wanted = matches.get_one::<String>("issuer");
    let found = Issuers::of(fetch.verifier().survey_tokens(tokens).map_err(in_words)?);
    let (mut text, mut code) = (String::new(), 0);
    let mut issuers = found.trusted;
    match wanted {
        Some(wanted) => issuers.retain(|issuer| issuer.issuer == *wanted),
        None => {
            for (file, why) in found.faults {
                code = 1;
                text.push_str(&format!("{}: {why}\n", tokens.issuers.as_path().join(file).display()));
            }
        }
    }
    if let (Some(wanted), true) = (wanted, issuers.is_empty()) {
        let issuers = tokens.issuers.as_path().display();
        return Err(format!("no file of {issuers} is about the issuer {wanted}, byte for byte"));
    }
    let from = matches.get_one::<PathBuf>("from");
    for issuer in &issuers {
        match fetch.one(issuer, from.map(PathBuf::as_path)) {
            Ok(said) => text.push_str(&format!("{}: {said}\n", issuer.issuer)),
            Err(why) => {
                code = 1;
                text.push_str(&format!("{}: no new keys: {}; {}\n", issuer.issuer, why.trim_end(), fetch.kept(issuer)));
            }
        }
    }
    Ok(Said { text, code })
}

fn in_words(refusal: Refusal) -> String {
    refusal.for_log()
}

/// What fetching takes.
struct Fetch<'a> {
    config: &'a Config,
    actor: Actor,
    now: i64,
    into: Directory,
}

impl<'a> Fetch<'a> {
    fn new(config: &'a Config, tokens: &Tokens) -> Result<Self, String> {
        let name = &config.glexec.service_user;
        let actor = service_account::actor(config).ok_or_else(|| format!("service_user: {name} is no such account"))?;
        let path = tokens.jwks.paths().first().ok_or("jwks names no directory")?.as_path();
        plain::make_directory(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let into = Directory::open_trusted(path, Writers::RootOnly).map_err(|error| error.to_string())?;
        Ok(Fetch { config, actor, now: time::now().map_err(in_words)?, into })
    }

    fn verifier(&self) -> Verifier<'_> {
        Verifier::new(Some(&self.actor), &self.config.credentials, self.now)
    }

    /// Fetches the keys of an issuer and puts them in their place.
    fn one(&self, issuer: &TokenIssuer, from: Option<&Path>) -> Result<String, String> {
        let set = match from {
            Some(path) => plain::read_bytes(path, u64::try_from(MAX_SET).unwrap_or(u64::MAX))
                .map_err(|error| format!("{}: {error}", path.display()))?,
            None => self.ask(&issuer.issuer)?,
        };
        let usable = self.verifier().judge_key_set(&set, &issuer.algorithms).map_err(in_words)?;
        let expiration = self.now.saturating_add(GOOD_FOR);
        let name = serde_json::to_string(&issuer.issuer).map_err(|error| error.to_string())?;
        // The verifier has read the set: it is one JSON object, and nothing after it.
        let head = format!("{{{name}:{{\"expiration\":{expiration},\"jwks\":");
        let file = [head.as_bytes(), &set, b"}}\n"].concat();
        if file.len() > MAX_SET {
            return Err(format!("the file would be larger than {} KiB", MAX_SET / 1024));
        }
        let path = self.into.path().join(&issuer.key_file);
        self.into
            .replace(OsStr::new(&issuer.key_file), &file)
            .map_err(|errno| format!("{}: {}", path.display(), errno.desc()))?;
        Ok(format!("{} in {}, good until {}", counted(usable, "key"), path.display(), shown_seconds(expiration)))
    }

    /// What the issuer publishes.
    fn ask(&self, issuer: &str) -> Result<Vec<u8>, String> {
        let path = Path::new(PROGRAM);
        dir::check_program(path).map_err(|error| error.to_string())?;
        let arguments = [issuer.to_owned()];
        let program = Program {
            actor: Some(&self.actor),
            executable: Executable::Of(path),
            name: path.as_os_str(),
            arguments: &arguments,
            descriptors: &[],
            deadline: DEADLINE,
            max_answer: MAX_SET,
        };
        let said = program::ask(&program, &[]).map_err(|why| why.to_string())?;
        match said.status {
            0 => Ok(said.output),
            // A stranger's words are among them.
            _ => Err(String::from_utf8_lossy(&said.errors).chars().filter(|c| !c.is_control()).collect()),
        }
    }

    /// What stays as it is.
    fn kept(&self, issuer: &TokenIssuer) -> String {
        let good = issuer.keys.iter().filter_map(|file| file.said.as_ref().ok()).map(|keys| keys.expiration);
        match good.filter(|expiration| *expiration > self.now).max() {
            Some(until) => format!("those of before stay good until {}", shown_seconds(until)),
            None => "there are none: its tokens are refused".to_owned(),
        }
    }
}

fn shown_seconds(seconds: i64) -> String {
    shown(seconds.saturating_mul(1_000_000))
}
