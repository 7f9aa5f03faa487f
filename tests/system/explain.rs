//! `glexec-admin explain` beside the calls that it explains.

use crate::site::{Caller, GLEXEC, Run, Site, material_file};
use serde_json::Value;

const ADMIN: &str = "/usr/sbin/glexec-admin";
const LIST_LEASES: &str = "cd /etc/grid-security/gridmapdir; stat -c '%n %i %h %Y %Z' -- *";

/// A site with glexec-admin, changed before the test begins.
fn site(change: impl FnOnce(&Site)) -> Site {
    let site = Site::with_admin();
    change(&site);
    site
}

/// Has a call explained as JSON; the exit code must agree with the verdict.
fn explain<'s>(who: &Caller<'s>, arguments: &[&str]) -> (Value, Run<'s>) {
    let run = who.run(ADMIN, [&["explain", "--json"], arguments].concat());
    let explained: Value = serde_json::from_slice(run.stdout_bytes()).unwrap_or_else(|_| panic!("{}", run.stderr()));
    let code = match explained["verdict"]["outcome"].as_str().unwrap() {
        "permitted" => 0,
        "refused" => 2,
        _ => 3,
    };
    run.exits(code);
    (explained, run)
}

#[test]
fn an_explanation_names_the_account_that_the_call_gets_and_changes_nothing() {
    let site = site(|_| {});
    let (root, bob) = (site.caller("root"), site.pilot().credential("bob"));
    let proxy = bob.client_cert();
    for exists in [false, true] {
        let before = site.sh(LIST_LEASES);
        for who in [&root, &bob] {
            let (it, _) = explain(who, &["--caller", "pilot", &proxy, "--", "id"]);
            assert_eq!(it["verdict"]["outcome"], "permitted", "{it}");
            let target = &it["target"];
            assert_eq!((&target["account"], &target["uid"]), (&"tprd001".into(), &5001.into()));
            assert_eq!(
                (&target["group"], &target["groups"][0]),
                (&"production (5000)".into(), &"testvo (4000)".into())
            );
            assert_eq!(target["lease_exists"], exists);
            assert!(target["lease"].as_str().unwrap().ends_with("cn%3dbob%20brown:production:testvo"), "{target}");
        }
        assert_eq!(site.sh(LIST_LEASES), before, "names, links or times have changed");
        bob.glexec(["sh", "-c", "id -un; id -gn"]).succeeds_with("tprd001\nproduction\n");
    }
}

#[test]
fn an_explanation_comes_to_what_the_call_comes_to() {
    let site = site(|_| {});
    let credentials = ["alice", "bob", "carol", "dave", "mallory", "alice-expired", "alice-no-key", "alice-wrong-key"];
    for credential in credentials.into_iter().chain(["alice-limited", "bob-ac-expired", "bob-plain", "only-a-key"]) {
        for command in ["/usr/bin/true", "no-such-command", "/etc/passwd"] {
            let caller = site.pilot().credential(credential);
            let proxy = caller.client_cert();
            let (as_root, _) = explain(&site.caller("root"), &["--caller", "pilot", &proxy, "--", command]);
            let (as_pilot, _) = explain(&caller, &[&proxy, "--", command]);
            let run = caller.glexec([command]);
            let verdict = &as_root["verdict"];
            match verdict["outcome"].as_str().unwrap() {
                "permitted" => _ = run.exits(0),
                _ => _ = run.refused(verdict["exit_code"].as_i64().unwrap() as i32, verdict["code"].as_str().unwrap()),
            }
            // What the target account finds only root can see.
            if !verdict["code"].as_str().unwrap_or_default().starts_with("command.") {
                assert_eq!(&as_pilot["verdict"], verdict, "{credential} {command}");
            }
            assert_eq!(as_pilot["steps"], as_root["steps"], "{credential}");
        }
    }
    let alice = site.caller("mallory").credential("alice");
    let (it, _) = explain(&alice, &[&alice.client_cert()]);
    alice.glexec(["id"]).refused(203, it["verdict"]["code"].as_str().unwrap());
}

#[test]
fn an_explanation_tells_lines_plugins_certificates_and_attributes() {
    let site = site(|site| {
        site.write("/etc/lcas/ban_users.db", "# nobody\n\"/DC=org/DC=example/O=Grid/CN=Carol Cole\"\n");
        site.append("/etc/grid-security/grid-mapfile", "\"/DC=org/unfinished\n");
    });
    let bob = site.pilot().credential("bob");
    let (it, _) = explain(&bob, &[&bob.client_cert()]);
    let kinds: Vec<_> =
        it["user_proxy"]["certificates"].as_array().unwrap().iter().map(|c| c["kind"].clone()).collect();
    assert!(kinds[0].as_str().unwrap().starts_with("full proxy (RFC 3820") && kinds[1] == "end entity certificate");
    assert_eq!(it["user_proxy"]["certificates"][0]["attributes"]["fqans"], it["user"]["fqans"]);
    let steps = it["steps"].as_array().unwrap();
    let plugins: Vec<_> = steps.iter().map(|step| step["plugin"].as_str().unwrap()).collect();
    assert_eq!(plugins, ["userban on the user", "voms_localgroup vomsgroups", "voms_poolaccount vomspool"]);
    assert_eq!(steps[1]["seen"][0], "/etc/grid-security/groupmapfile line 1: production");

    let carol = site.pilot().credential("carol");
    let text = carol.run(ADMIN, ["explain", &carol.client_cert()]).stdout();
    let refusal = "└─ userban on the user: no, you are banned at this site (lcas.userban)\n   └─ \
        /DC=org/DC=example/O=Grid/CN=Carol Cole: /etc/lcas/ban_users.db line 2\n";
    assert!(text.contains(refusal), "{text}");
    assert!(text.contains("refused with exit code 203: you are banned at this site (lcas.userban)"), "{text}");

    let nobody = site.pilot().credential("alice-voms");
    let (it, _) = explain(&nobody, &[&nobody.client_cert()]);
    let seen = it["steps"].to_string();
    assert!(!seen.contains("unfinished"), "the text of a line that was passed over stays in the file: {seen}");
}

#[test]
fn a_user_sees_no_more_than_the_own_permissions_show() {
    let site = site(|site| site.chmod("/etc/grid-security/grid-mapfile", 0o640));
    let bob = site.pilot().credential("bob");
    let (it, run) = explain(&bob, &[&bob.client_cert()]);
    let why = "/etc/grid-security/grid-mapfile: you may not read it";
    assert_eq!(it["verdict"], serde_json::json!({"outcome": "open", "why": why}));
    assert!(!run.stdout().contains(".tprd"));
    let (it, _) = explain(&site.caller("root"), &["--caller", "pilot", &bob.client_cert()]);
    assert_eq!(it["target"]["account"], "tprd001");

    let run = bob.run(ADMIN, ["explain", "--caller", "mallory", &bob.client_cert()]);
    run.exits(1);
    assert_eq!(run.stderr(), "only root can explain what happens to other callers\n");
}

#[test]
fn root_can_try_a_proxy_that_the_caller_does_not_hold_and_a_configuration_that_is_not_installed() {
    let site = site(|site| {
        site.write("/root/bob.pem", material_file("proxies/bob.pem"));
        site.chmod("/root/bob.pem", 0o600);
        let banned = "[[lcas.plugin]]\ntype = \"userallow\"\nfile = \"/etc/lcas/nobody\"\n";
        let draft = format!("{}\n{banned}", site.read("/etc/glexec.conf"));
        site.write("/tmp/draft.conf", draft);
        site.write("/etc/lcas/nobody", "");
    });
    let root = site.caller("root");
    let (it, _) = explain(&root, &["--caller", "pilot", "/root/bob.pem"]);
    assert_eq!(it["target"]["account"], "tprd001");
    assert!(it["remarks"][0].as_str().unwrap().contains("as if pilot had a copy of the file"), "{}", it["remarks"]);
    let (it, _) = explain(&root, &["--config", "/tmp/draft.conf", "--caller", "pilot", "/root/bob.pem"]);
    assert_eq!(it["verdict"]["code"], "lcas.userallow");
    assert!(
        it["remarks"].to_string().contains("config.insecure-permissions")
            || it["remarks"].to_string().contains("glexec would refuse every call")
    );
    let run = root.run(ADMIN, ["explain", "--config", "/no/such", "/root/bob.pem"]);
    run.exits(1);
    assert!(run.stderr().starts_with("/no/such: "), "{}", run.stderr());
}

#[test]
fn a_plugin_of_the_sites_own_is_asked_by_root_only_and_told_what_for() {
    let site = site(|site| {
        site.configure(|text| {
            format!("{text}\n[[lcas.plugin]]\ntype = \"exec\"\ncommand = [\"/etc/plugins/deny-real\"]\n")
        });
        site.sh("mkdir /etc/plugins");
        site.write("/etc/plugins/deny-real", "#!/bin/sh\ngrep -q '\"explain\":true' && exit 0\nexit 1\n");
        site.chmod("/etc/plugins/deny-real", 0o755);
    });
    let alice = site.pilot().credential("alice");
    let (it, _) = explain(&site.caller("root"), &["--caller", "pilot", &alice.client_cert()]);
    assert_eq!(it["verdict"]["outcome"], "permitted");
    let (it, _) = explain(&alice, &[&alice.client_cert()]);
    assert_eq!(it["verdict"]["why"], "/etc/plugins/deny-real: only root can ask this plug-in");
    alice.run(GLEXEC, ["id"]).refused(203, "lcas.exec-denied");
}

#[test]
fn a_full_pool_is_told_as_transient() {
    let site = site(|site| {
        site.sh("cd /etc/grid-security/gridmapdir; for a in tprd* tvo*; do ln $a %2fsomebody%20$a; done");
    });
    let bob = site.pilot().credential("bob");
    let (it, _) = explain(&bob, &[&bob.client_cert()]);
    assert_eq!((&it["verdict"]["code"], &it["verdict"]["transient"]), (&"lcmaps.pool-exhausted".into(), &true.into()));
}
