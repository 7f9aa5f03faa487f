//! Engine postgresql: leases in a real PostgreSQL with a synchronous standby, its primary killed, and moves from and to
//! a gridmapdir.

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

/// Waits until a service has made its tables, and gives it the pool accounts of the site's gridmapdir.
fn fill(site: &Site, service: &Service<'_>) {
    crate::site::eventually("the tables are there", || {
        map(site, &[&service.server], "wn1", "bob", &[])["deny"]["code"] == "lcmaps.pool-exhausted"
    });
    admin(site, &service.server, &["leases", "import", "/etc/grid-security/gridmapdir"]);
}

/// Starts services again whose policy has one pool of ten accounts for the people `/root/p1.crowd` to `p14.crowd`.
fn with_crowd<'s>(site: &'s Site, services: (Service<'s>, Service<'s>)) -> (Service<'s>, Service<'s>) {
    let pool = site.read("/etc/grid-security/grid-mapfile") + "\"/DC=org/DC=example/O=Crowd/*\" .tvo\n";
    site.write("/etc/grid-security/grid-mapfile", pool);
    let policy = site
        .read("/etc/glexec-site.toml")
        .replace("type = \"localaccount\"", "type = \"poolaccount\"\ngridmapdir = \"/x\"");
    site.write("/etc/glexec-site.toml", policy);
    drop(services);
    site.write("/root/ca.key", material_file("keys/ca.key"));
    site.sh(
        "cd /root; for n in $(seq 14); do openssl req -config cnf -new -key user.key -subj \"/DC=org/DC=example/O=Crowd/CN=p$n\" | \
         openssl x509 -req -CA root-ca.pem -CAkey ca.key -days 3 -out p$n.crowd 2>&1; done > /dev/null",
    );
    (Service::start(site, "map1"), Service::start(site, "map2"))
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
    let (one, two) = with_crowd(&site, (one, two));
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

/// Asks for each of the crowd with processes of their own; their answers are `/root/N.answer` when they are whole.
fn ask_for_crowd<'s>(site: &'s Site, servers: &[&str]) -> crate::site::Running<'s> {
    let servers: Vec<String> = servers.iter().map(|server| format!("--server {server}")).collect();
    let ask = format!(
        "cd /root; rm -f *.answer; for n in $(seq 10); do (/usr/libexec/glexec/site-request --timeout 20 --certificate wn1.pem --key voms.key {} \
         map p$n.crowd > $n.part && mv $n.part $n.answer) & done; wait",
        servers.join(" ")
    );
    site.caller("root").env("PATH", "/usr/sbin:/usr/bin").start("/bin/bash", ["-c", &ask])
}

fn answers(site: &Site) -> BTreeMap<usize, String> {
    let one = |n: usize| {
        let path = format!("/root/{n}.answer");
        let answer: serde_json::Value = serde_json::from_str(&site.exists(&path).then(|| site.read(&path))?).unwrap();
        Some((n, answer["permit"]["account"].as_str()?.to_owned()))
    };
    (1..=10).filter_map(one).collect()
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn services_and_databases_that_are_killed_anywhere_lose_no_lease_and_give_none_twice() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    fill(&site, &one);
    let (mut one, two) = with_crowd(&site, (one, two));
    let mut known: BTreeMap<usize, String> = BTreeMap::new();
    for (enough, victim) in [(0, "service"), (1, "database"), (2, "service"), (4, "database"), (7, "service")] {
        let asked = ask_for_crowd(&site, &[&one.server, &two.server]);
        crate::site::eventually("some have their answers", || answers(&site).len() >= enough);
        match victim {
            "service" => {
                one.running.signal(nix::sys::signal::Signal::SIGKILL);
                one.running.finish();
                asked.finish();
                one = Service::start(&site, "map1");
            }
            _ => {
                database.kill();
                asked.finish();
                database.start();
            }
        }
        for (n, account) in answers(&site) {
            assert_eq!(*known.entry(n).or_insert_with(|| account.clone()), account, "{n} has another account");
        }
        crate::site::eventually("both work again, by themselves", || {
            let of_bob =
                |service: &Service<'_>| map(&site, &[&service.server], "wn1", "bob", &[])["permit"]["account"].clone();
            [&one, &two].into_iter().all(|service| of_bob(service) == "tprd001")
        });
    }
    crate::site::eventually("everybody has an account", || {
        ask_for_crowd(&site, &[&one.server, &two.server]).finish();
        answers(&site).len() == 10
    });
    for (n, account) in answers(&site) {
        assert_eq!(*known.entry(n).or_insert_with(|| account.clone()), account);
    }
    let accounts: std::collections::BTreeSet<&String> = known.values().collect();
    assert_eq!(accounts.len(), 10, "{known:?}");
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn a_lease_that_the_standby_does_not_have_is_given_to_nobody() {
    let site = site();
    let primary = Server::primary(&site);
    let standby = primary.standby();
    configure(&site, &[&primary, &standby]);
    let service = Service::start(&site, "map1");
    fill(&site, &service);
    let carol = account(&site, &[&service.server], "carol");
    standby.kill();
    // What the primary alone would do could be lost with it.
    let answer = map(&site, &[&service.server], "wn1", "bob", &[]);
    assert_eq!(answer["deny"]["code"], "site.unavailable", "{answer}");
    // Who has a lease has it on both.
    assert_eq!(account(&site, &[&service.server], "carol"), carol);
    standby.start();
    crate::site::eventually("the standby has caught up", || {
        map(&site, &[&service.server], "wn1", "bob", &[])["permit"]["account"] == "tprd001"
    });
    assert_eq!(
        standby.table("select account from glexec_account where lease is not null order by 1"),
        "tprd001\ntvo001\n"
    );
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn a_database_that_takes_nothing_gives_no_lease_and_works_again_by_itself() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    let service = Service::start(&site, "map1");
    fill(&site, &service);
    database.sql("alter system set default_transaction_read_only = on");
    database.sql("select pg_reload_conf()");
    crate::site::eventually("it is read-only", || database.sql("show default_transaction_read_only") == "on\n");
    let answer = map(&site, &[&service.server], "wn1", "bob", &[]);
    assert_eq!(answer["deny"]["code"], "site.unavailable", "{answer}");
    database.sh(&format!(
        "PGOPTIONS='-c default_transaction_read_only=off' psql -h 127.0.0.1 -p {} -U glexec -c 'alter system reset default_transaction_read_only' postgres",
        database.port
    ));
    database.sql("select pg_reload_conf()");
    crate::site::eventually("it gives leases again", || {
        map(&site, &[&service.server], "wn1", "bob", &[])["permit"]["account"] == "tprd001"
    });
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn a_database_restored_from_yesterday_lets_nobody_in_by_accident() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    let service = Service::start(&site, "map1");
    fill(&site, &service);
    let carol = account(&site, &[&service.server], "carol");
    database.sh(&format!("pg_dump -h 127.0.0.1 -p {} -U glexec glexec > yesterday.sql", database.port));
    let bob = account(&site, &[&service.server], "bob");
    admin(&site, &service.server, &["ban", "add", "/DC=org/DC=example/O=Grid/CN=Mallory*"]);
    database.sql("drop database glexec with (force)");
    database.sql("create database glexec");
    database.sh(&format!("psql -q -h 127.0.0.1 -p {} -U glexec -f yesterday.sql glexec > /dev/null", database.port));
    // The list of bans is older than one that the service has seen: nobody is let in until somebody has looked.
    crate::site::eventually("the service has seen it", || service.log().contains("is it an old copy?"));
    assert_eq!(map(&site, &[&service.server], "wn1", "carol", &[])["deny"]["code"], "site.unavailable");
    // Bob's lease is lost, and who looks sees it: his account is taken out until it is cleaned.
    let list = admin(&site, &service.server, &["leases", "list"]);
    assert!(list.contains(&carol) && !list.contains(&bob), "{list}");
    drop(service);
    let service = Service::start(&site, "map1");
    crate::site::eventually("it serves after a restart", || {
        map(&site, &[&service.server], "wn1", "carol", &[])["permit"]["account"] == carol.as_str()
    });
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn an_account_that_is_taken_back_rests_before_somebody_else_gets_it() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    let service = Service::start(&site, "map1");
    fill(&site, &service);
    // Nine of ten are somebody's.
    database.table("update glexec_account set lease = account || 'x', holder = 'x', since = 1, used = 1 where account like 'tvo%' and account <> 'tvo001'");
    let carol = account(&site, &[&service.server], "carol");
    assert_eq!(carol, "tvo001");
    let list = admin(&site, &service.server, &["leases", "list"]);
    let line = list.lines().find(|line| line.starts_with("tvo001 ")).unwrap().to_owned();
    assert!(line.contains(" leased ") && line.ends_with("/DC=org/DC=example/O=Grid/CN=Carol Cole"), "{line}");
    let said = admin(&site, &service.server, &["leases", "release", "--yes", "tvo001"]);
    assert!(said.starts_with("tvo001: free from 2") && said.ends_with("unless its holder comes before\n"), "{said}");
    let exhausted = |proxy: &str| {
        let answer = map(&site, &[&service.server], "wn1", proxy, &[]);
        assert_eq!(answer["deny"]["code"], "lcmaps.pool-exhausted", "{answer}");
    };
    exhausted("alice-voms");
    assert!(admin(&site, &service.server, &["leases", "list"]).contains(" resting "));
    // Who comes again has it again.
    assert_eq!(account(&site, &[&service.server], "carol"), carol);
    assert!(!admin(&site, &service.server, &["leases", "list"]).contains(" resting "));
    admin(&site, &service.server, &["leases", "release", "--yes", "/DC=org/DC=example/O=Grid/CN=Carol Cole"]);
    exhausted("alice-voms");
    database.table("update glexec_account set ends = 1 where account = 'tvo001'");
    assert_eq!(account(&site, &[&service.server], "alice-voms"), carol);
    exhausted("carol");
    // Those of long ago, and nobody else's.
    let said = admin(&site, &service.server, &["leases", "expire", "--yes", "--unused-for", "30d"]);
    assert_eq!(said.lines().count(), 9, "{said}");
    assert!(!said.contains("tvo001"), "{said}");
    assert_eq!(
        admin(&site, &service.server, &["leases", "expire", "--yes", "--unused-for", "30d"]),
        "nothing to take back\n"
    );
    assert!(
        service.log().contains("event=release operator=") && service.log().contains("account=tvo001"),
        "{}",
        service.log()
    );
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn tables_of_a_release_before_are_brought_up_to_date_and_newer_ones_are_left_alone() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    site.write("/home/alice/1.sql", include_str!("../../crates/site/src/engine/schema/1.sql"));
    site.chmod("/home/alice/1.sql", 0o644);
    database.sh(&format!("psql -q -h 127.0.0.1 -p {} -U glexec -f 1.sql glexec", database.port));
    let lease = "%2fdc%3dorg%2fdc%3dexample%2fo%3dgrid%2fcn%3dbob%20brown:production:testvo";
    database.table(&format!(
        "insert into glexec_account values ('tprd007', '{lease}', '/DC=org/DC=example/O=Grid/CN=Bob Brown', 1, 1)"
    ));
    let (one, two) = (Service::start(&site, "map1"), Service::start(&site, "map2"));
    crate::site::eventually("it serves", || {
        map(&site, &[&one.server], "wn1", "bob", &[])["permit"]["account"] == "tprd007"
    });
    assert_eq!(account(&site, &[&two.server], "bob"), "tprd007");
    assert_eq!(database.table("select schema from glexec_state"), "2\n");
    drop((one, two));
    database.table("update glexec_state set schema = 99");
    let run = site.caller("root").env("PATH", "/usr/sbin:/usr/bin").run("/usr/sbin/glexec-site", ["--migrate"]);
    run.exits(1);
    assert!(run.stderr().contains("schema 99"), "{run}");
    let one = Service::start(&site, "map1");
    assert_eq!(map(&site, &[&one.server], "wn1", "bob", &[])["deny"]["code"], "site.unavailable");
}

#[test]
#[ignore = "needs PostgreSQL: make test-site"]
fn what_goes_to_the_database_is_encrypted_and_to_nobody_else() {
    let site = site();
    let database = Server::primary(&site);
    configure(&site, &[&database]);
    // The database lets in everybody who has the certificate of a service, and nobody without encryption.
    crate::service::certify(&site, "glexec", "subjectAltName=DNS:glexec.example.org");
    site.sh(
        "cd /root; cp db1.pem voms.key root-ca.pem /home/alice; chown alice /home/alice/*.pem /home/alice/voms.key; chmod 600 /home/alice/voms.key; \
         printf 'hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n' > /home/alice/primary/pg_hba.conf",
    );
    database.sh(
        "printf \"ssl=on\nssl_cert_file='/home/alice/db1.pem'\nssl_key_file='/home/alice/voms.key'\nssl_ca_file='/home/alice/root-ca.pem'\n\" \
         >> primary/postgresql.conf; pg_ctl -D primary -w restart > /dev/null",
    );
    site.append("/etc/hosts", "127.0.0.1 db1.example.org db2.example.org\n");
    let good = site.read("/etc/glexec-site.toml").replace("host=127.0.0.1", "host=db1.example.org").replace(
        "type = \"postgresql\"",
        "type = \"postgresql\"\nca = \"/root/root-ca.pem\"\ncertificate = \"/root/glexec.pem\"\nkey = \"/root/voms.key\"",
    );
    let migrate = |configuration: &str| {
        site.write("/etc/glexec-site.toml", configuration);
        site.caller("root").env("PATH", "/usr/sbin:/usr/bin").run("/usr/sbin/glexec-site", ["--migrate"])
    };
    let uma = String::from_utf8(material_file("certs/uma.pem")).unwrap();
    site.write("/root/other-ca.pem", uma);
    for (bad, says) in [
        (good.replace("db1.example.org", "db2.example.org"), "db2.example.org"),
        (good.replace("ca = \"/root/root-ca.pem\"", "ca = \"/root/other-ca.pem\""), "UnknownIssuer"),
        (good.replace("certificate = \"/root/glexec.pem\"\nkey = \"/root/voms.key\"", ""), "certificate"),
        (good.replace("ca = \"/root/root-ca.pem\"\n", ""), "stand together"),
    ] {
        let run = migrate(&bad);
        run.exits(1);
        assert!(run.stderr().contains(says), "{says}: {run}");
    }
    migrate(&good).exits(0);
    site.sh("chmod 755 /root");
    let service = Service::start(&site, "map1");
    fill(&site, &service);
    assert_eq!(account(&site, &[&service.server], "bob"), "tprd001");
}
