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

use crate::site::{Site, eventually};

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

/// Whether nothing of this account runs any more.
fn nothing_runs_as(site: &Site, account: &str) -> bool {
    site.sh(&format!("pgrep -u {account} > /dev/null || echo none")) == "none\n"
}
