//! Asking the site's mapping service: `site-request` does, which has the network and TLS that this program has not.

use clap::{Arg, ArgAction, ArgMatches, ValueHint, value_parser};
use glexec_sys_more::plain;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

const PROGRAM: &str = "/usr/libexec/glexec/site-request";
/// Longest answer in bytes.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;
/// The options that say which service, and with which certificate.
const FILES: [(&str, &str); 2] = [("certificate", "The certificate to ask with"), ("key", "Its private key")];

/// The options of every command that asks the service.
pub(crate) fn options() -> Vec<Arg> {
    let server = Arg::new("server").long("server").value_name("URL").action(ArgAction::Append).global(true);
    let server = server.requires_all(["certificate", "key"]);
    let mut all = vec![server.help("The service, as https://map1.example.org:8444; without it, that of this host")];
    all.extend(FILES.map(|(name, help)| {
        let file = Arg::new(name).long(name).value_name("FILE").global(true).requires("server");
        file.value_parser(value_parser!(PathBuf)).value_hint(ValueHint::FilePath).help(help)
    }));
    all
}

/// Sends one request; its answer.
pub(crate) fn ask(matches: &ArgMatches, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut arguments: Vec<OsString> = Vec::new();
    for server in matches.get_many::<String>("server").unwrap_or_default() {
        arguments.extend(["--server".into(), server.into()]);
    }
    for (name, _) in FILES {
        if let Some(file) = matches.get_one::<PathBuf>(name) {
            arguments.extend([format!("--{name}").into(), file.into()]);
        }
    }
    arguments.extend([method.into(), path.into()]);
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    let asked = plain::ask(Path::new(PROGRAM), &arguments, body, MAX_ANSWER);
    match asked.map_err(|error| format!("{PROGRAM}: {error}"))? {
        (answer, true) => Ok(answer),
        (_, false) => Err("the service did not do it".to_owned()),
    }
}
