//! The prologue, which may hand the payload variables and files, and the wrapper that payloads run in.

use crate::site::{Caller, GLEXEC, Site};
use nix::sys::signal::Signal;

const PROLOGUE: &str = "/usr/libexec/site-prologue";
const WRAPPER: &str = "/usr/libexec/site-wrapper";
/// Where a prologue of the site's keeps its files.
const ROOM: &str = "/run/tickets";
/// Makes a file and hands it over.
const TICKET: &str = "f=/run/tickets/$GLEXEC_PROLOG_TARGET_USER.$GLEXEC_PROLOG_GLEXEC_PID; echo secret > $f; echo file:$f; echo TICKET=$f";

/// Sites in both modes with this script as their prologue.
fn sites(script: &str) -> [Site; 2] {
    Site::in_both_modes().map(|site| with(site, script))
}

fn with(site: Site, script: &str) -> Site {
    site.sh(&format!("mkdir -p /usr/libexec; mkdir -m 711 {ROOM}"));
    site.write(PROLOGUE, format!("#!/bin/sh\n{script}\n"));
    site.chmod(PROLOGUE, 0o755);
    site.set(&format!("prologue = \"{PROLOGUE}\"\nprologue_timeout = 60"));
    site
}

fn lingering(script: &str) -> Site {
    with(Site::with(Site::linger), script)
}

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

fn tickets(site: &Site) -> String {
    site.sh(&format!("ls {ROOM}"))
}

fn log(site: &Site) -> String {
    site.read("/var/log/glexec/glexec.log")
}

#[test]
fn a_prologue_hands_the_payload_a_file_of_its_own_and_variables() {
    for (site, stays) in sites(TICKET).into_iter().zip([true, false]) {
        site.set("preserve_env_variables = [\"TICKET\"]");
        let script = "cat $TICKET; stat -c %U:%G:%a $TICKET; printenv TICKET | sed 's/[0-9]*$//'";
        let run = alice(&site).env("TICKET", "the caller's").glexec(["sh", "-c", script]);
        run.succeeds_with("secret\nalice:alice:600\n/run/tickets/alice.\n");
        assert_eq!(!tickets(&site).is_empty(), stays, "without linger nobody is left to remove it");
    }
}

#[test]
fn it_runs_as_root_before_the_switch_and_is_told_what_the_epilogue_is_told() {
    for site in sites(
        "env > /root/env; id -u >> /root/env; grep CapEff /proc/self/status >> /root/env; readlink /proc/self/cwd >> /root/env; cat >> /root/env",
    ) {
        let run = alice(&site).env("EVIL", "1").env("GLEXEC_ENV", "x").glexec(["echo", "two words"]);
        run.succeeds_with("two words\n");
        let seen = site.read("/root/env");
        let pid = run.record()["caller_pid"].clone();
        for line in [
            "GLEXEC_PROLOG_ARGV0=echo",
            "GLEXEC_PROLOG_ARGV1=two words",
            "GLEXEC_PROLOG_GLEXEC_USER=pilot",
            "GLEXEC_PROLOG_TARGET_USER=alice",
            "GLEXEC_PROLOG_TARGET_UID=3000",
            &format!("GLEXEC_PROLOG_GLEXEC_PID={pid}"),
            "HOME=/root",
            "0",
            "/",
        ] {
            assert!(seen.lines().any(|seen| seen == line), "{line}: {seen}");
        }
        assert!(!seen.contains("EVIL") && !seen.contains("GLEXEC_ENV") && !seen.contains("X509"), "{seen}");
        let whole = site.sh("grep CapEff /proc/self/status");
        assert!(seen.contains(&whole), "{seen}");
    }
}

#[test]
pub fn a_prologue_that_fails_refuses_the_call_and_leaves_nothing_behind() {
    for (script, why) in [
        ("echo no keytab >&2; exit 3", "exit code 3: no keytab"),
        ("kill -KILL $$", "signal SIGKILL"),
        ("echo hello", "hello"),
        ("echo HOME=/root", "no prologue may set"),
        ("echo LD_PRELOAD=/tmp/x", "no prologue may set"),
        ("echo GLEXEC_ID=x", "no prologue may set"),
        ("echo X509_USER_PROXY=/tmp/x", "no prologue may set"),
        ("head -c 70000 /dev/zero", "longer than"),
        ("echo file:/run/tickets/missing", "/run/tickets/missing"),
        ("echo file:relative", "relative"),
        ("echo x > /tmp/f; echo file:/tmp/f", "/tmp"),
        ("echo x > /run/tickets/f; chmod 644 /run/tickets/f; echo file:/run/tickets/f", "mode 0600"),
        ("echo x > /run/tickets/f; chown mallory /run/tickets/f; echo file:/run/tickets/f", "uid 2100"),
        ("echo x > /run/tickets/f; ln /run/tickets/f /run/tickets/g; echo file:/run/tickets/f", "one name"),
        ("ln -s /etc/shadow /run/tickets/f; echo file:/run/tickets/f", "one name"),
        ("mkfifo -m 600 /run/tickets/f; echo file:/run/tickets/f", "one name"),
        ("echo x > /run/tickets/good; echo file:/run/tickets/good; echo PATH=/x", "no prologue may set"),
    ] {
        for site in sites(script) {
            alice(&site).glexec(["touch", "/home/alice/ran"]).refused(202, "prologue.failed");
            assert!(log(&site).contains(why), "{script}: {}", log(&site));
            assert!(!site.exists("/home/alice/ran"), "{script}");
            assert!(
                !site.exists("/run/tickets/good") && site.sh("ls /tmp | grep x509up || true").is_empty(),
                "{script}"
            );
        }
    }
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
    for site in sites("setsid sleep 1000 & sleep 1000") {
        site.configure(|text| text.replace("prologue_timeout = 60", "prologue_timeout = 1"));
        alice(&site).glexec(["true"]).refused(202, "prologue.failed");
        site.sh("! pgrep -x sleep");
    }
}

#[test]
fn what_it_leaves_running_is_ended_before_the_payload_begins_and_processes_of_the_callers_are_not() {
    for site in sites("setsid sleep 1000 &") {
        let script = "sleep 2000 > /dev/null 2>&1 & exec glexec pgrep -f -x 'sleep [0-9]*' -c";
        alice(&site).sh(script).succeeds_with("1\n");
    }
}

#[test]
pub fn no_prologue_runs_that_somebody_else_than_root_can_write() {
    for break_it in ["chmod 775", "chown mallory", "rm", "chmod 644"] {
        for site in sites("touch /root/ran") {
            site.sh(&format!("{break_it} {PROLOGUE}"));
            alice(&site).glexec(["true"]).refused(202, "prologue.unusable");
            assert!(!site.exists("/root/ran"));
        }
    }
}

#[test]
fn nothing_runs_before_a_call_that_is_refused_and_nothing_without_a_command() {
    for site in sites("touch /root/ran") {
        alice(&site).glexec(["no-such-command"]).refused(201, "command.not-found");
        alice(&site).env("GLEXEC_TARGET_PROXY", "/tmp/renewed").glexec::<&str>([]).exits(0);
        assert!(!site.exists("/root/ran"));
    }
}

#[test]
fn what_it_gave_is_removed_when_the_call_cannot_be_recorded() {
    for site in sites(&format!("{TICKET}; head -c 100000 /dev/zero > /var/log/glexec/full 2> /dev/null; true")) {
        site.sh("mount -t tmpfs -o size=4k none /var/log/glexec");
        let run = alice(&site).glexec(["true"]);
        run.exits(202);
        assert!(run.stderr().contains("(audit.unavailable)"), "{run}");
        assert_eq!(tickets(&site), "");
    }
}

#[test]
fn a_caller_that_is_killed_while_it_runs_leaves_no_file_behind() {
    let site = lingering(&format!("touch /root/begun; while [ ! -e /root/go ]; do sleep 0.01; done; {TICKET}"));
    let running = alice(&site).start(GLEXEC, ["true"]);
    running.wait_until("test -e /root/begun");
    // The caller may kill what it has started, and cannot touch the prologue.
    let glexec = running.pid_in_site();
    let others =
        alice(&site).sh(&format!("kill -KILL {glexec}; for p in $(pgrep -x site-prologue); do kill -KILL $p; done"));
    assert_ne!(others.code(), Some(0), "the prologue is root's");
    running.finish().killed_by(Signal::SIGKILL);
    site.sh("touch /root/go");
    site.wait_until("! pgrep -x site-prologue");
    site.wait_until(&format!("! pgrep -x glexec && [ -z \"$(ls {ROOM})\" ]"));
}

/// Waits until it may go on, makes its file, and says that it came to its end.
fn patient() -> String {
    format!("touch /tmp/begun; while [ ! -e /root/go ]; do sleep 0.01; done; {TICKET}; touch /root/done")
}

/// Lets it go on, whose glexec was killed, and sees that it ends by itself, and that nothing is left.
fn ends_by_itself(site: &Site) {
    site.sh("touch /root/go");
    site.wait_until(&format!("! pgrep -x site-prologue && ! pgrep -x glexec && [ -z \"$(ls {ROOM})\" ]"));
    assert!(site.exists("/root/done"));
}

#[test]
fn the_callers_terminal_does_not_reach_it() {
    let site = lingering(&patient());
    // Its kernel signals whoever is in the foreground, root too.
    let interrupt = "while [ ! -e /tmp/begun ]; do sleep 0.01; done; printf '\\003'";
    alice(&site).sh(&format!("({interrupt}) | script -qec 'exec {GLEXEC} true' /dev/null"));
    ends_by_itself(&site);
}

#[test]
fn it_outlives_the_glexec_of_a_caller_in_roots_group() {
    let site = lingering(&patient());
    site.pilot().credential("alice");
    let script = format!(
        "exec setpriv --reuid pilot --regid 0 --clear-groups env GLEXEC_CLIENT_CERT=/home/pilot/alice.pem {GLEXEC} true"
    );
    let running = site.caller("root").start("/bin/sh", ["-c", &script]);
    running.wait_until("test -e /tmp/begun");
    running.signal(Signal::SIGKILL);
    running.finish().killed_by(Signal::SIGKILL);
    ends_by_itself(&site);
}

#[test]
fn a_caller_that_stops_glexec_and_kills_it_when_the_file_is_there_leaves_none_behind() {
    let site = lingering(&patient());
    let running = alice(&site).start(GLEXEC, ["true"]);
    running.wait_until("test -e /tmp/begun");
    running.signal(Signal::SIGSTOP);
    site.sh("touch /root/go");
    site.wait_until("test -e /root/done && ! pgrep -x site-prologue");
    assert_ne!(tickets(&site), "");
    running.signal(Signal::SIGKILL);
    running.finish().killed_by(Signal::SIGKILL);
    ends_by_itself(&site);
}

#[test]
fn the_file_of_a_lost_call_is_swept() {
    let site = lingering(TICKET);
    let running = alice(&site).start(GLEXEC, ["sh", "-c", "touch ~/ready; sleep 1000; exit"]);
    running.wait_until("test -e /home/alice/ready");
    let front = running.pid_in_site();
    site.sh(&format!("kill -KILL {front} $(pgrep -P {front}) $(pgrep -u alice)"));
    running.finish();
    assert_ne!(tickets(&site), "");
    assert!(site.admin(["sweep"]).stdout().contains("2 removed"));
    assert_eq!(tickets(&site), "");
}

/// Makes the payload run in this script of the site's.
fn wrap(site: &Site, script: &str) {
    site.sh("mkdir -p /usr/libexec");
    site.write(WRAPPER, format!("#!/bin/sh\n{script}\n"));
    site.chmod(WRAPPER, 0o755);
    site.set(&format!("wrapper = [\"{WRAPPER}\", \"-x\"]"));
}

#[test]
fn a_wrapper_is_executed_as_the_account_with_the_command_appended() {
    for site in Site::in_both_modes() {
        wrap(&site, "echo \"$(id -un) $@\"; shift; exec \"$@\"");
        let run = alice(&site).glexec(["echo", "a  b", ""]);
        run.succeeds_with("alice -x echo a  b \na  b \n");
        run.record().says([("command", "echo")]);
        // A relative command is the caller's to name, and absolute for the wrapper.
        let run = alice(&site).cwd("/usr/bin").glexec(["./id", "-un"]);
        run.succeeds_with("alice -x /usr/bin/./id -un\nalice\n");
    }
}

#[test]
fn a_command_that_is_there_inside_a_wrapper_only_is_run() {
    for site in Site::in_both_modes() {
        wrap(&site, "shift; cp /usr/bin/true ~/made; exec \"$@\"");
        alice(&site).glexec(["/home/alice/made"]).exits(0);
        // A program that finds none says so.
        alice(&site).glexec(["/home/alice/missing"]).exits(127);
    }
}

#[test]
fn a_wrapper_runs_only_what_the_site_lets_be_run() {
    for site in Site::in_both_modes() {
        wrap(&site, "shift; exec \"$@\"");
        site.configure(|text| {
            format!("{text}\n[[lcas.plugin]]\ntype = \"check_executable\"\ncommands = [\"/usr/bin/id\"]\n")
        });
        site.sh("mkdir -p /usr/local/bin; ln -sf /usr/bin/false /usr/local/bin/id");
        alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
        alice(&site).glexec(["/usr/bin/whoami"]).exits(203);
    }
}

#[test]
pub fn no_wrapper_runs_that_the_account_cannot_execute_or_others_can_write() {
    for break_it in ["chmod 775", "chown mallory", "rm", "chmod 700"] {
        for site in Site::in_both_modes() {
            wrap(&site, "touch /home/alice/ran");
            site.sh(&format!("{break_it} {WRAPPER}"));
            alice(&site).glexec(["true"]).refused(202, "wrapper.unusable");
            assert!(!site.exists("/home/alice/ran"));
        }
    }
}

#[test]
fn check_looks_at_prologue_and_wrapper() {
    let site = lingering("true");
    wrap(&site, "true");
    for program in [PROLOGUE, WRAPPER] {
        assert!(!site.admin(["check"]).stdout().contains(program));
        site.chmod(program, 0o777);
        let run = site.admin(["check"]);
        assert!(run.stdout().lines().any(|line| line.contains(program) && line.contains("written by others")), "{run}");
    }
}
