//! The files that a caller names: opened once, as the caller, and judged on that descriptor.

use crate::site::{Caller, Site};

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

fn named<'s>(site: &'s Site, path: &str) -> Caller<'s> {
    alice(site).env("GLEXEC_CLIENT_CERT", path)
}

const PEOPLE: &str = "/DC=org/DC=example/O=Grid/CN=";

#[test]
fn who_expects_somebody_gets_nobody_else() {
    for site in Site::in_both_modes() {
        let expecting = |name: &str| alice(&site).env("GLEXEC_EXPECTED_SUBJECT", name).reporting();
        expecting(&format!("{PEOPLE}Alice Adams")).glexec(["id", "-un"]).succeeds_with("alice\n");
        let others =
            ["Bob Brown", "Alice", "Alice Adam", "Alice Adams ", "alice adams", "Alice Adams/CN=1701", "*", ""];
        for other in
            others.map(|name| format!("{PEOPLE}{name}")).iter().map(String::as_str).chain(["", "*", "Alice Adams"])
        {
            let run = expecting(other).glexec(["touch", "/tmp/ran"]);
            run.refused(203, "credential.unexpected-subject");
            assert_eq!(run.reported()["class"], "authorization");
            run.record().says([("user_dn", &*format!("{PEOPLE}Alice Adams")), ("decision", "deny")]);
            assert!(!site.exists("/tmp/ran"), "{run}");
        }
    }
}

#[test]
fn nobody_that_is_not_expected_gets_a_lease() {
    let site = Site::new();
    site.pilot()
        .credential("bob")
        .env("GLEXEC_EXPECTED_SUBJECT", "/CN=x")
        .glexec(["id"])
        .refused(203, "credential.unexpected-subject");
    assert_eq!(site.sh("find /etc/grid-security/gridmapdir -name '%*'"), "");
}

#[test]
fn a_name_is_expected_in_every_spelling_that_can_be_no_other_name() {
    let site = Site::new();
    let answers = |credential: &str, name: &str, code: &str| {
        let name = format!("{PEOPLE}{name}");
        site.pilot().credential(credential).env("GLEXEC_EXPECTED_SUBJECT", name).glexec(["id"]).refused(203, code);
    };
    // Nobody maps them: whoever comes that far was expected.
    for name in ["Robot: host/node.example.org", "Robot: host\\/node.example.org"] {
        answers("robot", name, "lcmaps.no-mapping");
    }
    answers("al", "Al\\/CN=Bea", "lcmaps.no-mapping");
    // That is what older tools print of Al, and it is somebody else's name.
    answers("al", "Al/CN=Bea", "credential.unexpected-subject");
}

#[test]
fn owner_and_mode_decide() {
    let site = Site::new();
    let pilot = alice(&site);
    for mode in [0o600, 0o400, 0o700, 0o500] {
        site.chmod(&pilot.client_cert(), mode);
        pilot.glexec(["id", "-un"]).succeeds_with("alice\n");
    }
    for mode in [0o640, 0o604, 0o610, 0o601, 0o620, 0o602, 0o777, 0o4600, 0o2600, 0o1600] {
        site.chmod(&pilot.client_cert(), mode);
        pilot.glexec(["id", "-un"]).refused(201, "credential.insecure-permissions");
    }
    site.chmod(&pilot.client_cert(), 0o200);
    pilot.glexec(["id", "-un"]).refused(201, "credential.unreadable");
    site.chmod(&pilot.client_cert(), 0o644);
    site.chown(&pilot.client_cert(), "mallory");
    pilot.glexec(["id", "-un"]).refused(201, "credential.wrong-owner");
}

#[test]
fn links_lead_to_files_that_are_judged_as_any_other() {
    let site = Site::new();
    let pilot = alice(&site);
    pilot
        .sh("ln -s alice.pem link && ln alice.pem name && ln -s /root/proxies/alice.pem roots && ln -s loop loop")
        .exits(0);
    for good in ["/home/pilot/link", "/home/pilot/name", "link", "./name", "../pilot/link"] {
        named(&site, good).glexec(["id", "-un"]).succeeds_with("alice\n");
    }
    for bad in ["/home/pilot/roots", "/home/pilot/loop", "/home/pilot/alice.pem/", "nosuch", "alice"] {
        named(&site, bad).glexec(["id", "-un"]).refused(201, "credential.unreadable");
    }
    named(&site, "alice.pem").cwd("/tmp").glexec(["id", "-un"]).refused(201, "credential.unreadable");
}

#[test]
fn nothing_but_a_regular_file_is_read_and_nothing_is_waited_for() {
    let site = Site::new();
    site.pilot().sh("mkfifo -m 600 pipe; mkdir -m 700 dir").exits(0);
    for path in ["pipe", "dir", "/dev/zero", "/dev/null", "."] {
        named(&site, path).glexec(["id", "-un"]).refused(201, "credential.not-a-regular-file");
    }
    for path in ["/proc/self/mem", "/proc/self/environ", "/proc/self/fd/0", "/dev/stdin", "/dev/tty"] {
        let run = named(&site, path).glexec(["id", "-un"]);
        assert_eq!(run.code(), Some(201), "{path}: {run}");
    }
    site.sh("truncate -s 8G /home/pilot/huge && chmod 600 /home/pilot/huge && chown pilot: /home/pilot/huge");
    named(&site, "huge").glexec(["id", "-un"]).refused(201, "credential.too-large");
    site.pilot().sh("install -m 600 /dev/null empty").exits(0);
    named(&site, "empty").glexec(["id", "-un"]).refused(201, "credential.no-certificate");
}

#[test]
fn a_caller_learns_no_more_than_with_its_own_permissions() {
    let site = Site::new();
    site.sh("mkdir -m 700 /srv/secret && cp /root/proxies/alice.pem /srv/secret/there");
    for variable in ["GLEXEC_CLIENT_CERT", "GLEXEC_SOURCE_PROXY", "X509_USER_PROXY"] {
        let [there, missing] = ["there", "gone!"].map(|name| {
            let run = alice(&site).env(variable, format!("/srv/secret/{name}")).glexec(["id"]);
            run.refused(201, "credential.unreadable").stderr().replace(name, "*")
        });
        assert_eq!(there, missing);
    }
    let [there, missing] = ["there", "gone!"].map(|name| {
        let run = alice(&site).env("GLEXEC_TARGET_PROXY", format!("/srv/secret/{name}")).glexec(["id"]);
        run.refused(201, "target-proxy.not-writable").stderr().replace(name, "*")
    });
    assert_eq!(there, missing);
    let [there, missing] = ["there", "gone!"].map(|name| {
        let run = alice(&site).glexec([format!("/srv/secret/{name}")]);
        run.refused(201, "command.not-found").stderr().replace(name, "*")
    });
    assert_eq!(there, missing);
}

#[test]
fn an_own_proxy_of_the_pilot_that_is_gone_is_none() {
    let site = Site::new();
    alice(&site).env("X509_USER_PROXY", "/home/pilot/gone").glexec(["id", "-un"]).succeeds_with("alice\n");
    alice(&site).env("X509_USER_PROXY", "/etc/shadow").glexec(["id"]).refused(201, "credential.unreadable");
}
