//! The peak of memory of each process of a call, from the kernel's own account of every change.

use crate::case::{Callers, order};
use crate::figures::Peak;
use crate::site::Site;
use crate::trace::{self, Event, Trace, What};
use std::collections::BTreeMap;

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
    peaks
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
