//! The agent: what it takes over from the verifier's program, and what happens where it fails.

use crate::site::{Running, Site};
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
    assert!(record["user_dn"].contains("Alice") || !record["user_dn"].is_empty(), "{record:?}");
    assert_eq!(complaints(&site), 0);
}

#[test]
fn without_an_agent_the_program_judges_and_the_log_says_so_once_a_minute() {
    let site = Site::new();
    let pilot = site.pilot().credential("alice");
    pilot.glexec(["true"]).exits(0);
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
fn a_site_that_requires_the_agent_runs_nothing_without_it() {
    let site = Site::new();
    site.sh("printf '\\n[agent]\\nuse = \"required\"\\n' >> /etc/glexec.conf");
    let pilot = site.pilot().credential("alice");
    let run = pilot.glexec(["true"]);
    run.refused(202, "agent.unavailable");
    assert_eq!(run.record()["transient"], "true");
    let _agent = start(&site);
    pilot.glexec(["true"]).exits(0);
}
