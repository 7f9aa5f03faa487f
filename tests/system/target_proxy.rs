//! The payload's own copy of the proxy: where it goes, whose it is, what it never replaces.

use crate::site::{Caller, GLEXEC, Run, Site, material_file};
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use nix::libc;

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

/// The payload tells about its proxy, then shows it.
const SHOW: [&str; 3] = ["sh", "-c", "stat -c '%U %G %a %h %F' \"$X509_USER_PROXY\" && cat \"$X509_USER_PROXY\""];
const ITS_OWN: &[u8] = b"alice alice 600 1 regular file\n";

#[track_caller]
fn shows(run: &Run, proxy: &str) {
    let expected = [ITS_OWN, &material_file(&format!("proxies/{proxy}.pem"))].concat();
    assert!(run.exits(0).stdout_bytes() == expected, "{run}");
}

fn at<'s>(site: &'s Site, path: &str) -> Caller<'s> {
    alice(site).env("GLEXEC_TARGET_PROXY", path)
}

#[test]
fn without_a_name_it_is_a_new_file_of_the_targets() {
    for site in Site::in_both_modes() {
        shows(&alice(&site).glexec(SHOW), "alice");
        let names: Vec<String> =
            (0..2).map(|_| alice(&site).glexec(["sh", "-c", "echo $X509_USER_PROXY"]).stdout()).collect();
        for name in &names {
            let random = name.strip_prefix("/tmp/x509up_u3000.glexec.").and_then(|rest| rest.strip_suffix('\n'));
            assert!(random.is_some_and(|random| random.len() == 6), "{name:?}");
        }
        assert_ne!(names[0], names[1]);
    }
}

#[test]
fn a_block_that_is_no_part_of_the_proxy_is_copied_and_noted() {
    let site = Site::new();
    let token = b"-----BEGIN DIRACX-----\neyJhY2Nlc3NfdG9rZW4iOiAiYWJjIn0=\n-----END DIRACX-----\n";
    let proxy = [&material_file("proxies/alice.pem"), &token[..]].concat();
    let run = site.pilot().file_in("GLEXEC_CLIENT_CERT", "alice.pem", &proxy).glexec(SHOW);
    assert!(run.exits(0).stdout_bytes() == [ITS_OWN, &proxy].concat(), "{run}");
    let log = site.read("/var/log/glexec/glexec.log");
    assert!(log.contains("the file has a block \"DIRACX\""), "{log}");
}

#[test]
fn dev_null_means_no_copy() {
    for site in Site::in_both_modes() {
        at(&site, "/dev/null").glexec(["sh", "-c", "echo ${X509_USER_PROXY-none}"]).succeeds_with("none\n");
        assert_eq!(site.sh("ls /tmp; stat -c %F /dev/null"), "character special file\n");
    }
}

#[test]
fn a_site_that_makes_no_copies_makes_none() {
    let site = Site::new();
    site.set("create_target_proxy = false");
    for pilot in [alice(&site), at(&site, "/home/alice/proxy"), at(&site, "/root/x")] {
        pilot.glexec(["sh", "-c", "echo ${X509_USER_PROXY-none}"]).succeeds_with("none\n");
    }
    assert_eq!(site.sh("ls /tmp /home/alice"), "/home/alice:\n\n/tmp:\n");
}

#[test]
fn a_named_copy_is_written_there_and_stays() {
    for site in Site::in_both_modes() {
        shows(&at(&site, "/home/alice/proxy").glexec(SHOW), "alice");
        assert_eq!(site.sh("stat -c '%U %a' /home/alice/proxy"), "alice 600\n");
        // The caller's umask does not count.
        at(&site, "/home/alice/other").sh(&format!("umask 0; exec {GLEXEC} true")).exits(0);
        at(&site, "/home/alice/third").sh(&format!("umask 777; exec {GLEXEC} true")).exits(0);
        assert_eq!(site.sh("cd /home/alice && stat -c %a other third"), "600\n600\n");
    }
}

#[test]
fn a_relative_path_starts_at_the_callers_working_directory() {
    let site = Site::new();
    site.sh("mkdir -m 1777 /tmp/job");
    let run = at(&site, "job/proxy").cwd("/tmp").glexec(["sh", "-c", "echo $X509_USER_PROXY"]);
    run.succeeds_with("/tmp/job/proxy\n");
    assert_eq!(site.sh("stat -c %U /tmp/job/proxy"), "alice\n");
}

#[test]
fn an_empty_name_is_refused() {
    let site = Site::new();
    at(&site, "").glexec(["true"]).refused(201, "target-proxy.not-writable");
}

#[test]
fn an_own_file_is_replaced_not_rewritten() {
    let site = Site::new();
    site.sh("cd /home/alice && echo old > proxy && chown alice: proxy && chmod 644 proxy && ln proxy before");
    shows(&at(&site, "/home/alice/proxy").glexec(SHOW), "alice");
    // Who had the old file open keeps it, whole.
    assert_eq!(site.sh("cd /home/alice && cat before && ls -A | tr '\\n' ' '"), "old\nbefore proxy ");
}

#[test]
fn nothing_but_an_own_regular_file_is_replaced() {
    let site = Site::new();
    site.sh("cd /home/alice && mkdir dir && ln -s /etc/motd dangling && ln -s own link && mkfifo pipe && touch roots own && \
        chown -h alice: . dir dangling link pipe own && chmod 666 roots");
    site.pilot().sh("echo precious > /tmp/of-the-pilot; chmod 666 /tmp/of-the-pilot").exits(0);
    let before = site.sh("cd /home/alice && ls -lRi --time-style=full-iso . /tmp/of-the-pilot");
    for path in ["dir", "dangling", "link", "pipe", "roots"] {
        at(&site, &format!("/home/alice/{path}")).glexec(["touch", "/tmp/ran"]).refused(201, "target-proxy.foreign");
    }
    for path in ["/tmp/of-the-pilot", "/etc/passwd", "/dev/zero", "/usr/sbin/glexec"] {
        at(&site, path).glexec(["touch", "/tmp/ran"]).refused(201, "target-proxy.foreign");
    }
    assert_eq!(site.sh("cd /home/alice && ls -lRi --time-style=full-iso . /tmp/of-the-pilot"), before);
    assert!(!site.exists("/tmp/ran") && !site.exists("/etc/motd"));
}

#[test]
fn the_target_must_be_able_to_write_there() {
    let site = Site::new();
    site.pilot().sh("mkdir -m 755 /tmp/of-the-pilot").exits(0);
    for path in [
        "/tmp/of-the-pilot/x",
        "/home/pilot/x",
        "/root/x",
        "/etc/x",
        "/no/such/dir/x",
        "/etc/passwd/x",
        "/proc/x",
        "/",
        "/tmp/..",
        "/home/alice/.",
        "/home/alice/x/",
    ] {
        let run = at(&site, path).glexec(["touch", "/tmp/ran"]);
        assert_eq!(run.code(), Some(201), "{path}: {run}");
        assert!(
            ["target-proxy.not-writable", "target-proxy.foreign"].contains(&run.record()["code"].as_str()),
            "{run}"
        );
        assert!(!site.exists("/tmp/ran"), "{path}");
    }
    let long = format!("/home/alice/{}", "x".repeat(300));
    at(&site, &long).glexec(["true"]).refused(201, "target-proxy.not-writable");
}

#[test]
fn directories_that_others_may_write_are_the_targets_own_business() {
    let site = Site::new();
    site.sh("mkdir /home/alice/open && chown alice: /home/alice/open && chmod 711 /home/alice && chmod 777 /home/alice/open");
    shows(&at(&site, "/home/alice/open/proxy").glexec(SHOW), "alice");
    // A link that the pilot has put there is not followed.
    site.pilot().sh("ln -s /home/alice/victim /home/alice/open/link").exits(0);
    at(&site, "/home/alice/open/link").glexec(["true"]).refused(201, "target-proxy.foreign");
    assert!(!site.exists("/home/alice/victim"));
}

#[test]
fn the_source_proxy_is_copied_when_it_is_the_same_persons() {
    for site in Site::in_both_modes() {
        let pilot = |source: &str| {
            let content = material_file(&format!("proxies/{source}.pem"));
            alice(&site).file_in("GLEXEC_SOURCE_PROXY", "source.pem", &content)
        };
        shows(&pilot("alice-nested").glexec(SHOW), "alice-nested");
        shows(&pilot("alice").glexec(SHOW), "alice");
        pilot("bob-plain").glexec(["true"]).refused(201, "credential.identity-mismatch");
        pilot("alice-expired").glexec(["true"]).refused(201, "credential.expired");
        pilot("uma").glexec(["true"]).refused(203, "credential.unknown-ca");
        let gone = alice(&site).env("GLEXEC_SOURCE_PROXY", "/no/such/file");
        gone.glexec(["true"]).refused(201, "credential.unreadable");
    }
}

#[test]
fn a_call_without_a_command_renews_the_proxy() {
    for site in Site::in_both_modes() {
        let pilot = at(&site, "/home/alice/proxy").reporting();
        for _ in 0..2 {
            let run = pilot.glexec::<&str>([]);
            run.succeeds_with("").record().says([("decision", "permit"), ("target_user", "alice")]);
            assert!(!run.record().has("command"), "{run}");
            assert_eq!(run.reported()["outcome"], "success");
        }
        assert_eq!(site.read("/home/alice/proxy").into_bytes(), material_file("proxies/alice.pem"));
        let inode = || site.sh("stat -c %i /home/alice/proxy");
        let before = inode();
        let newer = material_file("proxies/alice-nested.pem");
        pilot.clone().file_in("GLEXEC_CLIENT_CERT", "newer.pem", &newer).glexec::<&str>([]).succeeds_with("");
        assert!(inode() != before && site.read("/home/alice/proxy").into_bytes() == newer);
    }
}

#[test]
pub fn a_call_without_a_command_does_not_renew_the_proxy_of_somebody_else() {
    for site in Site::in_both_modes() {
        // Two people with one account.
        site.append("/etc/grid-security/grid-mapfile", "\"/DC=org/DC=example/O=Grid/CN=Bob Brown\" alice\n");
        let path = "/home/alice/proxy";
        at(&site, path).glexec(["true"]).succeeds_with("");
        let before = site.sh(&format!("stat -c '%i %Z' {path}"));
        let other = site.pilot().credential("bob-plain").env("GLEXEC_TARGET_PROXY", path);
        other.glexec::<&str>([]).refused(201, "target-proxy.other-identity");
        assert_eq!(site.sh(&format!("stat -c '%i %Z' {path}")), before);
        // Whoever begins a payload says whose proxy it has; and what is nobody's proxy is replaced.
        other.glexec(["id", "-un"]).succeeds_with("alice\n");
        at(&site, path).glexec::<&str>([]).refused(201, "target-proxy.other-identity");
        for nobodys in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\u{0}\u{1}"] {
            site.write(path, nobodys);
            at(&site, path).glexec::<&str>([]).succeeds_with("");
            assert_eq!(site.read(path).into_bytes(), material_file("proxies/alice.pem"));
        }
    }
}

#[test]
fn a_proxy_of_somebody_else_is_not_renewed_whatever_its_mode_or_whoever_holds_its_lock() {
    let site = Site::new();
    site.append("/etc/grid-security/grid-mapfile", "\"/DC=org/DC=example/O=Grid/CN=Bob Brown\" alice\n");
    let path = "/home/alice/proxy";
    at(&site, path).glexec(["true"]).succeeds_with("");
    let other = site.pilot().credential("bob-plain").env("GLEXEC_TARGET_PROXY", path);
    for mode in [0o400, 0o600, 0o640, 0o644, 0o700, 0o777] {
        site.chmod(path, mode);
        other.glexec::<&str>([]).refused(201, "target-proxy.other-identity");
    }
    // Longer than a lock is waited for, and not as long as two are.
    let held = Flock::lock(site.file(path), FlockArg::LockExclusiveNonblock).unwrap();
    let running = other.start::<&str>(GLEXEC, []);
    running.wait_until(&format!("ls -l /proc/{}/fd | grep -q {path}", running.pid_in_site()));
    std::thread::sleep(std::time::Duration::from_secs(7));
    drop(held);
    running.finish().refused(201, "target-proxy.locked");
    assert_eq!(site.read(path).into_bytes(), material_file("proxies/alice.pem"));
}

#[test]
fn an_own_file_that_is_read_only_is_replaced_whatever_the_lock() {
    for mechanism in ["flock", "fcntl", "disabled"] {
        let site = Site::new();
        site.set(&format!("target_lock_mechanism = \"{mechanism}\""));
        at(&site, "/home/alice/proxy").glexec(["sh", "-c", "chmod 400 $X509_USER_PROXY"]).succeeds_with("");
        at(&site, "/home/alice/proxy").glexec::<&str>([]).succeeds_with("");
        shows(&at(&site, "/home/alice/proxy").glexec(SHOW), "alice");
    }
}

#[test]
fn a_name_may_be_as_long_as_the_file_system_takes_it() {
    let site = Site::new();
    let longest = format!("/home/alice/{}", "x".repeat(255));
    for _ in 0..2 {
        shows(&at(&site, &longest).glexec(SHOW), "alice");
    }
    assert_eq!(site.sh("ls -A /home/alice | wc -l"), "1\n");
}

#[test]
fn a_refused_call_leaves_no_copy() {
    for site in Site::in_both_modes() {
        alice(&site).glexec(["/no/such/command"]).refused(201, "command.not-found");
        at(&site, "/home/alice/proxy").glexec(["/no/such/command"]).refused(201, "command.not-found");
        site.sh("mv /var/log/glexec /var/log/other");
        alice(&site).glexec(["true"]).refused_without_record(202, "audit.unavailable");
        at(&site, "/home/alice/proxy").glexec(["true"]).refused_without_record(202, "audit.unavailable");
        assert_eq!(site.sh("ls -A /tmp /home/alice"), "/home/alice:\n\n/tmp:\n");
    }
}

#[test]
fn a_refused_call_does_not_take_the_proxy_of_a_running_payload_away() {
    for site in Site::in_both_modes() {
        let script = "until test -e ~/go; do sleep 0.01; done; cat $X509_USER_PROXY";
        let payload = at(&site, "/home/alice/proxy").start(GLEXEC, ["sh", "-c", script]);
        payload.wait_until("pgrep -x sh -u alice");
        site.sh("mv /var/log/glexec /var/log/other");
        at(&site, "/home/alice/proxy").glexec::<&str>([]).refused_without_record(202, "audit.unavailable");
        at(&site, "/home/alice/proxy").glexec(["true"]).refused_without_record(202, "audit.unavailable");
        site.sh("mv /var/log/other /var/log/glexec");
        site.sh("touch /home/alice/go");
        let run = payload.finish();
        assert!(run.exits(0).stdout_bytes() == material_file("proxies/alice.pem"), "{run}");
        assert_eq!(site.sh("ls -A /home/alice"), "go\nproxy\n");
    }
}

#[test]
fn a_proxy_that_is_being_written_is_waited_for() {
    for mechanism in ["flock", "fcntl"] {
        let site = Site::new();
        site.set(&format!("input_lock_mechanism = \"{mechanism}\""));
        let pilot = alice(&site).file_in("GLEXEC_CLIENT_CERT", "renewed.pem", b"half a");
        let file = site.file(&pilot.client_cert());
        let running;
        if mechanism == "flock" {
            let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
            running = pilot.start(GLEXEC, ["id", "-un"]);
            let pid = running.pid_in_site();
            running.wait_until(&format!("ls -l /proc/{pid}/fd | grep -q renewed.pem"));
            site.write(&pilot.client_cert(), material_file("proxies/alice.pem"));
            drop(held);
        } else {
            let (start, whole) = (0, 0);
            let (l_type, l_whence) = (libc::F_WRLCK.try_into().unwrap(), libc::SEEK_SET.try_into().unwrap());
            let lock = libc::flock { l_type, l_whence, l_start: start, l_len: whole, l_pid: 0 };
            fcntl(&file, FcntlArg::F_SETLK(&lock)).unwrap();
            running = pilot.start(GLEXEC, ["id", "-un"]);
            let pid = running.pid_in_site();
            running.wait_until(&format!("ls -l /proc/{pid}/fd | grep -q renewed.pem"));
            site.write(&pilot.client_cert(), material_file("proxies/alice.pem")); // its close(2) drops the lock
            drop(file);
        }
        running.finish().succeeds_with("alice\n");
    }
}

#[test]
fn a_target_proxy_that_is_being_read_is_waited_for() {
    let site = Site::new();
    site.write("/home/alice/proxy", "old");
    site.chown("/home/alice/proxy", "alice");
    let held = Flock::lock(site.file("/home/alice/proxy"), FlockArg::LockExclusiveNonblock).unwrap();
    let running = at(&site, "/home/alice/proxy").start(GLEXEC, ["id", "-un"]);
    let pid = running.pid_in_site();
    running.wait_until(&format!("ls -l /proc/{pid}/fd | grep -q /home/alice/proxy"));
    assert_eq!(site.read("/home/alice/proxy"), "old");
    drop(held);
    running.finish().succeeds_with("alice\n");
    assert_eq!(site.read("/home/alice/proxy").into_bytes(), material_file("proxies/alice.pem"));
}

#[test]
fn a_site_without_locks_waits_for_none() {
    let site = Site::new();
    site.set("input_lock_mechanism = \"disabled\"\ntarget_lock_mechanism = \"disabled\"");
    let pilot = at(&site, "/home/alice/proxy");
    pilot.glexec(["true"]).exits(0);
    let _client = Flock::lock(site.file(&pilot.client_cert()), FlockArg::LockExclusiveNonblock).unwrap();
    let _target = Flock::lock(site.file("/home/alice/proxy"), FlockArg::LockExclusiveNonblock).unwrap();
    pilot.glexec(["id", "-un"]).succeeds_with("alice\n");
}
