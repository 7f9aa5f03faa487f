//! Attacks by a payload that runs: on other payloads, on glexec beside it, on the log.

use crate::aftermath::{Calls, nothing_is_amiss};
use crate::site::{GLEXEC, Running, Site};
use nix::sys::signal::Signal;
use std::thread::sleep;
use std::time::Duration;

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
    site.wait_until_nobody_is("alice");
    site.wait_until_the_end_is_recorded();
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
        site.sh("pkill -KILL -u alice || true");
        site.wait_until_nobody_is("alice");
        nothing_is_amiss(&site, Calls::Exactly(1));
    }
}

/// Starts a file system that does not answer to a close by some. Whoever may have a user namespace can have one, and hand its
/// files to a process outside. None where the kernel has no FUSE.
fn slow_file_system<'s>(site: &'s Site, who: &str) -> Option<Running<'s>> {
    site.write("/root/slow.pl", include_str!("slow.pl"));
    site.sh("mknod /dev/fuse c 10 229");
    let running = site.caller("root").start("/usr/bin/perl", ["/root/slow.pl", who]);
    running.wait_until(&format!(
        "mountpoint -q /srv/slow || ! kill -0 {} || grep -q ' Z ' /proc/{0}/stat",
        running.pid_in_site()
    ));
    (site.sh("mountpoint -q /srv/slow && cat /srv/slow/file && echo yes || echo no") == "yes\n").then_some(running)
}

/// A call whose standard input is there.
fn call_on_it<'s>(site: &'s Site, command: &str) -> Running<'s> {
    let script = format!("exec {GLEXEC} {command} < /srv/slow/file > /dev/null 2>&1");
    site.pilot().credential("alice").start("/bin/bash", ["-c", &script])
}

#[test]
fn a_descriptor_whose_closing_takes_for_ever_does_not_let_a_payload_run_unsupervised() {
    // The monitor; the front, who cannot end before the file system has answered.
    for (who, killed) in [("glexec 0 0", 'Z'), ("glexec 2000 3000", 'D')] {
        let site = Site::with(Site::linger);
        let Some(slow) = slow_file_system(&site, who) else { return };
        let running = call_on_it(&site, "sh -c 'touch /tmp/ran; exec sleep 1000'");
        running.wait_until("test -e /srv/held");
        sleep(Duration::from_millis(300));
        assert!(!site.exists("/tmp/ran"), "{who}: the payload runs, and monitor or front hangs");
        let front = running.pid_in_site();
        site.pilot().sh(&format!("kill -KILL {front}")).exits(0);
        running.wait_until(&format!("grep -q '^State:.{killed}' /proc/{front}/status"));
        // Now it is closed: the connection ends with the process.
        slow.signal(Signal::SIGKILL);
        site.wait_until_the_end_is_recorded();
        running.finish().killed_by(Signal::SIGKILL);
        assert!(!site.exists("/tmp/ran"), "{who}");
        nothing_is_amiss(&site, Calls::Exactly(1));
    }
}

#[test]
fn a_payload_that_cannot_close_its_descriptors_does_not_keep_its_end_record_back() {
    let site = Site::with(Site::linger);
    let Some(slow) = slow_file_system(&site, "sleep 3000 3000") else { return };
    let running = call_on_it(&site, "sleep 1000");
    running.wait_until("pgrep -u alice -x sleep");
    site.pilot().sh(&format!("kill -KILL {}", running.pid_in_site())).exits(0);
    running.wait_until("test -e /srv/held");
    // It is killed, runs nothing any more, and cannot be reaped.
    sleep(Duration::from_secs(5));
    assert_ne!(site.sh("pgrep -u alice || true"), "");
    site.wait_until_the_end_is_recorded();
    site.last_record().says([("event", "end"), ("signal", "9")]);
    running.finish().killed_by(Signal::SIGKILL);
    slow.signal(Signal::SIGKILL);
    site.wait_until_nobody_is("alice");
    nothing_is_amiss(&site, Calls::Exactly(1));
}
