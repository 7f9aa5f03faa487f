//! Many calls at the same time.

use crate::agents::Agents;
use crate::beside::BEFORE_PROGRAM;
use crate::caller::Order;
use crate::case::{Callers, order, usual};
use crate::figures::{self, Level, Load};
use crate::site::Site;
use std::path::Path;

const LEVELS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Calls of each level in each round.
const CALLS: usize = 64;

/// In each round every level makes its calls: an ended call is followed by another, until all are made.
pub fn run(site: &Site, callers: &mut Callers, rounds: usize) -> Vec<Load> {
    eprintln!("bench: load, {} levels", LEVELS.len());
    let mut agents = Agents::default();
    let asked = agents.asked(&site.plain);
    agents.await_all();
    let mut ways =
        vec![(figures::AGENT, "/usr/sbin/glexec", asked), (figures::PROGRAM, "/usr/sbin/glexec", site.config.clone())];
    if Path::new(BEFORE_PROGRAM).exists() {
        ways.push((figures::BEFORE, BEFORE_PROGRAM, site.config.clone()));
    }
    let level = |&at_once: &usize| Level { at_once, per_second: Vec::new(), ms: Vec::new() };
    let cores = std::thread::available_parallelism().unwrap().get();
    let load = |(way, ..): &(&str, _, _)| Load {
        way: (*way).to_owned(),
        cores,
        calls: CALLS,
        levels: LEVELS.iter().map(level).collect(),
    };
    let mut loads: Vec<Load> = ways.iter().map(load).collect();
    for round in 0..rounds + 1 {
        for number in 0..LEVELS.len() {
            for ((_, program, config), load) in ways.iter().zip(&mut loads) {
                site.configure(config);
                let level = &mut load.levels[number];
                let call = usual(order(&[program, "/bin/true"], "bob"));
                let calls = callers.pilot.call(&Order { calls: CALLS, at_once: level.at_once, ..call });
                assert!(calls.iter().all(|call| call.code == 0), "{}: {} at once", load.way, level.at_once);
                // The first round warms up.
                if round == 0 {
                    continue;
                }
                let start = calls.iter().map(|call| call.start).min().unwrap();
                let end = calls.iter().map(|call| call.end).max().unwrap();
                level.per_second.push(CALLS as f64 / ((end - start) as f64 / 1e9));
                level.ms.extend(calls.iter().map(|call| call.ms()));
            }
        }
    }
    site.configure(&site.config);
    loads
}
