//! Every case of the corpus, and mutations of a good file, through the agent's socket and through the verifier's program: the same
//! verdict, byte for byte.

#![allow(unsafe_code)] // one line of it, to hand over directories

#[path = "../system/site.rs"]
#[allow(dead_code)] // more is used elsewhere
mod machine;

use super::corpus::{Files, GROUPS, Put};
use super::mutations::{Material, Random, number};
use super::*;
use glexec_core::agent_state::AgentState;
use glexec_core::question::{self, Asked, Certificates, Holder, MAX_FILE, Question as Wire};
use glexec_core::verdict::{self, Judged, MAX_VERDICT};
use glexec_sys::asking;
use nix::unistd::{Uid, dup2_raw};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const AGENT: &str = "/usr/sbin/glexec-agent";
const SOCKET: &str = "/run/glexec/agent";
/// Mutations of one `make test`; `AGENT_MUTATIONS=20000` asks for more.
const MUTATIONS: u64 = 200;

/// Both ways to a verdict, and the two directories.
struct Both<'s> {
    site: &'s machine::Site,
    user: Uid,
    verifier: PathBuf,
    certificates: File,
    vomsdir: File,
}

impl Both<'_> {
    fn given(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [Some(self.certificates.as_fd()), Some(self.vomsdir.as_fd())]
    }

    fn by_agent(&self, asked: Asked, policy: &Credentials, file: &[u8]) -> Vec<u8> {
        let socket = self.site.host_path(SOCKET);
        let deadline = Duration::from_secs(100);
        let agent = asking::Agent { socket: &socket, user: self.user, deadline, max_answer: MAX_VERDICT };
        let question = written(asked, policy, file);
        asking::ask_all(&agent, &self.given(), &[&question]).unwrap().remove(0)
    }

    fn by_program(&self, asked: Asked, policy: &Credentials, file: &[u8]) -> Vec<u8> {
        let directories = [self.certificates.as_raw_fd(), self.vomsdir.as_raw_fd()];
        let mut command = Command::new(&self.verifier);
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        // SAFETY: the child calls dup2(2) and nothing else.
        unsafe {
            command.pre_exec(move || {
                // Out of the way of each other first.
                for (from, to) in directories.into_iter().zip(100..) {
                    dup2_raw(BorrowedFd::borrow_raw(from), to).map(std::mem::forget)?;
                }
                for (from, to) in (100..102).zip(3..) {
                    dup2_raw(BorrowedFd::borrow_raw(from), to).map(std::mem::forget)?;
                    nix::unistd::close(from)?;
                }
                Ok(())
            });
        }
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(&written(asked, policy, file)).unwrap();
        let mut verdict = Vec::new();
        process.stdout.take().unwrap().read_to_end(&mut verdict).unwrap();
        assert!(process.wait().unwrap().success());
        verdict
    }

    /// The verdict of both, which must be one.
    fn verdict(&self, holder: Holder, key: KeyRule, policy: &Credentials, file: &[u8]) -> Result<Vec<u8>, String> {
        let asked = || Asked::Judge { holder, key, certificates: Certificates::Without };
        let (agent, program) = (self.by_agent(asked(), policy, file), self.by_program(asked(), policy, file));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if agent == program { Ok(agent) } else { Err(format!("{} and {}", text(&agent), text(&program))) }
    }

    fn look_at(&mut self, certificates: &Path, vomsdir: &Path) {
        self.certificates = File::open(certificates).unwrap();
        self.vomsdir = File::open(vomsdir).unwrap();
    }
}

fn written(asked: Asked, policy: &Credentials, file: &[u8]) -> Vec<u8> {
    let question = Wire { asked, settings: policy.clone(), host: "worker001".into(), now: NOW };
    question::encode(&question, file).unwrap().to_vec()
}

fn put(files: &Files, directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    for (name, content) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A site with an agent that knows these directories, and both ways to a verdict.
fn with_agent(certificates: &Files, vomsdir: &Files, check: impl FnOnce(&mut Both<'_>)) {
    let site = machine::Site::new();
    let [cas, voms] = ["/known/certificates", "/known/vomsdir"].map(|path| site.host_path(path));
    put(certificates, &cas);
    put(vomsdir, &voms);
    site.append("/etc/glexec.conf", "\n[credentials]\ncertdir = \"/known/certificates\"\n");
    let _agent = site.caller("root").start(AGENT, [""; 0]);
    site.wait_until("test $(pgrep -c -u glexec glexec-agent) -ge 5");
    let [certificates, vomsdir] = [&cas, &voms].map(|path| File::open(path).unwrap());
    let user = Uid::from_raw(site.account("glexec").uid);
    let mut both = Both { site: &site, user, verifier: machine::built("glexec-verifier"), certificates, vomsdir };
    machine::eventually("the agent knows the directory", || {
        let answer = both.by_agent(Asked::Agent, &Credentials::default(), &[]);
        let state: AgentState = verdict::decode(&answer).unwrap();
        state.certificates > 0 && state.crls > 0
    });
    check(&mut both);
}

#[test]
fn the_agent_and_the_program_say_the_same_of_every_case_byte_for_byte() {
    let puts: Vec<(&str, &Put)> = GROUPS
        .iter()
        .flat_map(|group| group.cases())
        .filter_map(|case| Some((case.name.as_str(), case.put.as_ref()?)))
        .collect();
    let known = World::new().site();
    let [certificates, vomsdir] = [known.certificates(), known.vomsdir()].map(|path| corpus::files(&path));
    with_agent(&certificates, &vomsdir, |both| {
        let mut there: Option<(&Arc<Files>, &Arc<Files>)> = None;
        let (mut count, mut differing) = (0, Vec::new());
        for (number, (name, case)) in puts.iter().enumerate() {
            let same = |(cas, voms): (&Arc<Files>, _)| {
                Arc::ptr_eq(cas, &case.certificates) && Arc::ptr_eq(voms, &case.vomsdir)
            };
            if *case.certificates == certificates && *case.vomsdir == vomsdir {
                both.look_at(&both.site.host_path("/known/certificates"), &both.site.host_path("/known/vomsdir"));
                there = None;
            } else if !there.is_some_and(same) {
                let [cas, voms] =
                    ["certificates", "vomsdir"].map(|kind| both.site.host_path(&format!("/{number}/{kind}")));
                put(&case.certificates, &cas);
                put(&case.vomsdir, &voms);
                both.look_at(&cas, &voms);
                there = Some((&case.certificates, &case.vomsdir));
            }
            // Larger ones nobody is asked about.
            for (holder, key, file) in case.questions.iter().filter(|(.., file)| file.len() <= MAX_FILE) {
                count += 1;
                if let Err(why) = both.verdict(*holder, *key, &case.policy, file) {
                    differing.push(format!("{name}: {why}"));
                }
            }
        }
        assert!(differing.is_empty(), "{}", differing.join("\n"));
        assert!(count >= 300, "{count} questions");
    });
}

#[test]
fn the_agent_and_the_program_say_the_same_of_mutations() {
    let w = World::new();
    let known = w.site();
    let [certificates, vomsdir] = [known.certificates(), known.vomsdir()].map(|path| corpus::files(&path));
    let material = Material::of(&w);
    let mut random = Random(number("SEED", 0x9e37_79b9_7f4a_7c15) | 1);
    with_agent(&certificates, &vomsdir, |both| {
        let verdict = both.verdict(Holder::User, KeyRule::Required, &Credentials::default(), &material.good).unwrap();
        assert!(verdict::decode::<Judged>(&verdict).is_ok(), "the good file passes");
        for round in 0..number("AGENT_MUTATIONS", MUTATIONS) {
            let mutant = material.mutant(round, &mut random);
            let verdict = both.verdict(Holder::User, KeyRule::Required, &Credentials::default(), &mutant);
            assert!(verdict.is_ok(), "round {round}: {verdict:?}");
        }
    });
}
