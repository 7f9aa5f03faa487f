//! The kernel's own trace of calls: system calls, forks, executions, ends and memory, with CLOCK_MONOTONIC.
//!
//! It needs tracefs, as root, and nothing of the program: a copy of glexec under a name of its own runs a copy of
//! /bin/true, and only what processes of these names do is traced, in a trace instance of our own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The traced copies. A process' name is its program's, cut at 15 bytes.
pub const PROGRAM: &str = "/usr/sbin/gxtraced";
pub const PAYLOAD: &str = "/usr/bin/gxpayload";
const OURS: &str = "comm ~ \"gx*\"";

/// One line of the trace.
#[derive(Debug)]
pub struct Event {
    /// The task that it happened in.
    pub pid: u32,
    pub ns: u64,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Enter(i64),
    Exit(i64),
    Fork {
        child: u32,
    },
    Exec {
        program: String,
    },
    /// A process has ended.
    End,
    /// A kind of memory of an address space is now so large, in bytes.
    Memory {
        space: u64,
        own: bool,
        kind: String,
        bytes: u64,
    },
    /// An account database function was entered or left.
    Lookup {
        entered: bool,
    },
}

pub struct Trace {
    root: PathBuf,
    instance: PathBuf,
}

impl Trace {
    /// Starts tracing; `None` where the kernel has no tracefs for us.
    pub fn start(events: &[&str]) -> Option<Self> {
        let root = PathBuf::from("/mnt");
        let mounted = Command::new("/usr/bin/mount").args(["-t", "tracefs", "tracefs", "/mnt"]).status().ok()?;
        let trace = Trace { instance: root.join("instances/glexec-bench"), root };
        // Of a run that was killed.
        let _ = fs::remove_dir(&trace.instance);
        if !mounted.success() || fs::create_dir(&trace.instance).is_err() {
            eprintln!("bench: tracefs cannot be used here: no phases, no memory");
            return None;
        }
        trace.set("trace_clock", "mono");
        trace.set("buffer_size_kb", "16384");
        for event in events {
            trace.set(&format!("events/{event}/filter"), OURS);
        }
        trace.on(events);
        Some(trace)
    }

    pub fn on(&self, events: &[&str]) {
        self.switch(events, "1");
    }

    pub fn off(&self, events: &[&str]) {
        self.switch(events, "0");
    }

    fn switch(&self, events: &[&str], to: &str) {
        for event in events {
            self.set(&format!("events/{event}/enable"), to);
        }
    }

    fn set(&self, file: &str, text: &str) {
        fs::write(self.instance.join(file), text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    /// Also traces the functions of the C library that ask the account database. Tells whether the kernel can.
    pub fn probe_lookups(&self) -> bool {
        // A copy, so that no other process of the machine runs into the probes.
        let Some(library) = private_copy_of_libc() else { return false };
        // Of a run that was killed.
        self.remove_probes();
        let mut added = false;
        for (function, offset) in offsets(&library) {
            for (kind, prefix) in [("p", "in"), ("r", "out")] {
                let probe = format!("{kind}:glexec_bench/{prefix}_{function} {}:{offset:#x}", library.display());
                if self.change_probes(&probe).is_ok() {
                    let event = format!("glexec_bench/{prefix}_{function}");
                    self.set(&format!("events/{event}/filter"), OURS);
                    self.on(&[&event]);
                    added = true;
                }
            }
        }
        added
    }

    fn change_probes(&self, change: &str) -> std::io::Result<()> {
        fs::OpenOptions::new().append(true).open(self.root.join("uprobe_events"))?.write_all(change.as_bytes())
    }

    fn remove_probes(&self) {
        let probes = fs::read_to_string(self.root.join("uprobe_events")).unwrap_or_default();
        for probe in probes.lines().filter_map(|line| line.split_once(":glexec_bench/")?.1.split_whitespace().next()) {
            let _ = self.change_probes(&format!("-:glexec_bench/{probe}"));
        }
    }

    /// What has happened since the last time.
    pub fn take(&self) -> Vec<Event> {
        let text = fs::read_to_string(self.instance.join("trace")).unwrap();
        self.set("trace", "");
        assert!(!text.contains("[LOST"), "the trace buffer is too small");
        text.lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = fs::write(self.instance.join("events/enable"), "0");
        let _ = fs::remove_dir(&self.instance);
        self.remove_probes();
        let _ = Command::new("/usr/bin/umount").arg(&self.root).status();
    }
}

/// Makes the copies that are traced.
pub fn install() {
    for (from, to) in [("/usr/sbin/glexec", PROGRAM), ("/usr/bin/true", PAYLOAD)] {
        // With its mode, and so with the setuid bit.
        fs::copy(from, to).unwrap();
    }
}

fn private_copy_of_libc() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let library = folders.map(|folder| folder.join("libc.so.6")).find(|path| path.exists())?;
    let copy = library.with_extension("copy");
    fs::copy(&library, &copy).ok()?;
    fs::rename(&copy, &library).ok()?;
    Some(library)
}

/// Where the functions start in the file. glibc maps its code where it lies in the file, so that an address is an offset.
fn offsets(library: &Path) -> Vec<(String, u64)> {
    let Ok(output) = Command::new("/usr/bin/readelf").args(["-W", "--dyn-syms"]).arg(library).output() else {
        return Vec::new();
    };
    let wanted = ["getpwnam_r", "getpwuid_r", "getgrnam_r", "getgrgid_r", "getgrouplist"];
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let symbols = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words.get(7)?.split('@').next()?;
        wanted.contains(&name).then_some(())?;
        Some((name.to_owned(), u64::from_str_radix(words[1], 16).ok()?))
    });
    let mut symbols: Vec<(String, u64)> = symbols.collect();
    symbols.dedup();
    symbols
}

/// `  gxtraced-26180   [000] ..... 11005.150219: sys_enter: NR 257 (…)`
fn parse(line: &str) -> Option<Event> {
    let (task, rest) = line.split_once('[')?;
    let pid = task.trim().rsplit_once('-')?.1.parse().ok()?;
    let (head, rest) = rest.split_once(": ")?;
    let seconds = head.rsplit_once(' ')?.1;
    let (whole, micro) = seconds.split_once('.')?;
    let ns = whole.parse::<u64>().ok()? * 1_000_000_000 + micro.parse::<u64>().ok()? * 1000;
    let (name, rest) = rest.split_once(": ")?;
    let field = |key: &str| {
        let at = rest.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        at.map(str::to_owned)
    };
    let number = || rest.strip_prefix("NR ")?.split_whitespace().next()?.parse().ok();
    let what = match name {
        "sys_enter" => What::Enter(number()?),
        "sys_exit" => What::Exit(number()?),
        "sched_process_fork" => What::Fork { child: field("child_pid")?.parse().ok()? },
        "sched_process_exec" => What::Exec { program: field("filename")? },
        "sched_process_exit" => What::End,
        "rss_stat" => What::Memory {
            space: field("mm_id")?.parse().ok()?,
            own: field("curr")? == "1",
            kind: field("type")?,
            bytes: field("size")?.trim_end_matches('B').parse().ok()?,
        },
        _ if name.starts_with("in_") => What::Lookup { entered: true },
        _ if name.starts_with("out_") => What::Lookup { entered: false },
        _ => return None,
    };
    Some(Event { pid, ns, what })
}
