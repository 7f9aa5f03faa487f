//! Instructions as callgrind counts them: independent of what else the machine does. What runs is not setuid, and not
//! in the sandbox, which callgrind could not work in; so the steps of a call are done one by one in this program.

use crate::case::order;
use crate::caller::Caller;
use crate::figures::Count;
use crate::site::{PILOT, Site};
use glexec::account::{Limits, Nss};
use glexec::circumstances::Circumstances;
use glexec::config::{Config, load};
use glexec::credential::{KeyRule, Question, Trust, judge};
use glexec::lcmaps::{self, Mode};
use glexec::outside::AsServiceUser;
use glexec::sys::dir::Directory;
use glexec::sys::identity::Actor;
use glexec::sys::openssl;
use glexec::{lcas, sys};
use nix::unistd::{Gid, Uid};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// A copy of glexec that is not setuid, for callgrind.
const COPY: &str = "/root/glexec";
const STEPS: [(&str, &str); 4] = [
    ("configuration", "configuration read and checked"),
    ("verification", "the verifier's work: libcrypto started, one VOMS proxy judged"),
    ("again", "the same proxy judged once more in the same process"),
    ("policy", "authorization and mapping, existing lease"),
];

pub fn run(site: &Site, pilot: &mut Caller) -> Vec<Count> {
    eprintln!("bench: instructions");
    // Makes the lease.
    assert_eq!(pilot.call(&order(&["/usr/sbin/glexec", "/bin/true"], "bob"))[0].code, 0);
    site.configure(&site.with(&[("[\"pilot\", ", "[\"root\", \"pilot\", ")]));
    fs::copy("/usr/sbin/glexec", COPY).unwrap();
    fs::set_permissions(COPY, fs::Permissions::from_mode(0o700)).unwrap();
    let mut counts = Vec::new();
    let mut count = |what: &str, instructions: u64| counts.push(Count { what: what.into(), instructions });
    count("glexec --help: loader, C library, Rust's start", instructions(&[COPY, "--help"]));
    count("glexec's privileged process until its verifier has ended", instructions(&[COPY, "/bin/true"]));
    let mut before = instructions(&["/measure", "--step", "nothing"]);
    for (step, what) in STEPS {
        let now = instructions(&["/measure", "--step", step]);
        count(what, now.saturating_sub(before));
        before = now;
    }
    counts
}

fn instructions(command: &[&str]) -> u64 {
    let output = Command::new("/usr/bin/valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(command)
        .env("GLEXEC_CLIENT_CERT", "/root/proxies/bob.pem")
        .env("GLEXEC_TARGET_PROXY", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // The last count is that of the first process: its children end before it.
    let count = text.lines().rev().find_map(|line| line.split_once("Collected :")).expect(&text);
    count.1.trim().parse().unwrap()
}

/// Does what the steps up to this one do, each once.
pub fn step(name: &str) {
    let steps = STEPS.iter().position(|(step, _)| *step == name).map_or(0, |position| position + 1);
    if steps == 0 {
        return;
    }
    let config = load::load().unwrap();
    if steps == 1 {
        return;
    }
    openssl::prepare();
    let mut identity = verify(&config);
    if steps == 2 {
        return;
    }
    identity = verify(&config).or(identity);
    if steps == 3 {
        return;
    }
    authorize(&config, &identity.unwrap());
}

fn verify(config: &Config) -> Option<glexec::credential::identity::Identity> {
    let proxy = fs::read("/root/proxies/bob.pem").unwrap();
    let trust = Trust {
        cas: Directory::open(config.credentials.certdir.as_path()).unwrap(),
        voms: Some(Directory::open(config.credentials.vomsdir.as_path()).unwrap()),
        host: String::new(),
    };
    let question = Question { user: &proxy, source: None, pilot: None, key: KeyRule::Required };
    Some(judge(&question, &config.credentials, &trust, sys::time::now().unwrap()).unwrap().user)
}

fn authorize(config: &Config, user: &glexec::credential::identity::Identity) {
    let circumstances = Circumstances {
        caller: "pilot".into(),
        caller_uid: PILOT,
        caller_gid: PILOT,
        caller_groups: Vec::new(),
        command: Some("/bin/true".into()),
        cwd: None,
        path: config.glexec.path.clone(),
        now: sys::time::now().unwrap(),
    };
    // No plug-in of the site asks a program.
    let programs = AsServiceUser(Actor { uid: Uid::from_raw(990), gid: Gid::from_raw(990), groups: Some(Vec::new()) });
    let authorized = lcas::authorize(&config.lcas, user, None, &circumstances, &programs).unwrap();
    let limits = Limits { min_uid: config.glexec.min_uid, min_gid: config.glexec.min_gid };
    lcmaps::map(&config.lcmaps, Mode::GetAccount, &authorized, &Nss, limits, &circumstances, &programs).unwrap();
}
