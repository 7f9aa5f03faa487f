//! A site's nodes in one process, each with connections of its own: what they cost the service. `benches/site` runs it.

// These lints are meant for code that runs at a site; a measurement may fail loudly and use what it likes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::disallowed_macros
)]

use glexec_config::site::Site;
use glexec_core::credentials::Credentials;
use glexec_core::question::{Holder, KeyRule};
use glexec_core::site::{Answer, Asked, Mode, Person, Reply, VERSION};
use glexec_site_agent::node::Node;
use glexec_site_client::tls::Own;
use glexec_sys::dir::Directory;
use glexec_verify::x509::pem;
use glexec_verify::{Matter, Trust, judge};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Calls that one node makes at once: its cores.
const CORES: usize = 64;

/// Nodes of one process: each has three connections.
const MOST: usize = 5000;

struct Service {
    pid: String,
    status: String,
}

impl Service {
    /// Processor time so far, in milliseconds.
    fn processor(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) * 10.0
    }

    /// Memory, in MiB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// What it has counted under a name.
    fn counted(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(&self.status).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit_once(' '));
        values.map(|(_, value)| value.parse::<f64>().unwrap_or_default()).sum()
    }
}

fn total(services: &[Service], of: impl Fn(&Service) -> f64) -> f64 {
    services.iter().map(of).sum()
}

/// What a step cost.
struct Step {
    name: String,
    calls: usize,
    seconds: f64,
    upstream: f64,
    processor: f64,
    slowest: f64,
    failed: usize,
}

/// A part of the nodes: a process of its own, since one has not descriptors enough.
struct Herd {
    nodes: Vec<Arc<Node>>,
    users: Arc<Vec<Person>>,
}

impl Herd {
    /// Calls of every node at once, `calls` for each, of its users from the first on: how long the slowest took in
    /// microseconds, and how many failed.
    async fn step(&self, calls: usize, users: usize, spread: Duration) -> (usize, usize) {
        let (slowest, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut all = JoinSet::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let wait = spread.mul_f64(number as f64 / self.nodes.len() as f64);
            for call in 0..calls {
                let person = (number * 7 + call % users) % self.users.len();
                let (node, list) = (Arc::clone(node), Arc::clone(&self.users));
                let (slowest, failed) = (Arc::clone(&slowest), Arc::clone(&failed));
                all.spawn(async move {
                    tokio::time::sleep(wait).await;
                    let began = Instant::now();
                    let user = list[person].clone();
                    let asked = Asked { version: VERSION, user, pilot: None, mode: Mode::GetAccount };
                    if !matches!(node.answer(asked).await, Reply::Answered(Answer::Permit(_))) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    slowest.fetch_max(began.elapsed().as_micros() as usize, Ordering::Relaxed);
                });
            }
        }
        while all.join_next().await.is_some() {}
        (slowest.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
    }

    /// When each node knows of this version of the bans, in seconds since 1970.
    async fn bans(&self, version: u64) -> Vec<f64> {
        let mut all = JoinSet::new();
        for node in &self.nodes {
            let node = Arc::clone(node);
            all.spawn(async move {
                node.knows_bans(version).await;
                wall()
            });
        }
        let mut times = Vec::new();
        while let Some(time) = all.join_next().await {
            times.push(time.unwrap());
        }
        times
    }
}

fn wall() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A part's life: a line says what to do, a line says what came of it.
async fn part(herd: Herd) {
    let mut lines = std::io::stdin().lines();
    let bans = herd.bans(1);
    tokio::pin!(bans);
    while let Some(Ok(line)) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        match words[0] {
            "known" => {
                herd.bans(0).await;
                println!("done");
            }
            "calls" => {
                let spread = Duration::from_secs(number(3) as u64);
                let (slowest, failed) = herd.step(number(1), number(2), spread).await;
                println!("{slowest} {failed}");
            }
            _ => {
                // Calls go on while the ban spreads.
                let (times, (slowest, failed)) =
                    tokio::join!(&mut bans, herd.step(number(1), number(2), Duration::ZERO));
                let times: Vec<String> = times.iter().map(|time| format!("{time:.4}")).collect();
                println!("{slowest} {failed} {}", times.join(" "));
            }
        }
    }
}

struct Part {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

struct All {
    parts: Vec<Part>,
    services: Vec<Service>,
    nodes: usize,
    each: usize,
}

impl All {
    /// Has every part do something; what they say, and what it cost.
    fn step(&mut self, name: &str, calls: usize, command: &str, meanwhile: impl FnOnce()) -> (Step, Vec<Vec<f64>>) {
        let upstream = total(&self.services, |service| service.counted("glexec_site_answers_total"));
        let processor = total(&self.services, Service::processor);
        let began = Instant::now();
        self.parts.iter_mut().for_each(|part| writeln!(part.to, "{command}").unwrap());
        meanwhile();
        let said: Vec<Vec<f64>> = self
            .parts
            .iter_mut()
            .map(|part| {
                let mut line = String::new();
                part.from.read_line(&mut line).unwrap();
                line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
            })
            .collect();
        let at = |index: usize| said.iter().filter_map(move |said| said.get(index)).copied();
        let step = Step {
            name: name.to_owned(),
            calls: calls * self.nodes,
            seconds: began.elapsed().as_secs_f64(),
            upstream: total(&self.services, |service| service.counted("glexec_site_answers_total")) - upstream,
            processor: total(&self.services, Service::processor) - processor,
            slowest: at(0).fold(0.0, f64::max) / 1e6,
            failed: at(1).sum::<f64>() as usize,
        };
        (step, said)
    }
}

/// Whom a file of a certificate, or a proxy, stands for.
fn person(path: &Path, policy: &Credentials) -> Person {
    let file = std::fs::read(path).unwrap();
    let trust = Trust {
        cas: Directory::open(policy.certdir.as_path()).unwrap(),
        voms: Directory::open(policy.vomsdir.as_path()).ok(),
        host: String::new(),
        ahead: None,
    };
    let now = glexec_sys::time::now().unwrap();
    let matter = Matter { file: &file, holder: Holder::User, key: KeyRule::MayBeAbsent };
    let identity = judge(&matter, policy, &trust, now).unwrap().identity;
    let certificates = pem::read(&file, 20).unwrap().certificates.iter().map(|der| pem::encode(der)).collect();
    Person { identity, certificates }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let word = |name: &str| {
        let at = words.iter().position(|word| word == name).unwrap_or_else(|| panic!("{name} is missing"));
        words[at + 1].clone()
    };
    let list = |name: &str| word(name).split(',').map(str::to_owned).collect::<Vec<_>>();
    let nodes: usize = word("--nodes").parse().unwrap();
    let each: usize = word("--each").parse().unwrap();
    let policy = Credentials::default();
    let mut files: Vec<_> = std::fs::read_dir(word("--users")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let users: Vec<Person> = files.iter().map(|file| person(file, &policy)).collect();
    let services = list("--pids").into_iter().zip(list("--status"));
    let services: Vec<Service> = services.map(|(pid, status)| Service { pid, status }).collect();
    let servers: Vec<String> = list("--servers");
    let conf = format!("servers = {servers:?}\ntimeout = \"60s\"\n");
    let site: Site = toml::from_str(&conf).unwrap();
    let certificate = std::fs::read(word("--certificate")).unwrap();
    let key = std::fs::read(word("--key")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if words.iter().any(|word| word == "--part") {
        runtime.block_on(async {
            let start = || Arc::new(Node::start(&site, &policy, Own::read(&certificate, &key).unwrap(), None).unwrap());
            part(Herd { nodes: (0..nodes).map(|_| start()).collect(), users: Arc::new(users) }).await;
        });
        // Thousands of connections need not be closed one by one.
        std::process::exit(0);
    }
    let parts = nodes.div_ceil(MOST);
    let before = total(&services, Service::processor);
    let began = Instant::now();
    let part = |_| {
        let mut command = Command::new(&words[0]);
        // The number of nodes comes first, and counts.
        command.args(["--part", "--nodes", &(nodes / parts).to_string()]).args(&words[1..]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Part { process, to, from }
    };
    let mut all = All { parts: (0..parts).map(part).collect(), services, nodes, each };
    let (mut started, _) = all.step("every agent starts at once and connects to every server", 0, "known", || ());
    (started.seconds, started.processor) =
        (began.elapsed().as_secs_f64(), total(&all.services, Service::processor) - before);
    let mut steps = vec![started];
    steps.push(all.step("a call on every node at once, nothing known", 1, "calls 1 1 0", || ()).0);
    let command = format!("calls {each} {each} 60");
    steps.push(all.step("calls of all users, spread over a minute", each, &command, || ()).0);
    let command = format!("calls {CORES} {each} 0");
    steps.push(all.step("mass kill: every core calls at once", CORES, &command, || ()).0);
    let (mut banned, ban) = (0.0, word("--ban"));
    let (step, said) =
        all.step("the same again, with a ban in the middle", CORES, &format!("ban {CORES} {each}"), || {
            banned = wall();
            assert!(Command::new("sh").args(["-c", &ban]).status().unwrap().success(), "{ban}");
        });
    steps.push(step);
    let mut times: Vec<f64> = said.iter().flat_map(|said| said.iter().skip(2)).map(|time| time - banned).collect();
    times.sort_by(f64::total_cmp);
    print(&all, &steps, &times);
    for mut part in all.parts {
        drop(part.to);
        part.process.wait().unwrap();
    }
}

fn print(all: &All, steps: &[Step], times: &[f64]) {
    let memory = all.services.iter().map(Service::memory);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let mut out = String::new();
    writeln!(out, "{} agents, {} users a node, {} servers.\n", all.nodes, all.each, all.services.len()).unwrap();
    writeln!(out, "| step | calls | s | questions upstream | processor of the service, s | µs a question | slowest call, s | refused |").unwrap();
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|").unwrap();
    for step in steps {
        let per = if step.upstream > 0.0 {
            format!("{:.0}", step.processor * 1000.0 / step.upstream)
        } else {
            "–".to_owned()
        };
        writeln!(
            out,
            "| {} | {} | {:.1} | {:.0} | {:.2} | {per} | {:.2} | {} |",
            step.name,
            step.calls,
            step.seconds,
            step.upstream,
            step.processor / 1000.0,
            step.slowest,
            step.failed
        )
        .unwrap();
    }
    writeln!(
        out,
        "\nA ban is known on half of the nodes after {:.2} s, on 99 of 100 after {:.2} s, on the last one after {:.2} s. \
         Memory of the servers: {} MiB.",
        at(0.5),
        at(0.99),
        at(1.0),
        memory.map(|memory| format!("{memory:.0}")).collect::<Vec<_>>().join(" and ")
    )
    .unwrap();
    print!("{out}");
    if let Some(path) = std::env::args().skip_while(|word| word != "--plot").nth(1) {
        std::fs::write(path, plot(times)).unwrap();
    }
}

/// How many of the nodes know of the ban, over time.
fn plot(times: &[f64]) -> String {
    let (width, height, left, top) = (560.0, 220.0, 60.0, 30.0);
    let longest = times.last().copied().unwrap_or(1.0).max(1.0).ceil();
    let mut points = String::new();
    for part in 0..=200 {
        let time = longest * f64::from(part) / 200.0;
        let known = times.partition_point(|other| *other <= time) as f64 / times.len() as f64;
        write!(points, "{:.1},{:.1} ", left + width * time / longest, top + height * (1.0 - known)).unwrap();
    }
    let mut body = String::new();
    for part in 0..=4 {
        let (share, y) = (25 * part, top + height * (1.0 - f64::from(part) / 4.0));
        let (end, x) = (left + width, left - 8.0);
        writeln!(body, "<line x1=\"{left}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" stroke=\"#ddd\"/>").unwrap();
        writeln!(body, "<text x=\"{x}\" y=\"{}\" text-anchor=\"end\">{share} %</text>", y + 4.0).unwrap();
    }
    let seconds = longest as u32;
    for second in (0..=seconds).step_by((seconds / 8).max(1) as usize) {
        let x = left + width * f64::from(second) / longest;
        writeln!(body, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{second}</text>", top + height + 18.0)
            .unwrap();
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 660 300\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{left}\" y=\"18\">Nodes that know of a ban, by \
         seconds since the operator's command</text>\n{body}<polyline points=\"{points}\" fill=\"none\" stroke=\"#2a6fb0\" \
         stroke-width=\"2\"/>\n</svg>\n"
    )
}
