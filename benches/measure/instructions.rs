//! Instructions as callgrind counts them: independent of what else the machine does. What runs is not setuid, and not
//! in the sandbox, which callgrind could not work in: so the steps of a call are done one by one in this program.

use crate::caller::Caller;
use crate::case::order;
use crate::figures::Count;
use crate::site::{PILOT, Site};
use glexec::credential_files::{self as files, RawCredentials};
use glexec::decision::{Known, Machine, Matter, Privileged, decide};
use glexec::invocation;
use glexec::invocation::environment::{Environment, Request};
use glexec::service::ServiceAccount;
use glexec::verifier::{Certified, VerifiedIdentity};
use glexec_config::Config;
use glexec_config::lcmaps::Mode;
use glexec_core::question::{Holder, KeyRule};
use glexec_core::reason::Outcome;
use glexec_core::verdict::Judged;
use glexec_machine::configuration;
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::circumstances::Purpose;
use glexec_policy::files::Files;
use glexec_policy::leases::Leases;
use glexec_policy::programs::Programs;
use glexec_sys::dir::Directory;
use glexec_sys::time;
use glexec_verify::{Trust, judge};
use nix::unistd::{Gid, Uid};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// A copy of glexec that is not setuid, for callgrind.
const COPY: &str = "/root/glexec";
const PROXY: &str = "/root/proxies/bob.pem";

/// Each step does what the one before does, and more.
const STEPS: [(&str, &str); 4] = [
    ("configuration", "configuration read and checked"),
    ("verification", "one VOMS proxy verified"),
    ("again", "the same proxy verified once more in the same process"),
    ("decision", "caller, credential file, authorization, mapping with an existing lease"),
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
    count("`glexec --help`: loader, C library, start of the program", instructions(&[COPY, "--help"]));
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
        .env("GLEXEC_CLIENT_CERT", PROXY)
        .env("GLEXEC_TARGET_PROXY", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // The last count is that of the first process: its children end before it.
    let count = text.lines().rev().find_map(|line| line.split_once("Collected :")).expect(&text);
    count.1.trim().parse().unwrap()
}

/// Does a step, and those before it.
pub fn step(name: &str) {
    let last = STEPS.iter().position(|(step, _)| *step == name);
    let wanted = |step: usize| last.is_some_and(|last| step <= last);
    if !wanted(0) {
        return;
    }
    let config = configuration::load().unwrap();
    let verified: Vec<Judged> = (1..=2).filter(|&step| wanted(step)).map(|_| verify(&config)).collect();
    if wanted(3) {
        decided(&config, verified);
    }
}

fn verify(config: &Config) -> Judged {
    let proxy = fs::read(PROXY).unwrap();
    let trust = Trust {
        cas: Directory::open(config.credentials.certdir.as_path()).unwrap(),
        voms: Some(Directory::open(config.credentials.vomsdir.as_path()).unwrap()),
        host: String::new(),
        ahead: None,
    };
    let matter = glexec_verify::Matter { file: &proxy, holder: Holder::User, key: KeyRule::Required };
    judge(&matter, &config.credentials, &trust, time::now().unwrap()).unwrap()
}

/// The decision on a call of the pilot's, but for what has been verified already.
fn decided(config: &Config, verified: Vec<Judged>) {
    let variables = [("GLEXEC_CLIENT_CERT", "/home/pilot/bob.pem"), ("GLEXEC_TARGET_PROXY", "/dev/null")];
    let environment = Environment::new(variables.map(|(name, value)| (name.into(), value.into())).into());
    let (uid, gid) = (Uid::from_raw(PILOT), Gid::from_raw(PILOT));
    let matter = Matter { uid, gid, groups: &[], cwd: None, payload: None, purpose: Purpose::Call };
    let machine = Verified { answer: verified.into_iter().next().unwrap(), machine: Privileged::default() };
    decide(&matter, environment.request(), config, &machine, &mut Known::default()).unwrap();
}

/// The machine, with a verifier that knows the answer.
struct Verified {
    answer: Judged,
    machine: Privileged,
}

impl Machine for Verified {
    fn read(&self, request: &Request, caller: &invocation::caller::Caller, config: &Config) -> Outcome<RawCredentials> {
        files::read(request, caller, config)
    }

    fn verify(
        &self,
        _: &RawCredentials,
        _: &ServiceAccount,
        _: &invocation::caller::Caller,
        _: &Config,
        _: i64,
    ) -> Outcome<VerifiedIdentity> {
        Ok(VerifiedIdentity {
            user: self.answer.identity.clone(),
            source: None,
            source_token: None,
            pilot: None,
            pilot_token: None,
            certificates: Certified::default(),
            notes: Vec::new(),
            judge: glexec::verifier::Judge::Program,
        })
    }

    fn programs(&self, service: &ServiceAccount) -> Box<dyn Programs> {
        self.machine.programs(service)
    }

    fn files(&self) -> &dyn Files {
        self.machine.files()
    }

    fn accounts(&self) -> &dyn AccountDatabase {
        self.machine.accounts()
    }

    fn leases(&self) -> &dyn Leases {
        self.machine.leases()
    }

    fn site<'a>(
        &'a self,
        config: &Config,
        service: &ServiceAccount,
        verified: &'a VerifiedIdentity,
        mode: Mode,
    ) -> Box<dyn glexec_policy::site::Site + 'a> {
        self.machine.site(config, service, verified, mode)
    }
}
