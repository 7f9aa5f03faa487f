//! The epilogue: what it is told, as whom it runs, when, and what happens when it fails.

use crate::site::{Caller, Record, Run, Site};
use nix::sys::signal::Signal;

const PROGRAM: &str = "/usr/libexec/site-epilogue";

/// A lingering site with this script as its epilogue.
fn site(script: &str) -> Site {
    let site = Site::with(Site::linger);
    site.sh("mkdir -p /usr/libexec /var/tmp/epilogue");
    site.write(PROGRAM, format!("#!/bin/sh\n{script}\n"));
    site.chmod(PROGRAM, 0o755);
    site.set(&format!("epilogue = \"{PROGRAM}\""));
    site
}

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

fn end(run: &Run) -> Record {
    let ends: Vec<_> = run.records().into_iter().filter(|record| record["event"] == "end").collect();
    assert_eq!(ends.len(), 1, "one end record expected\n{run}");
    ends[0].clone()
}

/// The value of a field of a file like /proc/PID/status.
fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

const NO_CAPABILITY: &str = "0000000000000000";

#[test]
fn it_is_told_what_happened_under_the_historic_names() {
    let site = site("env -0 > /root/env");
    let run = alice(&site).glexec(["sh", "-c", "echo $$ $PPID; exit 7", "two words", "line\nline"]);
    run.exits(7);
    let stdout = run.stdout();
    let (payload, _) = stdout.trim().split_once(' ').unwrap();
    let environment = site.read("/root/env");
    let value = |name: &str| {
        let found = environment.split('\0').find_map(|text| text.strip_prefix(&format!("GLEXEC_EPILOG_{name}=")));
        found.unwrap_or_else(|| panic!("no {name} in {environment:?}")).to_owned()
    };
    let caller_pid = run.record()["caller_pid"].clone();
    for (name, expected) in [
        ("ARGV0", "sh"),
        ("ARGV1", "-c"),
        ("ARGV2", "echo $$ $PPID; exit 7"),
        ("ARGV3", "two words"),
        ("ARGV4", "line\nline"),
        ("GLEXEC_USER", "pilot"),
        ("GLEXEC_GROUP", "pilots"),
        ("GLEXEC_UID", "2000"),
        ("GLEXEC_GID", "2000"),
        ("GLEXEC_SGIDS", "2000"),
        ("TARGET_USER", "alice"),
        ("TARGET_GROUP", "alice"),
        ("TARGET_UID", "3000"),
        ("TARGET_GID", "3000"),
        ("GLEXEC_PID", &caller_pid),
        // The harness starts every caller in a session of its own, and the payload stays in it.
        ("GLEXEC_SID", &caller_pid),
        ("GLEXEC_PGID", &caller_pid),
        ("TARGET_PID", payload),
        ("TARGET_PGID", &caller_pid),
        ("TARGET_RC", "7"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(environment.contains("GLEXEC_EPILOG_TARGET_SGIDS=") && !environment.contains("GLEXEC_EPILOG_ARGV5"));
}

#[test]
fn a_death_by_signal_is_told_as_shells_tell_it() {
    let site = site("echo $GLEXEC_EPILOG_TARGET_RC > /root/rc");
    alice(&site).glexec(["sh", "-c", "kill -TERM $$"]).killed_by(Signal::SIGTERM);
    assert_eq!(site.read("/root/rc"), "143\n");
}

#[test]
fn nothing_of_callers_and_payloads_is_in_its_environment() {
    let site = site("env > /root/env; readlink /proc/self/cwd /proc/$$/fd/* >> /root/env; umask >> /root/env");
    site.set("preserve_env_variables = [\"HOME\", \"PATH\", \"EVIL*\"]");
    let run = alice(&site)
        .env("PATH", "/home/pilot:/usr/bin:/bin")
        .env("EVIL", "1")
        .env("GLEXEC_ENV", "x")
        .env("GLEXEC_EPILOG_TARGET_RC", "99")
        .env("GLEXEC_EPILOG_EVIL", "1")
        .glexec(["printenv", "HOME", "EVIL"]);
    run.succeeds_with("/home/pilot\n1\n");
    let seen = site.read("/root/env");
    for own in ["HOME=/root", "USER=root", "LOGNAME=root", "PATH=/usr/local/bin:/usr/bin:/bin", "/", "0077"] {
        assert!(seen.lines().any(|line| line == own), "{own}: {seen}");
    }
    let foreign = |line: &&str| {
        !line.contains("_ARGV") && ["EVIL", "GLEXEC_ENV", "X509", "GLEXEC_EPILOG_EVIL"].iter().any(|n| line.contains(n))
    };
    assert_eq!(seen.lines().find(foreign), None);
    assert!(seen.contains("GLEXEC_EPILOG_TARGET_RC=0\n"), "{seen}");
    // The shell has its script open besides.
    let open =
        seen.lines().filter(|line| line.starts_with('/') && !["/", "/dev/null", "/root/env", PROGRAM].contains(line));
    assert_eq!(open.collect::<Vec<_>>(), Vec::<&str>::new(), "{seen}");
}

#[test]
fn it_runs_as_root_with_the_capabilities_of_root() {
    let site = site("cat /proc/self/status > /root/status");
    alice(&site).glexec(["true"]).exits(0);
    let status = site.read("/root/status");
    let whole = field(&site.sh("cat /proc/self/status"), "CapBnd");
    assert_eq!([field(&status, "Uid"), field(&status, "Gid"), field(&status, "Groups")], ["0 0 0 0", "0 0 0 0", ""]);
    assert_eq!(
        [field(&status, "CapEff"), field(&status, "CapPrm"), field(&status, "CapBnd")],
        [(); 3].map(|()| whole.clone())
    );
}

#[test]
fn it_runs_as_the_account_and_group_that_the_site_names_without_any_capability() {
    for (group, gid) in [("", "2100"), ("adm", "4")] {
        let site = site("cat /proc/self/status > /tmp/status");
        site.set(&format!("epilogue_user = \"mallory\"\nepilogue_group = \"{group}\""));
        alice(&site).glexec(["true"]).exits(0);
        let status = site.read("/tmp/status");
        assert_eq!(field(&status, "Uid"), "2100 2100 2100 2100");
        assert_eq!([field(&status, "Gid"), field(&status, "Groups")], [[gid; 4].join(" "), String::new()]);
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(&status, set), NO_CAPABILITY, "{set}");
        }
    }
}

#[test]
fn an_epilogue_of_roots_gives_nobody_else_a_capability() {
    let site = site("true");
    site.write("/usr/libexec/ask", "#!/bin/sh\ncat /proc/self/status > /tmp/plugin\n");
    site.chmod("/usr/libexec/ask", 0o755);
    site.configure(|text| format!("{text}\n[[lcas.plugin]]\ntype = \"exec\"\ncommand = [\"/usr/libexec/ask\"]\n"));
    let running =
        alice(&site).start(crate::site::GLEXEC, ["sh", "-c", "cp /proc/self/status ~/s; mv ~/s ~/status; sleep 1000"]);
    running.wait_until("test -e /home/alice/status");
    let front = running.pid_in_site();
    let monitor = site.sh(&format!("pgrep -P {front}"));
    // The monitor's bounding set is what the epilogue will need; it has no more than ever.
    let monitor = site.sh(&format!("cat /proc/{}/status", monitor.trim()));
    assert_eq!([field(&monitor, "CapPrm"), field(&monitor, "CapEff")], ["00000000000000e0"; 2]);
    let front = site.sh(&format!("cat /proc/{front}/status"));
    for status in [front, site.read("/home/alice/status"), site.read("/tmp/plugin")] {
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(&status, set), NO_CAPABILITY, "{set} in {status}");
        }
    }
    running.signal(Signal::SIGTERM);
    running.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn it_runs_when_nothing_of_the_payload_is_left_and_before_the_end_record() {
    let site = site(
        "pgrep -U alice > /root/left; ls /tmp > /root/tmp; grep -c event=end /var/log/glexec/glexec.log > /root/ends; true",
    );
    let run = alice(&site).glexec(["sh", "-c", "(trap '' TERM; setsid sleep 1000) >/dev/null 2>&1 & sleep 0.05"]);
    run.exits(0);
    assert_eq!(site.read("/root/left") + &site.read("/root/tmp") + &site.read("/root/ends"), "0\n");
    end(&run).says([("epilogue", "0"), ("status", "0")]);
}

#[test]
fn a_killed_front_does_not_keep_it_from_running() {
    let site = site("echo $GLEXEC_EPILOG_TARGET_RC > /root/rc.new; mv /root/rc.new /root/rc");
    let running = alice(&site).start(crate::site::GLEXEC, ["sh", "-c", "touch ~/ready; sleep 1000"]);
    running.wait_until("test -e /home/alice/ready");
    site.pilot().sh(&format!("kill -KILL {}", running.pid_in_site())).exits(0);
    site.wait_until_the_end_is_recorded();
    running.finish().killed_by(Signal::SIGKILL);
    assert_eq!(site.read("/root/rc"), "137\n");
    site.last_record().says([("event", "end"), ("epilogue", "0"), ("signal", "9")]);
}

#[test]
pub fn a_failure_is_the_sites_and_its_own_use_of_our_codes_becomes_204() {
    for (script, word, code) in [
        ("exit 3", "3", 202),
        ("exit 202", "202", 204),
        ("kill -KILL $$", "signal-9", 202),
        ("exec /no/such/program", "127", 202),
    ] {
        let site = site(script);
        let run = alice(&site).glexec(["sh", "-c", "echo out; exit 5"]);
        run.exits(code);
        assert_eq!((run.stdout(), run.stderr()), ("out\n".into(), String::new()));
        end(&run).says([("epilogue", word), ("status", "5")]);
        assert!(site.read("/var/log/glexec/glexec.log").contains("code=epilogue.failed"), "{run}");
    }
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
    let site = site("setsid sleep 1001 & trap '' TERM; sleep 1002; sleep 1003");
    site.set("epilogue_timeout = 1");
    let run = alice(&site).glexec(["true"]);
    run.exits(202);
    end(&run).says([("epilogue", "timeout")]);
    assert_eq!(site.sh("pgrep sleep || true"), "");
}

#[test]
fn what_it_leaves_behind_is_ended() {
    let site = site("setsid sleep 1001 &");
    alice(&site).glexec(["true"]).exits(0);
    assert_eq!(site.sh("pgrep sleep || true"), "");
}

#[test]
fn neither_long_arguments_nor_the_callers_limits_keep_it_from_running() {
    let site = site("echo ${#GLEXEC_EPILOG_ARGV2} > /root/seen; ulimit -s >> /root/seen");
    let run = alice(&site).sh(
        "long=$(printf %0100000d 0); ulimit -S -s 1024 -f 0 -t 5; exec /usr/sbin/glexec sh -c true short $long $long",
    );
    run.exits(0);
    assert_eq!(site.read("/root/seen"), "4\n8192\n");
    end(&run).says([("epilogue", "0")]);
}

#[test]
fn no_limit_of_the_callers_on_locked_memory_queues_signals_or_real_time_is_the_epilogues() {
    let of_interest = "grep -E 'locked|msgqueue|pending|realtime timeout' /proc/self/limits";
    let site = site(&format!("{of_interest} > /root/seen"));
    // Soft ones: where glexec lacks CAP_SYS_RESOURCE, in a container, the hard ones stay.
    let limits = "--memlock=4096: --msgqueue=4096: --sigpending=7: --rttime=1000000:";
    let run = alice(&site).sh(&format!("prlimit --pid $$ {limits}; exec /usr/sbin/glexec sh -c \"{of_interest}\""));
    let column = |text: &str, number: usize| -> Vec<String> {
        text.lines().map(|line| line[26..].split_whitespace().nth(number).unwrap().to_owned()).collect()
    };
    let (soft, hard) = (|text: &str| column(text, 0), |text: &str| column(text, 1));
    // The payload has them again.
    assert_eq!(soft(&run.stdout()), ["4096", "7", "4096", "1000000"], "{run}");
    let seen = site.read("/root/seen");
    assert_eq!(soft(&seen), hard(&seen), "{seen}");
    end(&run).says([("epilogue", "0")]);
}

#[test]
fn without_a_payload_there_is_none() {
    let site = site("touch /root/ran");
    alice(&site).glexec::<&str>([]).exits(0);
    alice(&site).glexec(["/no/such/command"]).refused(201, "command.not-found");
    site.write("/usr/bin/no-format", "\0\0");
    site.chmod("/usr/bin/no-format", 0o755);
    alice(&site).glexec(["/usr/bin/no-format"]).exits(126);
    assert!(!site.exists("/root/ran"));
}

#[test]
fn one_that_others_could_have_written_refuses_the_call() {
    for spoil in [
        format!("chmod 775 {PROGRAM}"),
        format!("chmod 757 {PROGRAM}"),
        format!("chown alice {PROGRAM}"),
        format!(
            "mkdir /usr/libexec/open; mv {PROGRAM} /usr/libexec/open/x; chmod 777 /usr/libexec/open; \
             sed -i 's|{PROGRAM}|/usr/libexec/open/x|' /etc/glexec.conf"
        ),
        format!("rm {PROGRAM}"),
        format!("chmod 644 {PROGRAM}"),
        format!("rm {PROGRAM}; mkdir {PROGRAM}"),
        format!("mv {PROGRAM} /tmp/x; ln -s /tmp/x {PROGRAM}"),
        "sed -i 's/^epilogue = .*/&\\nepilogue_user = \"nosuch\"/' /etc/glexec.conf".to_owned(),
        "sed -i 's/^epilogue = .*/&\\nepilogue_group = \"nosuch\"/' /etc/glexec.conf".to_owned(),
    ] {
        let site = site("touch /root/ran");
        site.sh(&spoil);
        alice(&site).glexec(["touch", "/tmp/ran"]).refused(202, "epilogue.unusable");
        assert!(!site.exists("/tmp/ran") && !site.exists("/root/ran"), "{spoil}");
    }
}

#[test]
fn one_that_others_could_have_written_meanwhile_does_not_run_and_the_log_says_why() {
    let site = site("touch /root/ran");
    let running = alice(&site).start(crate::site::GLEXEC, ["sh", "-c", "touch ~/ready; sleep 1000"]);
    running.wait_until("test -e /home/alice/ready");
    site.chmod(PROGRAM, 0o757);
    running.signal(Signal::SIGTERM);
    let run = running.finish();
    run.exits(202);
    assert!(!site.exists("/root/ran"));
    end(&run).says([("epilogue", "not-started"), ("signal", "15")]);
    let log = site.read("/var/log/glexec/glexec.log");
    assert!(log.contains("code=epilogue.failed") && log.contains("can be written by others"), "{log}");
}

#[test]
fn a_configuration_that_could_never_run_it_is_refused() {
    for (old, new, line) in [
        ("linger = true", "linger = false", "needs linger = true"),
        ("epilogue = \"/", "epilogue = \"", "not an absolute path"),
        ("[glexec]\n", "[glexec]\nepilogue_timeout = 0\n", "nonzero"),
    ] {
        let site = site("true");
        site.configure(|text| text.replacen(old, new, 1));
        let run = alice(&site).glexec(["true"]).refused_without_record(202, "config.invalid").stderr();
        assert!(run.contains(line) && run.contains("/etc/glexec.conf:"), "{run}");
    }
}
