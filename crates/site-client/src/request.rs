//! `glexec-site-request`: one request to the service, for administrators and for glexec-admin, which links no network.

use crate::certificates::Chain;
use crate::client::{Client, NoAnswer, Server};
use crate::configuration::parse;
use crate::peer::{self, Rules};
use crate::tls::{self, Own, Speaks};
use crate::wire::{MAP, MAX_QUESTION, Mode, Question, VERSION};
use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use glexec_core::credentials::Credentials;
use glexec_core::values::AbsolutePath;
use glexec_sys::start;
use glexec_sys_more::plain;
use hyper::Method;
use std::io::{Read, Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Largest file in bytes.
const MAX_FILE: u64 = 1024 * 1024;

fn definition() -> Command {
    let file = |name: &'static str, default: &'static str, help: &'static str| {
        let path = Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
        path.value_hint(ValueHint::FilePath).default_value(default).help(help)
    };
    let server = Arg::new("server")
        .long("server")
        .value_name("URL")
        .action(ArgAction::Append)
        .value_parser(|text: &str| Server::try_from(text.to_owned()))
        .help("The service, as https://map1.example.org:8444; more than one are asked in turn. Without one: this host's, with its certificate");
    let site = file("site", "/etc/glexec-site.toml", "The configuration of this host's service");
    let timeout = Arg::new("timeout")
        .long("timeout")
        .value_name("SECONDS")
        .default_value("30")
        .value_parser(value_parser!(u64).range(1..=3600))
        .help("How long to wait for the answer");
    let map = Command::new("map")
        .about("Asks which account the holder of a proxy has. Only its certificates are sent.")
        .arg(Arg::new("proxy").value_name("PROXY").required(true).value_parser(value_parser!(PathBuf)))
        .arg(Arg::new("pilot").long("pilot").value_name("PROXY").value_parser(value_parser!(PathBuf)))
        .arg(
            Arg::new("verify")
                .long("verify")
                .action(ArgAction::SetTrue)
                .help("Asks for an account that is there already"),
        );
    let send = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(Arg::new("path").value_name("PATH").required(true))
    };
    Command::new("glexec-site-request")
        .about("Sends the site's mapping service one request and prints the answer.")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .args([
            server,
            site,
            file("certificate", "/etc/grid-security/hostcert.pem", "The certificate to ask with"),
            file("key", "/etc/grid-security/hostkey.pem", "Its private key"),
            file("certdir", "/etc/grid-security/certificates", "The CA directory"),
            timeout,
        ])
        .subcommand(map)
        .subcommand(send("get", "Fetches something."))
        .subcommand(send("post", "Sends what standard input has."))
}

/// Runs the program; its exit code: 0 answered, 1 not.
pub fn main() -> u8 {
    let inherited = start::take();
    match definition().try_get_matches_from(&inherited.arguments) {
        Ok(matches) => match run(&matches) {
            Ok(body) => u8::from(stdout().write_all(&body).is_err()),
            Err(why) => failed(&why),
        },
        Err(error) if !error.use_stderr() => u8::from(stdout().write_all(error.to_string().as_bytes()).is_err()),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> u8 {
    // Somebody who does not listen still has the exit code.
    let _ = stderr().write_all(format!("{}\n", why.trim_end()).as_bytes());
    1
}

fn file(path: &Path) -> Result<Vec<u8>, String> {
    plain::read_bytes(path, MAX_FILE).map_err(|error| format!("{}: {error}", path.display()))
}

fn path<'m>(matches: &'m ArgMatches, name: &str) -> Result<&'m Path, String> {
    matches.get_one::<PathBuf>(name).map(PathBuf::as_path).ok_or_else(|| format!("--{name} is missing"))
}

/// Whom to ask, and with what.
struct Way {
    servers: Vec<Server>,
    own: Own,
    certdir: AbsolutePath,
}

impl Way {
    /// As the options say.
    fn given(matches: &ArgMatches, servers: Vec<Server>) -> Result<Self, String> {
        let own = Own::read(&file(path(matches, "certificate")?)?, &file(path(matches, "key")?)?);
        let certdir = AbsolutePath::try_from(path(matches, "certdir")?.to_owned())?;
        Ok(Way { servers, own: own.map_err(|error| error.to_string())?, certdir })
    }

    /// To the service of this host, which takes its own certificate for an operator's.
    fn to_own_service(matches: &ArgMatches) -> Result<Self, String> {
        let name = path(matches, "site")?;
        let text = plain::read_text(name, MAX_FILE)
            .map_err(|error| format!("no --server is given, and {}: {error}", name.display()))?;
        let site = parse(&text).map_err(|mistake| format!("{}: {}", name.display(), mistake.message))?;
        let own = Own::read(&file(site.certificate.as_path())?, &file(site.key.as_path())?);
        let own = own.map_err(|error| error.to_string())?;
        let hosts = peer::names(own.leaf()).map_err(|refusal| refusal.for_log())?;
        let host = hosts
            .iter()
            .find(|host| !host.starts_with('*'))
            .ok_or("the service's certificate has no name of a host")?;
        let server = Server::try_from(format!("https://{host}:{}", site.listen.port()))?;
        Ok(Way { servers: vec![server], own, certdir: site.certdir })
    }
}

fn run(matches: &ArgMatches) -> Result<Bytes, String> {
    let servers: Vec<Server> = matches.get_many("server").unwrap_or_default().cloned().collect();
    let way = if servers.is_empty() { Way::to_own_service(matches)? } else { Way::given(matches, servers)? };
    let rules = Arc::new(Rules::new(&Credentials::default(), &way.certdir));
    let tls = tls::client(way.own, rules, Speaks::Tls13).map_err(|error| error.to_string())?;
    let timeout = Duration::from_secs(matches.get_one::<u64>("timeout").copied().unwrap_or_default());
    let (method, path, body) = request(matches)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let answered = runtime.block_on(async {
        let client = Client::new(tls, way.servers, timeout);
        client.ask(method, &path, body, timeout).await
    });
    answered.map(|(_, body)| body).map_err(|error| match error {
        NoAnswer::Refused { text, server, .. } => format!("{server}: {text}"),
        other => other.to_string(),
    })
}

fn request(matches: &ArgMatches) -> Result<(Method, String, Bytes), String> {
    let target = |matches: &ArgMatches| matches.get_one::<String>("path").cloned().unwrap_or_default();
    match matches.subcommand() {
        Some(("map", matches)) => {
            let chain = |name: &str| -> Result<Chain, String> {
                Chain::of_file(&file(path(matches, name)?)?).map_err(|refusal| refusal.for_log())
            };
            let mode = if matches.get_flag("verify") { Mode::VerifyAccount } else { Mode::GetAccount };
            let pilot = matches.contains_id("pilot").then(|| chain("pilot")).transpose()?;
            let question = Question { version: VERSION, user: chain("proxy")?, pilot, mode };
            let body = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
            Ok((Method::POST, MAP.to_owned(), body.into()))
        }
        Some(("post", matches)) => {
            let mut body = Vec::new();
            let limit = u64::try_from(MAX_QUESTION).unwrap_or(u64::MAX);
            stdin().take(limit).read_to_end(&mut body).map_err(|error| error.to_string())?;
            Ok((Method::POST, target(matches), body.into()))
        }
        Some((_, matches)) => Ok((Method::GET, target(matches), Bytes::new())),
        None => Err("no command".to_owned()),
    }
}
