//! The peak of memory of each process of a call, from the kernel's own account of every change.

use crate::agents::Agents;
use crate::case::{Callers, order};
use crate::figures::Peak;
use crate::site::Site;
use crate::trace::{self, Event, Trace, What};
use std::collections::BTreeMap;
use std::fs;

const EVENTS: [&str; 3] = ["kmem/rss_stat", "sched/sched_process_fork", "sched/sched_process_exec"];

pub fn run(site: &Site, callers: &mut Callers) -> Vec<Peak> {
    eprintln!("bench: memory");
    trace::install();
    let Some(trace) = Trace::start(&EVENTS) else { return Vec::new() };
    let lingering = site.with(&[("linger = false", "linger = true")]);
    let exec = ["privileged process", "verifier"].as_slice();
    let linger = ["front", "verifier", "monitor", "payload until its execve"].as_slice();
    let mut peaks = Vec::new();
    for (call, config, credential, processes) in [
        ("DN, exec mode", &site.config, "alice", exec),
        ("VOMS, exec mode", &site.config, "bob", exec),
        ("VOMS, linger mode", &lingering, "bob", linger),
    ] {
        site.configure(config);
        let mut found = Vec::new();
        // The first call makes the lease.
        for _ in 0..2 {
            let made = callers.pilot.call(&order(&[trace::PROGRAM, trace::PAYLOAD], credential))[0];
            assert_eq!(made.code, 0, "a traced call");
            found = of_processes(&trace.take());
        }
        peaks.extend(processes.iter().zip(found).map(|(process, (resident, anonymous))| Peak {
            call: call.into(),
            process: (*process).into(),
            resident_kib: resident as f64 / 1024.0,
            anonymous_kib: anonymous as f64 / 1024.0,
        }));
    }
    site.configure(&site.config);
    peaks.extend(of_agent(site, callers));
    peaks
}

/// The agent after some calls: the process that knows, and one that waits for a credential.
fn of_agent(site: &Site, callers: &mut Callers) -> Vec<Peak> {
    let mut agents = Agents::default();
    site.configure(&agents.asked(&site.plain));
    agents.await_all();
    for _ in 0..20 {
        assert_eq!(callers.pilot.call(&order(&[trace::PROGRAM, trace::PAYLOAD], "bob"))[0].code, 0);
    }
    site.configure(&site.config);
    let pid = agents.pids()[0];
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let worker = children.split_whitespace().last().and_then(|pid| pid.parse().ok());
    let peak = |(process, pid): (&str, u32)| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let kib = |name: &str| -> f64 {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0.0)
        };
        let (resident_kib, anonymous_kib) = (kib("Rss:"), kib("Private_Dirty:"));
        Peak { call: "agent, waiting (own: private)".into(), process: process.into(), resident_kib, anonymous_kib }
    };
    [("zygote", Some(pid)), ("worker", worker)].into_iter().filter_map(|(name, pid)| Some(peak((name, pid?)))).collect()
}

/// Peaks of what is resident and of what is anonymous, by process in the order of their forks, programs that were
/// executed later left out.
fn of_processes(events: &[Event]) -> Vec<(u64, u64)> {
    let mut processes = Vec::new();
    let mut spaces: BTreeMap<u64, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut peaks: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    // The address space that a process has until it executes something else.
    let mut own: BTreeMap<u32, u64> = BTreeMap::new();
    for event in events {
        match &event.what {
            What::Exec { program } if program == trace::PROGRAM => processes.push(event.pid),
            What::Fork { child } => processes.push(*child),
            What::Memory { space, own: is_own, kind, bytes } => {
                let kinds = spaces.entry(*space).or_default();
                kinds.insert(kind, *bytes);
                let anonymous = kinds.get("MM_ANONPAGES").copied().unwrap_or(0);
                let resident = ["MM_FILEPAGES", "MM_SHMEMPAGES"].iter().filter_map(|kind| kinds.get(kind)).sum::<u64>();
                let peak = peaks.entry(*space).or_default();
                *peak = (peak.0.max(resident + anonymous), peak.1.max(anonymous));
                if *is_own && processes.contains(&event.pid) {
                    own.entry(event.pid).or_insert(*space);
                }
            }
            _ => {}
        }
    }
    processes.iter().filter_map(|pid| peaks.get(own.get(pid)?).copied()).collect()
}
