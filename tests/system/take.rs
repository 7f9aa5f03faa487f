//! `--take`: a directory of the caller's that the target has for the time of the call, whatever anybody tries.

use crate::site::{Caller, GLEXEC, Record, Run, Site};
use nix::sys::signal::Signal;

/// A lingering site with a tree of the pilot's in /tmp/job.
fn site() -> Site {
    let site = Site::with(Site::linger);
    let make = "mkdir -p job/in/deep && echo input > job/in/data && echo x > job/in/deep/x && ln -s /etc/passwd job/link \
                && mkfifo job/pipe && chmod 750 job && echo 'echo ran' > job/run && chmod 700 job/run";
    site.pilot().cwd("/tmp").sh(make).exits(0);
    site
}

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice").cwd("/tmp")
}

/// Takes /tmp/job for a shell script.
fn taking<'s>(site: &'s Site, script: &str) -> Run<'s> {
    alice(site).glexec(["--take", "/tmp/job", "--", "sh", "-c", script])
}

/// Owner, group, mode and name of everything in the tree.
fn listing(site: &Site) -> String {
    site.sh("cd /tmp && find job -printf '%u %g %m %y %p\\n' | sort -k5")
}

fn end(run: &Run) -> Record {
    let ends: Vec<_> = run.records().into_iter().filter(|record| record["event"] == "end").collect();
    assert_eq!(ends.len(), 1, "one end record expected\n{run}");
    ends[0].clone()
}

#[test]
fn the_target_has_the_tree_for_the_time_of_the_call() {
    let site = site();
    let before = listing(&site);
    let script = "cd /tmp/job && cat in/data in/deep/x && sh run && stat -c '%U %G %a' . in in/data link pipe && \
                  find . ! -user alice && echo output > out && mkdir made && echo y > made/y && rm in/deep/x && chmod 600 in/data";
    let run = taking(&site, script);
    run.succeeds_with(
        "input\nx\nran\nalice alice 700\nalice alice 755\nalice alice 644\nalice alice 777\nalice alice 644\n",
    );
    let expected = before
        .replace("pilot pilots 644 f job/in/data", "pilot pilots 600 f job/in/data")
        .replace("pilot pilots 644 f job/in/deep/x\n", "");
    let after = listing(&site);
    assert_eq!(
        after.lines().filter(|line| !line.contains("made") && !line.contains("out")).collect::<Vec<_>>().join("\n")
            + "\n",
        expected
    );
    for made in ["pilot pilots 644 f job/out", "pilot pilots 755 d job/made", "pilot pilots 644 f job/made/y"] {
        assert!(after.lines().any(|line| line == made), "{made}: {after}");
    }
    assert_eq!(site.sh("cat /tmp/job/out"), "output\n");
    run.record().says([("take", "/tmp/job")]);
    end(&run).says([("handed_back", "10"), ("kept", "0")]);
}

#[test]
fn a_relative_directory_is_below_the_callers_own() {
    let site = site();
    alice(&site).glexec(["--take=job", "cat", "/tmp/job/in/data"]).succeeds_with("input\n");
    alice(&site).cwd("/tmp/job").glexec(["--take", ".", "cat", "/tmp/job/in/data"]).succeeds_with("input\n");
    assert_eq!(site.sh("find /tmp/job ! -user pilot"), "");
}

#[test]
fn nobody_else_can_look_into_it_meanwhile() {
    let site = site();
    site.sh("chmod -R a+rwX /tmp/job");
    let run = alice(&site).start(GLEXEC, ["--take", "/tmp/job", "sh", "-c", "touch ~/ready; sleep 1000"]);
    run.wait_until("test -e /home/alice/ready");
    for who in ["pilot", "mallory"] {
        site.caller(who).sh("ls /tmp/job").exits(2);
        site.caller(who).sh("cat /tmp/job/in/data; echo > /tmp/job/x").exits(1);
    }
    // Not even another call of the same caller for the same target.
    alice(&site).glexec(["--take", "/tmp/job", "true"]).refused(201, "take.foreign");
    assert_eq!(site.sh("stat -c %U /tmp/job /tmp/job/in/data"), "alice\nalice\n");
    run.signal(Signal::SIGTERM);
    run.finish().killed_by(Signal::SIGTERM);
    assert_eq!(site.sh("find /tmp/job ! -user pilot; stat -c %a /tmp/job"), "777\n");
}

#[test]
fn it_comes_back_however_the_call_ends() {
    let site = site();
    let before = listing(&site);
    taking(&site, "exit 3").exits(3);
    taking(&site, "kill -KILL $$").killed_by(Signal::SIGKILL);
    site.write("/usr/bin/no-format", "\0\0");
    site.chmod("/usr/bin/no-format", 0o755);
    alice(&site).glexec(["--take", "/tmp/job", "/usr/bin/no-format"]).exits(126);
    let running = alice(&site).start(GLEXEC, ["--take", "/tmp/job", "sh", "-c", "touch ~/ready; sleep 1000"]);
    running.wait_until("test -e /home/alice/ready");
    site.pilot().sh(&format!("kill -KILL {}", running.pid_in_site())).exits(0);
    running.wait_until("tail -1 /var/log/glexec/glexec.log | grep -q event=end");
    running.finish().killed_by(Signal::SIGKILL);
    assert_eq!(listing(&site), before);
}

#[test]
fn the_log_tells_when_it_does_not_come_back() {
    let site = site();
    site.sh("mount -t tmpfs none /tmp/job; chown pilot /tmp/job");
    let running = alice(&site).start(GLEXEC, ["--take", "/tmp/job", "sh", "-c", "touch ~/ready; sleep 1000"]);
    running.wait_until("test -e /home/alice/ready");
    site.sh("mount -o remount,ro /tmp/job");
    running.signal(Signal::SIGTERM);
    let run = running.finish();
    run.killed_by(Signal::SIGTERM);
    assert_eq!(site.sh("stat -c %U /tmp/job"), "alice\n");
    let log = site.read("/var/log/glexec/glexec.log");
    assert!(log.contains("code=take.failed") && log.contains("EROFS"), "{log}");
    assert!(!end(&run).has("handed_back"), "{run}");
}

#[test]
fn one_that_the_payload_removes_does_not_come_back_and_that_is_no_failure() {
    let site = site();
    taking(&site, "rm -r /tmp/job").exits(0);
    let log = site.read("/var/log/glexec/glexec.log");
    assert!(!log.contains("take.failed"), "{log}");
}

#[test]
pub fn nothing_that_is_not_the_callers_alone_is_ever_taken() {
    // Each makes something in the tree, as root, that must not change hands.
    for (spoil, code) in [
        ("touch in/deep/roots", "take.foreign"),
        ("mkdir in/deep/roots", "take.foreign"),
        ("touch in/m; chown mallory in/m", "take.foreign"),
        ("touch in/a; chown alice in/a", "take.foreign"),
        ("ln -s x in/l; chown -h mallory in/l", "take.foreign"),
        ("mknod in/null c 1 3; chown pilot in/null", "take.foreign"),
        ("echo secret > /tmp/own; chown pilot /tmp/own; ln /tmp/own in/deep/again", "take.hard-link"),
        ("ln in/data in/again", "take.hard-link"),
        ("mkdir -p in/mount; mount -t tmpfs none in/mount; chown pilot in/mount", "take.mount-point"),
        ("mkdir in/bind; chown pilot in/bind; mount --bind in/bind in/bind", "take.mount-point"),
        ("touch in/bound; chown pilot in/bound; mount --bind in/bound in/bound", "take.mount-point"),
        ("d=in; for n in $(seq 70); do d=$d/d; mkdir $d; chown pilot $d; done", "take.too-large"),
    ] {
        let site = site();
        site.sh(&format!("cd /tmp/job; {spoil}"));
        let before = listing(&site);
        let run = alice(&site).glexec(["--take", "/tmp/job", "touch", "/tmp/ran"]);
        run.exits(201);
        assert!(
            run.stderr().ends_with(&format!(" ({code})\n")) && run.stderr().starts_with("[gLExec]: /tmp/job/in/"),
            "{run}"
        );
        assert_eq!(listing(&site), before, "{spoil}");
        assert!(!site.exists("/tmp/ran"));
        // It is known only after the start record: without another one the call would seem to run on.
        end(&run).says([("status", "201"), ("killed", "0")]);
        assert!(!end(&run).has("payload_pid"), "{run}");
    }
}

#[test]
fn the_directory_itself_must_be_the_callers_and_within_everybodys_reach() {
    let site = site();
    site.sh("mkdir -m 777 /tmp/roots; ln -s job /tmp/shortcut; mkdir -m 700 /home/pilot/closed; mkdir /home/pilot/closed/d; \
             chown -R pilot /home/pilot/closed; mkdir -m 700 /root/d; chown pilot /root/d");
    for (dir, code) in [
        ("/tmp/roots", "take.foreign"),
        ("/home/alice", "take.foreign"),
        ("/", "take.foreign"),
        ("/etc", "take.foreign"),
        ("/root/d", "take.unreachable"),
        ("/tmp/nosuch", "take.unreachable"),
        ("/tmp/job/in/data", "take.unreachable"),
        ("/tmp/shortcut", "take.unreachable"),
        ("/dev/null", "take.unreachable"),
        ("/home/pilot/closed/d", "take.unreachable"),
    ] {
        alice(&site).glexec(["--take", dir, "touch", "/tmp/ran"]).refused(201, code);
        assert!(!site.exists("/tmp/ran"), "{dir}");
    }
    alice(&site).glexec(["--take", "/tmp/job"]).refused(201, "invocation.usage");
    assert_eq!(site.sh("find /tmp/job /home/pilot/closed ! -user pilot"), "");
}

#[test]
fn a_site_that_does_not_linger_takes_nothing() {
    let site = Site::new();
    site.pilot().sh("mkdir /tmp/job").exits(0);
    alice(&site).glexec(["--take", "/tmp/job", "touch", "/tmp/ran"]).refused(201, "take.not-lingering");
    assert!(!site.exists("/tmp/ran"));
}

#[test]
pub fn without_its_lock_nothing_is_taken() {
    for spoil in ["chmod 777 /run", "mkdir /run/glexec.lock", "touch /run/glexec.lock; chown pilot /run/glexec.lock"] {
        let site = site();
        site.sh(spoil);
        let run = alice(&site).glexec(["--take", "/tmp/job", "touch", "/tmp/ran"]);
        run.exits(202);
        assert!(run.stderr().ends_with("(take.failed)\n"), "{run}");
        assert_eq!(site.sh("find /tmp/job ! -user pilot; ls /tmp/ran 2>/dev/null || true"), "");
    }
}

#[test]
fn root_has_no_use_for_it() {
    let site = site();
    site.sh("sed -i 's/user_white_list = \\[/&\"root\", /' /etc/glexec.conf; chown -R root /tmp/job");
    let root = site.caller("root").credential("alice");
    root.glexec(["--take", "/tmp/job", "true"]).refused(201, "invocation.usage");
}

#[test]
fn no_set_id_bit_survives_either_way() {
    let site = site();
    site.pilot().cwd("/tmp/job").sh("cp /usr/bin/true su; chmod 6755 su; mkdir sg; chmod 3777 sg").exits(0);
    let run = taking(
        &site,
        "cd /tmp/job; stat -c %a su sg; cp /usr/bin/true mine; chmod 6777 mine; mkdir -m 3777 dir; chmod g+s dir; touch w; chmod 666 w",
    );
    run.succeeds_with("755\n777\n");
    assert_eq!(
        site.sh("cd /tmp/job; stat -c '%U %a' su sg mine dir w"),
        "pilot 755\npilot 755\npilot 755\npilot 755\npilot 644\n"
    );
}

#[test]
fn what_comes_back_is_only_what_the_target_had_and_nobody_else_can_write() {
    let site = site();
    // Alice's own file with a name in the tree, and a directory of hers that keeps a right for her.
    site.sh("touch /tmp/alices; chown alice /tmp/alices");
    let run = taking(
        &site,
        "ln /tmp/alices /tmp/job/in/linked; ln /tmp/job/in/data /tmp/elsewhere; mkdir /tmp/job/open; chmod 777 /tmp/job/open; \
         mkfifo -m 666 /tmp/job/fifo; mkdir -m 0 /tmp/job/shut",
    );
    run.exits(0);
    end(&run).says([("kept", "2")]);
    let left = site.sh(
        "cd /tmp/job; find . ! -user pilot -printf '%u %p\\n' | sort; find . -perm /022 ! -type l; stat -c %a shut",
    );
    assert_eq!(left, "alice ./in/data\nalice ./in/linked\n0\n");
    assert!(site.read("/var/log/glexec/glexec.log").contains("stay"), "the log says what stays");
    assert_eq!(site.sh("stat -c %U /tmp/alices /tmp/elsewhere"), "alice\nalice\n");
}

/// The pilot's process keeps a working directory and descriptors in the tree, and moves what it can, while it is taken.
#[test]
fn a_caller_that_renames_meanwhile_wins_nothing() {
    let site = site();
    // A file of root's that the pilot could pass for its own for a moment, and a directory that it keeps outside.
    site.sh("mkdir -m 700 /tmp/secret; echo root > /tmp/secret/file; chown pilot /tmp/secret");
    site.pilot().sh("mkdir /tmp/outside; for n in $(seq 40); do mkdir -p /tmp/job/in/d$n/e; done").exits(0);
    let mover = "cd /tmp/job/in/d20/e || exit; while ! test -e /tmp/stop; do \
                 for n in 1 20 40; do mv ../../d$n/f /tmp/outside/ ; mv /tmp/outside/f ../../d$n/; ln -s /tmp/secret/file s; mv s ../s; \
                 rm -f ../s; mkdir new; rmdir new; ln /tmp/outside/f ../../d$n/g; rm -f ../../d$n/g; done 2>/dev/null; done";
    let mover = site.pilot().start("/bin/bash", ["-c", &format!("touch /tmp/job/in/d1/f; {mover}")]);
    let mut outcomes = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let run = taking(&site, "true");
        outcomes.insert(run.stderr().rsplit('(').next().unwrap_or_default().trim().to_owned());
        assert!([Some(0), Some(201)].contains(&run.code()), "{run}");
        assert_eq!(site.sh("stat -c %U /tmp/secret/file; find /etc /usr/bin /home/alice -user pilot"), "root\n");
    }
    site.sh("touch /tmp/stop");
    mover.finish();
    // Nothing is left frozen, and nothing of root's or of Alice's has become the pilot's.
    assert_eq!(site.sh("find /tmp/job /tmp/outside -user root"), "", "{outcomes:?}");
    for outcome in outcomes {
        assert!(["", "take.hard-link)", "take.foreign)", "take.failed)"].contains(&outcome.as_str()), "{outcome}");
    }
}

#[test]
fn two_calls_that_want_the_same_tree_do_not_both_get_it() {
    let site = site();
    let script = "cd /tmp && (/usr/sbin/glexec --take job sh -c 'test -O /tmp/job/in/data && echo one' & \
                  /usr/sbin/glexec --take job/in sh -c 'test -O /tmp/job/in/data && echo two' & wait)";
    for _ in 0..10 {
        let run = alice(&site).sh(script);
        let stdout = run.stdout();
        assert!(["one\n", "two\n", "one\ntwo\n", "two\none\n", ""].contains(&stdout.as_str()), "{run}");
        assert_eq!(site.sh("find /tmp/job ! -user pilot"), "", "{run}");
    }
}

#[test]
fn a_killed_monitor_leaves_the_tree_to_the_target_who_can_clear_it() {
    let site = site();
    let running = alice(&site).start(GLEXEC, ["--take", "/tmp/job", "sh", "-c", "touch ~/ready; sleep 1000"]);
    running.wait_until("test -e /home/alice/ready");
    let monitor = site.sh(&format!("pgrep -P {}", running.pid_in_site()));
    site.sh(&format!("kill -KILL {monitor}"));
    running.finish().exits(202);
    assert_eq!(site.sh("find /tmp/job ! -user alice"), "");
    alice(&site).glexec(["cat", "/tmp/job/in/data"]).succeeds_with("input\n");
    alice(&site).glexec(["sh", "-c", "rm -rf /tmp/job/*"]).succeeds_with("");
    assert_eq!(site.sh("ls -A /tmp/job"), "");
}

#[test]
fn the_monitor_keeps_the_capability_to_give_and_the_payload_gets_none() {
    let site = site();
    let status = "grep ^Cap /proc/self/status; cat /proc/$(ps -o ppid= -p $$ | tr -d ' ')/status | grep CapPrm";
    let run = taking(&site, status);
    let none = "0000000000000000";
    let expected = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| format!("{set}:\t{none}\n")).concat();
    assert_eq!(run.exits(0).stdout(), format!("{expected}CapPrm:\t00000000000000e9\n"), "{run}");
}
