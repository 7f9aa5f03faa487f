//! Calls of glexec on nodes that ask the service.

use crate::node::{Node, without_agent};
use crate::service::{Service, request, site};
use crate::site::GLEXEC;
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

#[test]
fn a_ban_ends_what_runs_where_the_operator_says_so_and_is_named_where_not() {
    let site = site();
    let service = Service::start(&site, "map1");
    let node = Node::new(&site, "wn1", &[&service], "");
    node.site.linger();
    let start = |proxy: &str| node.site.pilot().credential(proxy).start(GLEXEC, ["/bin/sleep", "1000"]);
    let (bob, carol) = (start("bob"), start("carol"));
    node.site.wait_until("pgrep -x sleep -u tprd001 && pgrep -x sleep -u tvo001");
    let ban = |what: &[&str]| {
        let who =
            ["ban", "--server", &service.server, "--certificate", "/root/alice.pem", "--key", "/root/user.key", "add"];
        site.admin(who.iter().chain(what)).exits(0);
    };
    ban(&["/DC=org/DC=example/O=Grid/CN=Carol*"]);
    ban(&[BOB, "--kill"]);
    bob.finish().killed_by(Signal::SIGTERM);
    node.site.wait_until("! pgrep -u tprd001");
    node.site.wait_until("grep -q 'CN=Carol.*its payload goes on' /var/log/glexec/glexec.log");
    assert!(
        node.site.read("/var/log/glexec/glexec.log").contains("Bob Brown by /DC=org/DC=example/O=Grid/CN=Alice Adams")
    );
    // The end is recorded as every end.
    node.site.wait_until_the_end_is_recorded();
    node.site.sh("pgrep -x sleep -u tvo001");
    carol.signal(Signal::SIGTERM);
    carol.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn calls_at_once_for_one_user_are_one_question_and_the_others_wait_for_it() {
    let site = site();
    let service = Service::start(&site, "map1");
    let node = Node::new(&site, "wn1", &[&service], "");
    let calls: Vec<_> = (0..20).map(|_| node.site.pilot().credential("bob").start(GLEXEC, ["id", "-un"])).collect();
    for call in calls {
        call.finish().succeeds_with("tprd001\n");
    }
    assert_eq!(service.log().matches("event=map ").count(), 1, "{}", service.log());
}

#[test]
fn no_key_and_no_certificate_is_in_any_log() {
    let site = site();
    let service = Service::start(&site, "map1");
    let node = Node::new(&site, "wn1", &[&service], "");
    node.call("bob").exits(0);
    node.call("mallory").refused(203, "site.denied");
    let proxy = String::from_utf8(crate::site::material_file("proxies/bob.pem")).unwrap();
    let lines: Vec<&str> = proxy.lines().filter(|line| line.len() == 64).collect();
    assert!(lines.len() > 20, "{proxy}");
    for log in [service.log(), node.log(), node.site.read("/var/log/glexec/glexec.log")] {
        assert!(!log.contains("BEGIN") && !log.contains("PRIVATE"), "{log}");
        assert!(!lines.iter().any(|line| log.contains(line)), "{log}");
    }
    // What asks the service runs as nobody who may do anything.
    let status = node.site.sh("cat /proc/$(pgrep -x site-agent)/status");
    for expected in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(expected), "{status}");
    }
    assert!(!status.contains("Uid:\t0"), "{status}");
}

#[test]
fn a_change_of_the_configuration_counts_from_the_next_call_on() {
    let site = site();
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    let node = Node::new(&site, "wn1", &[&one], "");
    node.call("bob").exits(0);
    one.running.signal(Signal::SIGKILL);
    one.running.finish();
    node.site.configure(|text| text.replace(&one.server, &two.server));
    node.call("carol").succeeds_with("tvo001\n");
    node.site.configure(|text| text.replace("[site]", "[sites]"));
    node.call("carol").refused_without_record(202, "config.invalid");
}
