//! `glexec-admin sweep`: what is left of calls whose front, monitor and payload were killed at once.

use crate::site::{GLEXEC, Record, Running, Site};

const EPILOGUE: &str = "/usr/libexec/site-epilogue";
const CALLS: &str = "/run/glexec/calls";

/// A lingering site with an epilogue that says when it runs.
fn site() -> Site {
    let site = Site::with(Site::linger);
    site.sh("mkdir -p /usr/libexec");
    site.write(EPILOGUE, "#!/bin/sh\necho $GLEXEC_EPILOG_TARGET_USER $GLEXEC_EPILOG_TARGET_RC >> /root/epilogue\n");
    site.chmod(EPILOGUE, 0o755);
    site.set(&format!("epilogue = \"{EPILOGUE}\""));
    site
}

fn start(site: &Site) -> Running<'_> {
    let running = site.pilot().credential("alice").start(GLEXEC, ["sh", "-c", "touch ~/ready; sleep 1000; exit"]);
    running.wait_until("test -e /home/alice/ready");
    running
}

/// Kills front, monitor and payload at once, as batch systems do.
fn lose(site: &Site, running: Running<'_>) {
    let front = running.pid_in_site();
    site.sh(&format!("kill -KILL {front} $(pgrep -P {front}) $(pgrep -u alice)"));
    running.finish();
    site.wait_until_nobody_is("alice");
}

fn ends(site: &Site) -> Vec<Record> {
    site.records().into_iter().filter(|record| record["event"] == "end").collect()
}

fn proxies(site: &Site) -> String {
    site.sh("ls /tmp | grep x509up || true")
}

fn calls(site: &Site) -> String {
    site.sh(&format!("ls {CALLS}"))
}

#[test]
fn what_is_left_of_a_lost_call_is_cleaned_up_once() {
    let site = site();
    lose(&site, start(&site));
    assert_ne!(proxies(&site), "");
    let call = calls(&site).trim().to_owned();
    let swept = site.admin(["sweep"]);
    swept.succeeds_with(&format!("{call}: 0 ended, 1 removed, epilogue 0\n"));
    let ends = ends(&site);
    assert_eq!(ends.len(), 1, "{ends:?}");
    ends[0].says([("call", &call), ("lost", "true"), ("epilogue", "0"), ("killed", "0")]);
    assert!(!ends[0].has("status") && !ends[0].has("signal"), "nobody knows");
    assert_eq!((proxies(&site), calls(&site)), Default::default());
    assert_eq!(site.read("/root/epilogue"), "alice 137\n");
    site.admin(["sweep"]).succeeds_with("");
}

#[test]
fn calls_that_run_are_left_alone_and_leave_nothing_behind() {
    let site = site();
    let running = start(&site);
    assert_eq!(calls(&site).lines().count(), 1);
    site.admin(["sweep"]).succeeds_with("");
    assert_ne!(proxies(&site), "");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.finish().killed_by(nix::sys::signal::Signal::SIGTERM);
    assert_eq!((proxies(&site), calls(&site)), Default::default());
    assert!(!ends(&site)[0].has("lost"));
}

#[test]
fn a_front_that_is_stopped_goes_on_and_ends_what_outlived_the_monitor() {
    let site = site();
    let running = start(&site);
    let front = running.pid_in_site();
    site.sh(&format!("kill -STOP {front}; kill -KILL $(pgrep -P {front})"));
    let call = calls(&site).trim().to_owned();
    site.admin(["sweep"]).succeeds_with(&format!("{call}: 0 ended, 0 removed, epilogue 0\n"));
    running.finish().exits(202);
    site.wait_until_nobody_is("alice");
}

/// Changes what is written down of the one lost call.
fn rewrite(site: &Site, expression: &str) {
    site.sh(&format!("sed -i -z '{expression}' {CALLS}/*"));
}

#[test]
fn whoever_got_the_number_of_a_process_of_a_lost_call_is_not_ended() {
    for other_start in ["s/^world=./world=x/", "s/^\\(front=[0-9]*\\) .*/\\1 1/; s/^\\(payload=[0-9]*\\) .*/\\1 1/"] {
        let site = site();
        lose(&site, start(&site));
        let other = site.pilot().start("/usr/bin/sleep", ["1000"]);
        let number = other.pid_in_site();
        // Its start is right where the machine was started again, and wrong where it was not.
        let started = site.sh(&format!("cut -d' ' -f22 /proc/{number}/stat"));
        rewrite(
            &site,
            &format!("s/^front=.*/front={number} {0}/; s/^payload=.*/payload={number} {0}/", started.trim()),
        );
        rewrite(&site, other_start);
        let swept = site.admin(["sweep"]);
        swept.exits(0);
        assert!(swept.stdout().contains(": 0 ended, 1 removed"), "{swept}");
        assert_eq!(site.sh("pgrep -u pilot -x sleep").trim(), number.to_string());
        other.signal(nix::sys::signal::Signal::SIGKILL);
        other.finish();
    }
}

#[test]
fn only_the_file_that_the_call_made_is_removed() {
    let site = site();
    lose(&site, start(&site));
    let proxy = format!("/tmp/{}", proxies(&site).trim());
    // Somebody else's file, and one of another inode, under its name; and its directory under another one.
    site.sh(&format!("mv {proxy} /tmp/kept; cp -p /tmp/kept {proxy}"));
    site.admin(["sweep"]).exits(0);
    assert!(site.exists(&proxy) && site.exists("/tmp/kept"));
}

#[test]
fn a_proxy_in_a_mount_namespace_of_the_jobs_is_found_where_its_file_system_is_mounted() {
    let site = site();
    site.sh("mkdir -m 1777 '/var/job tmp'");
    // As batch systems give each job a /tmp of its own.
    let script = "mount --bind '/var/job tmp' /tmp && exec setpriv --reuid pilot --regid pilots --clear-groups \
                  env GLEXEC_CLIENT_CERT=/home/pilot/alice.pem /usr/sbin/glexec sh -c 'touch ~/ready; sleep 1000; exit'";
    site.pilot().credential("alice");
    let running = site.caller("root").start("/usr/bin/unshare", ["--mount", "sh", "-c", script]);
    running.wait_until("test -e /home/alice/ready");
    lose(&site, running);
    assert_ne!(site.sh("ls '/var/job tmp'"), "");
    assert!(site.admin(["sweep"]).stdout().contains("1 removed"));
    assert_eq!(site.sh("ls '/var/job tmp'"), "");
}

#[test]
fn a_call_whose_end_cannot_be_recorded_is_kept_and_its_epilogue_is_not_run_again() {
    let site = site();
    lose(&site, start(&site));
    site.sh("mv /var/log/glexec /var/log/away");
    for _ in 0..2 {
        let swept = site.admin(["sweep"]);
        swept.exits(1);
        assert!(swept.stdout().contains("its end cannot be recorded"), "{swept}");
    }
    site.sh("mv /var/log/away /var/log/glexec");
    site.admin(["sweep"]).exits(0);
    ends(&site)[0].says([("lost", "true"), ("epilogue", "0")]);
    assert_eq!((calls(&site).as_str(), site.read("/root/epilogue").as_str()), ("", "alice 137\n"));
}

#[test]
fn a_thousand_lost_calls_are_swept_by_two_at_once_and_each_is_recorded_once() {
    let site = site();
    site.sh("sed -i '/^epilogue = /d' /etc/glexec.conf");
    site.admin(["sweep"]).succeeds_with("");
    lose(&site, start(&site));
    site.sh(&format!(
        "cd {CALLS}; one=$(ls); for n in $(seq -w 1 1000); do sed -z \"s/^call=.*/call=000000000000$n/\" $one > new; \
         mv new 000000000000$n; done; rm $one"
    ));
    site.sh("glexec-admin sweep > /root/one & glexec-admin sweep > /root/two; wait");
    assert_eq!(calls(&site).lines().count(), 0);
    let lost: Vec<String> = ends(&site).into_iter().map(|record| record["call"].clone()).collect();
    let different: std::collections::BTreeSet<&String> = lost.iter().collect();
    assert_eq!((lost.len(), different.len()), (1000, 1000));
}

#[test]
fn without_room_for_what_has_to_be_done_the_call_goes_on_and_the_log_says_so() {
    let site = site();
    site.sh(&format!("mkdir -p -m 700 /run/glexec {CALLS}; mount -t tmpfs -o mode=700,nr_inodes=1 none {CALLS}"));
    site.pilot().credential("alice").glexec(["sh", "-c", "exit 7"]).exits(7);
    assert!(site.read("/var/log/glexec/glexec.log").contains("nobody can clean up"));
}

#[test]
fn nobody_but_root_sweeps_or_sees_what_is_written_down() {
    let site = site();
    let running = start(&site);
    site.admin(["sweep"]).succeeds_with("");
    let run = site.pilot().run("/usr/sbin/glexec-admin", ["sweep"]);
    run.exits(1);
    assert!(run.stderr().contains("only root"), "{run}");
    assert_eq!(site.pilot().sh(&format!("cat {CALLS}/* 2>/dev/null")).stdout(), "");
    running.signal(nix::sys::signal::Signal::SIGKILL);
    running.finish();
}

#[test]
fn a_proxy_in_a_tmp_of_the_payloads_own_is_found_on_disk() {
    for batch in [false, true] {
        let site = site();
        site.sh("mkdir /var/lib/glexec");
        match batch {
            // As a batch system gives the job one.
            true => site.sh("chown pilot:pilots /tmp; chmod 700 /tmp"),
            false => {
                site.configure(|text| format!("{text}\n[isolation]\nprivate_tmp = \"always\"\n"));
                String::new()
            }
        };
        lose(&site, start(&site));
        let proxies = || site.sh("find /tmp /var/lib/glexec -name 'x509up*'");
        assert_eq!(proxies().lines().count(), 1);
        assert!(site.admin(["sweep"]).stdout().contains(" 1 removed"));
        assert_eq!(proxies(), "");
    }
}
