//! Where the time of a call goes: system calls that every call makes mark the ends of its phases.

use crate::agents::Agents;
use crate::caller::{Call, Order};
use crate::case::{Callers, order, usual};
use crate::figures::{self, Phase, Phases};
use crate::site::Site;
use crate::trace::{self, Event, Trace, What};

const EVENTS: [&str; 5] = [
    "raw_syscalls/sys_enter",
    "raw_syscalls/sys_exit",
    "sched/sched_process_fork",
    "sched/sched_process_exec",
    "sched/sched_process_exit",
];

const WARM_UP: usize = 5;

/// The usual call, with the agent and without.
pub fn run(site: &Site, callers: &mut Callers, rounds: usize) -> Option<Vec<Phases>> {
    eprintln!("bench: phases");
    trace::install();
    let mut agents = Agents::default();
    let asked = agents.asked(&site.plain);
    agents.await_all();
    let ways = [(figures::AGENT, asked.as_str()), (figures::PROGRAM, site.config.as_str())];
    let phases = ways.into_iter().map(|(way, config)| {
        site.configure(config);
        of_calls(way, callers, rounds)
    });
    let phases = phases.collect();
    site.configure(&site.config);
    phases
}

/// Calls as they are and traced in turn.
fn of_calls(way: &str, callers: &mut Callers, rounds: usize) -> Option<Phases> {
    let call = usual(order(&[trace::PROGRAM, trace::PAYLOAD], "bob"));
    let mut made = |order: &Order| {
        let call = callers.pilot.call(order)[0];
        assert_eq!(call.code, 0, "a traced call");
        call
    };
    for _ in 0..WARM_UP {
        made(&call);
    }
    let trace = Trace::start(&EVENTS)?;
    let mut figures = Phases {
        way: way.to_owned(),
        plain_ms: Vec::new(),
        traced_ms: Vec::new(),
        phases: Vec::new(),
        lookups: None,
        lookups_a_call: 0.0,
        system_calls: [0, 0],
    };
    for _ in 0..rounds {
        // The kernel changes its own code for this: the call after it is slow, and not measured.
        trace.off(&EVENTS);
        made(&call);
        figures.plain_ms.push(made(&call).ms());
        trace.on(&EVENTS);
        made(&call);
        trace.take();
        let call = made(&call);
        add(&mut figures, &call, &trace.take());
    }
    // Probes make forks and executions slower: they have calls of their own.
    if way == figures::PROGRAM && trace.probe_lookups() {
        let mut us = Vec::new();
        for round in 0..rounds + WARM_UP {
            made(&call);
            let (count, spent) = looked_up(&trace.take());
            if round >= WARM_UP {
                figures.lookups_a_call = count as f64;
                us.push(spent);
            }
        }
        figures.lookups = Some(Phase { name: "account database".into(), us });
    }
    Some(figures)
}

fn add(figures: &mut Phases, call: &Call, events: &[Event]) {
    let Some(Marked { marks, glexec, verifier }) = marked(call, events) else { return };
    if figures.phases.is_empty() {
        figures.phases = marks.iter().map(|(name, _)| Phase { name: (*name).into(), us: Vec::new() }).collect();
        let until_payload = events.iter().take_while(|event| !is_payload(event));
        let entered: Vec<u32> =
            until_payload.filter(|event| matches!(event.what, What::Enter(_))).map(|event| event.pid).collect();
        let of = |pid: Option<u32>| entered.iter().filter(|&&entered| Some(entered) == pid).count();
        figures.system_calls = [Some(glexec), verifier].map(of);
    }
    // A call that went another way than the first is left out.
    if !figures.phases.iter().map(|phase| phase.name.as_str()).eq(marks.iter().map(|(name, _)| *name)) {
        return;
    }
    let mut before = call.start;
    for (phase, (_, end)) in figures.phases.iter_mut().zip(&marks) {
        phase.us.push((end - before) as f64 / 1000.0);
        before = *end;
    }
    figures.traced_ms.push(call.ms());
}

fn is_payload(event: &Event) -> bool {
    matches!(&event.what, What::Exec { program } if program == trace::PAYLOAD)
}

struct Marked {
    /// The phases in their order, and when each ended.
    marks: Vec<(&'static str, u64)>,
    glexec: u32,
    verifier: Option<u32>,
}

/// Finds the ends of the phases. A mark that is missing makes its phase a part of the next one.
fn marked(call: &Call, events: &[Event]) -> Option<Marked> {
    let started = events.iter().position(|e| matches!(&e.what, What::Exec { program } if program == trace::PROGRAM))?;
    let glexec = events[started].pid;
    let ran = events.iter().position(is_payload)?;
    let forked = events[..ran].iter().position(|e| e.pid == glexec && matches!(e.what, What::Fork { .. }));
    let verifier = forked.and_then(|at| if let What::Fork { child } = events[at].what { Some(child) } else { None });

    let enter = |pid: u32, numbers: &'static [i64]| {
        move |e: &Event| e.pid == pid && matches!(e.what, What::Enter(n) if numbers.contains(&n))
    };
    let exit = |pid: u32, number: i64| move |e: &Event| e.pid == pid && matches!(e.what, What::Exit(n) if n == number);
    // Without a fork: when the agent is asked. Nothing else before the record is sent so.
    let asked = || events[..ran].iter().position(enter(glexec, &[libc::SYS_sendmsg])).map(|at| at + 1);
    let forked = forked.or_else(asked).unwrap_or(ran);
    // The program's own first system call.
    let loaded = events.iter().position(enter(glexec, &[libc::SYS_getcwd])).unwrap_or(forked);
    let (first, last) = (Which::First, Which::Last);
    type Test<'a> = Box<dyn Fn(&Event) -> bool + 'a>;
    let mut ends: Vec<(&str, Which, usize, Test<'_>)> = vec![
        ("glexec's process started: fork, execve", first, ran, Box::new(|e| matches!(&e.what, What::Exec { .. }))),
        // It checks the standard descriptors of a setuid program next.
        ("C library has asked the processor (cpuid)", first, loaded, Box::new(enter(glexec, &[libc::SYS_fcntl]))),
        ("libraries mapped", first, loaded, Box::new(enter(glexec, &[libc::SYS_set_tid_address]))),
        ("relocated: their functions looked up", first, loaded, Box::new(exit(glexec, libc::SYS_munmap))),
        ("constructors, start of the program", first, forked, Box::new(enter(glexec, &[libc::SYS_getcwd]))),
        ("arguments taken, process hardened", first, forked, Box::new(enter(glexec, &[libc::SYS_capset]))),
        ("configuration read, privileges settled", last, forked, Box::new(enter(glexec, &[libc::SYS_capset]))),
    ];
    let program = |verifier: u32| -> Vec<(&str, Which, usize, Test<'_>)> {
        vec![
            ("caller, credential files", last, forked, Box::new(enter(glexec, &FORKS))),
            ("first verifier forked", first, ran, Box::new(move |e| e.pid == verifier)),
            ("its descriptors closed, privileges dropped", first, ran, Box::new(enter(verifier, &[libc::SYS_getppid]))),
            ("sandbox closed", first, ran, Box::new(exit(verifier, libc::SYS_seccomp))),
            ("verification", first, ran, Box::new(enter(verifier, &[libc::SYS_exit_group]))),
            ("verifiers ended and reaped", last, ran, Box::new(exit(glexec, libc::SYS_wait4))),
        ]
    };
    // Nothing else of a call is sent so, or received.
    let agent = || -> Vec<(&str, Which, usize, Test<'_>)> {
        vec![
            ("caller, credential files, agent reached", first, forked, Box::new(enter(glexec, &[libc::SYS_sendmsg]))),
            ("both questions asked and answered", last, ran, Box::new(exit(glexec, libc::SYS_recvfrom))),
        ]
    };
    ends.extend(verifier.map_or_else(agent, program));
    let rest: Vec<(&str, Which, usize, Test<'_>)> = vec![
        ("authorization, mapping", first, ran, Box::new(enter(glexec, &[libc::SYS_setgroups]))),
        ("payload prepared as its account", last, ran, Box::new(enter(glexec, &SENDS))),
        ("audit record", last, ran, Box::new(move |e| SENDS.iter().any(|&number| exit(glexec, number)(e)))),
        ("switch", last, ran, Box::new(enter(glexec, &[libc::SYS_execve]))),
        ("payload executed", first, ran + 1, Box::new(is_payload)),
        ("payload's own", last, events.len(), Box::new(move |e| e.pid == glexec && matches!(e.what, What::End))),
    ];
    ends.extend(rest);
    let (mut at, mut marks) = (started, Vec::new());
    for (name, which, end, test) in &ends {
        let mut range = events[at..(*end).max(at)].iter();
        let found = match which {
            Which::First => range.position(test),
            Which::Last => range.rposition(test),
        };
        if let Some(found) = found {
            at += found;
            marks.push((*name, events[at].ns.max(call.start)));
        }
    }
    marks.push(("reaped by the caller", call.end));
    let ordered = marks.is_sorted_by_key(|(_, ns)| *ns);
    ordered.then_some(Marked { marks, glexec, verifier })
}

#[derive(Clone, Copy)]
enum Which {
    First,
    Last,
}

const FORKS: [i64; 4] = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork];
/// How a record may go to the log.
const SENDS: [i64; 3] = [libc::SYS_write, libc::SYS_sendto, libc::SYS_sendmsg];

/// How many questions the account database was asked, and the microseconds until it had answered. A question that asks
/// another one counts once.
fn looked_up(events: &[Event]) -> (usize, f64) {
    let (mut depth, mut since, mut count, mut ns) = (0_u32, 0, 0, 0);
    for event in events {
        match event.what {
            What::Lookup { entered: true } => {
                if depth == 0 {
                    since = event.ns;
                }
                depth += 1;
            }
            What::Lookup { entered: false } => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    count += 1;
                    ns += event.ns - since;
                }
            }
            _ => {}
        }
    }
    (count, ns as f64 / 1000.0)
}
