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

/// Puts another program in the agent's place, which runs as `user` and does `then` with every question.
fn with_impostor<'s>(site: &'s Site, user: &str, then: &str) -> Running<'s> {
    let script = format!(
        "import os, pwd, socket, time\n\
         os.makedirs('/run/glexec', 0o700, exist_ok=True)\n\
         os.umask(0o177)\n\
         listener = socket.socket(socket.AF_UNIX)\n\
         listener.bind('/run/glexec/agent')\n\
         os.setuid(pwd.getpwnam('{user}').pw_uid)\n\
         listener.listen(64)\n\
         open('/tmp/listening', 'w').close()\n\
         while True:\n\
         \x20   line, _ = listener.accept()\n\
         \x20   while line.recv(65536): pass\n\
         \x20   {then}\n"
    );
    site.write("/root/impostor.py", script);
    let impostor = site.caller("root").start("/usr/bin/python3", ["/root/impostor.py"]);
    site.wait_until("test -e /tmp/listening");
    impostor
}

#[test]
fn nobody_but_the_service_user_is_believed() {
    let alice = r#"glexec-verdict 3\n{"answered":{"identity":{"subject":"/CN=Root","proof":{"x509":{"issuer":"/CN=CA","serial":"01","form":"full-proxy"}},"not_after":4000000000,"fqans":[]},"notes":[],"certificates":[]}}"#;
    let say = format!("line.sendall(b'{alice}'); line.close()");
    for user in ["root", "pilot"] {
        let site = Site::new();
        let _impostor = with_impostor(&site, user, &say);
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
        let _impostor = with_impostor(&site, "glexec", then);
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
fn two_hundred_calls_at_once_are_all_answered_and_nothing_is_left_behind() {
    let site = with_the_agent_alone();
    site.sh("printf '\\n[agent]\\ntimeout = \"60s\"\\n' >> /etc/glexec.conf");
    let _agent = start(&site);
    let many = "for i in $(seq 200); do glexec true || echo $? & done; wait";
    site.pilot().credential("alice").sh(many).succeeds_with("");
    site.wait_until("test $(pgrep -c -u glexec glexec-agent) -eq 5");
    assert_eq!(complaints(&site), 0);
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
