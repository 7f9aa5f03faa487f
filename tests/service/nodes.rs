//! Calls of glexec on nodes that ask the service.

use crate::node::{Node, without_agent};
use crate::service::{Service, request, site};
use nix::sys::signal::Signal;

const BOB: &str = "/DC=org/DC=example/O=Grid/CN=Bob Brown";

#[test]
fn a_user_has_one_account_on_every_node_by_every_server_and_at_the_gatekeeper() {
    let site = site();
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    // At the gatekeeper, which leases in the same directory by itself.
    site.pilot().credential("carol").glexec(["id", "-un"]).succeeds_with("tvo001\n");
    let (first, second) = (Node::new(&site, "wn1", &[&one], ""), Node::new(&site, "wn2", &[&two], ""));
    let run = first.call("bob");
    run.succeeds_with("tprd001\n");
    let record = run.record();
    assert_eq!(record["lease"], "%2fdc%3dorg%2fdc%3dexample%2fo%3dgrid%2fcn%3dbob%20brown:production:testvo");
    assert_eq!(record["user_dn"], BOB);
    second.call("bob").succeeds_with("tprd001\n");
    for node in [&first, &second] {
        node.call("carol").succeeds_with("tvo001\n");
        assert!(node.site.sh("ls /etc/grid-security/gridmapdir | grep -c % || true").starts_with('0'));
    }
    site.pilot().credential("bob").glexec(["id", "-un"]).succeeds_with("tprd001\n");
    // Groups are those of the name, looked up on the node.
    let groups = first.site.pilot().credential("bob").glexec(["id", "-Gn"]);
    groups.succeeds_with("production testvo\n");
}

#[test]
pub fn who_is_denied_by_the_site_hears_why_and_the_log_hears_more() {
    let site = site();
    let service = Service::start(&site, "map1");
    let node = Node::new(&site, "wn1", &[&service], "");
    let run = node.call("mallory");
    run.refused(203, "site.denied");
    assert!(run.record()["reason"].contains("lcas.userban"), "{run}");
    assert_eq!(run.record()["transient"], "false");
    node.call("dave").refused(203, "lcmaps.no-mapping");
    let verify = node.site.pilot().credential("bob").env("GLEXEC_MODE", "lcmaps_verify_account");
    verify.glexec(["true"]).refused(203, "lcmaps.no-lease");
}

#[test]
fn without_an_agent_or_a_server_nothing_runs_and_trying_again_helps() {
    let site = site();
    let service = Service::start(&site, "map1");
    let lonely = without_agent(&site, "wn1", &[&service.server], "");
    let run = lonely.pilot().credential("bob").glexec(["id", "-un"]);
    run.refused(202, "site.unavailable");
    assert_eq!(run.record()["transient"], "true");

    let node = Node::new(&site, "wn2", &[&service], "timeout = \"2s\"");
    node.call("bob").succeeds_with("tprd001\n");
    service.running.signal(Signal::SIGKILL);
    service.running.finish();
    // What is known from before goes on, what is not does not.
    node.call("bob").succeeds_with("tprd001\n");
    node.call("carol").refused(202, "site.unavailable");
    node.kill_agent();
    node.call("bob").refused(202, "site.unavailable");
    // An agent that has never heard who is banned lets nobody in.
    node.start_agent();
    node.call("bob").refused(202, "site.unavailable");
}

#[test]
fn a_ban_counts_on_every_node_and_a_lifted_one_too() {
    let site = site();
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    let nodes = [Node::new(&site, "wn1", &[&one], ""), Node::new(&site, "wn2", &[&two], "")];
    for node in &nodes {
        node.call("bob").exits(0);
    }
    let change = |body: &str| {
        let run = site.caller("root").stdin(body).run(
            "/usr/libexec/glexec/site-request",
            [
                "--certificate",
                "/root/alice.pem",
                "--key",
                "/root/user.key",
                "--server",
                &one.server,
                "post",
                "/v1/bans",
            ],
        );
        run.exits(0);
    };
    change(&format!(r#"{{"add":{{"name":"{BOB}","until":null,"reason":"mines coins"}}}}"#));
    for node in &nodes {
        crate::site::eventually("the ban", || node.call("bob").code() == Some(203));
        node.call("bob").refused(203, "site.denied");
        node.call("carol").exits(0);
    }
    change(&format!(r#"{{"remove":{{"name":"{BOB}"}}}}"#));
    for node in &nodes {
        crate::site::eventually("the ban's end", || node.call("bob").code() == Some(0));
    }
    let list = request(&site, &[&two.server], ("wn1", "voms"), &["get", "/v1/bans"]);
    assert!(list.stdout().contains("\"version\":2"), "{list}");
}
