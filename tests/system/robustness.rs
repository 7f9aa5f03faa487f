//! What the rest of the machine does to a call: full disks, a log daemon that dies, a hidden /proc, no more processes.
//! `linger.rs` has killed fronts and monitors; tests/attacks/faults.rs lets every system call fail, fork among them.

use crate::site::{Caller, GLEXEC, Site};
use nix::sys::signal::Signal;

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

#[test]
fn a_full_disk_refuses_the_target_proxy_and_leaves_nothing_of_it() {
    for site in Site::in_both_modes() {
        site.sh("mkdir /home/alice/full; mount -t tmpfs -o size=4k,mode=777 none /home/alice/full; \
                 head -c 4096 /dev/zero > /home/alice/full/x; chmod 711 /home/alice");
        let run = alice(&site).env("GLEXEC_TARGET_PROXY", "/home/alice/full/proxy").glexec(["touch", "/tmp/ran"]);
        run.refused(201, "target-proxy.not-writable");
        assert!(run.stderr().contains("No space left"), "{run}");
        assert_eq!(site.sh("ls -A /home/alice/full /tmp"), "/home/alice/full:\nx\n\n/tmp:\n");
    }
}

/// Starts a payload that ends when a file appears.
fn waiting(site: &Site) -> crate::site::Running<'_> {
    let script = "touch ~/ready; while ! test -e /tmp/end; do sleep 0.01; done; exit 3";
    let running = alice(site).start(GLEXEC, ["sh", "-c", script]);
    running.wait_until("test -e /home/alice/ready");
    running
}

#[test]
fn without_a_log_daemon_nothing_new_is_run() {
    let site = Site::with_syslog();
    site.linger();
    site.sh("pkill -KILL rsyslogd");
    alice(&site).glexec(["touch", "/tmp/ran"]).refused_without_record(202, "audit.unavailable");
    assert!(!site.exists("/tmp/ran"));
}

#[test]
fn a_proc_that_hides_processes_does_not_let_one_escape() {
    for site in Site::in_both_modes() {
        site.sh("mount -o remount,hidepid=2 /proc");
        site.pilot().sh("test -e /proc/1").exits(1);
        alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    }
    let site = Site::with(Site::linger);
    site.sh("mount -o remount,hidepid=2 /proc");
    let script = "(trap '' TERM HUP; setsid sh -c 'setsid sleep 1001 & sleep 1002' & sleep 1003) >/dev/null 2>&1 & sleep 0.1; exit 4";
    alice(&site).glexec(["bash", "-c", script]).exits(4);
    site.sh("mount -o remount,hidepid=0 /proc");
    assert_eq!(site.sh("pgrep -u alice || true"), "");
}

#[test]
fn without_proc_nothing_is_run() {
    for site in Site::in_both_modes() {
        let pilot = alice(&site);
        site.sh("umount -l /proc");
        pilot.glexec(["touch", "/tmp/ran"]).exits(202);
        assert!(!site.exists("/tmp/ran"));
    }
}

#[test]
fn when_no_process_can_be_started_nothing_is_run_and_the_record_says_so() {
    for site in Site::in_both_modes() {
        let proxy = alice(&site).client_cert();
        let root = site.caller("root").env("GLEXEC_CLIENT_CERT", proxy);
        // Without CAP_SYS_RESOURCE the caller's limit cannot be raised.
        let run = root.run(
            "/usr/bin/setpriv",
            [
                "--reuid=2000",
                "--regid=2000",
                "--clear-groups",
                "--bounding-set=-sys_resource,-sys_admin",
                "--",
                "prlimit",
                "--nproc=0",
                "--",
                GLEXEC,
                "touch",
                "/tmp/ran",
            ],
        );
        run.refused(202, "verifier.failed");
        assert!(run.record()["reason"].contains("fork"), "{run}");
        assert!(!site.exists("/tmp/ran"));
    }
}

#[test]
fn a_stopped_monitor_or_log_does_not_keep_a_signal_from_the_payload_for_ever() {
    let site = Site::with(Site::linger);
    let running = waiting(&site);
    let monitor = site.sh(&format!("pgrep -P {}", running.pid_in_site()));
    site.sh(&format!("kill -STOP {monitor}"));
    site.pilot().sh(&format!("kill -TERM {}", running.pid_in_site())).exits(0);
    site.sh(&format!("kill -CONT {monitor}"));
    running.finish().killed_by(Signal::SIGTERM);
}
