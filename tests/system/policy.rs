//! The plug-ins of LCAS and LCMAPS, in the program as it is installed.

use crate::site::{Site, material_file};
use std::path::Path;
use std::time::Duration;

/// A site with one more LCAS plug-in.
fn with_lcas(plugin: &str) -> Site {
    Site::with(|site| site.configure(|text| format!("{text}\n[[lcas.plugin]]\n{plugin}\n")))
}

/// A site with more LCMAPS plug-ins and another policy.
fn with_lcmaps(plugins: &str, policy: &str) -> Site {
    let old = "default = [\"vomsgroups -> vomspool | localaccount\"]";
    let change = |text: &str| text.replace(old, &format!("default = {policy}")) + "\n" + plugins;
    Site::with(|site| site.configure(change))
}

#[test]
fn only_listed_commands_run() {
    let site = with_lcas("type = \"check_executable\"\ncommands = [\"/usr/bin/id\", \"/usr/bin/cat\"]");
    let alice = site.pilot().credential("alice");
    alice.glexec(["/usr/bin/id", "-un"]).succeeds_with("alice\n");
    alice.glexec(["id", "-un"]).succeeds_with("alice\n");
    alice.glexec(["/usr/bin/env"]).refused(203, "lcas.check-executable");
    alice.glexec(["env"]).refused(203, "lcas.check-executable");
    alice.sh("ln -s /usr/bin/id $HOME/id; /usr/sbin/glexec $HOME/id").refused(203, "lcas.check-executable");
    // Nothing to run, nothing to judge.
    alice.env("GLEXEC_TARGET_PROXY", "/dev/null").glexec([] as [&str; 0]).succeeds_with("");
}

#[test]
fn a_name_means_the_first_listed_file_of_the_search_path_and_a_refusal_leases_nothing() {
    let site = with_lcas("type = \"check_executable\"\ncommands = [\"/bin/id\"]");
    let leases = || site.sh("ls /etc/grid-security/gridmapdir | grep -c % || true");
    let bob = site.pilot().credential("bob");
    bob.glexec(["env"]).refused(203, "lcas.check-executable");
    bob.glexec(["/usr/bin/id"]).refused(203, "lcas.check-executable");
    assert_eq!(leases(), "0\n");
    bob.glexec(["id", "-un"]).exits(0);
    assert_eq!(leases(), "1\n");
}

#[test]
fn malformed_lines_on_the_way_are_noted_also_where_the_call_is_refused() {
    let site = Site::with(|site| site.write("/etc/grid-security/grid-mapfile", "\"/DC=org/DC=example/O=Grid/CN=Al\n"));
    site.pilot().credential("alice").glexec(["id"]).refused(203, "lcmaps.no-mapping");
    let log = site.read("/var/log/glexec/glexec.log");
    assert!(log.contains("grid-mapfile: line 1: a quote without its end; the line was passed over"), "{log}");
}

#[test]
fn a_ban_file_that_is_malformed_is_named_with_its_line_to_the_site_and_not_to_the_caller() {
    let bad = "\"/O=Grid/CN=Eve\"\nCN=Mallory,DC=org\n";
    let lcas = with_lcas("type = \"userban\"\nfile = \"/etc/lcas/bans\"");
    let plugins = "[lcmaps.plugins.ban]\ntype = \"ban_dn\"\nbanmapfile = \"/etc/lcas/bans\"\n";
    let lcmaps = with_lcmaps(plugins, "[\"ban -> localaccount\"]");
    for (site, code) in [(lcas, "lcas.file-malformed"), (lcmaps, "lcmaps.file-malformed")] {
        site.write("/etc/lcas/bans", bad);
        let run = site.pilot().credential("alice").glexec(["id"]);
        let reason = run.refused(202, code).record()["reason"].clone();
        assert!(reason.contains("/etc/lcas/bans: line 2: not a name that starts with /"), "{reason}");
        assert!(run.stderr().contains("the site") && !run.stderr().contains("/etc/lcas"), "{run}");
        let check = site.admin(["check"]);
        let said = check.exits(2).stdout();
        let named = |line: &str| line.contains("/etc/lcas/bans") && line.contains("line 2: not a name");
        assert!(said.lines().skip(1).any(named), "{check}");
    }
}

#[test]
fn only_listed_people_and_attributes_pass() {
    let site = with_lcas("type = \"userallow\"\nfile = \"/etc/lcas/allow\"");
    site.pilot().credential("alice").glexec(["id"]).refused(202, "lcas.file-missing");
    site.write("/etc/lcas/allow", "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"\n");
    site.pilot().credential("alice").glexec(["id", "-un"]).succeeds_with("alice\n");
    site.pilot().credential("bob").glexec(["id"]).refused(203, "lcas.userallow");

    let site = with_lcas("type = \"voms\"\nfile = \"/etc/lcas/attributes\"");
    site.write("/etc/lcas/attributes", "\"/testvo/Role=production/*\"\n");
    site.pilot().credential("bob").glexec(["true"]).succeeds_with("");
    site.pilot().credential("carol").glexec(["id"]).refused(203, "lcas.voms");
    site.pilot().credential("alice").glexec(["id"]).refused(203, "lcas.voms");
}

#[test]
fn the_clock_of_the_site_decides() {
    let site = with_lcas("type = \"timeslots\"\nfile = \"/etc/lcas/timeslots.db\"");
    let alice = site.pilot().credential("alice");
    for (slots, code) in [("* * * * * *\n", None), ("* * * * 1990 *\n", Some((203, "lcas.timeslots")))] {
        site.write("/etc/lcas/timeslots.db", slots);
        match code {
            None => alice.glexec(["true"]).succeeds_with(""),
            Some((exit, code)) => alice.glexec(["true"]).refused(exit, code),
        };
    }
    site.write("/etc/lcas/timeslots.db", "all day\n");
    alice.glexec(["true"]).refused(202, "lcas.file-malformed");
}

#[test]
fn bans_and_fixed_accounts_by_attribute() {
    let plugins = "[lcmaps.plugins.ban]\ntype = \"ban_fqan\"\nbanmapfile = \"/etc/lcas/ban_fqans\"\n\
        [lcmaps.plugins.voms]\ntype = \"voms_localaccount\"\ngridmapfile = \"/etc/grid-security/voms-mapfile\"\n";
    let site = with_lcmaps(plugins, "[\"ban -> voms\"]");
    site.write("/etc/lcas/ban_fqans", "/testvo/Role=production\n");
    site.write("/etc/grid-security/voms-mapfile", "\"/testvo/*\" alice\n");
    site.pilot().credential("carol").glexec(["id", "-un"]).succeeds_with("alice\n");
    site.pilot().credential("bob").glexec(["id"]).refused(203, "lcmaps.banned");
}

#[test]
fn the_batch_systems_group_stays_with_the_payload() {
    let plugins = "[lcmaps.plugins.tracking]\ntype = \"tracking_groupid\"\nmin_gid = 65000\nmax_gid = 65049\n";
    let site = with_lcmaps(plugins, "[\"tracking -> localaccount\"]");
    let pilot = site.pilot().credential("alice");
    pilot.with_groups(&[2000, 65007, 65100]).glexec(["id", "-G"]).succeeds_with("3000 65007\n");
    pilot.glexec(["id", "-G"]).succeeds_with("3000\n");
}

#[test]
fn a_group_without_a_name_that_nobody_keeps_is_told_to_the_log() {
    let warning = |site: &Site, groups: &[u32]| {
        site.pilot().with_groups(groups).credential("alice").glexec(["true"]).exits(0);
        site.read("/var/log/glexec/glexec.log").contains("tracking_groupid keeps it")
    };
    let plugins = "[lcmaps.plugins.tracking]\ntype = \"tracking_groupid\"\nmin_gid = 65000\nmax_gid = 65049\n";
    let kept = with_lcmaps(plugins, "[\"tracking -> localaccount\"]");
    assert!(!warning(&kept, &[2000, 65001]));
    let site = Site::new();
    assert!(!warning(&site, &[2000, 4]), "adm has a name");
    assert!(warning(&site, &[2000, 65001]));
    assert!(site.read("/var/log/glexec/glexec.log").contains("group 65001,"));
}

#[test]
fn pool_groups_are_leased_to_attributes() {
    let plugins = "[lcmaps.plugins.groups]\ntype = \"voms_poolgroup\"\ngroupmapfile = \"/etc/grid-security/poolgroups\"\n\
        groupmapdir = \"/etc/grid-security/groupmapdir\"\n";
    let site = with_lcmaps(plugins, "[\"groups -> vomspool\"]");
    site.sh("mkdir /etc/grid-security/groupmapdir; touch /etc/grid-security/groupmapdir/grp01; \
        echo grp01:x:7001: >> /etc/group");
    site.write("/etc/grid-security/poolgroups", "\"/testvo*\" .grp\n");
    site.pilot().credential("carol").glexec(["id", "-gn"]).succeeds_with("grp01\n");
    assert!(site.exists("/etc/grid-security/groupmapdir/%2ftestvo%2frole%3dnull%2fcapability%3dnull"));
}

/// Puts a program where plug-ins of the site's own are.
fn install(site: &Site, name: &str, text: impl AsRef<[u8]>) {
    let path = format!("/etc/glexec-plugins/{name}");
    site.sh("mkdir -p /etc/glexec-plugins");
    site.write(&path, text);
    site.chmod(&path, 0o755);
}

fn example(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/use/plugins").join(name)).unwrap()
}

#[test]
fn the_example_plugins_work() {
    let site = with_lcas("type = \"exec\"\ncommand = [\"/etc/glexec-plugins/allow-vos\", \"testvo\"]");
    install(&site, "allow-vos", example("allow-vos"));
    site.pilot().credential("carol").glexec(["true"]).succeeds_with("");
    let run = site.pilot().credential("alice").glexec(["id"]);
    run.refused(203, "lcas.exec-denied");
    assert_eq!(run.stderr(), "[gLExec]: this site serves testvo only (lcas.exec-denied)\n");
    assert!(run.record()["reason"].contains("CN=Alice Adams is in VO None"), "{:?}", run.record());

    let plugin = "[lcmaps.plugins.table]\ntype = \"exec\"\n\
        command = [\"/etc/glexec-plugins/map-by-table\", \"/etc/glexec-plugins/accounts.json\"]\n";
    let site = with_lcmaps(plugin, "[\"table -> good | localaccount\"]\n[lcmaps.plugins.good]\ntype = \"dummy_good\"");
    install(&site, "map-by-table", example("map-by-table"));
    let table = r#"{"/DC=org/DC=example/O=Grid/CN=Bob Brown": {"account": "tvo003", "group": "production"}}"#;
    install(&site, "accounts.json", table);
    site.pilot().credential("bob").glexec(["sh", "-c", "id -un; id -Gn"]).succeeds_with("tvo003\nproduction\n");
    site.pilot().credential("alice").glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn the_log_says_which_program_of_the_sites_refused() {
    let site = with_lcas("type = \"exec\"\ncommand = [\"/etc/glexec-plugins/yes\"]");
    site.configure(|text| {
        text.to_owned() + "\n[[lcas.plugin]]\ntype = \"exec\"\ncommand = [\"/etc/glexec-plugins/no\"]\n"
    });
    install(&site, "yes", "#!/bin/sh\nexit 0\n");
    let says = |program: &str, code: &str, exit: i32, text: &str| {
        install(&site, "no", program);
        let run = site.pilot().credential("alice").glexec(["id"]);
        let record = run.refused(exit, code).record();
        assert!(record["reason"].ends_with(text), "{record:?}");
    };
    says("#!/bin/sh\nexit 1\n", "lcas.exec-denied", 203, "on the user: /etc/glexec-plugins/no");
    let message = "#!/bin/sh\necho '{\"decision\": \"deny\", \"message\": \"not today\"}'\n";
    says(message, "lcas.exec-denied", 203, "/etc/glexec-plugins/no: not today");
    let account = "#!/bin/sh\necho '{\"account\": \"alice\"}'\n";
    says(account, "lcas.exec-failed", 202, "/etc/glexec-plugins/no: an account is nothing that an LCAS plug-in gives");
}

#[test]
fn a_plugin_has_no_privilege_and_nothing_of_the_callers() {
    let site = with_lcas("type = \"exec\"\ncommand = [\"/etc/glexec-plugins/self\"]");
    let script = r#"#!/bin/bash
        who="$(id -un) $(id -Gn); $(ls /proc/$$/fd | tr '\n' ' ')"
        status=$(grep -E '^(CapPrm|CapBnd|NoNewPrivs):' /proc/self/status | cut -f 2 | tr '\n' ' ')
        environment=$(tr '\0' ' ' < /proc/$$/environ)
        printf '{"decision":"deny","tell_caller":"%s; %s; %s"}' "$who" "$status" "$environment"
    "#;
    install(&site, "self", script);
    let run = site.pilot().credential("alice").env("SECRET", "x").env("BASH_ENV", "/tmp/x").glexec(["id"]);
    run.refused(203, "lcas.exec-denied");
    // 3 and 255 are the shell's own: the pipe of `$(…)` and the script.
    let expected = "[gLExec]: glexec glexec; 0 1 2 255 3 ; 0000000000000000 0000000000000000 1 ; PATH=/usr/local/bin:/usr/bin:/bin ";
    assert!(run.stderr().starts_with(expected), "{}", run.stderr());
}

#[test]
fn a_plugin_that_fails_is_a_transient_failure_and_leaves_nothing() {
    let site = with_lcas("type = \"exec\"\ncommand = [\"/etc/glexec-plugins/it\"]\ntimeout = \"60s\"");
    let alice = site.pilot().credential("alice");
    alice.glexec(["id"]).refused(202, "lcas.file-missing");
    let in_time =
        |timeout: &str| site.sh(&format!("sed -i 's/^timeout = .*/timeout = \"{timeout}\"/' /etc/glexec.conf"));
    let table = [
        (
            "#!/bin/sh\nsleep 100 & setsid sleep 100 & (setsid sh -c 'sleep 100 & sleep 100' &) ; sleep 100\n",
            Some("no answer after 1s"),
        ),
        ("#!/bin/sh\nsetsid sleep 100 & exit 0\n", None),
        ("#!/bin/sh\necho oops >&2; kill -9 $$\n", Some("signal SIGKILL: oops")),
        ("#!/bin/sh\nexit 3\n", Some("exit status 3")),
        ("#!/bin/sh\necho yes\n", Some("the answer")),
        ("#!/bin/sh\nhead -c 1000000 /dev/zero\n", Some("longer than")),
        ("#!/no/such/interpreter\n", Some("could not be started: No such file")),
        ("#!/bin/sh\nexec <&- >&- 2>&-; exit 0\n", None),
    ];
    for (script, failure) in table {
        install(&site, "it", script);
        in_time(if failure == Some("no answer after 1s") { "1s" } else { "60s" });
        let run = alice.clone().reporting().glexec(["true"]);
        match failure {
            Some(why) => {
                run.refused(202, "lcas.exec-failed");
                assert!(run.report.contains("\"transient\":true"), "{}", run.report);
                assert!(run.record()["reason"].contains(why), "{:?}", run.record());
            }
            None => {
                run.succeeds_with("");
            }
        }
        // Nobody waits for what it has started.
        assert!(run.elapsed < Duration::from_secs(60), "{script}: {:?}", run.elapsed);
        assert_eq!(site.sh("pgrep -u glexec || true"), "", "{script}");
    }
    site.chmod("/etc/glexec-plugins/it", 0o775);
    alice.glexec(["id"]).refused(202, "lcas.insecure-permissions");
    site.chmod("/etc/glexec-plugins/it", 0o700);
    alice.glexec(["id"]).refused(202, "lcas.exec-failed");
    // Nobody may execute it: that is no matter of time.
    site.chmod("/etc/glexec-plugins/it", 0o644);
    let run = alice.glexec(["id"]);
    assert!(
        run.refused(202, "lcas.file-missing").record()["reason"].ends_with("is not executable (chmod a+x)"),
        "{run}"
    );
}

#[test]
fn a_plugin_that_forks_without_end_is_bounded_and_ends_with_all_that_it_started() {
    let site = with_lcas("type = \"exec\"\ncommand = [\"/etc/glexec-plugins/it\"]\ntimeout = \"3s\"");
    let alice = site.pilot().credential("alice");
    install(&site, "it", "#!/bin/sh\nprintf '{\"decision\":\"deny\",\"tell_caller\":\"%s\"}' $(ulimit -p)\n");
    assert_eq!(alice.glexec(["id"]).stderr(), "[gLExec]: 4096 (lcas.exec-denied)\n");
    // A limit of its own, so that the machine stays usable where this fails.
    let forks = "import os, resource\nresource.setrlimit(resource.RLIMIT_NPROC, (600, 600))\n\
        while True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n";
    install(&site, "it", format!("#!/usr/bin/python3 -I\n{forks}"));
    let run = alice.glexec(["true"]);
    run.refused(202, "lcas.exec-failed");
    assert_eq!(site.sh("pgrep -u glexec || true"), "");
    assert!(run.elapsed < Duration::from_secs(60), "{:?}", run.elapsed);
}

#[test]
fn an_expired_account_is_refused_but_one_without_password_is_not() {
    let site = Site::new();
    let alice = site.pilot().credential("alice");
    let shadow = |expiry: &str| {
        let old = site.read("/etc/shadow");
        let others: String = old.lines().filter(|line| !line.starts_with("alice:")).map(|l| format!("{l}\n")).collect();
        site.write("/etc/shadow", format!("{others}alice:!:19000:0:99999:7::{expiry}:\n"));
    };
    for (expiry, runs) in [("", true), ("99999", true), ("19000", false), ("0", false)] {
        shadow(expiry);
        match runs {
            true => alice.glexec(["id", "-un"]).succeeds_with("alice\n"),
            false => alice.glexec(["id", "-un"]).refused(203, "account.locked"),
        };
    }
    site.sh("rm /etc/shadow");
    alice.glexec(["id", "-un"]).succeeds_with("alice\n");
    // One that is there and does not answer may lock the account.
    site.sh("mkdir /etc/shadow");
    alice.glexec(["id"]).refused(202, "account.lookup-failed");
}

#[test]
fn a_pilot_cannot_escape_a_list_of_pilots_by_hiding_its_proxy() {
    let site = with_lcas("type = \"voms\"\nfile = \"/etc/lcas/pilots\"\nsubject = \"pilot\"");
    site.write("/etc/lcas/pilots", "\"/testvo/Role=pilot/*\"\n");
    let pilot = site.pilot().credential("alice");
    pilot.clone().own_proxy("pilot").glexec(["id", "-un"]).succeeds_with("alice\n");
    pilot.clone().own_proxy("bob").glexec(["id"]).refused(203, "lcas.voms");
    pilot.glexec(["id"]).refused(201, "credential.pilot-missing");
    pilot.env("X509_USER_PROXY", "/no/such/file").glexec(["id"]).refused(201, "credential.pilot-missing");
}

#[test]
fn the_c_library_and_the_installed_program_honour_each_others_leases() {
    let site = Site::new();
    let database = "path = /usr/lib/lcmaps\n\
        groups = \"lcmaps_voms_localgroup.mod\" \"-groupmapfile /etc/grid-security/groupmapfile\"\n\
        pool = \"lcmaps_voms_poolaccount.mod\" \"-gridmapfile /etc/grid-security/grid-mapfile\" \
        \"-gridmapdir /etc/grid-security/gridmapdir\"\n\nvoms:\ngroups -> pool\n";
    site.write("/root/lcmaps.db", database);
    site.write("/root/driver.c", include_str!("../peer/driver.c"));
    site.write("/root/hex.h", include_str!("../peer/hex.h"));
    site.sh("gcc -o /root/driver /root/driver.c -llcmaps");
    let library = |name: &str, fqans: &[&str]| {
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let dn = format!("/DC=org/DC=example/O=Grid/CN={name}");
        let words: Vec<String> = std::iter::once(dn.as_str()).chain(fqans.iter().copied()).map(hex).collect();
        let driver = "/root/driver /root/lcmaps.db /dev/null /etc/grid-security/gridmapdir -1";
        let answer = site.sh(&format!("echo voms - {} | {driver}", words.join(" ")));
        answer.split(' ').next().unwrap().to_owned()
    };
    let glexec = |credential: &str| site.pilot().credential(credential).glexec(["id", "-u"]).stdout().trim().to_owned();
    let (production, member) = ("/testvo/Role=production/Capability=NULL", "/testvo/Role=NULL/Capability=NULL");

    let theirs = library("Bob Brown", &[production, member]);
    assert!(theirs.starts_with("50"), "{theirs}");
    assert_eq!(glexec("bob"), theirs);
    let ours = glexec("carol");
    assert!(ours.starts_with("40"), "{ours}");
    assert_eq!(library("Carol Cole", &[member]), ours);
    assert_eq!(site.sh("ls /etc/grid-security/gridmapdir | grep -c %"), "2\n");
}

/// A certificate with its key for somebody of this name, from the site's CA.
fn certified(site: &Site, name: &str) -> Vec<u8> {
    site.write("/root/ca.key", material_file("keys/ca.key"));
    site.write("/root/ca.pem", material_file("certs/root-ca.pem"));
    let subject = format!("/DC=org/DC=example/O=Grid/CN={name}");
    site.sh(&format!(
        "cd /root; printf '[req]\ndistinguished_name = d\n[d]\n' > f; export OPENSSL_CONF=/root/f
        openssl req -utf8 -newkey rsa:2048 -nodes -keyout key -subj '{subject}' -out request 2> /dev/null
        openssl x509 -req -in request -CA ca.pem -CAkey ca.key -days 9 -out certificate 2> /dev/null; cat certificate key"
    ))
    .into_bytes()
}

#[test]
fn a_name_that_fits_no_lease_is_refused_with_what_does_fit() {
    let site = Site::new();
    let refused = |credential: &[u8], sentence: &str, remedy: &str| {
        let caller = site.pilot().file_in("GLEXEC_CLIENT_CERT", "long", credential);
        let run = caller.glexec(["id"]);
        let reason = run.refused(203, "lcmaps.lease-name").record()["reason"].clone();
        assert!(run.stderr().contains(sentence) && reason.contains(remedy), "{run}{reason}");
        caller
    };
    let change = |old: &str, new: &str| site.configure(|text| text.replace(old, new));

    // Bob has two attributes, and so two groups.
    let long = "g".repeat(200);
    site.sh(&format!(
        "sed -i s/^testvo:/{long}:/ /etc/group; sed -i 's/ testvo$/ {long}/' /etc/grid-security/groupmapfile"
    ));
    let bob = material_file("proxies/bob.pem");
    let bob =
        refused(&bob, "your name and first group are not", "do_not_use_secondary_gids = true leaves the others out");
    change("\"voms_poolaccount\"", "\"voms_poolaccount\"\ndo_not_use_secondary_gids = true");
    bob.glexec(["id", "-un"]).succeeds_with("tprd001\n");

    // Each byte beyond ASCII takes six in the name of a lease, and each of these letters has two.
    let name = "ü".repeat(30);
    let umlaut = certified(&site, &name);
    site.append("/etc/grid-security/grid-mapfile", "\"/DC=org/DC=example/O=Grid/CN=*\" .tvo\n");
    let policy = "vomspool | localaccount\"]";
    change(
        policy,
        "vomspool | pool\"]\n[lcmaps.plugins.pool]\ntype = \"poolaccount\"\n\
        gridmapfile = \"/etc/grid-security/grid-mapfile\"\ngridmapdir = \"/etc/grid-security/gridmapdir\"",
    );
    let umlaut = refused(
        &umlaut,
        "each letter beyond ASCII takes 12 bytes or more",
        "with an account and no pool, needs no lease",
    );
    site.append("/etc/grid-security/grid-mapfile", &format!("\"/DC=org/DC=example/O=Grid/CN={name}\" alice\n"));
    change("vomspool | pool\"]", policy);
    umlaut.glexec(["id", "-un"]).succeeds_with("alice\n");
}

/// Where an index of a large map file is.
const INDEXES: &str = "/run/glexec";

/// A grid-mapfile that is large enough for an index, with these lines at its end.
fn large_map(site: &Site, last: &str) {
    let others = (0..5000).map(|n| format!("\"/DC=org/DC=example/O=Grid/OU=people/CN=Somebody {n}\" grace\n"));
    site.write("/etc/grid-security/grid-mapfile", others.collect::<String>() + last);
    // Its time stamps must tell later versions from it.
    std::thread::sleep(Duration::from_millis(3100));
}

const ALICE: &str = "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"";
/// Who becomes Alice by the change of one letter.
const ALICF: &str = "\"/DC=org/DC=example/O=Grid/CN=Alicf Adams\"";

#[test]
fn a_large_map_gives_the_same_account_with_and_without_its_index_and_an_edit_counts_at_once() {
    let site = Site::with(|site| large_map(site, &format!("x\\\n{ALICF} erica\n{ALICE} alice\n\"/testvo/*\" .tvo\n")));
    let alice = site.pilot().credential("alice");
    let note = "grid-mapfile: line 5001: a backslash at the end of the line; the line was passed over";
    for calls in 1..=3 {
        alice.glexec(["id", "-un"]).succeeds_with("alice\n");
        assert_eq!(site.sh(&format!("stat -c '%a %U' {INDEXES} {INDEXES}/*")), "700 root\n600 root\n");
        assert_eq!(site.read("/var/log/glexec/glexec.log").matches(note).count(), calls);
    }
    let index = || site.sh(&format!("stat -c %i {INDEXES}/*"));
    let before = index();
    alice.glexec(["id", "-un"]).succeeds_with("alice\n");
    assert_eq!(index(), before, "an index is made once");
    // The same size, in the same file, just now.
    site.sh("cd /etc/grid-security; sed s/Alicf/Alice/ grid-mapfile > /root/new; \
        cat /root/new > grid-mapfile");
    alice.glexec(["id"]).refused(203, "account.unknown");
    alice.glexec(["id"]).refused(203, "account.unknown");
    assert_eq!(index(), before, "of what has just changed no index is made");
    std::thread::sleep(Duration::from_millis(3100));
    alice.glexec(["id"]).refused(203, "account.unknown");
    assert_ne!(index(), before);
    site.write("/etc/grid-security/grid-mapfile", format!("{ALICE} alice\n"));
    alice.glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn an_index_that_is_not_roots_alone_or_garbled_is_not_used() {
    let site = Site::with(|site| large_map(site, &format!("{ALICE} alice\n{ALICE} grace\n")));
    let alice = site.pilot().credential("alice");
    let works = || {
        alice.glexec(["id", "-un"]).succeeds_with("alice\n");
    };
    let indexes = || site.sh(&format!("ls {INDEXES} | wc -l"));
    for spoil in [
        "mkdir -m 777 /run/glexec",
        "mkdir -m 755 /run/glexec",
        "mkdir -m 700 /run/glexec; chown pilot /run/glexec",
        "mkdir /tmp/elsewhere; ln -s /tmp/elsewhere /run/glexec; chown pilot /tmp/elsewhere",
    ] {
        site.sh(&format!("rm -rf {INDEXES}; {spoil}"));
        works();
        assert_eq!(indexes(), "0\n", "{spoil}");
    }
    site.sh(&format!("rm -rf {INDEXES}; touch {INDEXES}"));
    works();
    site.sh(&format!("rm -f {INDEXES}"));
    works();
    assert_eq!(indexes(), "1\n", "it is made where it is missing");
    site.sh(&format!("cp -p {INDEXES}/* /root/good"));
    for spoil in [
        "chown pilot $it",
        "chmod 666 $it",
        ": > $it",
        "truncate -s 8192 $it",
        "truncate -s 4096 $it",
        "dd if=/dev/zero of=$it bs=4096 seek=1 count=60 conv=notrunc 2> /dev/null",
        "head -c 300000 /dev/urandom > $it",
        "mv $it /root/moved; ln -s /root/moved $it",
        "rm $it; mkfifo $it",
        "rm $it; mkdir $it",
    ] {
        site.sh(&format!("it=$(echo {INDEXES}/*); rm -r $it; cp -p /root/good $it; {spoil}"));
        works();
        works();
    }
}

#[test]
fn a_call_without_an_index_directory_works() {
    let site = Site::with(|site| large_map(site, &format!("{ALICE} alice\n")));
    site.sh("chmod 777 /run");
    site.pilot().credential("alice").glexec(["id", "-un"]).succeeds_with("alice\n");
    assert!(!site.exists(INDEXES));
}

#[test]
fn whatever_fails_about_an_index_the_map_counts_and_a_killed_call_leaves_nothing() {
    let site = Site::with(|site| large_map(site, &format!("{ALICE} alice\n{ALICE} grace\n")));
    let alice = site.pilot().credential("alice");
    let call = |inject: &str| {
        let strace = format!("strace -q -o /dev/null -u pilot --inject={inject} /usr/sbin/glexec id -un || true");
        site.sh(&format!("cd /; export GLEXEC_CLIENT_CERT={}; {strace}", alice.client_cert()))
    };
    let indexes = || site.sh(&format!("ls {INDEXES} | wc -l"));
    // Which of the writes is the index's: others ask the account database and the verifier.
    let trace = "strace -q -y -e trace=write -o /root/writes -u pilot /usr/sbin/glexec id -un";
    site.sh(&format!("cd /; GLEXEC_CLIENT_CERT={} {trace}", alice.client_cert()));
    let at = site
        .sh(&format!("grep '^write(' /root/writes | grep -n '<{INDEXES}' | head -1 | cut -d: -f1; rm -f {INDEXES}/*"));
    let write = |what: &str| format!("write:{what}:when={}", at.trim());
    assert!(!at.trim().is_empty(), "{}", site.read("/root/writes"));
    for inject in ["mkdirat:error=EROFS", "linkat:error=EPERM", "unlinkat:error=EIO", &write("error=ENOSPC")] {
        assert_eq!(call(inject), "alice\n", "{inject}");
        assert!(["", "0\n"].contains(&indexes().as_str()), "{inject}");
    }
    for inject in ["linkat:signal=SIGKILL", "unlinkat:signal=SIGKILL", &write("signal=SIGKILL")] {
        assert_eq!(call(inject), "", "{inject}");
        assert!(["0\n", "1\n"].contains(&indexes().as_str()), "{inject}");
        site.sh(&format!("rm -f {INDEXES}/*"));
    }
    assert_eq!(call("linkat:delay_enter=1"), "alice\n");
    assert_eq!(indexes(), "1\n");
    // Some are the loader's.
    let loader_s = site.sh("strace -c -o /root/count -e trace=pread64 /usr/sbin/glexec --help > /root/help; \
        awk '$NF == \"pread64\" { print $4 }' /root/count");
    let loader_s: usize = loader_s.trim().parse().unwrap_or(0);
    for when in loader_s + 1..loader_s + 9 {
        let inject = format!("pread64:error=EIO:when={when}");
        assert_eq!(call(&inject), "alice\n", "{inject}");
    }
}
