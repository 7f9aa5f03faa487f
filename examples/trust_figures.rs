//! Measures the verifier: hostile files, and honest ones beside `openssl verify`.
//!
//! `cargo run --release --example trust_figures` prints the tables of docs/trust-figures.md. Every measurement runs in a
//! process of its own, so that its peak of memory is its own too.
#![allow(missing_docs, clippy::all, clippy::restriction)] // a development tool
#![forbid(unsafe_code)]

#[path = "../tests/forge/mod.rs"]
mod forge;

use forge::hostile::{Hostile, large_crl, maze};
use forge::site::*;
use forge::*;
use glexec::config::credentials::Credentials;
use glexec::credential::{KeyRule, Question, Trust, judge};
use glexec::sys::dir::Directory;
use nix::sys::resource::{UsageWho, getrusage};
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["judge", user, source, certificates, vomsdir, rounds] => {
            judge_files(user, source, certificates, vomsdir, rounds.parse().unwrap());
        }
        _ => {
            hostile_table();
            honest_table();
        }
    }
}

/// Milliseconds of processor time: independent of what else the machine does.
fn cpu(who: UsageWho) -> f64 {
    let usage = getrusage(who).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    (seconds(usage.user_time()) + seconds(usage.system_time())) * 1000.0
}

/// Judges files so many times in a process of its own; prints the milliseconds of one time, the peak of memory in MiB,
/// and what was said.
fn judge_files(user: &str, source: &str, certificates: &str, vomsdir: &str, rounds: u32) {
    let (user, source) = (std::fs::read(user).unwrap(), std::fs::read(source).unwrap());
    let trust = Trust {
        cas: Directory::open(Path::new(certificates)).unwrap(),
        voms: Some(Directory::open(Path::new(vomsdir)).unwrap()),
        host: String::new(),
    };
    let policy = Credentials::default();
    let source = Some(source.as_slice()).filter(|source| !source.is_empty());
    let question = Question { user: &user, source, pilot: None, key: KeyRule::Required };
    let start = cpu(UsageWho::RUSAGE_SELF);
    let answers: Vec<_> = (0..rounds).map(|_| judge(&question, &policy, &trust, NOW)).collect();
    let spent = (cpu(UsageWho::RUSAGE_SELF) - start) / f64::from(rounds);
    let said = match &answers[0] {
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
fn judging(site: &Site, user: &[u8], source: &[u8], rounds: u32) -> Command {
    let place = |name: &str, bytes: &[u8]| {
        let path = site.certificates().with_file_name(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("judge").arg(place("user", user)).arg(place("source", source));
    command.arg(site.certificates()).arg(site.vomsdir()).arg(rounds.to_string());
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
        println!("| {name} | {} |", output(judging(&site, &user, &source.unwrap_or_default(), 1)));
    }
    println!();
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Processor time of a process that must succeed, its start included.
fn timed(command: &mut Command) -> f64 {
    let start = cpu(UsageWho::RUSAGE_CHILDREN);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}");
    cpu(UsageWho::RUSAGE_CHILDREN) - start
}

/// Proxy, user, CA, root with RSA-2048 keys, two CRLs in PEM; whole processes in turn.
fn honest_table() {
    let keys: Vec<Key> = (0..5).map(|_| leak(rsa_of(2048))).collect();
    let w = World::new();
    let root = root(ROOT, keys[0], |_| {});
    let ca = sub("/DC=org/DC=example/CN=Sub CA", keys[1], &root, |_| {});
    let alice = eec(ALICE, keys[2], &ca, |_| {});
    let server = eec(SERVER, keys[3], &root, |s| s.serial = vec![0x33]);
    let leaf = |more: Vec<Vec<u8>>| {
        let leaf = below(&alice, 1, |s| {
            s.spki = keys[4].public_key_to_der().unwrap();
            s.extensions.extend(more);
        });
        Cert { key: keys[4], ..leaf }
    };
    let plain = file(&[&leaf(vec![]), &alice]);
    let ac = ac(&alice, &server, &["/testvo/Role=pilot", "/testvo"], |_| {});
    let voms = file(&[&leaf(vec![extension(VOMS, false, &der::seq(&[der::seq(&[ac])]))]), &alice]);
    let site = |entries: u32| {
        let site = w.site();
        site.ca(&root, &[]).ca(&ca, &[]);
        for (ca, entries) in [(&root, 1), (&ca, entries)] {
            let crl = pem("X509 CRL", &large_crl(ca, entries, |_| {}));
            site.put(&format!("{}.r0", hash(&ca.der)), crl.as_bytes());
        }
        site
    };
    let (small, large) = (site(1), site(25_000));
    println!("| verification | in the process, ms | as a process, ms | `openssl verify`, ms | ratio |");
    println!("|---|---:|---:|---:|---:|");
    for (name, site, user) in [
        ("proxy, user, CA, root, 2 CRLs", &small, &plain),
        ("the same with an AC (which openssl does not look at)", &small, &voms),
        ("the first with a CRL of 25,000 entries, 1 MB", &large, &plain),
    ] {
        let place = site.certificates().with_file_name("user");
        let now = NOW.to_string();
        let openssl = || {
            let mut command = Command::new("openssl");
            let options = "verify -allow_proxy_certs -crl_check_all -no-CAfile -no-CAstore -attime";
            command.args(options.split(' ')).arg(&now).arg("-CApath").arg(site.certificates());
            command.arg("-untrusted").arg(&place).arg(&place);
            command
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..50 {
            ours.push(timed(&mut judging(site, user, b"", 1)));
            theirs.push(timed(&mut openssl()));
        }
        let inside = output(judging(site, user, b"", 100));
        let inside = inside.split(' ').next().unwrap();
        let (ours, theirs) = (median(ours), median(theirs));
        println!("| {name} | {inside} | {ours:.2} | {theirs:.2} | {:.2} |", ours / theirs);
    }
}
