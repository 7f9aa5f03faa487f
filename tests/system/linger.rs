//! Lingering: front, monitor and payload; signals; nothing is left; the end record.

use crate::site::{Run, Running, Site};
use nix::sys::signal::Signal;

/// A site whose glexec stays beside the payload.
fn site() -> Site {
    Site::with(Site::linger)
}

/// Starts a payload that tells by a file that it runs.
fn start<'s>(site: &'s Site, script: &str) -> Running<'s> {
    let running = site.pilot().credential("alice").start(
        crate::site::GLEXEC,
        ["sh", "-c", &format!("echo $$ > ~/payload.new; mv ~/payload.new ~/payload; {script}")],
    );
    running.wait_until("test -e /home/alice/payload");
    running
}

/// The record that a call ended with.
fn end(run: &Run) -> crate::site::Record {
    let ends: Vec<_> = run.records().into_iter().filter(|record| record["event"] == "end").collect();
    assert_eq!(ends.len(), 1, "one end record expected\n{run}");
    ends[0].clone()
}

#[test]
fn the_exit_code_is_the_payloads_and_ours_become_204() {
    let site = site();
    for (code, expected) in
        [(0, 0), (1, 1), (126, 126), (200, 200), (201, 204), (202, 204), (203, 204), (204, 204), (205, 205), (255, 255)]
    {
        let run = site.pilot().credential("alice").glexec(["sh", "-c", &format!("exit {code}")]);
        run.exits(expected);
        end(&run).says([("status", &code.to_string()), ("killed", "0")]);
    }
}

#[test]
fn a_refusal_in_the_payloads_process_keeps_its_code() {
    let site = site();
    site.write("/usr/bin/no-format", "\0\0");
    site.chmod("/usr/bin/no-format", 0o755);
    let run = site.pilot().credential("alice").glexec(["/usr/bin/no-format"]);
    run.exits(126);
    assert!(run.stderr().contains("(command.exec-failed)"), "{run}");
    site.pilot().credential("alice").glexec(["/usr/bin/no-such"]).refused(201, "command.not-found");
}

#[test]
fn a_death_by_signal_is_the_callers_wait_status_too() {
    let site = site();
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGPIPE, Signal::SIGUSR1] {
        let run = site.pilot().credential("alice").glexec(["sh", "-c", &format!("kill -{} $$", signal as i32)]);
        run.killed_by(signal);
        end(&run).says([("signal", &(signal as i32).to_string())]);
    }
    // A real-time one, which nix has no name for.
    let run = site.pilot().credential("alice").glexec(["sh", "-c", "kill -40 $$"]);
    assert_eq!(run.signal(), Some(40), "{run}");
    end(&run).says([("signal", "40")]);
}

#[test]
fn the_three_processes_hold_what_they_should() {
    let site = site();
    let running = start(&site, "exec sleep 1000");
    let front = running.pid_in_site();
    let monitor: i32 = site.sh(&format!("pgrep -P {front}")).trim().parse().unwrap();
    let field = |pid: i32, name: &str| {
        let text = site.sh(&format!("grep '^{name}:' /proc/{pid}/status"));
        text.split_once(':').unwrap().1.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        field(front, "Uid"),
        ["2000", "3000", "3000", "3000"],
        "real user the caller, effective and saved the target"
    );
    assert_eq!(field(monitor, "Uid"), ["0"; 4]);
    assert_eq!(field(monitor, "Groups"), Vec::<String>::new());
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(front, set), ["0000000000000000"], "{set}");
    }
    // CAP_KILL, CAP_SETGID, CAP_SETUID.
    assert_eq!(field(monitor, "CapPrm"), ["00000000000000e0"]);
    assert_eq!(field(monitor, "CapBnd"), ["0000000000000000"]);
    for pid in [front, monitor] {
        let standard = site.sh(&format!("readlink /proc/{pid}/fd/0 /proc/{pid}/fd/1 /proc/{pid}/fd/2"));
        assert_eq!(standard, "/dev/null\n/dev/null\n/dev/null\n");
        assert_eq!(site.sh(&format!("readlink /proc/{pid}/cwd")), "/\n");
    }
    let group = |pid: i32| site.sh(&format!("ps -o pgid=,sid= -p {pid}"));
    let payload: i32 = site.read("/home/alice/payload").trim().parse().unwrap();
    assert_eq!(group(payload), group(front), "the payload stays in the caller's group and session");
    assert_ne!(group(monitor), group(front));
    // Neither the caller nor the target may signal or trace the monitor, or trace the front.
    for who in ["pilot", "alice"] {
        for signal in ["TERM", "KILL", "STOP"] {
            site.caller(who).sh(&format!("kill -{signal} {monitor} 2>/dev/null")).exits(1);
        }
        for pid in [front, monitor] {
            site.caller(who).sh(&format!("cat /proc/{pid}/environ /proc/{pid}/mem")).exits(1);
            site.caller(who).sh(&format!("ls /proc/{pid}/fd")).exits(2);
        }
    }
    running.signal(Signal::SIGTERM);
    running.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn signals_from_the_caller_and_from_the_target_reach_the_payload() {
    let site = site();
    for who in ["pilot", "alice"] {
        for signal in [
            "TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "TSTP", "CONT", "XCPU", "ALRM", "SEGV", "BUS",
            "RTMIN",
        ] {
            let script = format!(
                "exec bash -c 'trap \"echo got {signal}; exit 5\" {signal}; touch ~/ready; while :; do sleep 0.01; done'"
            );
            let running = start(&site, &script);
            running.wait_until("test -e /home/alice/ready");
            site.caller(who).sh(&format!("kill -{signal} {}", running.pid_in_site())).exits(0);
            let run = running.finish();
            run.exits(5);
            assert_eq!(run.stdout(), format!("got {signal}\n"));
            site.sh("rm /home/alice/ready /home/alice/payload");
        }
    }
}

#[test]
fn a_second_glexec_kills_the_payload_as_starters_do() {
    let site = site();
    let running = start(&site, "exec sleep 1000");
    let pid = running.pid_in_site().to_string();
    site.pilot().credential("alice").glexec(["/bin/kill", "-TERM", &pid]).succeeds_with("");
    running.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn killing_the_front_ends_the_whole_tree_and_the_end_is_recorded() {
    for who in ["pilot", "alice"] {
        let site = site();
        let running = start(
            &site,
            "trap '' TERM HUP; setsid sleep 1001 & (setsid sh -c 'trap \"\" TERM; sleep 1002') & exec sleep 1003",
        );
        running.wait_until("test $(pgrep -cu alice sleep) = 3");
        site.caller(who).sh(&format!("kill -KILL {}", running.pid_in_site())).exits(0);
        let run = running.finish();
        run.killed_by(Signal::SIGKILL);
        site.wait_until_the_end_is_recorded();
        site.last_record().says([("event", "end"), ("signal", "9")]);
        assert_eq!(site.sh("pgrep -u alice || true"), "", "no process of the payload is left");
    }
}

#[test]
fn killing_the_front_ends_at_once_what_would_have_had_time_to_end_by_itself() {
    let site = site();
    site.configure(|text| text.replace("linger_grace = \"1s\"", "linger_grace = \"1h\""));
    let leftover = "bash -c 'trap \"touch ~/asked\" TERM; touch ~/ready; while :; do sleep 0.1; done'";
    let running = start(&site, &format!("{leftover} & until test -e ~/ready; do sleep 0.01; done"));
    running.wait_until("test -e /home/alice/asked");
    running.signal(Signal::SIGKILL);
    running.finish().killed_by(Signal::SIGKILL);
    site.wait_until_nobody_is("alice");
}

#[test]
fn a_stopped_front_stops_the_payload_and_a_continued_one_continues_it() {
    let site = site();
    let running = start(&site, "sleep 1000 & sleep 1001");
    let state = |state: &str| format!("test \"$(ps -o stat= -u alice | cut -c1 | sort -u | tr -d '\\n')\" = {state}");
    running.wait_until("test $(pgrep -cu alice sleep) = 2");
    site.pilot().sh(&format!("kill -STOP {}", running.pid_in_site())).exits(0);
    running.wait_until(&state("T"));
    site.pilot().sh(&format!("kill -CONT {}", running.pid_in_site())).exits(0);
    running.wait_until(&state("S"));
    running.signal(Signal::SIGTERM);
    running.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn what_a_thread_of_the_payload_has_started_is_stopped_too_and_asked_to_end() {
    let site = site();
    // Whoever is asked has time to answer: what is not asked never ends.
    site.configure(|text| text.replace("linger_grace = \"1s\"", "linger_grace = \"1h\""));
    // The kernel lists a process below the thread that has started it.
    site.write(
        "/usr/bin/threads",
        "import signal, subprocess, threading\n\
         signal.signal(signal.SIGTERM, lambda *_: None)\n\
         job = 'trap \"echo asked; exit\" TERM; touch ~/ready; while :; do sleep 0.01; done'\n\
         thread = threading.Thread(target=lambda: subprocess.run(['bash', '-c', job]))\n\
         thread.start()\n\
         thread.join()\n",
    );
    let running = start(&site, "python3 /usr/bin/threads & wait");
    running.wait_until("test -e /home/alice/ready");
    let states = "ps -o stat= -u alice | cut -c1 | sort -u | tr -d '\\n'";
    site.pilot().sh(&format!("kill -STOP {}", running.pid_in_site())).exits(0);
    running.wait_until(&format!("test \"$({states})\" = T"));
    site.pilot().sh(&format!("kill -CONT {}", running.pid_in_site())).exits(0);
    running.wait_until(&format!("test \"$({states})\" = S"));
    running.signal(Signal::SIGTERM);
    let run = running.finish();
    run.killed_by(Signal::SIGTERM);
    assert_eq!(run.stdout(), "asked\n", "{run}");
}

/// Makes processes that do not listen and let children of the monitor end as fast as they can; it must not have many at once
/// (`ulimit -u`), for that would be felt beyond the site.
const FLOOD: &str = r"
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static char stack[65536] __attribute__((aligned(16)));
static int end(void *nothing) { (void)nothing; _exit(0); }
int main(int argc, char **argv) {
    signal(SIGTERM, SIG_IGN);
    for (int i = 0; argc > 1 && i < atoi(argv[1]); i++)
        if (fork() == 0)
            for (;;) clone(end, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, 0);
    if (argc > 2) sleep(1000);
    usleep(300000);
    return 3;
}";

#[test]
fn a_payload_whose_children_end_faster_than_one_can_reap_does_not_escape() {
    let site = site();
    site.write("/usr/bin/flood.c", FLOOD);
    site.sh("gcc -O1 -o /usr/bin/flood /usr/bin/flood.c");
    // On one processor, where the monitor has a small share of it.
    let run = site
        .pilot()
        .credential("alice")
        .sh("taskset -c -p $(taskset -c -p $$ | sed 's/.*: //; s/[,-].*//') $$ > /dev/null
        exec /usr/sbin/glexec bash -c 'ulimit -u 4000; exec flood 32'");
    run.exits(3);
    assert_eq!(site.sh("pgrep -u alice || true"), "");
    let running = start(&site, "exec bash -c 'ulimit -u 4000; exec flood 32 and-stay'");
    running.wait_until("test $(pgrep -cu alice flood) -gt 32");
    running.signal(Signal::SIGKILL);
    running.finish().killed_by(Signal::SIGKILL);
    site.wait_until_nobody_is("alice");
}

#[test]
fn another_call_of_the_same_account_that_traces_the_payload_does_not_keep_its_end_record_back() {
    let site = site();
    site.write(
        "/usr/bin/tracer",
        "import ctypes, time\n\
         libc, pid = ctypes.CDLL(None), int(open('/home/alice/payload').read())\n\
         SEIZE = 0x4206\n\
         assert libc.ptrace(SEIZE, pid, None, None) == 0\n\
         open('/home/alice/traces', 'w')\n\
         time.sleep(1000)\n",
    );
    let traced = start(&site, "exec sleep 1000");
    let tracer = site.pilot().credential("alice").start(crate::site::GLEXEC, ["python3", "/usr/bin/tracer"]);
    traced.wait_until("test -e /home/alice/traces");
    traced.signal(Signal::SIGKILL);
    traced.finish().killed_by(Signal::SIGKILL);
    site.wait_until_the_end_is_recorded();
    tracer.signal(Signal::SIGTERM);
    tracer.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn what_the_payload_leaves_behind_is_ended_and_counted() {
    let site = site();
    let script = "setsid sleep 1000 >/dev/null 2>&1 & (trap '' TERM; setsid sleep 1001 & sleep 1002) >/dev/null 2>&1 & \
                  until [ \"$(pgrep -fxcu alice 'sleep 100.')\" = 3 ]; do sleep 0.01; done; exit 3";
    let run = site.pilot().credential("alice").glexec(["sh", "-c", script]);
    run.exits(3);
    assert_eq!(site.sh("pgrep -u alice || true"), "");
    assert!(end(&run)["killed"].parse::<u32>().unwrap() >= 3, "{run}");
}

#[test]
fn a_payload_that_forks_fast_does_not_escape() {
    let site = site();
    let bomb = "f() { (sleep 0.01; f) & (f2) & }; f2() { sleep 100; }; trap '' TERM HUP INT; f >/dev/null 2>&1; exit 0";
    let run = site.pilot().credential("alice").glexec(["bash", "-c", bomb]);
    run.exits(0);
    assert_eq!(site.sh("pgrep -u alice || true"), "");
}

#[test]
fn a_temporary_target_proxy_is_removed_and_a_named_one_stays() {
    let site = site();
    let run = site.pilot().credential("alice").glexec(["sh", "-c", "echo $X509_USER_PROXY; test -s $X509_USER_PROXY"]);
    run.exits(0);
    assert!(run.stdout().starts_with("/tmp/x509up_u3000.glexec."), "{run}");
    assert!(!site.exists(run.stdout().trim()));
    let named = site.pilot().credential("alice").env("GLEXEC_TARGET_PROXY", "/tmp/named");
    named.glexec(["/usr/bin/true"]).succeeds_with("");
    assert_eq!(site.sh("stat -c '%U %a' /tmp/named"), "alice 600\n");
}

#[test]
fn readers_of_the_payloads_output_see_its_end_when_the_payload_closes_it() {
    let site = site();
    // The shell's substitution ends when nobody holds its pipe any more; then the payload still runs.
    let run = site.pilot().credential("alice").sh(
        "out=$(/usr/sbin/glexec sh -c 'echo hello; exec >&- 2>&-; exec sleep 1000' & echo $! > pid); echo \"$out\"; kill $(cat pid)",
    );
    run.exits(0);
    assert_eq!(run.stdout(), "hello\n");
}

#[test]
fn the_whole_tree_ends_when_the_monitor_is_killed_and_the_log_says_so() {
    let site = site();
    let script = "trap '' TERM HUP; setsid sleep 1001 & (setsid sh -c 'trap \"\" TERM; sleep 1002' &) & \
                  (while :; do sleep 0.01; done) & exec sleep 1003";
    let running = start(&site, script);
    running.wait_until("test $(pgrep -cu alice -x sleep) -ge 3");
    let monitor = site.sh(&format!("pgrep -P {}", running.pid_in_site()));
    site.sh(&format!("kill -KILL {monitor}"));
    let run = running.finish();
    run.exits(202);
    assert_eq!(site.sh("pgrep -u alice || true"), "", "{run}");
    assert!(site.read("/var/log/glexec/glexec.log").contains("the monitor died"), "{run}");
    assert_eq!(site.sh("ls /tmp"), "", "the temporary proxy is gone");
}

/// Each process of the chain lives as long as it takes to start the next one: whoever looks at it sees it ended, and what it
/// has started elsewhere.
#[test]
fn a_chain_of_processes_does_not_outlive_a_killed_monitor() {
    let site = site();
    let chain = "if (fork) { open F, '>', \"$ENV{HOME}/ready\"; close F; sleep 1000 } while (1) { my $pid = fork; exit if !defined $pid or $pid }";
    for _ in 0..150 {
        let running = site.pilot().credential("alice").start(crate::site::GLEXEC, ["perl", "-e", chain]);
        running.wait_until("test -e /home/alice/ready");
        site.sh(&format!("rm /home/alice/ready; kill -KILL $(pgrep -P {})", running.pid_in_site()));
        running.finish().exits(202);
        assert_eq!(site.sh("pgrep -u alice || true"), "");
    }
}

#[test]
fn what_the_caller_had_started_before_outlives_the_monitor() {
    let site = site();
    let proxy = site.pilot().credential("alice").client_cert();
    // The same account as the target, so that its processes could be taken for the payload's.
    let alice = site.caller("alice").file_in("GLEXEC_CLIENT_CERT", "proxy", site.read(&proxy).as_bytes());
    site.sh("sed -i 's/user_white_list = \\[/&\"alice\", /' /etc/glexec.conf");
    let script = "sleep 1004 >/dev/null 2>&1 & exec /usr/sbin/glexec sh -c 'touch ~/ready; sleep 1005 & sleep 1006'";
    let running = alice.start("/bin/bash", ["-c", script]);
    running.wait_until("test -e /home/alice/ready");
    let monitor = site.sh(&format!("pgrep -U 0 -P {}", running.pid_in_site()));
    site.sh(&format!("kill -KILL {monitor}"));
    running.finish().exits(202);
    assert_eq!(site.sh("pgrep -fa 'sleep 100[456]' | cut -d' ' -f2-; pkill -f 'sleep 100[4]'"), "sleep 1004\n");
}

#[test]
fn the_time_of_the_payloads_tree_counts_for_the_caller_and_is_recorded() {
    let site = site();
    let run = site
        .pilot()
        .credential("alice")
        .sh("/usr/sbin/glexec sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; cat /proc/$$/stat");
    run.exits(0);
    let stat = run.stdout();
    let children: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(13).unwrap().parse().unwrap();
    assert!(children > 0, "the shell's children have used time: {stat}");
    let end = end(&run);
    assert!(end["user_time"].parse::<f64>().unwrap() > 0.0 && end["max_rss"].parse::<u64>().unwrap() > 500, "{end:?}");
    assert!(end["wall"].parse::<f64>().unwrap() > 0.0 && end["sys_time"].parse::<f64>().is_ok(), "{end:?}");
}
