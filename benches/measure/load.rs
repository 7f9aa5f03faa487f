//! Many calls at the same time.

use crate::caller::Order;
use crate::case::{Callers, order};
use crate::figures::{Level, Load};
use crate::site::Site;

const LEVELS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Calls of each level in each round.
const CALLS: usize = 64;

/// In each round every level makes its calls: an ended call is followed by another, until all are made.
pub fn run(site: &Site, callers: &mut Callers, rounds: usize) -> Load {
    eprintln!("bench: load, {} levels", LEVELS.len());
    site.configure(&site.config);
    let mut levels: Vec<Level> =
        LEVELS.iter().map(|&at_once| Level { at_once, per_second: Vec::new(), ms: Vec::new() }).collect();
    let call = order(&["/usr/sbin/glexec", "/bin/true"], "bob");
    for round in 0..rounds + 1 {
        for level in &mut levels {
            let order = Order { calls: CALLS, at_once: level.at_once, ..call.clone() };
            let calls = callers.pilot.call(&order);
            assert!(calls.iter().all(|call| call.code == 0), "{} at once", level.at_once);
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
    Load { cores: std::thread::available_parallelism().unwrap().get(), calls: CALLS, levels }
}
