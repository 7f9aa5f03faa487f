//! What the programs that call glexec rely on: one file a framework, one test a point of its contract.
//!
//! Every contract holds in both modes: with `linger = false`, where glexec becomes the payload, and with the default,
//! where it stays to supervise it.

mod blah;
mod certification;
mod cream;
mod dirac;
mod glidein;
mod htcondor;
mod htcondor_starter;
mod others;
mod panda;
mod probe;
mod wmcore;

use crate::site::Site;
use std::thread;
use std::time::{Duration, Instant};

/// Tries a contract in a site of each mode.
fn in_both_modes(contract: impl Fn(&Site)) {
    for linger in [false, true] {
        // Shown when the contract breaks.
        println!("linger = {linger}");
        let site = Site::new();
        if linger {
            site.linger();
        }
        contract(&site);
    }
}

/// Waits for something that another process does.
#[track_caller]
fn eventually(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < deadline, "{what}: not within 20 seconds");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether nothing of this account runs any more.
fn nothing_runs_as(site: &Site, account: &str) -> bool {
    site.sh(&format!("pgrep -u {account} > /dev/null || echo none")) == "none\n"
}
