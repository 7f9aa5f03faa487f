//! docs/evidence/operation.md: what a call does, step by step, compared with what strace sees. A system call of a privileged process
//! that nobody has described fails these tests.

use crate::aftermath::{Calls, nothing_is_amiss};
use crate::site::{Site, material_file};
use crate::trace::{Call, Process, Users, trace};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

const DOCUMENT: &str = "docs/evidence/operation.md";
const HOLDINGS: &str = "<!-- generated: what each process holds -->\n";
const ORDER: &str = "<!-- generated: the order -->\n";

/// Every step that a process of ours may take, and why. A step that is not here is not documented.
const STEPS: &[(&str, &str)] = &[
    ("ask the user namespace", "ids must mean what they mean to the machine"),
    ("ask the own status", "is it traced, and by whom?"),
    ("ask the own terminal", "a payload must not type into its caller's terminal"),
    ("ask who traces", "a tracer that is root is an administrator"),
    ("ask the working directory", "for relative paths of the caller's, and for the record"),
    (
        "set signal dispositions",
        "default, but SIGPIPE and SIGXFSZ of our own writing; default for all before the payload",
    ),
    (
        "set signal mask",
        "empty at the start and for the payload; blocked where signals are read as messages, and under the log's lock",
    ),
    ("stop timers", "an alarm of the caller's survives execve"),
    ("prctl(PR_SET_TIMERSLACK)", "the caller's would let every deadline of ours pass"),
    ("umask", "077 for what is ours; the configured one for the payload"),
    ("close descriptors", "whatever the caller left open but the report's; whatever a child must not hold"),
    ("prctl(PR_GET_NO_NEW_PRIVS)", "under no_new_privs no switch can work"),
    (
        "prctl(PR_SET_DUMPABLE)",
        "no core, no tracing, no /proc for others; again after every change of the effective user",
    ),
    (
        "prctl(PR_CAPBSET_DROP)",
        "nothing executed from here on can have a capability (with an epilogue that runs as root, the processes that are not the monitor do it later)",
    ),
    ("prctl(PR_CAP_AMBIENT)", "the ambient set becomes empty"),
    ("prctl(PR_SET_PDEATHSIG)", "ends with its parent"),
    ("prctl(PR_SET_NO_NEW_PRIVS)", "nothing that it executes can gain a privilege"),
    (
        "prctl(PR_SET_CHILD_SUBREAPER)",
        "orphans of the payload become the monitor's children, or the front's when that is dead",
    ),
    (
        "set limits",
        "raised where they could stop us half-way, none for cores; the caller's again for the payload; the sandbox's own",
    ),
    (
        "set capabilities",
        "what a configuration may need is kept, then SETUID, SETGID, KILL and what this one needs; DAC_READ_SEARCH counts for the look into /etc/shadow only; the front keeps none",
    ),
    ("setresgid(caller, caller, caller)", "a setgid bit on the program brings nothing"),
    ("open directory", "one after another from /, following no link, each judged: root's, and closed to others"),
    ("read /etc/glexec.conf", "the configuration, judged on the descriptor"),
    ("append to the log", "opened before anything of the caller's is looked at"),
    ("lock the log", "one record at a time"),
    ("write the log", "a record, in one write"),
    ("look at /var/run/nscd/socket", "an nscd answers in the place of the files: then the C library is asked"),
    (
        "read /etc/passwd",
        "an account: where the switch (nsswitch.conf) asks the files first; else the C library reads it",
    ),
    ("read /etc/group", "groups, likewise"),
    ("read /etc/shadow", "has the account expired? likewise"),
    ("read the ban list", "LCAS, where the site has it"),
    ("read the grid-mapfile", "LCMAPS"),
    ("read the groupmapfile", "LCMAPS"),
    ("setresgid(-, caller, -)", "acting as the caller"),
    ("setresuid(-, caller, -)", "acting as the caller: no capability is in effect"),
    ("read the caller's file", "the proxy: opened once, judged and read on that descriptor"),
    ("lock the caller's file", "it may be being renewed"),
    ("setresuid(-, root, -)", "back from acting as somebody"),
    ("setresgid(-, root, -)", "back from acting as somebody, in the monitor"),
    ("open the CA directory", "handed to the verifier, who reads below it and nowhere else"),
    ("open the VOMS directory", "handed to the verifier, who reads below it"),
    (
        "open the verifier",
        "root's, and closed to others, as every directory above it is; what is looked at is what is executed",
    ),
    ("pipe", "for a question, an answer, and complaints"),
    ("end a child", "it has nothing more to answer"),
    ("watch a child", "its end is waited for, with a deadline"),
    ("write to a pipe", "the question to the verifier; its verdict"),
    ("write to a socket", "a question about an account, and the helper's answer"),
    ("end the helper", "which waits for the next question, or hangs"),
    ("execve the verifier", "by its descriptor, with no environment"),
    ("fork", "a process with less"),
    ("wait for a child", "and reap it"),
    ("open /dev/null", "in the place of the caller's descriptors"),
    ("replace a standard descriptor", "the caller's 0 to 2 are let go"),
    ("leave the keyring", "the caller's session keyring stays behind"),
    ("setgroups(none)", "no group is left"),
    ("setgroups(target)", "the target's groups"),
    ("setgroups(caller)", "back from acting as the target"),
    ("setresgid(service, service, service)", "the service user, for good"),
    ("setresuid(service, service, service)", "the service user, for good"),
    ("setresuid(-, root, -) is refused", "proof: root cannot be regained"),
    ("setresuid(root, root, root) is refused", "proof: root cannot be regained"),
    ("setresgid(root, service, service) is refused", "proof: root's group cannot be regained"),
    ("setresgid(root, target, target) is refused", "proof: root's group cannot be regained"),
    ("Landlock", "files below the two directories may be read, and nothing else"),
    ("seccomp", "only the calls that judging needs; any other ends the process"),
    ("read a CA's file", "certificate, CRL, signing policy, namespaces"),
    ("read a VO's file", "who may sign its attributes"),
    ("list the gridmapdir", "free accounts"),
    ("open the gridmapdir", "leases"),
    ("look at a lease", "is there one?"),
    ("lock the gridmapdir", "calls of this machine lease one after another, where that can be had"),
    ("rename in the gridmapdir", "the mark becomes the lease"),
    ("link in the gridmapdir", "a mark: the second name, which the lease will be"),
    ("unlink in the gridmapdir", "the mark, where somebody else was faster"),
    ("write an account's record", "whose lease it is"),
    ("open an account or a lease", "is it there, and whose is it?"),
    ("list the VOMS directory", "LSC files of the VO"),
    ("touch a lease", "its holder has used it"),
    ("setresgid(-, target, -)", "acting as the target"),
    ("setresuid(-, target, -)", "acting as the target: no capability is in effect"),
    (
        "look at the directories for temporary files",
        "can everybody use them? Else a batch system gave the job some of its own (private_tmp)",
    ),
    ("look at the command", "with the target's permissions"),
    ("open the target proxy's directory", "with the target's permissions"),
    ("create the target proxy", "new, 0600, the target's own"),
    ("chmod the target proxy", "a default ACL may have widened it"),
    ("write the target proxy", "the payload's copy"),
    ("remove the target proxy", "a temporary one, when the payload is over"),
    ("setresgid(target, target, target)", "the target, for good"),
    ("setresuid(target, target, target)", "the target, for good"),
    ("chdir", "to the payload's home; to / in processes that stay"),
    ("setsid", "out of the reach of the caller's terminal"),
    ("execve", "the payload"),
    ("socketpair", "to the helper; between front and monitor, and between monitor and payload"),
    ("signalfd", "signals are read as messages: nothing runs in a handler"),
    ("setresgid(caller, target, target)", "the front: the caller and the target may signal it, nobody may trace it"),
    ("setresuid(caller, target, target)", "the front: the caller and the target may signal it, nobody may trace it"),
    ("setresuid(caller, root, root)", "the log's lock is released"),
    ("setresgid(root, root, root)", "the monitor: neither caller nor payload may signal it"),
    (
        "setresuid(root, root, root)",
        "the monitor, and the process that holds the log's lock: neither caller nor payload may signal it",
    ),
    (
        "send",
        "from front to monitor, and from there to the payload: nothing of the caller's is held any more, begin; from monitor to front: how it ended",
    ),
    ("ask what children used", "for the end record"),
    ("ask where the target proxy lies", "for the process that removes it from outside the job's mount namespace"),
    ("make /run/glexec", "what calls of this machine share, root's alone"),
    ("make /run/glexec/calls", "what has to be done should a whole call be killed"),
    ("create a call's remains, which have no name yet", "a process that is killed meanwhile leaves nothing behind"),
    ("write a call's remains, which have no name yet", "processes, target proxy, epilogue"),
    ("lock a call's remains, which have no name yet", "as long as the monitor lives it looks after its call"),
    ("link a call's remains", "glexec-admin sweep finds it from here on"),
    ("remove a call's remains", "everything is done"),
    ("look for a cgroup v2", "for the monitor and for the payload, where the system has them"),
];

/// Steps that the C library, the loader or Rust's start-up take or not, depending on their version, and looks that depend
/// on how long something takes. They may come at any time, and are not part of the order.
const AT_ANY_TIME: &[&str] = &[
    "load libraries",
    "set up the thread",
    "ask the C library's settings",
    "ask the name service",
    "ask for a child's state",
];

const VERIFIER: &str = "/usr/libexec/glexec/verifier";
const GRIDMAPDIR: &str = "/etc/grid-security/gridmapdir";

fn role(id: &str) -> &str {
    match id {
        "0" => "root",
        "990" => "service",
        "2000" => "caller",
        "3000" | "4000" | "5000" | "5001" => "target",
        "-1" => "-",
        other => other,
    }
}

fn effective(users: Users) -> String {
    role(&users[1].to_string()).to_owned()
}

fn ids(call: &Call) -> String {
    let words: Vec<&str> = call.arguments.split(", ").map(role).collect();
    format!("{}({}){}", call.name, words.join(", "), if call.failed() { " is refused" } else { "" })
}

fn groups(call: &Call) -> String {
    let list = call.arguments.split_once('[').map_or("", |(_, list)| list.trim_end_matches(']'));
    let roles: BTreeSet<&str> = list.split([' ', ',']).filter(|id| !id.is_empty()).map(role).collect();
    let roles: Vec<&str> = roles.into_iter().collect();
    format!("setgroups({})", if roles.is_empty() { "none".into() } else { roles.join(", ") })
}

/// What is opened or looked at, by its name.
fn file(path: &str) -> Option<&'static str> {
    let below = |folder: &str| path.starts_with(folder);
    Some(match path {
        "/etc/glexec.conf" => "/etc/glexec.conf",
        "/etc/passwd" => "/etc/passwd",
        "/etc/group" => "/etc/group",
        "/etc/shadow" => "/etc/shadow",
        "/etc/lcas/ban_users.db" => "the ban list",
        "/etc/grid-security/grid-mapfile" => "the grid-mapfile",
        "/etc/grid-security/groupmapfile" => "the groupmapfile",
        _ if below("/home/pilot/") || below("/home/mallory/") => "the caller's file",
        _ if below("/etc/grid-security/certificates/") => "a CA's file",
        _ if below("/etc/grid-security/vomsdir/") => "a VO's file",
        _ if below("/var/log/glexec/glexec.log") => "the log",
        _ if below("/tmp/x509up_u") => "the target proxy",
        _ if below("/etc/grid-security/gridmapdir/") => "an account's record",
        "/run/glexec/calls" => "the calls",
        _ if below("/run/glexec/calls/.") || below("/run/glexec/calls/#") => "a call's remains, which have no name yet",
        _ if below("/run/glexec/calls/") => "a call's remains",
        "/run/glexec/." => "a file without a name",
        _ if below("/run/glexec/#") => "a file without a name",
        _ if below("/run/glexec/lease-") => "a note",
        _ if below("/run/glexec/") => "an index",
        _ => return None,
    })
}

fn opened(call: &Call) -> String {
    let paths = call.paths();
    let path = paths.first().map_or("", String::as_str);
    let flag = |name: &str| call.arguments.contains(name);
    let at_any_time = |path: &str| {
        let any = |parts: &[&str]| parts.iter().any(|part| path.starts_with(part));
        if any(&["/lib", "/usr/lib", "/etc/ld.so."]) {
            Some("load libraries")
        } else if any(&[
            "/proc/self/maps",
            "/proc/sys/",
            "/sys/devices/system/cpu",
            "/sys/fs/cgroup/cpu",
            "/proc/self/cgroup",
            "/proc/self/mountinfo",
        ]) {
            Some("ask the C library's settings")
        } else if any(&["/etc/nsswitch.conf", "/run/systemd/userdb"]) {
            Some("ask the name service")
        } else if path.starts_with("/proc/") && !path.starts_with("/proc/self/") {
            Some("ask for a child's state")
        } else {
            None
        }
    };
    if let Some(step) = at_any_time(path) {
        return step.into();
    }
    match path {
        "/proc/self/status" => return "ask the own status".into(),
        "/proc/self/stat" => return "ask the own terminal".into(),
        "/dev/null" => return "open /dev/null".into(),
        _ if path.starts_with("/proc/self/fdinfo/") => return "ask where the target proxy lies".into(),
        "/etc/grid-security/certificates" if !flag("O_PATH") => return "open the CA directory".into(),
        "/etc/grid-security/vomsdir" if !flag("O_PATH") => return "open the VOMS directory".into(),
        GRIDMAPDIR if !flag("O_PATH") => return "open the gridmapdir".into(),
        VERIFIER => return "open the verifier".into(),
        "/tmp" => return "open the target proxy's directory".into(),
        _ if flag("O_DIRECTORY") && flag("O_NOFOLLOW") => return "open directory".into(),
        _ => {}
    }
    match file(path) {
        Some("an account's record") => "open an account or a lease".into(),
        Some(file) if flag("O_APPEND") => format!("append to {file}"),
        Some(file) if flag("O_CREAT") || flag("O_TMPFILE") => format!("create {file}"),
        Some(file) if flag("O_RDONLY") => format!("read {file}"),
        _ => format!("open {path} {}", call.arguments),
    }
}

fn looked_at(call: &Call) -> Option<String> {
    let paths = call.paths();
    let path = paths.iter().find(|path| !path.ends_with('/'))?;
    Some(match path.as_str() {
        "/proc/self/ns/user" => "ask the user namespace".into(),
        "/etc/nsswitch.conf" | "/" => "ask the name service".into(),
        "/tmp" | "/var/tmp" => "look at the directories for temporary files".into(),
        "/etc/suid-debug" | "/etc/ld.so.preload" => "load libraries".into(),
        _ if path.starts_with("/proc/") => "ask who traces".into(),
        _ if path.starts_with("/etc/grid-security/gridmapdir/") => "look at a lease".into(),
        _ if path.starts_with("/usr/bin/") => "look at the command".into(),
        // Parts of a path that is opened next, or a file of a directory that is the process's own to read.
        _ if call.arguments.contains("AT_SYMLINK_NOFOLLOW") => "open directory".into(),
        _ => file(path).map_or_else(|| format!("look at {path}"), |file| format!("read {file}")),
    })
}

fn prctl(call: &Call) -> String {
    let what = call.arguments.split(", ").next().unwrap_or_default();
    match what {
        "PR_SET_VMA" => "set up the thread".into(),
        what => format!("prctl({what})"),
    }
}

/// The step that a system call is; none for what a process asks about itself, waits for, reads from what it has open,
/// and does with its memory.
fn step(call: &Call) -> Option<String> {
    let fixed = |text: &str| Some(text.to_owned());
    let on = |verb: &str| Some(format!("{verb} {}", file(call.object()).unwrap_or(call.object())));
    match call.name.as_str() {
        "brk" | "mmap" | "munmap" | "mprotect" | "mremap" | "madvise" | "close" | "fcntl" | "lseek" | "read"
        | "pread64" | "readv" | "poll" | "ppoll" | "getpid" | "getppid" | "gettid" | "getuid" | "geteuid"
        | "getgid" | "getegid" | "getgroups" | "getresuid" | "getresgid" | "uname" | "getrandom" | "capget"
        | "clock_gettime" | "gettimeofday" | "time" | "futex" | "recvfrom" | "recvmsg" | "sched_yield" | "sysinfo"
        | "exit_group" | "exit" | "restart_syscall" | "nanosleep" | "clock_nanosleep" | "rt_sigreturn" | "fstat"
        | "fstatfs" => None,
        "arch_prctl" | "set_tid_address" | "set_robust_list" | "rseq" | "sched_getaffinity" | "sigaltstack" => {
            fixed("set up the thread")
        }
        "prlimit64" | "getrlimit" if call.arguments.contains(", NULL, ") => None,
        "prlimit64" | "setrlimit" => fixed("set limits"),
        "rt_sigaction" if call.arguments.contains(", NULL, {") => None,
        "rt_sigaction" => fixed("set signal dispositions"),
        "rt_sigprocmask" => fixed("set signal mask"),
        "setitimer" => fixed("stop timers"),
        "getcwd" => fixed("ask the working directory"),
        "umask" | "setsid" | "chdir" | "socketpair" | "seccomp" | "execve" => Some(call.name.clone()),
        "close_range" => fixed("close descriptors"),
        "prctl" if call.arguments.starts_with("PR_CAPBSET_READ") => None,
        "prctl" => Some(prctl(call)),
        "capset" => fixed("set capabilities"),
        "setresuid" | "setresgid" => Some(ids(call)),
        "setgroups" => Some(groups(call)),
        "openat" | "open" => Some(opened(call)),
        "newfstatat" | "statx" | "stat" | "lstat" | "access" | "faccessat" | "faccessat2" | "readlink"
        | "readlinkat" => looked_at(call),
        "socket" | "connect"
            if call.arguments.contains("nscd") || call.arguments.starts_with("AF_UNIX, SOCK_STREAM") =>
        {
            fixed("ask the name service")
        }
        "pipe2" => fixed("pipe"),
        "signalfd4" => fixed("signalfd"),
        "clone" | "clone3" | "fork" | "vfork" => fixed("fork"),
        "wait4" | "waitid" => fixed("wait for a child"),
        "keyctl" => fixed("leave the keyring"),
        "dup2" | "dup3" => fixed("replace a standard descriptor"),
        "landlock_create_ruleset" | "landlock_add_rule" | "landlock_restrict_self" => fixed("Landlock"),
        "getdents64" if call.object().contains("vomsdir") => fixed("list the VOMS directory"),
        "getdents64" if call.object().starts_with("/proc/") => fixed("ask for a child's state"),
        "getdents64" => fixed("list the gridmapdir"),
        "flock" if call.object() == GRIDMAPDIR => fixed("lock the gridmapdir"),
        "flock" => on("lock"),
        "fchmod" => on("chmod"),
        "statfs" => fixed("look for a cgroup v2"),
        "getrusage" => fixed("ask what children used"),
        "sendto" => fixed("send"),
        "write" if call.object().starts_with("pipe:") => fixed("write to a pipe"),
        "write" if !call.object().starts_with('/') => fixed("write to a socket"),
        "kill" => fixed("end the helper"),
        "pidfd_open" => fixed("watch a child"),
        "pidfd_send_signal" => fixed("end a child"),
        "execveat" => fixed("execve the verifier"),
        "write" => on("write"),
        "ftruncate" => on("write"),
        "utimensat" => fixed("touch a lease"),
        "unlinkat" if call.paths().iter().any(|path| path.contains("/gridmapdir/")) => {
            fixed("unlink in the gridmapdir")
        }
        "unlinkat" => Some(format!("remove {}", call.paths().first().and_then(|path| file(path)).unwrap_or("?"))),
        "renameat" | "renameat2" => fixed("rename in the gridmapdir"),
        "linkat" if call.paths().iter().any(|path| path.starts_with("/run/glexec/")) => {
            Some(format!("link {}", call.paths().last().and_then(|path| file(path)).unwrap_or("?")))
        }
        "linkat" => fixed("link in the gridmapdir"),
        "mkdirat" => Some(format!("make {}", call.paths().first()?)),
        _ => Some(format!("{}({})", call.name, call.arguments)),
    }
}

/// As whom, and what; in the order of a process. Between two changes of identity or process each step stands once.
fn steps(process: &Process) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut since = BTreeSet::new();
    for call in process.calls.iter().skip_while(|call| call.name == "execve") {
        let Some(step) = step(call).filter(|step| !AT_ANY_TIME.contains(&step.as_str())) else { continue };
        if ["setresuid", "fork", "write the log"].iter().any(|turn| step.starts_with(turn)) {
            since.clear();
        }
        if since.insert(step.clone()) {
            found.push((effective(call.users), step));
        }
    }
    // What closed trust looks like is the verifier's business, one file like another.
    found.dedup();
    found
}

fn table(title: &str, steps: &[(String, String)], undescribed: &mut Vec<String>) -> String {
    let mut text = format!("\n## {title}\n\n| | as | step | why |\n|---:|---|---|---|\n");
    for (number, (who, step)) in (1..).zip(steps) {
        let why = STEPS.iter().find(|(known, _)| known == step).map(|(_, why)| *why);
        if why.is_none() {
            undescribed.push(format!("{title}: as {who}: {step}"));
        }
        writeln!(text, "| {number} | {who} | {step} | {} |", why.unwrap_or("?")).unwrap();
    }
    text
}

/// A first call with VOMS attributes: everything happens in it.
fn traced(site: &Site) -> Vec<Process> {
    site.pilot().credential("bob");
    let processes = traced_again(site);
    nothing_is_amiss(site, Calls::Exactly(1));
    processes
}

fn traced_again(site: &Site) -> Vec<Process> {
    let variables = [("GLEXEC_CLIENT_CERT", "/home/pilot/bob.pem")];
    let (run, processes) = trace(site, "pilot", &variables, &[], &["/usr/bin/true"]);
    run.exits(0);
    processes
}

fn the_one<'p>(processes: &'p [Process], name: &str, part: &str) -> &'p Process {
    processes.iter().find(|process| process.has(name, part)).unwrap_or_else(|| panic!("no process does {name}({part})"))
}

/// fs.suid_dumpable counts at every change of ids, and is not 0 everywhere.
#[test]
fn no_process_is_dumpable_after_a_change_of_ids() {
    let mut changes = 0;
    for site in Site::in_both_modes() {
        for process in traced(&site) {
            for (at, call) in process.calls.iter().enumerate() {
                if matches!(call.name.as_str(), "setresuid" | "setresgid") && !call.failed() {
                    let next = &process.calls[at + 1];
                    let cleared = next.name == "prctl" && next.arguments.contains("PR_SET_DUMPABLE, SUID_DUMP_DISABLE");
                    assert!(cleared, "{call:?} is followed by {next:?}");
                    changes += 1;
                }
            }
        }
    }
    assert!(changes > 20, "{changes}");
}

#[test]
fn a_call_makes_the_documented_system_calls_in_order() {
    let [exec, linger] = Site::in_both_modes().map(|site| traced(&site));
    // What is said of the files here leaves it to the C library.
    let asking =
        traced(&Site::with(|site| drop(site.sh("sed -i 's/files/files [NOTFOUND=return]/' /etc/nsswitch.conf"))));
    let asking: Vec<_> = asking.into_iter().skip(1).collect();
    let in_exec = steps(&exec[0]);
    let front = steps(&linger[0]);
    let split = in_exec.iter().zip(&front).take_while(|(one, other)| one == other).count();
    let verifier = the_one(&exec, "seccomp", "");
    let leads = |process: &&Process| process.has("setsid", "") && !process.has("seccomp", "");
    let monitor = linger.iter().find(leads).unwrap();
    let payload = linger.iter().find(|process| process.parent == Some(monitor.pid)).unwrap();
    let mut undescribed = Vec::new();
    let mut text = String::new();
    for (title, steps) in [
        ("glexec, until it is the payload", in_exec.clone()),
        (
            "The helper that asks the account database, where that is more than this machine's files",
            steps(the_one(&asking, "openat", "/etc/shadow")),
        ),
        ("The verifier", steps(verifier)),
        ("Lingering: glexec, which becomes the front, from where it splits", front[split..].to_vec()),
        ("Lingering: the monitor", steps(monitor)),
        ("Lingering: the payload's process, until it is the payload", steps(payload)),
    ] {
        text.push_str(&table(title, &steps, &mut undescribed));
    }
    assert!(
        undescribed.is_empty(),
        "steps without a description in tests/attacks/operation.rs:\n{}",
        undescribed.join("\n")
    );
    assert_eq!(steps(the_one(&linger, "seccomp", "")), steps(verifier), "the verifier is the same in both modes");
    document(ORDER, &text);
}

/// What a call does besides where a map file is large: it makes an index of it, and then uses that one (lcmaps/map_index.rs).
const OF_AN_INDEX: [&[&str]; 2] = [
    &[
        "root: create a file without a name",
        "root: link an index",
        "root: make /run/glexec",
        "root: read an index",
        "root: remove an index",
        "root: write a file without a name",
    ],
    &["root: make /run/glexec", "root: read an index"],
];

/// What a call does besides where the C library made the lease in a large gridmapdir: it looks for the account and notes
/// it, and then uses that note (lcmaps/gridmapdir/note.rs).
const OF_A_NOTE: [&[&str]; 2] = [
    &[
        "root: create a file without a name",
        "root: link a note",
        "root: make /run/glexec",
        "root: remove a note",
        "root: write a file without a name",
    ],
    &["root: read a note"],
];

/// What two calls do in a site that calls in the usual one do not.
fn beside_the_usual(site: &Site) -> [Vec<String>; 2] {
    let in_two_calls = |site: &Site| -> [BTreeSet<(String, String)>; 2] {
        [traced(site), traced_again(site)].map(|processes| steps(&processes[0]).into_iter().collect())
    };
    let [[first, second], [usual, usual_again]] = [site, &Site::new()].map(in_two_calls);
    [(first, usual), (second, usual_again)]
        .map(|(call, usual)| call.difference(&usual).map(|(who, step)| format!("{who}: {step}")).collect())
}

#[test]
fn a_lease_of_the_c_librarys_adds_the_steps_of_its_note_and_no_others() {
    let large = Site::with(|site| {
        site.sh(&format!(
            "cd {GRIDMAPDIR}; touch tvo{{1000..1300}}; touch -d '2 days ago' *; \
            ln tprd001 '%2fdc%3dorg%2fdc%3dexample%2fo%3dgrid%2fcn%3dbob%20brown:production:testvo'; touch tprd001"
        ));
    });
    assert_eq!(beside_the_usual(&large), OF_A_NOTE);
}

#[test]
fn a_large_map_adds_the_steps_of_its_index_and_no_others() {
    let large = Site::with(|site| {
        let others = (0..5000).map(|n| format!("\"/DC=org/DC=example/O=Grid/OU=people/CN=Somebody {n}\" grace\n"));
        let map = others.collect::<String>() + &site.read("/etc/grid-security/grid-mapfile");
        site.write("/etc/grid-security/grid-mapfile", map);
        // Of what has changed in the last two seconds no index is made.
        std::thread::sleep(Duration::from_millis(3100));
    });
    assert_eq!(beside_the_usual(&large), OF_AN_INDEX);
}

/// Holds a generated part of the page, from its mark to the next one, and the program together.
fn document(mark: &str, text: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let old = std::fs::read_to_string(&path).unwrap();
    let (written, rest) = old.split_once(mark).expect("docs/evidence/operation.md has its mark");
    let next = rest.find("\n# ").map_or("", |at| &rest[at..]);
    let new = format!("{written}{mark}{text}{next}");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(path, new).unwrap();
    } else {
        let difference = old.lines().zip(new.lines()).find(|(old, new)| old != new);
        assert!(
            old == new,
            "a call does something else than {DOCUMENT} says, first here: {difference:?}\n\
            if that is meant: describe new steps in tests/attacks/operation.rs, then WRITE_DOCS=1 cargo test --test attacks operation"
        );
    }
}

/// What a process holds, from /proc.
fn holdings(site: &Site, pid: i32) -> String {
    let status = site.sh(&format!("cat /proc/{pid}/status"));
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let roles = |ids: Vec<String>| {
        let roles: Vec<&str> = ids.iter().take(3).map(|id| role(id)).collect();
        if roles.is_empty() { "none".to_owned() } else { roles.join(", ") }
    };
    let capabilities = |name: &str| match field(name)[0].trim_start_matches('0') {
        "" => "none".to_owned(),
        "e0" => "KILL, SETGID, SETUID".to_owned(),
        "e4" => "DAC_READ_SEARCH, KILL, SETGID, SETUID".to_owned(),
        other => other.to_owned(),
    };
    let [inherited, permitted, effective, bounding, ambient] =
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(capabilities);
    assert_eq!([inherited, bounding, ambient], ["none", "none", "none"], "inheritable, bounding, ambient: {status}");
    let mut open: Vec<String> = Vec::new();
    for line in site.sh(&format!("for fd in /proc/{pid}/fd/*; do echo ${{fd##*/}} $(readlink $fd); done")).lines() {
        let (number, name) = line.split_once(' ').unwrap();
        let kind = match name {
            "/dev/null" => "/dev/null".to_owned(),
            _ if number.len() == 1 && number < "3" => "the caller's 0 to 2".into(),
            _ if name.starts_with("pipe:") => "a pipe".into(),
            _ if name.starts_with("socket:") => "a socket".into(),
            _ if name.starts_with("anon_inode:") => name.trim_start_matches("anon_inode:").into(),
            "/tmp" => "the target proxy's directory".into(),
            name => file(name).unwrap_or(name).to_owned(),
        };
        if !open.contains(&kind) {
            open.push(kind);
        }
    }
    let flags = [("NoNewPrivs", "no_new_privs"), ("Seccomp", "seccomp")];
    let flags: Vec<&str> = flags.into_iter().filter(|(name, _)| field(name)[0] != "0").map(|(_, flag)| flag).collect();
    let flags = if flags.is_empty() { "-".to_owned() } else { flags.join(", ") };
    let (uid, gid, groups) = (roles(field("Uid")), roles(field("Gid")), roles(field("Groups")));
    format!("{uid} | {gid} | {groups} | {permitted} | {effective} | {flags} | {} |", open.join("; "))
}

/// What a process of a call holds at its first system call of this name: it is stopped there, and looked at.
fn stopped_at(site: &Site, system_call: &str, when: u32) -> String {
    site.pilot().credential("bob");
    site.sh("rm -rf /root/stopped && mkdir /root/stopped");
    let inject = format!("--inject={system_call}:signal=SIGSTOP:when={when}");
    let root = site.caller("root").cwd("/").env("GLEXEC_CLIENT_CERT", "/home/pilot/bob.pem");
    let running = root.start(
        "/usr/bin/strace",
        ["-ff", "-o", "/root/stopped/t", "-u", "pilot", &inject, crate::site::GLEXEC, "/usr/bin/true"],
    );
    running.wait_until("grep -q 'stopped by SIGSTOP' /root/stopped/*");
    let name = site.sh("grep -l 'stopped by SIGSTOP' /root/stopped/*");
    let held = holdings(site, name.trim().rsplit('.').next().unwrap().parse().unwrap());
    site.sh("pkill -KILL strace; pkill -KILL glexec; true");
    running.finish();
    held
}

/// Where a call is looked at: the system call that it has just made, and how often.
const MOMENTS: &[(&str, &str, u32)] = &[
    ("hardened, the log is open", "uname", 1),
    ("acting as the caller, reading the proxy", "flock", 1),
    ("the verifier", "seccomp", 1),
    ("acting as the target, writing its proxy", "fchmod", 1),
    ("switched, before execve", "umask", 2),
];

#[test]
fn each_process_holds_what_it_needs_and_no_more() {
    let mut text = String::from(
        "\n| | users (real, effective, saved) | groups (the same) | supplementary | permitted | effective | | descriptors |\n\
        |---|---|---|---|---|---|---|---|\n",
    );
    let site = Site::new();
    for (moment, system_call, when) in MOMENTS {
        writeln!(text, "| {moment} | {}", stopped_at(&site, system_call, *when)).unwrap();
    }
    let site = Site::with(Site::linger);
    let bob = site.pilot().credential("bob").start(crate::site::GLEXEC, ["sleep", "1000"]);
    bob.wait_until("pgrep -u tprd001 sleep");
    let front = bob.pid_in_site();
    let [monitor, payload] = [format!("pgrep -P {front}"), "pgrep -u tprd001 sleep".into()]
        .map(|find| site.sh(&find).trim().parse().unwrap());
    for (who, pid) in [("the front", front), ("the monitor", monitor), ("the payload", payload)] {
        // It has let go of the caller's descriptors a moment later.
        bob.wait_until(&format!("test {pid} = {payload} || test \"$(readlink /proc/{pid}/cwd)\" = /"));
        writeln!(text, "| {who} | {}", holdings(&site, pid)).unwrap();
    }
    bob.signal(nix::sys::signal::Signal::SIGTERM);
    bob.finish();
    document(HOLDINGS, &text);
}

/// Where the privileged side may open files while its effective user is root.
const PRIVILEGED: &[&str] = &[
    // The site's, as configured, and the directories on the way.
    "/",
    "/etc",
    "/etc/glexec.conf",
    "/etc/lcas",
    "/etc/lcas/ban_users.db",
    "/etc/grid-security",
    "/etc/grid-security/grid-mapfile",
    "/etc/grid-security/groupmapfile",
    "/etc/grid-security/certificates",
    "/etc/grid-security/vomsdir",
    "/etc/grid-security/gridmapdir",
    "/var",
    "/var/log",
    "/var/log/glexec",
    "/var/log/glexec/glexec.log",
    "/dev/null",
    // What has to be done should a whole call be killed.
    "/run",
    "/run/glexec",
    "/run/glexec/calls",
    "/run/glexec/calls/.",
    // The account database, by the C library; the NSS modules are those of nsswitch.conf.
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    // The verifier's program, to be executed as the service user.
    "/usr",
    "/usr/libexec",
    "/usr/libexec/glexec",
    VERIFIER,
    // Of the kernel, about itself.
    "/proc/self/status",
    "/proc/self/stat",
    "/proc/self/maps",
    "/proc/sys/kernel/ngroups_max",
];

/// The same, by their beginning: libraries from the system's directories, children of ours, accounts and leases.
const PRIVILEGED_BELOW: &[&str] = &[
    "/lib/",
    "/lib64/",
    "/usr/lib/",
    "/etc/ld.so.",
    "/proc/",
    "/sys/devices/system/cpu/",
    "/sys/fs/cgroup/",
    "/etc/grid-security/gridmapdir/",
];

/// Files whose opening would say that a library listens to its environment or to a configuration of its own.
const NEVER: &[&str] = &[
    "openssl",
    "ssl/",
    "locale",
    "gconv",
    "zoneinfo",
    "localtime",
    "/etc/host",
    "resolv",
    "engines",
    "ossl-modules",
    "terminfo",
];

#[test]
fn the_privileged_side_opens_documented_files_only() {
    for site in Site::in_both_modes() {
        let pilot = site.pilot().credential("bob").own_proxy("pilot");
        pilot.file_in("GLEXEC_CLIENT_CERT", "alice.pem", &material_file("proxies/alice.pem"));
        let evil = [
            ("TZ", ":/tmp/pipe"),
            ("OPENSSL_CONF", "/tmp/pipe"),
            ("LC_ALL", "en_GB.PWN"),
            ("SSL_CERT_DIR", "/tmp/pipe"),
        ];
        for call in [
            &[("GLEXEC_CLIENT_CERT", "/home/pilot/bob.pem")][..],
            &[("GLEXEC_CLIENT_CERT", "/home/pilot/alice.pem"), ("X509_USER_PROXY", "/home/pilot/own-pilot.pem")],
            &[("GLEXEC_CLIENT_CERT", "/home/pilot/alice.pem"), ("GLEXEC_TARGET_PROXY", "/home/alice/named")],
            &[("GLEXEC_CLIENT_CERT", "/etc/shadow")],
            &[("GLEXEC_CLIENT_CERT", "/home/pilot/bob.pem"), ("GLEXEC_MODE", "lcmaps_verify_account")],
        ] {
            let variables = [&evil[..], call].concat();
            let (_, processes) = trace(&site, "pilot", &variables, &[], &["/usr/bin/true"]);
            assert!(processes.len() > usize::from(call[0].1 != "/etc/shadow"), "{processes:?}");
            for one in processes.iter().flat_map(|process| &process.calls) {
                keeps_to_its_files(one);
            }
        }
    }
}

#[track_caller]
fn keeps_to_its_files(call: &Call) {
    let paths = call.paths();
    match call.name.as_str() {
        "open" | "openat" | "openat2" => {
            let path = &paths[0];
            assert!(!NEVER.iter().any(|part| path.contains(part)), "opened: {call:?}");
            let known =
                PRIVILEGED.contains(&path.as_str()) || PRIVILEGED_BELOW.iter().any(|part| path.starts_with(part));
            assert!(call.users[1] != 0 || known, "opened with privileges: {call:?}");
        }
        "rename" | "renameat" | "renameat2" | "link" | "linkat" | "unlink" | "unlinkat" | "symlink" | "symlinkat"
        | "mkdir" | "mkdirat" | "chmod" | "fchmodat" | "chown" | "fchownat" | "truncate" | "mknod" | "mknodat" => {
            let ours = |path: &String| {
                let below = ["/etc/grid-security/gridmapdir/", "/run/glexec/calls/", "/proc/self/fd/"];
                ["/run/glexec", "/run/glexec/calls"].contains(&path.as_str())
                    || below.iter().any(|part| path.starts_with(part))
            };
            let ours = paths.iter().all(ours);
            assert!(call.users[1] != 0 || ours, "changed with privileges: {call:?}");
        }
        "socket" => assert!(call.arguments.starts_with("AF_UNIX"), "{call:?}"),
        "execve" => {
            assert!(!call.users.contains(&0) || paths[0] == crate::site::GLEXEC, "executed with privileges: {call:?}")
        }
        _ => {}
    }
}

#[test]
fn an_unlisted_callers_files_are_never_opened() {
    let site = Site::new();
    site.caller("mallory").credential("alice");
    let variables = [("GLEXEC_CLIENT_CERT", "/home/mallory/alice.pem"), ("X509_USER_PROXY", "/home/mallory/alice.pem")];
    let (run, processes) = trace(&site, "mallory", &variables, &[], &["/usr/bin/true"]);
    run.refused(203, "caller.not-white-listed");
    assert_eq!(processes.len(), 1, "nobody is asked about them");
    for call in processes.iter().flat_map(|process| &process.calls) {
        assert!(call.paths().iter().all(|path| !path.starts_with("/home/mallory/")), "{call:?}");
    }
    nothing_is_amiss(&site, Calls::Exactly(1));
}
