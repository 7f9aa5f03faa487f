//! Agents, one for each trust directory that is measured: each sees a glexec.conf of its own, which stays as it is while the
//! calls' changes from case to case.

use crate::caller::now;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

const DIRECTORY: &str = "/etc/agents";
/// What is said of the agent where none is to be asked.
const NONE: &str = "\n[agent]\nuse = \"never\"\n";
/// Files must have been as they are for two seconds before anything of them is kept, and the agent looks every second.
const UNTIL_LEARNED: u64 = 5_000_000_000;

/// The agents that run.
#[derive(Default)]
pub struct Agents {
    running: Vec<Running>,
}

struct Running {
    trust: String,
    process: Child,
    since: u64,
}

impl Agents {
    /// This configuration, with calls that go to an agent, which is started where there is none yet for its trust directories.
    pub fn asked(&mut self, config: &str) -> String {
        let trust = config.lines().filter(|line| line.starts_with("certdir") || line.starts_with("vomsdir"));
        let trust = trust.collect::<Vec<_>>().join("\n");
        let known = self.running.iter().position(|running| running.trust == trust);
        let number = known.unwrap_or(self.running.len());
        let config = format!("{config}\n[agent]\nuse = \"required\"\nsocket = \"/run/glexec/agent-{number}\"\n");
        if known.is_none() {
            self.running.push(Running { trust, process: start(number, &config), since: now() });
        }
        config
    }

    /// Waits until all of them know their directories.
    pub fn await_all(&self) {
        let last = self.running.iter().map(|running| running.since).max().unwrap_or(0);
        std::thread::sleep(Duration::from_nanos((last + UNTIL_LEARNED).saturating_sub(now())));
    }

    /// The process ids of those that were started.
    pub fn pids(&self) -> Vec<u32> {
        self.running.iter().map(|running| running.process.id()).collect()
    }
}

/// This configuration, with calls that go to no agent.
pub fn unasked(config: &str) -> String {
    format!("{config}{NONE}")
}

fn start(number: usize, config: &str) -> Child {
    let path = format!("{DIRECTORY}/{number}.conf");
    fs::create_dir_all(DIRECTORY).unwrap();
    fs::write(&path, config).unwrap();
    let script = format!("mount --bind {path} /etc/glexec.conf && exec /usr/sbin/glexec-agent");
    let agent = Command::new("unshare").args(["--mount", "sh", "-c", &script]).spawn().unwrap();
    let socket = format!("/run/glexec/agent-{number}");
    while !Path::new(&socket).exists() || UnixStream::connect(&socket).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    agent
}
