//! Measures the verifier with hostile files. (`make bench` measures it with honest ones.)
//!
//! `cargo run --release --example trust_figures` prints the first table of docs/evidence/trust-figures.md. Every measurement runs in a
//! process of its own, so that its peak of memory is its own too.
#![allow(missing_docs, clippy::all, clippy::restriction)] // a development tool
#![forbid(unsafe_code)]

#[path = "../tests/forge/mod.rs"]
mod forge;

use forge::hostile::{Hostile, maze};
use forge::judge::{Question, judge};
use forge::site::*;
use forge::*;
use glexec_core::credentials::Credentials;
use glexec_core::question::KeyRule;
use glexec_sys::dir::Directory;
use glexec_verify::Trust;
use nix::sys::resource::{UsageWho, getrusage};
use std::path::Path;
use std::process::Command;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["judge", user, source, certificates, vomsdir] => judge_files(user, source, certificates, vomsdir),
        _ => hostile_table(),
    }
}

/// Milliseconds of processor time: independent of what else the machine does.
fn cpu(who: UsageWho) -> f64 {
    let usage = getrusage(who).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    (seconds(usage.user_time()) + seconds(usage.system_time())) * 1000.0
}

/// Judges files in a process of its own; prints the milliseconds, the peak of memory in MiB, and what was said.
fn judge_files(user: &str, source: &str, certificates: &str, vomsdir: &str) {
    let (user, source) = (std::fs::read(user).unwrap(), std::fs::read(source).unwrap());
    let trust = Trust {
        cas: Directory::open(Path::new(certificates)).unwrap(),
        voms: Some(Directory::open(Path::new(vomsdir)).unwrap()),
        host: String::new(),
        ahead: None,
    };
    let policy = Credentials::default();
    let source = Some(source.as_slice()).filter(|source| !source.is_empty());
    let question = Question { user: &user, source, pilot: None, key: KeyRule::Required };
    let start = cpu(UsageWho::RUSAGE_SELF);
    let answer = judge(&question, &policy, &trust, NOW);
    let spent = cpu(UsageWho::RUSAGE_SELF) - start;
    let said = match &answer {
        Ok(answer) => answer.user.subject.to_string(),
        Err(refusal) => refusal.reason().code().to_owned(),
    };
    // Not ru_maxrss, which starts with what the parent had.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0;
    println!("{spent:.2} | {peak:.1} | `{said}`");
}

/// A process of this program that judges files of a site.
fn judging(site: &Site, user: &[u8], source: &[u8]) -> Command {
    let place = |name: &str, bytes: &[u8]| {
        let path = site.certificates().with_file_name(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("judge").arg(place("user", user)).arg(place("source", source));
    command.arg(site.certificates()).arg(site.vomsdir());
    command
}

fn output(mut command: Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Hostile shapes, and those that need keys which take long to make.
fn shapes() -> Vec<Hostile> {
    let mut all = forge::hostile::all();
    let w = World::new();
    let long = leak(rsa_of(8192));
    for (name, key) in [
        ("two mazes of CAs with RSA-8192", long),
        ("two mazes of CAs with P-384", leak(curve(openssl::nid::Nid::SECP384R1))),
    ] {
        let user = maze(&w, key, |_| {});
        let (site, source) = (w.site(), Some([b"\n", user.as_slice()].concat()));
        all.push(Hostile { name, site, user, source, expected: "credential.signature" });
    }
    let mut chain = vec![eec(ALICE, long, &w.root, |_| {})];
    for number in 0..18 {
        let next = below(&chain[number], 1, |s| s.spki = long.public_key_to_der().unwrap());
        chain.push(Cert { key: long, ..next });
    }
    let user = file(&chain.iter().rev().collect::<Vec<_>>());
    let expected = "/DC=org/DC=example/CN=Alice FullProxy";
    all.push(Hostile { name: "18 proxies with RSA-8192", site: w.site(), user, source: None, expected });
    all
}

fn hostile_table() {
    println!("| hostile | CPU, ms | memory of the process, MiB | said |\n|---|---:|---:|---|");
    for Hostile { name, site, user, source, .. } in shapes() {
        println!("| {name} | {} |", output(judging(&site, &user, &source.unwrap_or_default())));
    }
    println!();
}
