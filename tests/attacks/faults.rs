//! The system fails, or somebody kills glexec, at any system call of a call: nobody runs as somebody else, nothing runs
//! unrecorded, no lease is lost or doubled, no proxy is left for others to read.
//!
//! `make test` tries a sample, `make faults` everything, and writes docs/evidence/fault-injection.md.

use crate::site::Site;
use crate::trace::{Process, trace};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Calls that never fail (their manual pages), or whose failing nobody could survive.
const CANNOT_FAIL: &[&str] = &[
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "umask",
    "exit_group",
    "exit",
    "execve",
    "restart_syscall",
];

/// Errors that fit a system call, the likeliest first.
fn errors(name: &str) -> &'static [&'static str] {
    match name {
        "openat" | "open" => &["EMFILE", "EIO", "ENOMEM", "EINTR", "ENOSPC"],
        "read" | "pread64" | "getdents64" => &["EIO", "EINTR", "EAGAIN"],
        "write" | "sendto" => &["ENOSPC", "EIO", "EINTR", "EAGAIN"],
        "getrandom" => &["EINTR", "EAGAIN"],
        "mmap" | "mprotect" | "munmap" | "brk" | "mremap" | "madvise" => &["ENOMEM"],
        "clone" | "clone3" => &["EAGAIN", "ENOMEM"],
        "pipe2" | "socket" | "socketpair" | "signalfd4" | "dup2" | "dup3" => &["EMFILE", "ENOMEM", "EINTR"],
        "poll" | "ppoll" | "wait4" | "futex" | "flock" | "recvfrom" | "connect" => &["EINTR", "EAGAIN", "ENOMEM"],
        "setresuid" | "setresgid" | "setgroups" => &["EAGAIN", "EPERM", "ENOMEM"],
        "prctl" | "capset" | "capget" | "prlimit64" | "keyctl" | "seccomp" | "setsid" => &["EPERM", "ENOMEM", "EINVAL"],
        "linkat" | "renameat" | "renameat2" | "unlinkat" | "ftruncate" | "fchmod" | "utimensat" => {
            &["EIO", "ENOSPC", "EINTR"]
        }
        _ => &["ENOMEM", "EIO", "EINTR"],
    }
}

/// Which processes of a call meet a fault: strace counts for each of them.
#[derive(Clone, Copy, PartialEq)]
enum Whom {
    Each,
    TheFirst,
}

/// What is done to a call.
#[derive(Clone)]
struct Fault {
    whom: Whom,
    system_call: String,
    what: String,
    when: usize,
}

impl Fault {
    fn inject(&self) -> String {
        let what = if self.what.starts_with("SIG") { "signal" } else { "error" };
        let whom = if self.whom == Whom::Each { "-f" } else { "-q" };
        format!("{whom} {}:{what}={}:when={}", self.system_call, self.what, self.when)
    }
}

/// How often the processes of a call make each system call before the payload, the busiest process counted.
fn counts(processes: &[Process]) -> BTreeMap<String, usize> {
    let mut most = BTreeMap::new();
    for process in processes {
        let mut own: BTreeMap<&str, usize> = BTreeMap::new();
        for call in &process.calls {
            *own.entry(&call.name).or_default() += 1;
        }
        for (name, count) in own {
            let most = most.entry(name.to_owned()).or_default();
            *most = count.max(*most);
        }
    }
    most
}

#[derive(Clone, Copy, PartialEq)]
enum Extent {
    /// Of a long row of the same call the ends and some between; one error.
    Sample,
    Everything,
}

fn extent() -> Extent {
    if std::env::var_os("FAULTS").is_some_and(|value| value == "all") { Extent::Everything } else { Extent::Sample }
}

/// The numbers of the calls that are hit.
fn hit(count: usize, extent: Extent) -> Vec<usize> {
    let step = if extent == Extent::Everything { 1 } else { (count / 5).max(1) };
    (1..=count).filter(|n| *n <= 3 || *n == count || n % step == 0).collect()
}

fn failing(counts: &BTreeMap<String, usize>, whom: Whom, extent: Extent) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (system_call, count) in counts.iter().filter(|(name, _)| !CANNOT_FAIL.contains(&name.as_str())) {
        let errors = errors(system_call);
        let errors = if extent == Extent::Everything { errors } else { &errors[..1] };
        for what in errors {
            faults.extend(hit(*count, extent).into_iter().map(|when| Fault {
                whom,
                system_call: system_call.clone(),
                what: what.to_string(),
                when,
            }));
        }
    }
    faults
}

fn killing(counts: &BTreeMap<String, usize>, whom: Whom, extent: Extent) -> Vec<Fault> {
    let all = counts.iter().filter(|(name, _)| *name != "execve");
    all.flat_map(|(system_call, count)| {
        hit(*count, extent).into_iter().map(|when| Fault {
            whom,
            system_call: system_call.clone(),
            what: "SIGKILL".into(),
            when,
        })
    })
    .collect()
}

/// What became of a call.
struct Outcome {
    status: i32,
    owner: String,
    ran: String,
    permits: usize,
    codes: String,
    accounts: String,
    bad_lines: usize,
    leases: String,
    proxies: String,
    left: String,
    again: String,
    said: String,
}

impl Outcome {
    fn parse(line: &str) -> Outcome {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.len(), 13, "{line:?}");
        let text = |at: usize| fields[at].trim().to_owned();
        let number = |at: usize| fields[at].parse().unwrap_or_else(|_| panic!("{line:?}"));
        Outcome {
            status: number(0) as i32,
            owner: text(1),
            ran: text(2),
            permits: number(3),
            codes: text(4),
            accounts: text(5),
            bad_lines: number(6),
            leases: text(7),
            proxies: text(9),
            left: text(10),
            again: text(11),
            said: text(12),
        }
    }

    /// In a word or two.
    fn name(&self) -> String {
        match self.status {
            0 => "ran".into(),
            127 => "not started".into(),
            126 | 201..=204 if !self.codes.is_empty() => self.codes.replace(' ', ", "),
            126 | 201..=204 => {
                self.said.rsplit_once('(').map_or("refused", |(_, code)| code.trim_end_matches(')')).into()
            }
            137 => "killed".into(),
            128.. => format!("signal {}", self.status - 128),
            status => format!("payload's {status}"),
        }
    }

    /// What must never happen, whatever fails.
    fn wrong(&self, fault: &Fault) -> Vec<&'static str> {
        let mut wrong = Vec::new();
        let mut never = |what, happened| {
            if happened {
                wrong.push(what);
            }
        };
        let killed = fault.what == "SIGKILL";
        // Before main the loader and Rust's start-up may end the process as they like; nothing has been done then.
        let before_main = LOADER.contains(&fault.system_call.as_str()) && self.permits == 0 && self.codes.is_empty();
        never("a payload under a wrong identity", !self.owner.is_empty() && self.owner != "5001:5000");
        let whole = self.ran.matches(':').count() == 5;
        never("a payload with a wrong identity", whole && self.ran != PAYLOADS_OWN);
        never("a payload without a record", !self.owner.is_empty() && self.permits != 1);
        never("two records", self.permits > 1);
        never("a line in the log that is none", self.bad_lines > 0);
        never("success without a payload", self.status == 0 && self.owner.is_empty());
        never("a panic", self.said.contains("panicked") || self.said.contains("fatal runtime error") && !before_main);
        // Where nobody hears a panic its abort tells of it.
        never("an abort", self.status == 128 + 6 && !before_main);
        never("a lease doubled", self.leases.contains(' ') || self.leases.contains("TOO-MANY"));
        never("a lease lost", !self.again.is_empty() && !self.again.starts_with("tprd"));
        never(
            "another account the second time",
            !self.accounts.is_empty() && !self.again.is_empty() && self.again != self.accounts,
        );
        never("a proxy that others may read", !self.proxies.is_empty());
        never("processes left", !self.left.is_empty());
        let clean = matches!(self.status, 0 | 126 | 127 | 201..=204) || killed || self.permits == 1 || before_main;
        never("neither refusal nor success", !clean);
        wrong
    }
}

/// What the payload finds about itself.
const PAYLOADS_OWN: &str = "Uid:,5001,5001,5001,5001,Gid:,5000,5000,5000,5000,Groups:,4000 ,CapPrm:,0000000000000000,CapBnd:,0000000000000000,";
/// Made by the loader, the C library and Rust before main, where an error may end the process.
const LOADER: &[&str] = &["mmap", "mprotect", "arch_prctl", "brk", "poll", "sigaltstack", "rt_sigaction", "fcntl"];

/// Does each of these to a call of its own.
fn suffer(site: &Site, faults: &[Fault]) -> Vec<Outcome> {
    let script = include_str!("faults.sh");
    let input: String = faults.iter().map(|fault| fault.inject() + "\n").collect();
    let root = site.caller("root").env("PATH", "/usr/sbin:/usr/bin").stdin(input);
    site.write("/root/faults.sh", script);
    let run = root.run("/bin/bash", ["/root/faults.sh"]);
    let outcomes: Vec<Outcome> = run.exits(0).stdout().lines().map(Outcome::parse).collect();
    assert_eq!(outcomes.len(), faults.len(), "{run}");
    outcomes
}

/// How calls are made: in exec mode, the same with the fault for glexec itself alone, lingering.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Exec,
    Alone,
    Linger,
}

type Choose = fn(&BTreeMap<String, usize>, Whom, Extent) -> Vec<Fault>;

fn made_to(choose: Choose, modes: &[Mode]) -> Vec<(Mode, Fault, Outcome)> {
    let mut all = Vec::new();
    for mode in modes {
        let site = if *mode == Mode::Linger { Site::with(Site::linger) } else { Site::new() };
        site.pilot().credential("bob");
        let variables = [("GLEXEC_CLIENT_CERT", "/home/pilot/bob.pem")];
        let (run, processes) = trace(&site, "pilot", &variables, &[], &["/usr/bin/true"]);
        run.exits(0);
        let (whom, processes) = match mode {
            Mode::Alone => (Whom::TheFirst, &processes[..1]),
            Mode::Exec | Mode::Linger => (Whom::Each, &processes[..]),
        };
        let faults = choose(&counts(processes), whom, extent());
        // In portions, so that none takes long.
        for portion in faults.chunks(40) {
            let outcomes = suffer(&site, portion);
            all.extend(portion.iter().cloned().zip(outcomes).map(|(fault, outcome)| (*mode, fault, outcome)));
        }
    }
    all
}

#[track_caller]
fn nothing_went_wrong(all: &[(Mode, Fault, Outcome)]) {
    let mut wrong = BTreeSet::new();
    for (_, fault, outcome) in all {
        for what in outcome.wrong(fault) {
            let Outcome { status, owner, permits, codes, leases, again, said, left, .. } = outcome;
            wrong.insert(format!(
                "{}: {what}: status {status}, ran as {owner:?}, {permits} permits, codes {codes:?}, leases {leases:?}, again {again:?}, left {left:?}, said {said:?}",
                fault.inject()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        all.len(),
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn every_failing_system_call_ends_in_a_refusal_or_a_success() {
    let all = made_to(failing, &[Mode::Exec, Mode::Alone, Mode::Linger]);
    document("## When a system call fails", &all);
    nothing_went_wrong(&all);
}

#[test]
fn killed_at_any_system_call_nothing_is_half_done() {
    let all = made_to(killing, &[Mode::Exec, Mode::Linger]);
    document("## When a process is killed", &all);
    nothing_went_wrong(&all);
}

/// How often each outcome was seen in each mode.
type Modes = BTreeMap<Mode, BTreeMap<String, usize>>;

/// With `FAULTS=all WRITE_DOCS=1` the outcomes become the page's table of this title.
fn document(title: &str, all: &[(Mode, Fault, Outcome)]) {
    if extent() == Extent::Sample || std::env::var_os("WRITE_DOCS").is_none() {
        return;
    }
    let mut rows: BTreeMap<(&str, &str), Modes> = BTreeMap::new();
    for (mode, fault, outcome) in all {
        let row = rows.entry((&fault.system_call, &fault.what)).or_default();
        *row.entry(*mode).or_default().entry(outcome.name()).or_default() += 1;
    }
    let mut table = format!(
        "{title}\n\n{} calls of glexec, each with one fault.\n\n| system call | fault | becoming the payload | the same, for glexec itself alone | lingering |\n|---|---|---|---|---|\n",
        all.len()
    );
    for ((system_call, what), modes) in rows {
        let cell = |mode: Mode| {
            let outcomes = modes.get(&mode).into_iter().flatten().map(|(name, count)| format!("{name} {count}"));
            outcomes.collect::<Vec<_>>().join("; ")
        };
        let [exec, alone, linger] = [Mode::Exec, Mode::Alone, Mode::Linger].map(cell);
        writeln!(table, "| {system_call} | {what} | {exec} | {alone} | {linger} |").unwrap();
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/evidence/fault-injection.md");
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let old = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = old.split_once(title).expect("docs/evidence/fault-injection.md has its titles");
    let next = rest.find("\n## ").map_or("", |at| &rest[at..]);
    std::fs::write(path, format!("{before}{table}{next}")).unwrap();
}
