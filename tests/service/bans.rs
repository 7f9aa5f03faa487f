//! Bans: who may make them, whom they reach and how soon, and what happens where nobody can tell who is banned.

use crate::service::{Service, map, request, site};
use crate::site::{Run, Site, eventually};
use std::time::{Duration, Instant};

const BOB: &str = "/DC=org/DC=example/O=Grid/CN=Bob Brown";
/// The operator that the configuration names.
const OPERATOR: (&str, &str) = ("alice", "user");

fn ban<'s>(site: &'s Site, server: &str, who: (&str, &str), what: &[&str]) -> Run<'s> {
    let (certificate, key) = (format!("/root/{}.pem", who.0), format!("/root/{}.key", who.1));
    let options = ["ban", "--server", server, "--certificate", &certificate, "--key", &key];
    site.admin(options.into_iter().chain(what.iter().copied()))
}

fn code(site: &Site, service: &Service<'_>, proxy: &str) -> String {
    let answer = map(site, &[&service.server], "wn1", proxy, &[]);
    answer["deny"]["code"].as_str().unwrap_or("permit").to_owned()
}

#[test]
fn a_ban_counts_on_every_server_within_ten_seconds_and_ends_when_it_is_lifted() {
    let site = site();
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    assert_eq!(code(&site, &one, "bob"), "permit");
    let began = Instant::now();
    ban(&site, &one.server, OPERATOR, &["add", BOB, "--reason", "mines coins"]).exits(0);
    assert_eq!(code(&site, &one, "bob"), "lcas.userban", "at once on the server that was told");
    eventually("the other server knows", || code(&site, &two, "bob") == "lcas.userban");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(code(&site, &two, "carol"), "permit");
    let list = ban(&site, &two.server, OPERATOR, &["list"]);
    let line = list.stdout().lines().nth(1).unwrap().to_owned();
    for word in [BOB, "mines coins", "CN=Alice Adams"] {
        assert!(line.contains(word), "{line}");
    }
    assert!(one.log().contains("event=ban operator=") && one.log().contains("mines coins"), "{}", one.log());
    ban(&site, &two.server, OPERATOR, &["remove", BOB]).exits(0);
    assert_eq!(code(&site, &two, "bob"), "permit");
    ban(&site, &two.server, OPERATOR, &["remove", BOB]).exits(1);
}

#[test]
fn attributes_cas_patterns_and_pilots_are_banned() {
    let site = site();
    let service = Service::start(&site, "map1");
    let change = |what: &[&str]| {
        ban(&site, &service.server, OPERATOR, what).exits(0);
    };
    change(&["add", "/testvo/Role=production"]);
    assert_eq!(
        (code(&site, &service, "bob"), code(&site, &service, "carol")),
        ("lcas.userban".into(), "permit".into())
    );
    change(&["remove", "/testvo/Role=production"]);
    change(&["add", "/DC=org/DC=example/CN=Example Grid Issuing CA"]);
    assert_eq!(
        (code(&site, &service, "bob"), code(&site, &service, "carol")),
        ("permit".into(), "lcas.userban".into())
    );
    change(&["remove", "/DC=org/DC=example/CN=Example Grid Issuing CA"]);
    change(&["add", "/DC=org/DC=example/O=Grid/CN=Pilot*"]);
    assert_eq!(map(&site, &[&service.server], "wn1", "pilot", &[])["deny"]["code"], "lcas.userban");
    let run = map(&site, &[&service.server], "wn1", "bob", &["--pilot", "/root/pilot.proxy"]);
    assert_eq!(run["deny"]["code"], "lcas.userban");
    // One that has ended bans nobody.
    change(&["add", BOB, "--until", "2020-01-01T00:00:00Z"]);
    assert_eq!(code(&site, &service, "bob"), "permit");
}

#[test]
fn only_operators_and_root_of_a_service_host_change_bans() {
    let site = site();
    let service = Service::start(&site, "map1");
    for nobody in [("wn1", "voms"), ("db1", "voms"), ("rita", "user")] {
        ban(&site, &service.server, nobody, &["add", BOB]).exits(1);
    }
    assert!(service.log().contains("no [[operator]]"), "{}", service.log());
    assert_eq!(code(&site, &service, "bob"), "permit");
    // A node may read them.
    request(&site, &[&service.server], ("wn1", "voms"), &["get", "/v1/bans"]).exits(0);
    // On the service's own host without any option.
    let port = service.server.rsplit(':').next().unwrap();
    let own = site.read("/root/map1.toml").replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    site.write("/etc/glexec-site.toml", own);
    site.admin(["ban", "add", BOB]).exits(0);
    assert_eq!(code(&site, &service, "bob"), "lcas.userban");
    for slip in ["*", "/*", "Bob"] {
        site.admin(["ban", "add", slip]).exits(1);
    }
}

#[test]
fn a_ban_file_is_imported_as_a_whole_or_not_at_all() {
    let site = site();
    let service = Service::start(&site, "map1");
    site.write("/root/ban_users.db", format!("# comment\n\"{BOB}\"\n/CN=\"broken\n\"/CN=x\" \"y\n\"unfinished\n"));
    ban(&site, &service.server, OPERATOR, &["import", "/root/ban_users.db"]).exits(1);
    assert_eq!(code(&site, &service, "bob"), "permit");
    site.write("/root/ban_users.db", format!("# comment\n\"{BOB}\"\n\n/testvo/Role=pilot\n"));
    let run = ban(&site, &service.server, OPERATOR, &["import", "/root/ban_users.db"]);
    run.exits(0);
    assert_eq!(run.stdout(), "2 names are banned\n");
    assert_eq!(
        (code(&site, &service, "bob"), code(&site, &service, "pilot")),
        ("lcas.userban".into(), "lcas.userban".into())
    );
}

#[test]
fn where_the_list_is_gone_nobody_is_let_in_again() {
    let site = site();
    let service = Service::start(&site, "map1");
    ban(&site, &service.server, OPERATOR, &["add", BOB]).exits(0);
    let list = "/etc/grid-security/site-bans.json";
    let good = site.read(list);
    site.sh(&format!("rm {list}"));
    for broken in ["", "{", "{\"version\":0,\"bans\":[]}"] {
        eventually("nobody is served", || code(&site, &service, "carol") == "site.unavailable");
        site.write(list, broken);
    }
    eventually("nobody is served", || code(&site, &service, "bob") == "site.unavailable");
    site.write(list, good);
    eventually("the list is believed again", || code(&site, &service, "carol") == "permit");
    assert_eq!(code(&site, &service, "bob"), "lcas.userban");
}

#[test]
fn whoever_waits_for_news_has_them_at_once() {
    let site = site();
    let service = Service::start(&site, "map1");
    let version = || {
        let run = request(&site, &[&service.server], ("wn1", "voms"), &["get", "/v1/bans"]);
        serde_json::from_str::<serde_json::Value>(&run.stdout()).unwrap()["version"].as_u64().unwrap()
    };
    let now = version();
    let waiting = site.caller("root").env("PATH", "/usr/sbin:/usr/bin").start(
        "/usr/libexec/glexec/site-request",
        [
            "--certificate",
            "/root/wn1.pem",
            "--key",
            "/root/voms.key",
            "--server",
            &service.server,
            "get",
            &format!("/v1/bans?after={now}"),
        ],
    );
    ban(&site, &service.server, OPERATOR, &["add", BOB]).exits(0);
    let run = waiting.finish();
    run.exits(0);
    assert!(run.stdout().contains("Bob Brown"), "{run}");
    assert_eq!(version(), now + 1);
}
