//! The site keeps its promises: without these the other tests prove nothing.

use crate::site::{GLEXEC, Record, Site};
use nix::sys::signal::Signal;
use std::fs;

#[test]
fn the_pilot_is_a_real_unprivileged_process() {
    let site = Site::new();
    let script = r#"id -u; id -g; id -G; grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status; pwd; ps -o sid= -p $$ | wc -l; tty"#;
    let run = site.pilot().sh(script);
    let none = "0000000000000000";
    let expected =
        format!("2000\n2000\n2000\nCapPrm:\t{none}\nCapEff:\t{none}\nNoNewPrivs:\t0\n/home/pilot\n1\nnot a tty\n");
    assert_eq!(run.stdout(), expected);
}

#[test]
fn the_accounts_exist_with_their_homes() {
    let site = Site::new();
    for name in ["pilot", "pilot001", "mallory", "alice", "tvo001", "tvo010", "tprd001", "tprd010"] {
        site.caller(name).run("/usr/bin/stat", ["-c", "%U %a", "."]).succeeds_with(&format!("{name} 700\n"));
    }
    assert_eq!(site.sh("getent passwd glexec | cut -d: -f1,3,7"), "glexec:990:/usr/sbin/nologin\n");
    assert_eq!(site.sh("getent group testvo production | cut -d: -f1").lines().count(), 2);
    assert_eq!(site.sh("cd /etc/grid-security/gridmapdir && stat -c '%n %h %s' tprd010").trim(), "tprd010 1 0");
}

#[test]
fn the_program_is_installed_setuid_root() {
    let site = Site::new();
    assert_eq!(site.sh(&format!("stat -c '%a %u %g' {GLEXEC}")), "4711 0 0\n");
    let mounts = site.sh("cat /proc/mounts");
    assert!(
        mounts.lines().filter(|m| m.contains(" / ") || m.contains(" /usr ")).all(|m| !m.contains("nosuid")),
        "{mounts}"
    );
}

#[test]
fn nobody_but_root_can_write_what_must_be_trusted() {
    let site = Site::new();
    let paths = "/etc/glexec.conf /etc/grid-security /etc/lcas /var/log/glexec /usr/sbin";
    site.sh(&format!("! find -L / /etc /usr {paths} -maxdepth 0 \\( ! -user root -o -perm /022 \\) | grep ."));
    site.sh("! find /etc /var/log ! -type l \\( ! -user root -o -perm /022 \\) | grep .");
}

#[test]
fn the_credentials_are_what_their_names_say() {
    let site = Site::new();
    let bob = site.pilot().credential("bob");
    let path = bob.client_cert();
    assert_eq!(site.sh(&format!("stat -c '%a %U' {path}")), "600 pilot\n");
    let info = site.pilot().run("/usr/bin/voms-proxy-info", ["-all", "-dont-verify-ac", "-file", &path]).stdout();
    assert!(info.contains("subject   : /DC=org/DC=example/O=Grid/CN=Bob Brown/CN="), "{info}");
    assert!(info.contains("attribute : /testvo/Role=production/Capability=NULL"), "{info}");
}

#[test]
fn the_proxies_are_trusted_by_openssl_too() {
    let site = Site::new();
    let script = "openssl verify -allow_proxy_certs -no-CAfile -no-CAstore -crl_check_all \
        -CApath /etc/grid-security/certificates -untrusted $GLEXEC_CLIENT_CERT $GLEXEC_CLIENT_CERT";
    for good in ["alice", "alice-nested", "alice-limited", "carol"] {
        site.pilot().credential(good).sh(script).exits(0);
    }
    for (bad, why) in [("rita", "revoked"), ("uma", "local issuer"), ("alice-expired", "expired")] {
        let run = site.pilot().credential(bad).sh(script);
        assert!(run.stderr().contains(why), "{run}");
    }
}

#[test]
fn nothing_of_the_site_reaches_the_host() {
    let watched = ["/etc/passwd", "/etc/group", "/proc/self/mountinfo", "/proc/sys/kernel/hostname"];
    let state = || watched.map(|path| fs::read(path).unwrap());
    let before = state();
    let site = Site::new();
    site.write("/usr/bin/of-the-site", "");
    site.sh(
        "echo x:x:1:1::/:/bin/sh >> /etc/passwd; touch /tmp/of-the-site /dev/of-the-site; mount -t tmpfs tmpfs /mnt",
    );
    assert!(state() == before);
    for path in ["/usr/bin/of-the-site", "/tmp/of-the-site", "/dev/of-the-site"] {
        assert!(site.exists(path) && fs::symlink_metadata(path).is_err(), "{path}");
    }
}

#[test]
fn symbolic_links_do_not_lead_the_harness_out_of_the_site() {
    let site = Site::new();
    site.sh("ln -s /etc/hostname /etc/link");
    assert_eq!(site.read("/etc/link"), "worker001\n");
}

#[test]
fn a_site_ends_with_everything_in_it() {
    let site = Site::new();
    let sleeper: i32 = site.sh("sleep 1000 > /dev/null 2>&1 & echo $!").trim().parse().unwrap();
    assert!(sleeper > 1);
    let namespace = site.sh("readlink /proc/self/ns/pid");
    drop(site);
    let left = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path().join("ns/pid")).ok());
    assert!(left.into_iter().all(|ns| ns.to_str() != Some(namespace.trim())));
}

#[test]
fn the_harness_sees_output_input_signals_and_reports() {
    let site = Site::new();
    let pilot = site.pilot();
    pilot.clone().stdin("in").sh("cat; exit 7").exits(7);
    assert_eq!(pilot.clone().stdin(vec![b'x'; 1 << 20]).run("/usr/bin/wc", ["-c"]).stdout(), "1048576\n");
    pilot.sh("kill -TERM $$").killed_by(Signal::SIGTERM);
    assert_eq!(pilot.clone().reporting().sh("echo hello >&$GLEXEC_REPORT_FD").report, "hello\n");
    pilot.run("/usr/bin/readlink", ["/proc/self/fd/0"]).exits(0);
    pilot.clone().closing(0).run("/usr/bin/readlink", ["/proc/self/fd/0"]).exits(1);
    pilot.clone().env("A", "b").without("HOME").cwd("/tmp").sh("echo $A$HOME$PWD").succeeds_with("b/tmp\n");
    pilot.clone().arg0("other").run("/bin/bash", ["-c", "echo $0"]).succeeds_with("other\n");
    let sleeper = pilot.start("/usr/bin/sleep", ["100"]);
    sleeper.signal(Signal::SIGKILL);
    sleeper.finish().killed_by(Signal::SIGKILL);
}

#[test]
fn rsyslogd_receives_rfc_5424() {
    let site = Site::with_syslog();
    let send = "logger --rfc5424=notime,notq --sd-id glexec@32473 --sd-param 'call=\"c1\"' -t glexec \
        'event=start call=c1 user_dn=\"/CN=A \\\"B\\\"\" decision=permit'";
    site.pilot().sh(send).exits(0);
    site.last_record().says([("call", "c1"), ("user_dn", "/CN=A \"B\""), ("decision", "permit")]);
    let structured = site.read("/var/log/messages.structured");
    assert!(structured.contains(r#"[glexec@32473 call="c1"]"#), "{structured}");
    assert!(site.read("/etc/glexec.conf").contains("log_destination = \"syslog\""));
}

#[test]
fn records_are_parsed_field_by_field() {
    let log = "2026 glexec[1]: event=start call=1 user_dn=\"/CN=A B\" args=\"a \\\\ \\x0a\" code=\nnothing\nevent=end status=0";
    let records = Record::parse_all(log);
    assert_eq!(records.len(), 2);
    records[0].says([("user_dn", "/CN=A B"), ("args", "a \\ \\x0a"), ("code", "")]);
    assert!(records[1].has("status") && !records[1].has("call"));
}

#[test]
fn the_program_needs_the_c_library_and_no_other() {
    let site = Site::new();
    let needed = format!("readelf -d {GLEXEC} | sed -n 's/.*(NEEDED).*\\[\\(.*\\)\\]/\\1/p' | grep -v '^ld-linux'");
    assert_eq!(site.sh(&needed), "libc.so.6\n");
}
