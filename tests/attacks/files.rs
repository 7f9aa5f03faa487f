//! Attacks by names and files: races, accounts, the configuration.

use crate::aftermath::{Calls, nothing_is_amiss};
use crate::site::{Caller, Running, Site};
use nix::sys::signal::Signal;

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

/// Swaps things for as long as it lives.
fn swapping<'s>(site: &'s Site, cwd: &str, step: &str) -> Running<'s> {
    let script = format!("touch swapping; while :; do {step}; done");
    let running = site.pilot().cwd(cwd).start("/bin/bash", ["-c", &script]);
    running.wait_until(&format!("test -e {cwd}/swapping"));
    running
}

fn stop(swapping: Running<'_>) {
    swapping.signal(Signal::SIGKILL);
    swapping.finish();
}

#[test]
fn a_proxy_file_that_changes_while_it_is_looked_at() {
    let site = Site::new();
    let pilot = alice(&site);
    // Bob's proxy is there for anybody to name, but not for this caller to read.
    let proxy = crate::site::material_file("proxies/bob.pem");
    site.write("/srv/bob.pem", proxy);
    site.chmod("/srv/bob.pem", 0o600);
    site.chown("/srv/bob.pem", "mallory");
    let swap = "ln -sfn alice.pem q; ln -sfn /srv/bob.pem q; mkdir d 2>/dev/null; mv -T d q 2>/dev/null";
    let swapping = swapping(&site, "/home/pilot", swap);
    let calls = 40;
    let mut refused = 0;
    for _ in 0..calls {
        let run = pilot.clone().env("GLEXEC_CLIENT_CERT", "/home/pilot/q").glexec(["id", "-un"]);
        match run.code() {
            Some(0) => assert_eq!(run.stdout(), "alice\n"),
            Some(201) => refused += 1,
            _ => panic!("{run}"),
        }
    }
    stop(swapping);
    assert!(refused < calls, "nothing but refusals");
    nothing_is_amiss(&site, Calls::Exactly(calls));
}

#[test]
fn a_command_that_changes_while_it_is_looked_at() {
    for site in Site::in_both_modes() {
        site.pilot()
            .sh("mkdir -m 755 /tmp/job && cp /usr/bin/id /tmp/job/one && ln -s /usr/bin/id /tmp/job/two")
            .exits(0);
        let swap = "ln -sfn one cmd; ln -sfn /usr/bin/passwd cmd; ln -sfn two cmd; ln -sfn /etc/shadow cmd";
        let swapping = swapping(&site, "/tmp/job", swap);
        let calls = 20;
        for _ in 0..calls {
            let run = alice(&site).cwd("/tmp/job").glexec(["./cmd", "-u"]);
            assert!(run.stdout().is_empty() || run.stdout() == "3000\n", "{run}");
        }
        stop(swapping);
        for record in site.records() {
            assert!(record["decision"] != "permit" || record["target_user"] == "alice", "{record:?}");
        }
        nothing_is_amiss(&site, Calls::Exactly(calls));
    }
}

#[test]
fn a_target_proxy_that_changes_while_it_is_written() {
    let site = Site::new();
    site.sh("install -o alice -g alice -m 600 /dev/null /home/alice/precious && chmod 711 /home/alice && \
        install -d -m 777 /home/alice/open");
    let swap =
        "rm -rf t; ln -s /home/alice/precious t; rm -rf t; ln -s /etc/passwd t; rm -rf t; mkdir t; rm -rf t; touch t";
    let swapping = swapping(&site, "/home/alice/open", swap);
    let calls = 40;
    for _ in 0..calls {
        let run = alice(&site).env("GLEXEC_TARGET_PROXY", "/home/alice/open/t").glexec(["id", "-un"]);
        assert!(matches!(run.code(), Some(0 | 201)), "{run}");
    }
    stop(swapping);
    assert_eq!(
        site.sh("stat -c '%s %U %a' /home/alice/precious; stat -c '%U %a' /etc/passwd"),
        "0 alice 600\nroot 644\n"
    );
    assert_eq!(site.sh("find /home/alice -user alice -type f -perm /077"), "", "a proxy that others may read");
    nothing_is_amiss(&site, Calls::Exactly(calls));
}

#[test]
fn account_names_that_look_like_something_else() {
    let site = Site::new();
    // An account whose name is root's number must not be found by that number, nor the other way round.
    site.sh(
        "echo '0day:x:3300:3000::/home/alice:/bin/sh' >> /etc/passwd; echo '1e3:x:3301:3000::/:/bin/sh' >> /etc/passwd",
    );
    let names = [
        "0",
        "00",
        "0x0",
        "1000",
        "-1",
        "+1000",
        "4294967295",
        "4294967296",
        "ROOT",
        "root",
        "'root'",
        "alice:root",
        "../root",
        "*",
        "alice\u{a0}",
    ];
    for name in names {
        let line = format!("\"/DC=org/DC=example/O=Grid/CN=Alice Adams\" {name}");
        site.write("/etc/grid-security/grid-mapfile", line);
        let run = alice(&site).glexec(["id", "-u"]);
        assert!(matches!(run.code(), Some(202 | 203)) && run.stdout().is_empty(), "{name}: {run}");
    }
    nothing_is_amiss(&site, Calls::Exactly(names.len()));
}

#[test]
fn numbers_that_are_read_as_other_numbers() {
    let site = Site::new();
    let pilot = alice(&site);
    let original = site.read("/etc/glexec.conf");
    for key in ["min_uid", "min_gid", "log_level"] {
        for value in ["-1", "4294967296", "1e3", "\"0\"", "1.5", "18446744073709551617", "true", "[1]"] {
            site.write("/etc/glexec.conf", original.replace("[glexec]\n", &format!("[glexec]\n{key} = {value}\n")));
            let run = pilot.glexec(["id", "-un"]);
            assert_eq!(run.code(), Some(202), "{key} = {value}: {run}");
        }
    }
    // And ids of the account database.
    site.write("/etc/glexec.conf", original);
    for ids in ["-1:3000", "4294967296:3000", "4294970296:3000", "0x0bb8:3000", "3000:4294967296", "+0:3000", "0:3000"]
    {
        site.sh(&format!("sed -i 's/^alice:x:[^:]*:[^:]*:/alice:x:{ids}:/' /etc/passwd"));
        let run = pilot.glexec(["id", "-u"]);
        assert!(matches!(run.code(), Some(202 | 203)) && run.stdout().is_empty(), "{ids}: {run}");
    }
    nothing_is_amiss(&site, Calls::Exactly(7));
}

#[test]
fn files_read_through_their_error_text() {
    let site = Site::new();
    // Whatever can be named, no line of a file owned by root comes back.
    let secret = site.read("/etc/shadow");
    let names = ["/etc/shadow", "/etc/glexec.conf", "/root/proxies/alice.pem", "/etc/grid-security/grid-mapfile"];
    let mut calls = 0;
    for variable in ["GLEXEC_CLIENT_CERT", "GLEXEC_SOURCE_PROXY", "X509_USER_PROXY", "GLEXEC_TARGET_PROXY"] {
        for name in names {
            let run = alice(&site).env(variable, name).reporting().glexec(["id"]);
            assert!(matches!(run.code(), Some(201 | 203)), "{variable}={name}: {run}");
            for line in secret.lines() {
                assert!(!run.stderr().contains(line) && !run.report.contains(line), "{run}");
            }
            calls += 1;
        }
    }
    nothing_is_amiss(&site, Calls::Exactly(calls));
}

#[test]
fn many_first_logins_at_once() {
    let site = Site::new();
    let people = [("bob", "tprd"), ("carol", "tvo"), ("alice-voms", "tvo")];
    let mut running = Vec::new();
    for pilot in ["pilot", "pilot001", "pilot002", "pilot003"] {
        for (credential, pool) in people {
            let name = format!("{credential}.pem");
            let content = crate::site::material_file(&format!("proxies/{name}"));
            let caller = site.caller(pilot).file_in("GLEXEC_CLIENT_CERT", &name, &content);
            running.push((credential, pool, caller.start(crate::site::GLEXEC, ["id", "-un"])));
        }
    }
    let calls = running.len();
    let mut accounts: std::collections::BTreeMap<&str, std::collections::BTreeSet<String>> = Default::default();
    for (credential, pool, running) in running {
        let run = running.finish();
        assert!(run.exits(0).stdout().starts_with(pool), "{run}");
        accounts.entry(credential).or_default().insert(run.stdout());
    }
    assert!(accounts.values().all(|of_one| of_one.len() == 1), "one account each: {accounts:?}");
    let all: std::collections::BTreeSet<_> = accounts.values().flatten().collect();
    assert_eq!(all.len(), people.len(), "an account of their own: {accounts:?}");
    nothing_is_amiss(&site, Calls::Exactly(calls));
}
