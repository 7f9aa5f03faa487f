//! The agent: what it takes over from the verifier's program, and what happens where it fails.

use crate::site::{GLEXEC, Running, Site};
use nix::sys::signal::Signal;

const AGENT: &str = "/usr/sbin/glexec-agent";
const VERIFIER: &str = "/usr/libexec/glexec/verifier";
const LOG: &str = "/var/log/glexec/glexec.log";
/// What the log says of an agent that does not answer.
const COMPLAINT: &str = "the agent does not answer";

/// Starts the agent and waits until its workers do.
fn start(site: &Site) -> Running<'_> {
    let agent = site.caller("root").start(AGENT, [""; 0]);
    site.wait_until("test $(pgrep -c -u glexec glexec-agent) -ge 5");
    agent
}

/// A site that has nothing but the agent to judge credentials.
fn with_the_agent_alone() -> Site {
    Site::with(|site| drop(site.sh(&format!("rm {VERIFIER}"))))
}

/// How often the log complains of the agent.
fn complaints(site: &Site) -> usize {
    site.read(LOG).matches(COMPLAINT).count()
}

#[test]
fn it_judges_instead_of_the_program_and_one_call_after_the_other() {
    let site = with_the_agent_alone();
    let pilot = site.pilot().credential("alice").own_proxy("bob");
    pilot.glexec(["id", "-un"]).refused(202, "verifier.failed");
    let _agent = start(&site);
    for _ in 0..20 {
        pilot.glexec(["id", "-un"]).exits(0);
    }
    let record = pilot.glexec(["true"]).record();
    assert!(record["user_dn"].contains("Alice") && record["verifier"] == "agent", "{record:?}");
    assert_eq!(complaints(&site), 0);
}

#[test]
fn without_an_agent_the_program_judges_and_the_log_says_so_once_a_minute() {
    let site = Site::new();
    let pilot = site.pilot().credential("alice");
    let run = pilot.glexec(["true"]);
    assert_eq!(run.exits(0).record()["verifier"], "program");
    let agent = start(&site);
    pilot.glexec(["true"]).exits(0);
    assert_eq!(complaints(&site), 0, "nothing to complain of before it was started and while it runs");
    agent.signal(Signal::SIGKILL);
    agent.finish().killed_by(Signal::SIGKILL);
    site.wait_until("! pgrep -u glexec glexec-agent");
    pilot.glexec(["true"]).exits(0);
    pilot.glexec(["true"]).exits(0);
    assert_eq!(complaints(&site), 1);
    site.sh("touch -d '61 seconds ago' /run/glexec/agent.told");
    pilot.glexec(["true"]).exits(0);
    assert_eq!(complaints(&site), 2);
    site.sh(&format!("mv {VERIFIER} /root/"));
    let _again = start(&site);
    pilot.glexec(["true"]).exits(0);
}

#[test]
pub fn a_site_that_requires_the_agent_runs_nothing_without_it() {
    let site = Site::new();
    site.sh("printf '\\n[agent]\\nuse = \"required\"\\n' >> /etc/glexec.conf");
    let pilot = site.pilot().credential("alice");
    let run = pilot.glexec(["true"]);
    run.refused(202, "agent.unavailable");
    assert_eq!(run.record()["transient"], "true");
    let _agent = start(&site);
    pilot.glexec(["true"]).exits(0);
}

#[test]
fn nobody_but_the_service_user_is_believed() {
    let alice = r#"glexec-verdict 3\n{"answered":{"identity":{"subject":"/CN=Root","proof":{"x509":{"issuer":"/CN=CA","serial":"01","form":"full-proxy"}},"not_after":4000000000,"fqans":[]},"notes":[],"certificates":[]}}"#;
    let say = format!("line.sendall(b'{alice}'); line.close()");
    for user in ["root", "pilot"] {
        let site = Site::new();
        let _impostor = site.impostor("/run/glexec/agent", user, &say);
        let run = site.pilot().credential("alice").glexec(["true"]);
        run.exits(0);
        assert!(run.record()["user_dn"].contains("Alice"), "{run}");
        assert!(site.read(LOG).contains("answers there, and not service_user"), "{run}");
    }
}

#[test]
fn an_agent_of_another_version_that_speaks_nonsense_or_that_says_nothing_is_passed_over() {
    for (then, why) in [
        ("line.sendall(b'glexec-verdict 99\\n{}'); line.close()", "the verifier answers in version 99"),
        ("line.sendall(b'nonsense'); line.close()", "no verdict"),
        ("line.close()", ""),
        ("line.sendall(b'x' * 600000); line.close()", "longer than"),
        ("line.sendall(b'glexec-verdict 1'); time.sleep(3600)", "no answer after 1s"),
    ] {
        let site = Site::new();
        site.sh("printf '\\n[agent]\\ntimeout = \"1s\"\\n' >> /etc/glexec.conf");
        let _impostor = site.impostor("/run/glexec/agent", "glexec", then);
        let run = site.pilot().credential("alice").glexec(["true"]);
        run.exits(0);
        let log = site.read(LOG);
        assert!(log.contains(COMPLAINT) && log.contains(why), "{then}: {log}");
    }
}

#[test]
fn an_agent_that_is_stopped_or_has_no_room_for_processes_holds_nobody_up() {
    let site = Site::new();
    site.sh("printf '\\n[agent]\\ntimeout = \"1s\"\\n' >> /etc/glexec.conf");
    let pilot = site.pilot().credential("alice");
    let agent = start(&site);
    site.sh("pkill -STOP -u glexec glexec-agent");
    pilot.glexec(["true"]).exits(0);
    assert!(site.read(LOG).contains("no answer after 1s"));
    site.sh("pkill -CONT -u glexec glexec-agent");
    site.sh(&format!("mv {VERIFIER} /root/verifier"));
    pilot.glexec(["true"]).exits(0);
    site.sh(&format!("mv /root/verifier {VERIFIER}"));
    agent.signal(Signal::SIGTERM);
    agent.finish().exits(0);
    site.wait_until("! pgrep -u glexec glexec-agent");

    let cramped = site.caller("root").start("/bin/sh", ["-c", &format!("ulimit -u 1; exec {AGENT}")]);
    site.wait_until("pgrep -u glexec glexec-agent");
    site.sh("rm /run/glexec/agent.told");
    pilot.glexec(["true"]).exits(0);
    drop(cramped);
}

#[test]
fn a_worker_that_is_killed_is_replaced_and_a_second_agent_does_not_start() {
    let site = with_the_agent_alone();
    let _agent = start(&site);
    let second = site.caller("root").run(AGENT, [""; 0]);
    second.exits(1);
    assert!(second.stderr().contains("another glexec-agent serves /run/glexec/agent"), "{second}");
    let workers = "pgrep -u glexec glexec-agent | sort -n | tail -n +2";
    let before = site.sh(workers);
    site.sh(&format!("{workers} | xargs kill -KILL"));
    site.wait_until("test $(pgrep -c -u glexec glexec-agent) -ge 5");
    assert_ne!(site.sh(workers), before);
    site.pilot().credential("alice").glexec(["true"]).exits(0);
}

#[test]
fn what_the_site_changes_counts_from_the_next_call_on() {
    let site = with_the_agent_alone();
    // Two seconds after their last change files are known.
    site.sh("find /etc/grid-security/certificates -type f | xargs touch -d '1 hour ago'");
    let _agent = start(&site);
    let pilot = site.pilot().credential("bob");
    let call = || pilot.glexec(["true"]);
    call().exits(0);
    let certificates = "/etc/grid-security/certificates";
    for (change, code, undo) in [
        (
            format!("mkdir /root/crls; mv {certificates}/*.r0 /root/crls/"),
            "trust.crl-missing",
            format!("mv /root/crls/* {certificates}/; rmdir /root/crls"),
        ),
        (
            format!("for f in {certificates}/*.r0; do cp $f $f.kept; echo nonsense > $f; done"),
            "trust.crl-invalid",
            format!("for f in {certificates}/*.kept; do mv $f ${{f%.kept}}; done"),
        ),
        (
            format!("mkdir /root/cas; mv {certificates}/*.0 /root/cas/"),
            "credential.unknown-ca",
            format!("mv /root/cas/* {certificates}/; rmdir /root/cas"),
        ),
        (
            format!("for f in {certificates}/*.0; do cp $f $f.kept; echo nonsense > $f; done"),
            "trust.ca-malformed",
            format!("for f in {certificates}/*.kept; do mv $f ${{f%.kept}}; done"),
        ),
        (
            "cp /etc/glexec.conf /root/; printf '\n[credentials]\nmax_chain = 1\n' >> /etc/glexec.conf".into(),
            "credential.chain-too-long",
            "cp /root/glexec.conf /etc/".into(),
        ),
        (
            "mv /etc/grid-security/vomsdir /root/".into(),
            "voms.ac-untrusted",
            "mv /root/vomsdir /etc/grid-security/".into(),
        ),
    ] {
        call().exits(0);
        site.sh(&change);
        let run = call();
        assert!(run.stderr().contains(code), "{change}: {code} expected\n{run}");
        site.sh(&undo);
        call().exits(0);
    }
    assert_eq!(complaints(&site), 0);
}

#[test]
fn a_thousand_calls_at_once_are_all_answered_and_nothing_is_left_behind() {
    let site = with_the_agent_alone();
    site.sh("printf '\\n[agent]\\ntimeout = \"60s\"\\n' >> /etc/glexec.conf");
    let _agent = start(&site);
    let many = "for i in $(seq 1000); do glexec true || echo $? & done; wait";
    site.pilot().credential("alice").sh(many).succeeds_with("");
    site.wait_until("test $(pgrep -c -u glexec glexec-agent) -eq 5");
    assert_eq!(complaints(&site), 0);
}

#[test]
fn what_is_full_or_used_up_keeps_no_call_from_going_on() {
    let site = Site::new();
    site.sh("printf '\\n[agent]\\ntimeout = \"1s\"\\n' >> /etc/glexec.conf");
    let pilot = site.pilot().credential("alice");
    // No room for a socket, nor for the note that the log was told.
    site.sh("mkdir -p -m 700 /run/glexec && mount -t tmpfs -o mode=700,nr_inodes=1 tmpfs /run/glexec");
    let agent = site.caller("root").run(AGENT, [""; 0]);
    agent.exits(1);
    assert!(agent.stderr().contains("glexec-agent: /run/glexec/agent"), "{agent}");
    pilot.glexec(["true"]).exits(0);
    site.sh("umount /run/glexec");
    // No descriptors: whether it starts or not, and whether its workers can take a call or not.
    for descriptors in [4, 7, 8, 9, 10, 12] {
        let script = format!("ulimit -n {descriptors}; exec {AGENT}");
        let cramped = site.caller("root").start("/bin/sh", ["-c", &script]);
        let pid = cramped.pid_in_site();
        site.wait_until(&format!("test -S /run/glexec/agent || grep -q ') Z' /proc/{pid}/stat"));
        pilot.glexec(["true"]).exits(0);
        cramped.signal(Signal::SIGKILL);
        cramped.finish();
        site.sh("rm -f /run/glexec/agent");
    }
}

/// Connects to the agent as root and says nothing.
fn silent(site: &Site, connections: usize) -> Running<'_> {
    let script = format!(
        "import socket, time\n\
         lines = [socket.socket(socket.AF_UNIX) for _ in range({connections})]\n\
         for line in lines: line.connect('/run/glexec/agent')\n\
         open('/tmp/connected', 'w').close()\n\
         time.sleep(1000)\n"
    );
    site.write("/root/silent.py", script);
    let silent = site.caller("root").start("/usr/bin/python3", ["/root/silent.py"]);
    site.wait_until("test -e /tmp/connected");
    silent
}

#[test]
fn whoever_asks_slowly_or_never_reads_holds_nobody_else_up() {
    let site = with_the_agent_alone();
    site.sh("printf '\\n[agent]\\ntimeout = \"60s\"\\n' >> /etc/glexec.conf");
    let _agent = start(&site);
    let _silent = silent(&site, 20);
    for _ in 0..5 {
        site.pilot().credential("alice").glexec(["true"]).exits(0);
    }
    assert_eq!(complaints(&site), 0);
}

#[test]
fn what_has_workers_that_wait_end_ends_none_that_has_a_call() {
    let site = with_the_agent_alone();
    let _agent = start(&site);
    let script = "import socket, time, os\n\
         lines = [socket.socket(socket.AF_UNIX) for _ in range(4)]\n\
         for line in lines: line.connect('/run/glexec/agent')\n\
         open('/tmp/connected', 'w').close()\n\
         while not os.path.exists('/tmp/interrupted'): time.sleep(0.01)\n\
         for line in lines:\n\
         \x20   line.sendall(b'\\0no question')\n\
         \x20   line.shutdown(socket.SHUT_WR)\n\
         \x20   print(line.recv(100).decode().split('\\n')[0])\n";
    site.write("/root/late.py", script);
    let late = site.caller("root").start("/usr/bin/python3", ["/root/late.py"]);
    site.wait_until("test -e /tmp/connected && test $(pgrep -c -u glexec glexec-agent) -ge 7");
    site.sh("pgrep -u glexec glexec-agent | sort -n | tail -n +2 | xargs kill -USR1; touch /tmp/interrupted");
    late.finish().succeeds_with(&"glexec-verdict 3\n".repeat(4));
}

/// Calls of one test; `AGENT_CALLS=100000` asks for more.
fn calls(default: usize) -> usize {
    std::env::var("AGENT_CALLS").map_or(default, |text| text.parse().unwrap())
}

#[test]
fn its_memory_stays_as_it_is() {
    let site = with_the_agent_alone();
    site.sh("find /etc/grid-security/certificates -type f | xargs touch -d '1 hour ago'");
    let _agent = start(&site);
    let make = |count: usize| {
        let script = format!("for i in $(seq {count}); do glexec true || echo $?; done");
        site.pilot().credential("alice").own_proxy("bob").sh(&script).succeeds_with("");
    };
    // Of the zygote, which lives on; workers end with their call.
    let resident = || -> usize {
        let kib = site.sh("awk '/^VmRSS/ { print $2 }' /proc/$(pgrep -o -u glexec glexec-agent)/status");
        kib.trim().parse().unwrap()
    };
    make(20);
    let before = resident();
    make(calls(200));
    let after = resident();
    assert!(after <= before + before / 10 + 256, "{before} KiB before, {after} KiB after");
    site.wait_until("test $(pgrep -c -u glexec glexec-agent) -eq 5");
}

#[test]
fn trust_files_that_are_replaced_all_the_time_cost_no_call_its_verdict() {
    let site = with_the_agent_alone();
    let certificates = "/etc/grid-security/certificates";
    // 200 CAs, as many as the IGTF has, that nobody asks about, with large CRLs beside the ones that count.
    site.sh(&format!(
        "cd {certificates}; ca=$(ls *.0 | head -1); for n in $(seq 200); do cp $ca $(printf 'a%07x.0' $n); \
         cp ${{ca%.0}}.r0 $(printf 'a%07x.r0' $n); done; head -c 5000000 /dev/urandom > a0000001.r0"
    ));
    let _agent = start(&site);
    let replaced =
        format!("cd {certificates}; while :; do for f in *.r0; do cp $f .next && mv .next $f || exit; done; done");
    let replacing = site.caller("root").start("/bin/sh", ["-c", &replaced]);
    for _ in 0..30 {
        site.pilot().credential("bob").glexec(["true"]).exits(0);
    }
    replacing.signal(Signal::SIGKILL);
    replacing.finish();
    assert_eq!(complaints(&site), 0);
}

#[test]
fn a_crl_that_was_replaced_is_learned_again_and_waiting_workers_know_it() {
    let site = Site::with_admin();
    let known = |what: &str| format!("glexec-admin check --all | grep -q 'answers; knows {what}'");
    site.sh(&format!("! {}", known("")));
    assert!(site.admin(["check", "--all"]).stdout().contains("no agent runs here"));
    let _agent = start(&site);
    let workers = || site.sh("pgrep -u glexec glexec-agent | sort -n | tail -n +2");
    site.wait_until(&known("[1-9]"));
    let before = workers();
    site.sh("cd /etc/grid-security/certificates; for f in *.r0; do cp $f next && mv next $f; done");
    // Nobody calls: the workers that wait now were forked when the new ones were known.
    site.wait_until(&format!(
        "test \"$(pgrep -u glexec glexec-agent | sort -n | tail -n +2)\" != '{}'",
        before.trim_end()
    ));
    site.wait_until(&known("[1-9]"));
    site.pilot().credential("bob").glexec(["true"]).exits(0);
}

#[test]
fn check_tells_what_is_wrong_with_an_agent() {
    let of_another = r#"line.sendall(b'glexec-verdict 3\n{"answered":{"version":"9.9.9","learned":1,"certificates":0,"crls":0,"bytes":0}}'); line.close()"#;
    for (user, then, why) in [
        ("glexec", of_another, "it is of version 9.9.9"),
        ("glexec", "line.close()", "no verdict"),
        ("pilot", "line.close()", "answers there, and not service_user"),
    ] {
        let site = Site::with_admin();
        let _impostor = site.impostor("/run/glexec/agent", user, then);
        let check = site.admin(["check"]);
        check.exits(1);
        assert!(check.stdout().contains(why), "{check}");
    }
    let site = Site::with_admin();
    site.sh("printf '\\n[agent]\\nuse = \"required\"\\n' >> /etc/glexec.conf");
    let check = site.admin(["check"]);
    check.exits(2);
    assert!(check.stdout().contains("(agent.unavailable)"), "{check}");
}

#[test]
fn time_passes_for_the_agent_too() {
    let site = with_the_agent_alone();
    let _agent = start(&site);
    let pilot = site.pilot().credential("alice-expired");
    // It judges by the time of the call, not by the one at which it learned.
    pilot.glexec(["true"]).refused(201, "credential.expired");
    site.pilot().credential("alice").glexec(["true"]).exits(0);
}

#[test]
fn no_caller_can_stop_a_call_that_keeps_workers_busy() {
    let site = Site::new();
    site.sh("printf '\\n[agent]\\nuse = \"required\"\\ntimeout = \"100s\"\\n' >> /etc/glexec.conf");
    let _agent = start(&site);
    site.sh("pkill -STOP -u glexec glexec-agent");
    let pilot = site.pilot().credential("alice");
    let call = pilot.start(GLEXEC, ["true"]);
    let pid = call.pid_in_site();
    // It asks, and nobody takes the question.
    site.wait_until(&format!("awk '/^Uid:/ {{ exit $2 }}' /proc/{pid}/status"));
    pilot.sh(&format!("kill -STOP {pid}")).exits(1);
    site.sh("pkill -CONT -u glexec glexec-agent");
    call.finish().exits(0);
}
