//! Who asks, what is answered, and that it is the same everywhere.

use crate::service::{Service, certify, map, request, site};
use nix::sys::signal::Signal;

#[test]
fn every_node_and_every_server_gives_a_user_the_account_that_the_gridmapdir_has() {
    let site = site();
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    let first = map(&site, &[&one.server], "wn1", "bob", &[]);
    let permit = &first["permit"];
    assert_eq!(permit["subject"], "/DC=org/DC=example/O=Grid/CN=Bob Brown");
    assert_eq!((&permit["account"], &permit["group"]), (&"tprd001".into(), &"production".into()), "{first}");
    assert_eq!(permit["groups"], serde_json::json!(["testvo"]));
    assert_eq!(permit["lease"], "%2fdc%3dorg%2fdc%3dexample%2fo%3dgrid%2fcn%3dbob%20brown:production:testvo");
    assert_eq!(map(&site, &[&two.server], "wn2", "bob", &[]), first);
    // A gatekeeper that leases in the same directory by itself.
    site.pilot().credential("bob").glexec(["id", "-un"]).succeeds_with("tprd001\n");
    // And one that was first.
    site.pilot().credential("carol").glexec(["id", "-un"]).succeeds_with("tvo001\n");
    assert_eq!(map(&site, &[&two.server], "wn1", "carol", &[])["permit"]["account"], "tvo001");
    assert!(one.log().contains("event=map node=wn1.example.org decision=permit account=tprd001"), "{}", one.log());
}

#[test]
fn a_server_that_is_gone_is_passed_over() {
    let site = site();
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    let (first, second) = (one.server.clone(), two.server.clone());
    one.running.signal(Signal::SIGKILL);
    one.running.finish();
    assert_eq!(map(&site, &[&first, &second], "wn1", "bob", &[])["permit"]["account"], "tprd001");
}

#[test]
fn a_refusal_has_the_reason_that_a_node_would_have_given() {
    let site = site();
    let service = Service::start(&site, "map1");
    let code = |proxy: &str, more: &[&str]| {
        let answer = map(&site, &[&service.server], "wn1", proxy, more);
        (
            answer["deny"]["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned(),
            answer["deny"]["transient"] == true,
        )
    };
    let says = |reason: &str| (reason.to_owned(), false);
    assert_eq!(code("mallory", &[]), says("lcas.userban"));
    assert_eq!(code("rita", &[]), says("credential.revoked"));
    assert_eq!(code("uma", &[]), says("credential.unknown-ca"));
    assert_eq!(code("dave", &[]), says("lcmaps.no-mapping"));
    assert_eq!(code("bob", &["--verify"]), says("lcmaps.no-lease"));
    assert_eq!(code("bob", &["--pilot", "/root/rita.proxy"]), says("credential.revoked"));
    site.write("/etc/lcas/ban_users.db", "what is this\n");
    assert_eq!(code("bob", &[]), says("lcas.file-malformed"));
}

#[test]
fn a_large_mapfile_is_gone_through_once_and_a_change_counts_from_the_next_question_on() {
    let site = site();
    let mapfile = "/etc/grid-security/grid-mapfile";
    let crowd: String = (0..20_000).map(|number| format!("\"/O=Grid/CN=Somebody {number}\" nobody\n")).collect();
    site.write(mapfile, crowd.clone() + &site.read(mapfile));
    // What was changed a moment ago may change again without a new time.
    site.wait_until(&format!("(( $(date +%s) - $(stat -c %Z {mapfile}) > 3 ))"));
    let service = Service::start(&site, "map1");
    let account = || map(&site, &[&service.server], "wn1", "bob", &[])["permit"]["account"].clone();
    let read = || site.sh("sed -n 's/^rchar: //p' /proc/$(pgrep -x glexec-site)/io").trim().parse::<usize>().unwrap();
    assert_eq!(account(), "tprd001");
    let once = read();
    assert!(once > crowd.len(), "{once}");
    for _ in 0..5 {
        assert_eq!(account(), "tprd001");
    }
    let more = read() - once;
    assert!(more < crowd.len(), "{more}");
    // The same file, of the same length, and with the time of before.
    site.sh(&format!(
        "cp -p {mapfile} /root/before; sed 's/[.]tprd/.tabc/' /root/before > {mapfile}; touch -r /root/before {mapfile}"
    ));
    let answer = map(&site, &[&service.server], "wn1", "bob", &[]);
    assert_eq!(answer["deny"]["code"], "lcmaps.lease-conflict", "{answer}");
}

#[test]
fn who_is_no_node_of_the_site_learns_nothing() {
    let site = site();
    let service = Service::start(&site, "map1");
    certify(&site, "wn3", "subjectAltName=DNS:evil.example.net");
    site.write("/root/bob.proxy", crate::site::material_file("proxies/bob.pem"));
    let ask = |who: (&str, &str)| request(&site, &[&service.server], who, &["map", "/root/bob.proxy"]);
    for who in [("db1", "voms"), ("wn9.cloud", "voms"), ("wn3", "voms"), ("alice", "user")] {
        let run = ask(who);
        run.exits(1);
        assert!(run.stderr().contains("no [[node]]"), "{who:?} {run}");
    }
    // Revoked, of an unknown CA, and with a key that is not the certificate's.
    for who in [("rita", "user"), ("uma", "user"), ("wn1", "user")] {
        ask(who).exits(1);
    }
    assert!(!service.log().contains("decision="), "{}", service.log());
    assert!(service.log().contains("credential.revoked"), "{}", service.log());
    ask(("wn1", "voms")).exits(0);
}

#[test]
fn a_server_that_is_not_the_one_asked_for_hears_no_question() {
    let site = site();
    let service = Service::start(&site, "map1");
    let port = service.server.rsplit(':').next().unwrap().to_owned();
    site.write("/root/bob.proxy", crate::site::material_file("proxies/bob.pem"));
    let run =
        request(&site, &[&format!("https://map2.example.org:{port}")], ("wn1", "voms"), &["map", "/root/bob.proxy"]);
    run.exits(1);
    assert!(run.stderr().contains("is not the server map2.example.org"), "{run}");
    assert!(!service.log().contains("event=map"), "{}", service.log());
}

#[test]
fn garbage_is_refused_and_the_service_goes_on() {
    let site = site();
    let service = Service::start(&site, "map1");
    let long = "x".repeat(1024 * 1024 - 1);
    for (garbage, says) in [
        ("", "not a question"),
        ("{}", "not a question"),
        ("[[[[[[", "not a question"),
        (long.as_str(), "not a question"),
        (r#"{"version":1,"user":["AAAA"],"mode":"root"}"#, "not a question"),
    ] {
        let run = site.caller("root").stdin(garbage).run(
            "/usr/libexec/glexec/site-request",
            [
                "--certificate",
                "/root/wn1.pem",
                "--key",
                "/root/voms.key",
                "--server",
                &service.server,
                "post",
                "/v1/map",
            ],
        );
        run.exits(1);
        assert!(run.stderr().contains(says), "{run}");
    }
    // A question in form whose certificates are none.
    let run = site.caller("root").stdin(r#"{"version":1,"user":["AAAA"],"mode":"get_account"}"#).run(
        "/usr/libexec/glexec/site-request",
        ["--certificate", "/root/wn1.pem", "--key", "/root/voms.key", "--server", &service.server, "post", "/v1/map"],
    );
    assert!(run.stdout().contains("credential.malformed"), "{run}");
    let port = service.server.rsplit(':').next().unwrap();
    site.sh(&format!("printf 'GET / HTTP/1.1\\r\\n\\r\\n' > /dev/tcp/127.0.0.1/{port}; head -c 100000 /dev/urandom > /dev/tcp/127.0.0.1/{port} || true"));
    assert_eq!(map(&site, &[&service.server], "wn1", "bob", &[])["permit"]["account"], "tprd001");
}

#[test]
fn the_service_is_nobody_who_may_do_more_than_lease() {
    let site = site();
    let service = Service::start(&site, "map1");
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.running.pid())).unwrap();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(field("Uid:"), "990 990 990 990");
    assert_eq!(field("Gid:"), "990 990 990 990");
    assert_eq!(field("Groups:"), "");
    assert_eq!(field("NoNewPrivs:"), "1");
    // CAP_DAC_OVERRIDE and CAP_FOWNER.
    assert_eq!((field("CapEff:"), field("CapPrm:")), ("000000000000000a".to_owned(), "000000000000000a".to_owned()));
    assert_eq!(
        (field("CapBnd:"), field("CapInh:"), field("CapAmb:")),
        ("0".repeat(16), "0".repeat(16), "0".repeat(16))
    );
}

#[test]
fn a_configuration_with_a_mistake_starts_nothing() {
    let site = site();
    let good = site.read("/etc/glexec-site.toml");
    let check = || site.caller("root").run("/usr/sbin/glexec-site", ["--check"]);
    check().exits(0);
    for (mistake, says) in [
        (good.replace("\"gridmapdir\"\n[[node]]", "\"oracle\"\n[[node]]"), "oracle"),
        (good.replace("[[node]]\nname = \"wn*.example.org\"", ""), "no [[node]]"),
        (good.replace("listen", "lisen"), "lisen"),
    ] {
        site.write("/etc/glexec-site.toml", mistake);
        let run = check();
        run.exits(1);
        assert!(run.stderr().contains(says) && run.stderr().contains("/etc/glexec-site.toml:"), "{run}");
    }
    site.write("/etc/glexec-site.toml", good);
    site.chmod("/etc/glexec-site.toml", 0o666);
    check().exits(1);
}
