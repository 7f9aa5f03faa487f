//! Engine postgresql: leases in a real PostgreSQL with a synchronous standby, its primary killed, and moves from and to a
//! gridmapdir.

use crate::service::{CONFIGURATION, Service, map, site};
use crate::site::{Site, material_file};
use std::collections::BTreeMap;

const OPERATOR: [&str; 6] = ["--certificate", "/root/alice.pem", "--key", "/root/user.key", "--server", ""];
const BIN: &str = "PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin)";

/// A database server in the home of an account that glexec knows nothing of.
struct Server<'s> {
    site: &'s Site,
    name: &'static str,
    port: u16,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl<'s> Server<'s> {
    fn sh(&self, script: &str) -> String {
        let run = self.site.caller("alice").sh(&format!("{BIN}; cd ~; {script}"));
        run.exits(0);
        run.stdout()
    }

    fn start(&self) {
        self.sh(&format!(
            "pg_ctl -D {0} -l {0}.log -w -o '-p {1} -k /home/alice -h 127.0.0.1' start > /dev/null 2>&1 || {{ cat {0}.log; false; }}",
            self.name, self.port
        ));
    }

    fn primary(site: &'s Site) -> Self {
        let server = Server { site, name: "primary", port: free_port() };
        server.sh("initdb -D primary -A trust -U glexec > /dev/null");
        server.sh("printf 'wal_level=replica\nmax_wal_senders=5\nfsync=off\n' >> primary/postgresql.conf");
        server.start();
        server.sql("create database glexec");
        server
    }

    /// A standby that every commit waits for.
    fn standby(&self) -> Self {
        let server = Server { site: self.site, name: "standby", port: free_port() };
        server.sh(&format!("pg_basebackup -h 127.0.0.1 -p {} -U glexec -D standby -R -c fast", self.port));
        server.sh(&format!(
            "echo \"primary_conninfo = 'host=127.0.0.1 port={} user=glexec application_name=b'\" >> standby/postgresql.auto.conf",
            self.port
        ));
        server.start();
        self.sql("alter system set synchronous_standby_names='b'");
        self.sql("select pg_reload_conf()");
        let synchronous = || self.sql("select sync_state from pg_stat_replication") == "sync\n";
        crate::site::eventually("the standby is synchronous", synchronous);
        server
    }

    fn sql(&self, text: &str) -> String {
        self.sh(&format!("psql -h 127.0.0.1 -p {} -U glexec -At -c \"{text}\" postgres", self.port))
    }

    fn table(&self, text: &str) -> String {
        self.sh(&format!("psql -h 127.0.0.1 -p {} -U glexec -At -c \"{text}\" glexec", self.port))
    }

    /// Ends it as a power cut would.
    fn kill(&self) {
        self.sh(&format!("pg_ctl -D {} -m immediate stop > /dev/null", self.name));
    }
}

fn configure(site: &Site, servers: &[&Server<'_>]) {
    let ports: Vec<String> = servers.iter().map(|server| server.port.to_string()).collect();
    let hosts = vec!["127.0.0.1"; servers.len()].join(",");
    let engine = format!(
        "type = \"postgresql\"\nconnect = \"host={hosts} port={} user=glexec dbname=glexec target_session_attrs=read-write\"",
        ports.join(",")
    );
    site.write("/etc/glexec-site.toml", CONFIGURATION.replace("type = \"gridmapdir\"", &engine));
    // The service has no privilege with files then, and reads what it needs as anybody.
    site.sh("chmod 755 /root");
}

#[track_caller]
fn admin(site: &Site, server: &str, what: &[&str]) -> String {
    let mut options = OPERATOR;
    options[5] = server;
    let run = site.admin([what[0]].into_iter().chain(options).chain(what[1..].iter().copied()));
    run.exits(0);
    run.stdout()
}

/// Waits until the service answers with an account.
fn account(site: &Site, servers: &[&str], proxy: &str) -> String {
    let answer = map(site, servers, "wn1", proxy, &[]);
    answer["permit"]["account"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn leases_move_from_a_gridmapdir_to_the_database_and_back() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    // Bob is the third who came.
    site.sh("cd /etc/grid-security/gridmapdir; ln tprd001 '%2fcn%3da'; ln tprd002 '%2fcn%3db'");
    site.pilot().credential("bob").glexec(["id", "-un"]).succeeds_with("tprd003\n");
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    crate::site::eventually("the tables are there", || {
        map(&site, &[&one.server], "wn1", "bob", &[])["deny"]["code"] == "lcmaps.pool-exhausted"
    });
    let said = admin(&site, &one.server, &["leases", "import", "/etc/grid-security/gridmapdir"]);
    assert_eq!(said, "20 accounts, 3 of them leased; 20 are new to the service\n");
    assert_eq!(account(&site, &[&one.server], "bob"), "tprd003");
    assert_eq!(account(&site, &[&two.server], "carol"), "tvo001");
    assert_eq!(account(&site, &[&one.server], "carol"), "tvo001");
    // Again changes nothing; what somebody else has cannot be taken.
    let said = admin(&site, &one.server, &["leases", "import", "/etc/grid-security/gridmapdir"]);
    assert!(said.ends_with("0 are new to the service\n"), "{said}");
    site.sh("cd /etc/grid-security/gridmapdir; ln tvo001 '%2fcn%3dsomebody%20else'");
    let mut options = OPERATOR;
    options[5] = &one.server;
    let run = site.admin(["leases"].into_iter().chain(options).chain(["import", "/etc/grid-security/gridmapdir"]));
    run.exits(1);
    assert!(run.stderr().contains("tvo001 is leased to somebody else"), "{run}");
    assert_eq!(
        admin(&site, &two.server, &["pools", "add", "tvo011", "tvo012", "tvo001"]),
        "2 of 3 accounts are new to the service\n"
    );

    site.sh("mkdir /etc/grid-security/exported");
    assert_eq!(
        admin(&site, &one.server, &["leases", "export", "/etc/grid-security/exported"]),
        "/etc/grid-security/exported has 22 accounts, 4 of them leased\n"
    );
    site.configure(|text| text.replace("/etc/grid-security/gridmapdir", "/etc/grid-security/exported"));
    for (proxy, account) in [("bob", "tprd003\n"), ("carol", "tvo001\n")] {
        site.pilot().credential(proxy).glexec(["id", "-un"]).succeeds_with(account);
    }
    // The service holds no privilege with this engine.
    let status = std::fs::read_to_string(format!("/proc/{}/status", one.running.pid())).unwrap();
    assert!(status.contains("CapPrm:\t0000000000000000") && status.contains("Uid:\t990\t990\t990\t990"), "{status}");
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn a_primary_that_is_killed_loses_no_lease_and_gives_none_twice() {
    let site = site();
    let primary = Server::primary(&site);
    let standby = primary.standby();
    configure(&site, &[&primary, &standby]);
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    let servers = [one.server.as_str(), two.server.as_str()];
    crate::site::eventually("the tables are there", || {
        map(&site, &servers, "wn1", "bob", &[])["deny"]["code"] == "lcmaps.pool-exhausted"
    });
    admin(&site, &one.server, &["leases", "import", "/etc/grid-security/gridmapdir"]);
    let (bob, carol) = (account(&site, &servers, "bob"), account(&site, &servers, "carol"));
    primary.kill();
    // Without a primary nobody gets an account, and the answer comes in time.
    let answer = map(&site, &servers, "wn1", "alice-voms", &[]);
    assert_eq!((&answer["deny"]["code"], &answer["deny"]["transient"]), (&"site.unavailable".into(), &true.into()));
    standby.sh("pg_ctl -D standby -w promote > /dev/null");
    standby.sql("alter system set synchronous_standby_names=''");
    standby.sql("select pg_reload_conf()");
    crate::site::eventually("the services find the new primary", || {
        map(&site, &servers, "wn1", "bob", &[])["permit"]["account"] == bob.as_str()
    });
    assert_eq!(account(&site, &servers, "carol"), carol);
    let alice = account(&site, &servers, "alice-voms");
    assert!(alice.starts_with("tvo") && alice != carol, "{alice}");
    assert_eq!(standby.table("select count(*) from glexec_account where lease is not null"), "3\n");
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn many_at_once_on_two_servers_never_share_an_account() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    crate::site::eventually("the tables are there", || {
        map(&site, &[&one.server], "wn1", "bob", &[])["deny"]["code"] == "lcmaps.pool-exhausted"
    });
    admin(&site, &one.server, &["leases", "import", "/etc/grid-security/gridmapdir"]);
    // More people than accounts, each asked for on both servers at once.
    let pool = site.read("/etc/grid-security/grid-mapfile") + "\"/DC=org/DC=example/O=Crowd/*\" .tvo\n";
    site.write("/etc/grid-security/grid-mapfile", pool);
    let policy = site
        .read("/etc/glexec-site.toml")
        .replace("type = \"localaccount\"", "type = \"poolaccount\"\ngridmapdir = \"/x\"");
    site.write("/etc/glexec-site.toml", policy);
    drop((one, two));
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    site.write("/root/ca.key", material_file("keys/ca.key"));
    site.sh(
        "cd /root; for n in $(seq 14); do openssl req -config cnf -new -key user.key -subj \"/DC=org/DC=example/O=Crowd/CN=p$n\" | \
         openssl x509 -req -CA root-ca.pem -CAkey ca.key -days 3 -out p$n.crowd 2>&1; done > /dev/null",
    );
    let ask = |server: &str, n: usize| {
        let number = usize::from(server == two.server);
        format!(
            "/usr/libexec/glexec/site-request --certificate wn1.pem --key voms.key --server {server} map p{n}.crowd > {n}.{number} &"
        )
    };
    let all: Vec<String> = (1..=14).flat_map(|n| [ask(&one.server, n), ask(&two.server, n)]).collect();
    site.sh(&format!("cd /root; {} wait", all.join(" ")));
    let mut holders: BTreeMap<String, usize> = BTreeMap::new();
    for n in 1..=14 {
        let answers: Vec<serde_json::Value> =
            (0..2).map(|server| serde_json::from_str(&site.read(&format!("/root/{n}.{server}"))).unwrap()).collect();
        let accounts: Vec<&str> = answers.iter().filter_map(|answer| answer["permit"]["account"].as_str()).collect();
        assert!(accounts.windows(2).all(|pair| pair[0] == pair[1]), "{n} has two: {answers:?}");
        if let Some(account) = accounts.first() {
            assert_eq!(holders.insert((*account).to_owned(), n), None, "{account} has two holders");
        }
        for answer in answers.iter().filter(|answer| answer["permit"].is_null()) {
            assert_eq!(answer["deny"]["code"], "lcmaps.pool-exhausted", "{answer}");
        }
    }
    assert_eq!(holders.len(), 10, "{holders:?}");
}
