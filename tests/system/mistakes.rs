//! The mistakes that sites make most: the caller's sentence, the log and `glexec-admin check` all name the mistake, and
//! how to fix it. docs/use/troubleshooting.md has them all.

use crate::site::{Site, material_file};
use glexec_admin::mend;
use glexec_core::reason::Reason;
use serde_json::Value;
use std::collections::BTreeSet;

/// Who notices a mistake.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// `check` alone, and calls are refused for it.
    BySite,
    /// `check --as` with the proxy, since it is about one user or one call.
    ByCall,
    /// The same, before it is known where the site's log is: it goes to syslog.
    BeforeLog,
    /// Only what a setuid program itself can notice, before there is a log of the site's.
    ByCaller,
}
use Seen::{BeforeLog, ByCall, ByCaller, BySite};

struct Mistake {
    /// As the page calls it.
    name: &'static str,
    /// What goes wrong at the site, as root.
    how: &'static str,
    /// Whose proxy shows it.
    proxy: &'static str,
    code: &'static str,
    seen: Seen,
}

const fn mistake(
    name: &'static str,
    how: &'static str,
    proxy: &'static str,
    code: &'static str,
    seen: Seen,
) -> Mistake {
    Mistake { name, how, proxy, code, seen }
}

const MISTAKES: &[Mistake] = &[
    mistake("The setuid bit is lost", "chmod 755 /usr/sbin/glexec", "alice", "self.not-setuid", ByCaller),
    mistake(
        "glexec lies on a nosuid mount",
        "mount -t tmpfs -o nosuid,mode=755 none /mnt; cp -p /usr/sbin/glexec /mnt/; \
        mount --bind /mnt /usr/sbin; mount -o remount,bind,nosuid /usr/sbin",
        "alice",
        "self.not-setuid",
        ByCaller,
    ),
    mistake("There is no configuration", "rm /etc/glexec.conf", "alice", "config.missing", BeforeLog),
    mistake(
        "The configuration can be written by a group",
        "chmod 664 /etc/glexec.conf",
        "alice",
        "config.insecure-permissions",
        BeforeLog,
    ),
    mistake(
        "The configuration has the historic format",
        "printf '[glexec]\\nlinger = yes\\n' > /etc/glexec.conf",
        "alice",
        "config.historic-format",
        BeforeLog,
    ),
    mistake(
        "A key of the configuration is misspelt",
        "sed -i 's/^linger/lingre/' /etc/glexec.conf",
        "alice",
        "config.invalid",
        BeforeLog,
    ),
    mistake(
        "The caller is not white-listed",
        "sed -i 's/\"pilot\", //' /etc/glexec.conf",
        "alice",
        "caller.not-white-listed",
        ByCall,
    ),
    mistake("The service user is missing", "sed -i /^glexec:/d /etc/passwd", "alice", "verifier.failed", BySite),
    mistake(
        "Nobody listens on /dev/log",
        "sed -i 's/\"file\"/\"syslog\"/' /etc/glexec.conf",
        "alice",
        "audit.unavailable",
        BySite,
    ),
    mistake(
        "A directory above the proxy cannot be searched",
        "chown root /home/pilot; chmod 700 /home/pilot",
        "alice",
        "credential.unreadable",
        ByCall,
    ),
    mistake(
        "The proxy has mode 0644",
        "chmod 644 /home/pilot/*.pem",
        "alice",
        "credential.insecure-permissions",
        ByCall,
    ),
    mistake("The proxy has expired, or the clock is wrong", "", "alice-expired", "credential.expired", ByCall),
    mistake(
        "The proxy is not valid yet, or the clock is wrong",
        "",
        "alice-not-yet-valid",
        "credential.not-yet-valid",
        ByCall,
    ),
    mistake("The CA is unknown", "", "uma", "credential.unknown-ca", ByCall),
    mistake("A CRL is missing", "rm /etc/grid-security/certificates/*.r0", "alice", "trust.crl-missing", BySite),
    mistake(
        "A CRL has expired",
        "cd /root; printf '[ca]\ndefault_ca=x\n[x]\ndatabase=/root/index\ndefault_md=sha256\n' > c; : > index; \
         openssl ca -config c -gencrl -cert ca.pem -keyfile ca.key -crl_lastupdate 20260101000000Z \
         -crl_nextupdate 20260201000000Z -out $(ls /etc/grid-security/certificates/$(openssl x509 -in ca.pem -noout \
         -hash).r0) 2> /dev/null",
        "alice",
        "trust.crl-expired",
        BySite,
    ),
    mistake(
        "A CRL is no CRL",
        "for f in /etc/grid-security/certificates/*.r0; do echo '<html>' > $f; done",
        "alice",
        "trust.crl-invalid",
        BySite,
    ),
    mistake(
        "A signing policy is missing",
        "rm /etc/grid-security/certificates/*.signing_policy",
        "alice",
        "trust.signing-policy-missing",
        BySite,
    ),
    mistake(
        "The CA directory can be written by others",
        "chmod 777 /etc/grid-security/certificates",
        "alice",
        "trust.insecure-permissions",
        BySite,
    ),
    mistake(
        "The CA directory is missing",
        "rm -r /etc/grid-security/certificates",
        "alice",
        "trust.unreadable",
        BySite,
    ),
    mistake(
        "The service user cannot read a CA's file",
        "chmod 600 /etc/grid-security/certificates/*.0",
        "alice",
        "trust.unreadable",
        BySite,
    ),
    mistake(
        "A link leads out of the CA directory",
        "mkdir /usr/share/igtf; cd /etc/grid-security/certificates; \
         for f in *; do mv $f /usr/share/igtf/; ln -s /usr/share/igtf/$f; done",
        "alice",
        "trust.unreadable",
        BySite,
    ),
    mistake(
        "The service user cannot read the VO's folder",
        "chmod 700 /etc/grid-security/vomsdir/testvo",
        "bob",
        "trust.unreadable",
        BySite,
    ),
    mistake(
        "The VO's .lsc file is missing",
        "rm -r /etc/grid-security/vomsdir/testvo",
        "bob",
        "voms.ac-untrusted",
        BySite,
    ),
    mistake(
        "The .lsc file is malformed",
        "echo voms.example.org > /etc/grid-security/vomsdir/testvo/voms.example.org.lsc",
        "bob",
        "voms.lsc-malformed",
        BySite,
    ),
    mistake(
        "The grid-mapfile is missing",
        "rm /etc/grid-security/grid-mapfile",
        "alice",
        "lcmaps.file-missing",
        BySite,
    ),
    mistake(
        "The grid-mapfile can be written by others",
        "chmod 666 /etc/grid-security/grid-mapfile",
        "alice",
        "lcmaps.insecure-permissions",
        BySite,
    ),
    mistake(
        "The user is not in the map",
        "sed -i '/Alice/d' /etc/grid-security/grid-mapfile",
        "alice",
        "lcmaps.no-mapping",
        ByCall,
    ),
    mistake("The mapped account does not exist", "sed -i /^alice:/d /etc/passwd", "alice", "account.unknown", BySite),
    mistake(
        "The mapped account has expired",
        "sed -i '/^alice:/s/:::$/::1:/' /etc/shadow",
        "alice",
        "account.locked",
        BySite,
    ),
    mistake(
        "The pool is exhausted",
        "cd /etc/grid-security/gridmapdir; for a in t*; do ln $a %2fcn%3d$a; done",
        "bob",
        "lcmaps.pool-exhausted",
        BySite,
    ),
    mistake("The gridmapdir is missing", "rm -r /etc/grid-security/gridmapdir", "bob", "lcmaps.file-missing", BySite),
    mistake(
        "The gridmapdir can be written by everybody",
        "chmod 1777 /etc/grid-security/gridmapdir",
        "bob",
        "lcmaps.insecure-permissions",
        BySite,
    ),
    mistake(
        "The gridmapdir is read-only",
        "mount --bind /etc/grid-security/gridmapdir /etc/grid-security/gridmapdir; \
        mount -o remount,bind,ro /etc/grid-security/gridmapdir",
        "bob",
        "lcmaps.gridmapdir-failed",
        BySite,
    ),
    mistake("The ban file is missing", "rm /etc/lcas/ban_users.db", "alice", "lcas.file-missing", BySite),
    mistake(
        "A line of the ban file is no name",
        "echo CN=Mallory,DC=org >> /etc/lcas/ban_users.db",
        "alice",
        "lcas.file-malformed",
        BySite,
    ),
];

/// What `check` finds that is not as it should be.
fn faults(site: &Site, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let run = site.admin([&["check", "--json"], arguments].concat());
    let answer: Value = serde_json::from_str(&run.stdout()).unwrap_or_else(|e| panic!("{e}\n{run}"));
    assert_eq!(run.code().map(i64::from), answer["exit_code"].as_i64(), "{run}");
    let findings = answer["findings"].as_array().unwrap().iter();
    (run.code(), findings.filter(|finding| finding["state"] != "ok").cloned().collect())
}

#[test]
fn a_site_that_is_as_it_should_be_passes() {
    let site = Site::new();
    assert_eq!(faults(&site, &[]), (Some(0), vec![]));
    let run = site.admin(["check"]);
    assert!(run.exits(0).stdout().starts_with("GLEXEC OK: "), "{run}");
    let run = site.admin(["check", "--all", "--as", "/root/proxies/alice.pem", "--caller", "root"]);
    assert!(
        run.stdout().contains("setuid root (mode 4711)") && run.stdout().contains("caller.not-white-listed"),
        "{run}"
    );
    assert_eq!(run.code(), Some(2));
}

#[test]
fn check_begins_with_the_line_that_monitoring_reads() {
    let site = Site::new();
    let first = |site: &Site| site.admin(["check"]).stdout().lines().next().unwrap_or_default().to_owned();
    let line = first(&site);
    let (status, gauges) = line.split_once(" | ").unwrap();
    assert!(status.starts_with("GLEXEC OK: ") && status.ends_with(" checks as they should be"), "{line}");
    assert!(gauges.split(" '").any(|gauge| gauge.trim_start_matches('\'') == "free tprd'=10;1:;1:;0;10"), "{line}");

    site.sh("cd /etc/grid-security/gridmapdir && rm tprd00[2-9] tprd010 && ln tprd001 %2fcn%3dholder");
    let line = first(&site);
    assert!(line.starts_with("GLEXEC CRITICAL: ") && line.contains("'free tprd'=0;1:;1:;0;1"), "{line}");
    assert!(line.contains("; pool tprd in /etc/grid-security/gridmapdir: 0 of 1 account is free"), "{line}");
}

#[test]
fn a_configuration_is_checked_before_it_is_in_place() {
    let site = Site::new();
    site.sh("sed 's/^user_white_list = .*/user_white_list = []/' /etc/glexec.conf > /root/next.conf");
    let run = site.admin(["check", "--config", "/root/next.conf"]);
    assert!(run.exits(2).stdout().contains("nobody may call glexec"), "{run}");
    site.write("/root/next.conf", "[glexec]\nlingr = true\n");
    let run = site.admin(["check", "--config", "/root/next.conf"]);
    assert!(run.exits(2).stdout().contains("/root/next.conf:2:1: "), "{run}");
    site.admin(["check"]).exits(0);
}

#[test]
fn sentence_log_and_check_name_every_mistake_and_how_to_fix_it() {
    for mistake in MISTAKES {
        let Mistake { name, how, proxy, code, seen } = mistake;
        let site = if *seen == BeforeLog { Site::with_syslog() } else { Site::new() };
        site.write("/root/ca.pem", material_file("certs/root-ca.pem"));
        site.write("/root/ca.key", material_file("keys/ca.key"));
        let pilot = site.pilot().credential(proxy).cwd("/");
        if !how.is_empty() {
            site.sh(how);
        }
        let reason = Reason::from_code(code).unwrap();
        let run = pilot.glexec(["true"]);
        let exit = i32::from(reason.class().exit_code());
        match *seen == ByCaller || reason == Reason::AuditUnavailable {
            true => run.refused_without_record(exit, code),
            false => run.refused(exit, code),
        };
        let as_pilot = ["--as", &pilot.client_cert(), "--caller", "pilot"];
        let (status, faults) = faults(&site, if *seen == ByCall { &as_pilot } else { &[] });
        let finding = faults.iter().find(|finding| finding["reason"] == **code);
        let finding = finding.unwrap_or_else(|| panic!("{name}: {code} expected of check, not {faults:#?}"));
        assert_eq!(finding["mend"], mend::mend(reason), "{name}");
        assert!(matches!(status, Some(1 | 2)), "{name}: {status:?}");
        let plain = site.admin([&["check"], &as_pilot[..if *seen == ByCall { 4 } else { 0 }]].concat()).stdout();
        assert!(
            plain.contains(&format!("({code})\n")) && plain.contains(&format!("-> {}\n", mend::mend(reason))),
            "{plain}"
        );
    }
}

#[test]
fn what_check_cannot_find_out_is_no_warning_for_monitoring() {
    let site = Site::new();
    for mistaken in [&["--nonsense"][..], &["--caller", "pilot"]] {
        site.admin([&["check"], mistaken].concat()).exits(3);
    }
    let run = site.admin(["check", "--as", "/root/proxies/alice.pem", "--caller", "nosuch"]);
    assert!(
        run.code() == Some(3) && run.stdout().contains("no account nosuch") && !run.stdout().contains("as root"),
        "{run}"
    );
    assert_eq!(site.sh("glexec-admin check > /dev/full; echo $?"), "3\n");
    site.admin(["log", "--nonsense"]).exits(1);
}

/// What calls do not say, or say in other words: each with what `check` says of it, and how to fix it.
#[test]
fn check_names_what_calls_alone_do_not_explain() {
    let tmpfs = |dir: &str, size: &str| format!("mount -t tmpfs -o mode=755,size={size} tmpfs {dir}");
    let set = |line: &str| format!("sed -i '/^\\[glexec\\]/a {line}' /etc/glexec.conf");
    let list = |names: &str| format!("sed -i 's/^user_white_list = .*/user_white_list = [{names}]/' /etc/glexec.conf");
    let mut wrong = Vec::new();
    for (how, code, says, mend) in [
        (
            tmpfs("/var/log/glexec", "4k") + "; head -c 4096 /dev/zero > /var/log/glexec/glexec.log",
            2,
            "its file system is full (audit.unavailable)",
            "fix log_file",
        ),
        (
            tmpfs("/var/log/glexec", "1m") + "; mount -o remount,ro /var/log/glexec",
            2,
            "its file system is read-only (audit.unavailable)",
            "fix log_file",
        ),
        (
            list("\"pilto\", \"pilot\", \"%nogruop\""),
            1,
            "this machine does not know: pilto, nogruop",
            "correct the name",
        ),
        (list("\"pilto\", \"%nogruop\""), 2, "this machine does not know: pilto, nogruop", "correct the name"),
        (
            "echo '\"/DC=org/DC=example/O=Grid/CN=Eve/CN=1234\"' >> /etc/lcas/ban_users.db".to_owned(),
            1,
            "line 3: /DC=org/DC=example/O=Grid/CN=Eve/CN=1234 is the name of a proxy: leave /CN=1234 off",
            "write the name as",
        ),
        (
            "echo '\"/DC=org/CN=Eve \"the\" Beaver\"' >> /etc/lcas/ban_users.db".to_owned(),
            2,
            "line 3: text after the quote that ends the name",
            "correct the line",
        ),
        (
            "sed -i '1i \"DC=org, DC=example, CN=Al\" alice' /etc/grid-security/grid-mapfile".to_owned(),
            1,
            "line 1: DC=org, DC=example, CN=Al does not start with /, so that it is nobody's name",
            "write the name as",
        ),
        (
            "u=$(id -u tvo001); sed -i \"s/^\\(tprd002:[^:]*:\\)[0-9]*/\\1$u/\" /etc/passwd".to_owned(),
            2,
            "a user who gets one of them can do what the others can",
            "give each an id of its own",
        ),
        (
            ": > /etc/grid-security/gridmapdir/%2fcn%3dold".to_owned(),
            2,
            "leases with one link lead to no account, and their holders are refused: 1, %2fcn%3dold the first",
            "copy the directory with its hard links",
        ),
        (
            "sed -i '/type = \"voms_poolaccount\"/,/gridmapdir/d; s/^\\[lcmaps.plugins.vomspool\\]/&\\ntype = \"dummy_bad\"/; \
             s/ | localaccount//' /etc/glexec.conf"
                .to_owned(),
            2,
            "every way through the policy ends in a plug-in of type dummy_bad",
            "one of type exec asks a service",
        ),
        (list("\"pilot\", \"glexec\""), 2, "it may itself call glexec", "another service_user"),
        (set("epilogue = \"/usr/libexec/no\""), 2, "does not exist", "write it, or take it out of glexec.conf"),
        (set("cgroup = \"/sys/fs/cgroup/no\""), 2, "(cgroup.unusable)", "mkdir it on the cgroup v2"),
        (
            "chmod 770 /etc/grid-security/gridmapdir; echo 0 > /tmp/zero; \
            mount --bind /tmp/zero /proc/sys/fs/protected_hardlinks"
                .to_owned(),
            1,
            "fs.protected_hardlinks is 0",
            "sysctl -w fs.protected_hardlinks=1",
        ),
        (
            "rm /etc/grid-security/gridmapdir/tvo*".to_owned(),
            2,
            "it has no account (lcmaps.pool-exhausted)",
            "touch an empty file /etc/grid-security/gridmapdir/tvo001",
        ),
        (
            "cd /etc/grid-security/certificates; f=$(ls *.0 | head -1); mv $f 01234567.0".to_owned(),
            2,
            "the file must be called",
            "install the CA's package anew",
        ),
        (
            "cd /etc/grid-security/vomsdir/testvo; printf '/CN=voms2\\n/CN=Some CA\\n' > voms2.lsc".to_owned(),
            1,
            "certdir does not have the CA of the VOMS server: /CN=Some CA (credential.unknown-ca)",
            "install the CA's package",
        ),
        (
            "cd /etc/grid-security/certificates; : > $(ls *.r0 | head -1)".to_owned(),
            2,
            ".r0: it is empty (trust.crl-invalid)",
            "run fetch-crl",
        ),
        (
            "cd /etc/grid-security/vomsdir/testvo; echo /CN=voms2 > voms2.lsc".to_owned(),
            1,
            "it names no server with its CA: two lines at least (voms.ac-untrusted)",
            "install the VO's .lsc file",
        ),
        (
            "sed -i 's/^user_white_list = .*/user_white_list = pilot/' /etc/glexec.conf".to_owned(),
            2,
            "(config.syntax)",
            "correct the line",
        ),
    ] {
        let site = Site::with(Site::linger);
        site.sh(&how);
        let run = site.admin(["check"]);
        let said = run.stdout();
        if run.code() != Some(code) || !said.contains(says) || !said.contains(mend) {
            wrong.push(format!("{how}\n{run}"));
        }
    }
    assert!(wrong.is_empty(), "{} rows: {}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_process_that_can_gain_no_privilege_is_told_so_by_both() {
    let site = Site::new();
    site.admin(["check"]).exits(0);
    let run = site.pilot().credential("alice").sh("setpriv --no-new-privs /usr/sbin/glexec true");
    run.refused_without_record(202, "self.no-new-privs");
    let said = site.sh("setpriv --no-new-privs glexec-admin check; test $? = 2");
    let mend = mend::mend(Reason::SelfNoNewPrivs);
    assert!(said.contains("(self.no-new-privs)\n") && said.contains(&format!("-> {mend}\n")), "{said}");
}

#[test]
fn links_out_of_the_ca_directory_work_where_the_site_names_where_they_lead() {
    let site = Site::new();
    site.sh("mkdir /usr/share/igtf; cd /etc/grid-security/certificates; \
         for f in *; do mv $f /usr/share/igtf/; ln -s /usr/share/igtf/$f; done");
    site.pilot().credential("alice").glexec(["true"]).refused(202, "trust.unreadable");
    assert!(site.last_record()["reason"].contains("a link leads out of the directory"));
    site.append("/etc/glexec.conf", "\n[credentials]\nlinked_directories = [\"/usr/share/igtf\"]\n");
    site.pilot().credential("alice").glexec(["id", "-un"]).succeeds_with("alice\n");
    assert_eq!(faults(&site, &[]), (Some(0), vec![]));
    // As little as everything else that is trusted may others write it.
    site.chmod("/usr/share/igtf", 0o777);
    site.pilot().credential("alice").glexec(["true"]).refused(202, "trust.insecure-permissions");
    assert_eq!(faults(&site, &[]).1[0]["reason"], "trust.insecure-permissions");
    site.sh("rm -r /usr/share/igtf");
    site.pilot().credential("alice").glexec(["true"]).refused(202, "trust.unreadable");
    assert_eq!(faults(&site, &[]).1[0]["reason"], "trust.unreadable");
}

#[test]
fn the_page_has_every_mistake_and_its_mend() {
    let page = include_str!("../../docs/use/troubleshooting.md");
    for Mistake { name, code, .. } in MISTAKES {
        let row = format!("| {name} | `{code}` | {} |\n", mend::mend(Reason::from_code(code).unwrap()));
        assert!(page.contains(&row), "docs/use/troubleshooting.md lacks: {row}");
    }
    // And nothing is fixed twice, or for a reason that needs no mend.
    let reasons: BTreeSet<&str> = mend::MENDS.iter().map(|(reason, _)| reason.code()).collect();
    assert_eq!(reasons.len(), mend::MENDS.len());
}

#[test]
fn lines_of_maps_are_named_by_their_numbers() {
    let site = Site::new();
    site.append(
        "/etc/grid-security/grid-mapfile",
        "\"/CN=No End\n\"/CN=Nobody\" nosuchaccount\n\"/CN=Nobody\" alice\n",
    );
    let (status, faults) = faults(&site, &[]);
    assert_eq!(status, Some(1), "{faults:?}");
    let says: Vec<_> = faults.iter().map(|finding| finding["says"].as_str().unwrap()).collect();
    let first = site.read("/etc/grid-security/grid-mapfile").lines().count() - 2;
    for (number, what) in [(first, "a quote without its end"), (first + 1, "\"nosuchaccount\""), (first + 2, "already")]
    {
        let found = says.iter().any(|says| says.starts_with(&format!("line {number}: ")) && says.contains(what));
        assert!(found, "line {number}: {what}: {says:?}");
    }
}

#[test]
fn a_line_that_calls_pass_over_is_no_refusal_for_everybody() {
    for plugin in ["userallow", "voms"] {
        let site = Site::new();
        site.configure(|text| text.replace("\"userban\"", &format!("\"{plugin}\"")));
        site.write("/etc/lcas/ban_users.db", "\"/broken\n\"/DC=org/*\"\n\"/testvo/*\"\n");
        site.pilot().credential("bob").glexec(["id", "-un"]).succeeds_with("tprd001\n");
        let (status, faults) = faults(&site, &[]);
        assert_eq!((status, faults.len()), (Some(1), 1), "{faults:?}");
        assert_eq!(faults[0]["says"], "line 1: a quote without its end");
        assert_eq!(faults[0]["mend"], "correct the line: it lets nobody in");
    }
}

#[test]
fn a_dot_that_names_no_pool_is_no_pool_without_accounts() {
    for pool in [".", ". .tvo", "..tvo", ".t/vo"] {
        let site = Site::new();
        let line = format!("\"/DC=org/DC=example/O=Grid/CN=Alice Adams\" {pool}\n");
        site.append("/etc/grid-security/grid-mapfile", &line);
        let (status, faults) = faults(&site, &[]);
        let number = site.read("/etc/grid-security/grid-mapfile").lines().count();
        assert_eq!(
            (status, faults.iter().filter(|fault| fault["reason"] == "lcmaps.no-mapping").count()),
            (Some(1), 1)
        );
        let says =
            faults.iter().filter_map(|fault| fault["says"].as_str()).find(|says| says.contains("is not the name"));
        assert!(says.is_some_and(|says| says.starts_with(&format!("line {number}: "))), "{faults:?}");
    }
}

#[test]
fn pools_of_groups_are_looked_at_like_pools_of_accounts() {
    let site = Site::new();
    let groups = "/etc/grid-security/groupmapdir";
    site.configure(|text| {
        text.replace("type = \"voms_localgroup\"", &format!("type = \"voms_poolgroup\"\ngroupmapdir = \"{groups}\""))
    });
    site.write("/etc/grid-security/groupmapfile", "\"/testvo/*\" .tg ignored\n");
    let bob = site.pilot().credential("bob");
    let is = |how: &str, code: Option<(i32, &str)>, status, says: &str| {
        site.sh(how);
        match code {
            Some((exit, code)) => {
                bob.glexec(["true"]).refused(exit, code);
                let (found, faults) = faults(&site, &[]);
                assert_eq!((found, faults.len()), (Some(status), 1), "{how}: {faults:?}");
                assert_eq!(faults[0]["reason"], code, "{how}");
                assert!(faults[0]["says"].as_str().unwrap().contains(says), "{how}: {faults:?}");
            }
            None => {
                bob.glexec(["id", "-gn"]).succeeds_with(says);
                assert_eq!(faults(&site, &[]), (Some(status), vec![]), "{how}");
            }
        }
    };
    is("true", Some((202, "lcmaps.file-missing")), 2, "does not exist");
    is(&format!("mkdir -m 777 {groups}"), Some((202, "lcmaps.insecure-permissions")), 2, "mode 0777");
    is(&format!("chmod 755 {groups}"), Some((203, "lcmaps.pool-exhausted")), 2, "it has no group");
    is(&format!("for n in 1 2 3 4; do groupadd -g 700$n tg00$n; touch {groups}/tg00$n; done"), None, 0, "tg001\n");
    site.sh(&format!("groupadd -g 50 tg005; touch {groups}/tg005 {groups}/tg006"));
    let (status, found) = faults(&site, &[]);
    assert_eq!(status, Some(1), "{found:?}");
    for (code, name) in [("account.forbidden", "tg005"), ("account.unknown-group", "tg006")] {
        let one = found.iter().find(|fault| fault["reason"] == code).unwrap_or_else(|| panic!("{code}: {found:?}"));
        assert_eq!(one["says"], format!("1 of its groups cannot be used: {name}"));
    }
}

#[test]
fn the_documented_answer_is_the_real_one() {
    let site = Site::new();
    site.append("/etc/grid-security/grid-mapfile", "\"/CN=Nobody\" nosuchaccount\n");
    let said: String = site.admin(["check"]).stdout().lines().map(|line| format!("    {line}\n")).collect();
    assert!(
        include_str!("../../docs/use/administration.md").contains(&said),
        "docs/use/administration.md lacks\n{said}"
    );
}

#[test]
fn who_is_not_root_learns_that_he_cannot_see_everything() {
    let site = Site::new();
    site.admin(["check"]).exits(0);
    let run = site.pilot().run("/usr/sbin/glexec-admin", ["check", "--json"]);
    assert!(!run.stderr().contains("panicked") && run.code().is_some_and(|code| code <= 3), "{run}");
}

/// A CA that expired yesterday, put into the CA directory.
const EXPIRED_CA: &str = "cd /tmp && printf '[req]\\ndistinguished_name=d\\n[d]\\n' > f && export OPENSSL_CONF=/tmp/f && openssl req -newkey rsa:2048 -nodes -keyout k -subj '/O=old/CN=Old CA' -out r 2>&1 && \
    echo basicConstraints=critical,CA:TRUE > e && openssl x509 -req -in r -signkey k -days -1 -extfile e -out c 2>&1 && \
    install -m 644 c /etc/grid-security/certificates/$(openssl x509 -in c -noout -subject_hash).0";

#[test]
fn a_ca_that_has_expired_is_worth_one_warning_that_can_be_silenced() {
    let site = Site::with(Site::linger);
    site.sh(EXPIRED_CA);
    let run = site.admin(["check"]);
    let said = run.stdout();
    let line = "the certificate of a CA has expired: /O=old/CN=Old CA (trust.ca-expired)";
    // The first line, which monitoring reads, repeats what is worst.
    let (first, findings) = said.split_once('\n').unwrap();
    assert!(run.code() == Some(1) && first.contains("WARNING") && first.contains("/O=old/CN=Old CA"), "{run}");
    assert!(findings.matches("Old CA").count() == 1 && findings.contains(line), "{run}");
    assert!(said.contains("--ignore-expired-cas"), "{run}");
    let run = site.admin(["check", "--ignore-expired-cas"]);
    assert!(run.code() == Some(0) && !run.stdout().contains("Old CA"), "{run}");
}
