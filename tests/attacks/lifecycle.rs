//! Attacks by a payload that runs: on other payloads, on glexec beside it, on the log.

use crate::aftermath::{Calls, nothing_is_amiss};
use crate::site::{GLEXEC, Site};
use nix::sys::signal::Signal;

#[test]
fn a_payload_that_kills_whatever_it_may() {
    let site = Site::with(Site::linger);
    let bob = site.pilot().credential("bob").start(GLEXEC, ["sh", "-c", "touch ~/runs; exec sleep 1000"]);
    bob.wait_until("ls /home/tprd*/runs");
    let log = site.read("/var/log/glexec/glexec.log");
    // Everything in its pid namespace that it may signal: that is itself, and the front, which is the caller's as well.
    let run = site.pilot().credential("alice").glexec([
        "bash",
        "-c",
        "test $(ls /proc | grep -c ^[0-9]) -lt 50 && kill -KILL -1; exec sleep 1000",
    ]);
    run.killed_by(Signal::SIGKILL);
    site.sh("for try in $(seq 1000); do pgrep -u alice >/dev/null || exit 0; sleep 0.01; done; exit 1");
    site.sh(
        "for try in $(seq 1000); do grep -q event=end /var/log/glexec/glexec.log && exit 0; sleep 0.01; done; exit 1",
    );
    site.last_record().says([("event", "end"), ("signal", "9")]);
    assert!(site.read("/var/log/glexec/glexec.log").starts_with(&log), "what was written before is still there");
    bob.signal(Signal::SIGTERM);
    bob.finish().killed_by(Signal::SIGTERM);
    nothing_is_amiss(&site, Calls::Exactly(2));
}

#[test]
fn a_payload_that_wants_the_log() {
    for site in Site::in_both_modes() {
        let script = "for f in /var/log/glexec/glexec.log /var/log/glexec/new /etc/glexec.conf /etc/grid-security/gridmapdir/x; \
            do echo event=start call=0 >> $f; ln -sf /dev/null $f; rm -f $f; : > $f; done 2>/dev/null; \
            ls -l /proc/*/fd 2>/dev/null | grep -c glexec.log; cat /var/log/glexec/glexec.log 2>/dev/null; id -un";
        let run = site.pilot().credential("alice").glexec(["bash", "-c", script]);
        run.succeeds_with("0\nalice\n");
        nothing_is_amiss(&site, Calls::Exactly(1));
    }
}

#[test]
fn a_payload_that_takes_every_process() {
    for site in Site::in_both_modes() {
        // Its limits are the caller's, not the ones that glexec raised for itself.
        let script = format!(
            "ulimit -S -u 40; exec {GLEXEC} bash -c 'ulimit -u; (for i in $(seq 60); do sleep 100 & done) > /dev/null 2>&1; true'"
        );
        let run = site.pilot().credential("alice").sh(&script);
        assert!(run.stdout().starts_with("40\n"), "{run}");
        site.sh("pkill -KILL -u alice || true; for try in $(seq 1000); do pgrep -u alice >/dev/null || exit 0; sleep 0.01; done; exit 1");
        nothing_is_amiss(&site, Calls::Exactly(1));
    }
}
