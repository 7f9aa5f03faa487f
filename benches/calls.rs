//! Whole calls, from the caller's fork to the payload's end: glexec beside sudo, doas and setpriv, alternately in one
//! run, so that only ratios of one run are compared. Run by `make bench` (benches/run).

// A measuring program may fail loudly and use what it likes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::as_conversions, clippy::disallowed_methods, clippy::disallowed_macros, unsafe_code)]

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

const PILOT: u32 = 2000;
const CONFIG: &str = "/etc/glexec.conf";
const GRIDMAPDIR: &str = "/etc/grid-security/gridmapdir";

/// Milliseconds of every round, by case.
#[derive(Serialize, Deserialize, Default)]
struct Measured(BTreeMap<String, Vec<f64>>);

/// What is done before a measured call, and the call.
struct Case {
    name: &'static str,
    before: fn(),
    caller: u32,
    program: &'static str,
    arguments: &'static [&'static str],
    credential: &'static str,
    expected: i32,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            name: "",
            before: || {},
            caller: PILOT,
            program: "/usr/sbin/glexec",
            arguments: &["/bin/true"],
            credential: "bob",
            expected: 0,
        }
    }
}

fn linger(on: bool) {
    let text = std::fs::read_to_string(CONFIG).unwrap();
    let (from, to) = if on { ("linger = false", "linger = true") } else { ("linger = true", "linger = false") };
    std::fs::write(CONFIG, text.replace(from, to)).unwrap();
}

fn forget_leases() {
    for entry in std::fs::read_dir(GRIDMAPDIR).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with('%') {
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case { name: "/bin/true", program: "/bin/true", arguments: &[], ..Case::default() },
        Case {
            name: "setpriv",
            caller: 0,
            program: "/usr/bin/setpriv",
            arguments: &["--reuid=alice", "--regid=alice", "--init-groups", "/bin/true"],
            ..Case::default()
        },
        Case {
            name: "sudo -n",
            program: "/usr/bin/sudo",
            arguments: &["-n", "-u", "alice", "/bin/true"],
            ..Case::default()
        },
        Case {
            name: "doas -n",
            program: "/usr/bin/doas",
            arguments: &["-n", "-u", "alice", "/bin/true"],
            ..Case::default()
        },
        Case { name: "glexec, DN", credential: "alice", ..Case::default() },
        Case { name: "glexec, VOMS, existing lease", ..Case::default() },
        Case { name: "glexec, VOMS, first lease", before: forget_leases, ..Case::default() },
        Case { name: "glexec, refused (expired)", credential: "alice-expired", expected: 201, ..Case::default() },
        Case { name: "glexec, VOMS, existing lease, linger", before: || linger(true), ..Case::default() },
    ]
}

fn call(case: &Case) -> f64 {
    (case.before)();
    let mut command = Command::new(case.program);
    command.args(case.arguments).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("GLEXEC_CLIENT_CERT", format!("/home/pilot/{}.pem", case.credential));
    command.env("GLEXEC_TARGET_PROXY", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    let id = case.caller;
    // SAFETY: system calls on plain numbers only, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
            setgroups(&[gid])?;
            setresgid(gid, gid, gid)?;
            Ok(setresuid(uid, uid, uid)?)
        });
    }
    let started = Instant::now();
    let status = command.spawn().unwrap().wait().unwrap();
    let elapsed = started.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(status.code(), Some(case.expected), "{}", case.name);
    linger(false);
    elapsed
}

fn in_site(rounds: usize) {
    for name in ["alice", "bob", "alice-expired"] {
        let to = format!("/home/pilot/{name}.pem");
        std::fs::copy(format!("/root/proxies/{name}.pem"), &to).unwrap();
        std::os::unix::fs::chown(&to, Some(PILOT), Some(PILOT)).unwrap();
    }
    let cases = cases();
    let mut measured = Measured::default();
    for round in 0..rounds + 5 {
        for case in &cases {
            let elapsed = call(case);
            // The first rounds warm caches up.
            if round >= 5 {
                measured.0.entry(case.name.into()).or_default().push(elapsed);
            }
        }
    }
    println!("{}", serde_json::to_string(&measured).unwrap());
}

/// The value below which a part of all lie.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

fn table() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let Measured(measured) = serde_json::from_str(&text).unwrap();
    let rounds = measured.values().map(Vec::len).min().unwrap();
    println!(
        "Medians of {rounds} rounds; a ratio is the median of the ratios of each round, with its 10th and 90th percentile.\n"
    );
    println!("| call | ms | to `sudo -n` | to `doas -n` | to `setpriv` |\n|---|---|---|---|---|");
    for case in cases() {
        let own = &measured[case.name];
        let ratio = |to: &str| {
            let ratios: Vec<f64> = own.iter().zip(&measured[to]).map(|(a, b)| a / b).collect();
            format!("{:.2} ({:.2}–{:.2})", quantile(&ratios, 0.5), quantile(&ratios, 0.1), quantile(&ratios, 0.9))
        };
        let [sudo, doas, setpriv] = ["sudo -n", "doas -n", "setpriv"].map(ratio);
        println!("| {} | {:.2} | {sudo} | {doas} | {setpriv} |", case.name, quantile(own, 0.5));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--in-site", rounds] => in_site(rounds.parse().unwrap()),
        ["--table"] => table(),
        // What `cargo bench` and `cargo test --benches` pass.
        _ => println!("run `make bench`"),
    }
}
