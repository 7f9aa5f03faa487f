//! `--sandbox DIR`: the payload works in a directory of the caller's as if it were its own.

use crate::site::{Caller, GLEXEC, Site};
use nix::sys::signal::Signal;

/// The directory that the pilot gives to payloads.
const BOX: &str = "/home/pilot/work/box";

/// The pilot, with a sandbox in its home, where nobody else may look.
fn pilot(site: &Site) -> Caller<'_> {
    let caller = site.pilot().credential("alice");
    caller.sh(&format!("mkdir -m 700 ~/work {BOX} && echo input > {BOX}/input")).exits(0);
    caller
}

fn shell(script: &str) -> [&str; 6] {
    ["--sandbox", BOX, "--", "/bin/bash", "-c", script]
}

#[test]
fn the_payload_works_in_the_callers_directory_as_its_own() {
    for site in Site::in_both_modes() {
        let pilot = pilot(&site);
        let script = "pwd; echo $GLEXEC_SANDBOX; id -un; stat -c '%U:%G %a' . input; cat input; \
            echo new > output; mkdir made; mv input made/moved; rm made/moved; chmod 750 .";
        let run = pilot.glexec(shell(script));
        let seen = format!("{BOX}\n{BOX}\nalice\nalice:alice 700\nalice:alice 644\ninput\n");
        run.succeeds_with(&seen);
        run.record().says([("sandbox", BOX), ("decision", "permit"), ("cwd", "/home/pilot")]);
        let on_disk = site.sh(&format!("cd {BOX}; stat -c '%n %U:%G' . output made; cat output"));
        assert_eq!(on_disk, ". pilot:pilots\noutput pilot:pilots\nmade pilot:pilots\nnew\n");
        pilot.sh(&format!("rm -r {BOX}")).exits(0);
    }
}

#[test]
fn nothing_else_of_the_way_to_a_sandbox_can_be_seen() {
    for site in Site::in_both_modes() {
        let pilot = pilot(&site);
        pilot.sh("echo private > ~/secret; echo private > ~/work/secret; chmod 644 ~/secret ~/work/secret").exits(0);
        let script = "stat -c '%n %U %a' /home/pilot /home/pilot/work; ls -A /home/pilot /home/pilot/work; \
            touch /home/pilot/work/x /home/pilot/x 2> /dev/null || echo kept; ls -d /home/alice";
        pilot.glexec(shell(script)).succeeds_with(
            "/home/pilot root 755\n/home/pilot/work root 755\n\
             /home/pilot:\nwork\n\n/home/pilot/work:\nbox\nkept\n/home/alice\n",
        );
    }
}

#[test]
fn nobody_elses_view_changes() {
    for site in Site::in_both_modes() {
        let pilot = pilot(&site);
        let before = site.sh("cat /proc/1/mounts");
        let running = pilot.start(GLEXEC, shell("touch began; until [ -e end ]; do sleep 0.01; done"));
        site.wait_until(&format!("test -e {BOX}/began"));
        assert_eq!(site.sh(&format!("stat -c %U {BOX}/began /home/pilot")), "pilot\npilot\n");
        assert_eq!(site.sh("cat /proc/1/mounts"), before);
        pilot.sh(&format!("touch {BOX}/end")).exits(0);
        running.finish().exits(0);
    }
}

#[test]
pub fn what_is_no_directory_of_the_callers_own_is_refused() {
    let site = Site::new();
    let pilot = pilot(&site);
    pilot
        .sh(&format!("cd ~/work; ln -s box link; echo > file; mkdir -m 600 locked; mkdir -m 700 odd; ln -s {BOX} up"))
        .exits(0);
    site.sh("mkdir -m 700 /home/pilot/work/roots /home/alice/hers; chown alice: /home/alice/hers");
    site.sh("chgrp testvo /home/pilot/work/odd");
    let table = [
        ("/home/pilot/work/link", "sandbox.not-a-directory"),
        ("/home/pilot/work/link/", "sandbox.not-a-directory"),
        ("/home/pilot/work/link/.", "sandbox.not-a-directory"),
        ("/home/pilot/work/file", "sandbox.not-a-directory"),
        ("", "sandbox.not-a-directory"),
        ("/home/pilot/work/none", "sandbox.unreachable"),
        ("/home/pilot/work/file/box", "sandbox.not-a-directory"),
        ("/home/pilot/work/locked", "sandbox.unreachable"),
        ("/home/alice/hers", "sandbox.unreachable"),
        ("/home/pilot/work/roots", "sandbox.not-yours"),
        ("/home/pilot/work/odd", "sandbox.not-yours"),
        ("/home", "sandbox.not-yours"),
        ("/", "sandbox.not-yours"),
    ];
    for (directory, code) in table {
        pilot.glexec(["--sandbox", directory, "id"]).refused(201, code);
    }
    pilot.sh("chmod 770 ~/work").exits(0);
    let run = pilot.glexec(["--sandbox", BOX, "id"]);
    run.refused(201, "sandbox.exposed");
    assert!(run.stderr().contains("chmod 700 /home/pilot/work"), "{run}");
    pilot.sh("chmod 700 ~/work; setfacl -m u:mallory:x ~/work || chmod 710 ~/work").exits(0);
    pilot.glexec(["--sandbox", BOX, "id"]).refused(201, "sandbox.exposed");
    // The caller's own home is in a directory owned by root.
    pilot.glexec(["--sandbox", "/home/pilot", "id"]).refused(201, "sandbox.exposed");
}

#[test]
pub fn where_files_cannot_be_shown_under_another_owner_the_sentence_names_the_way_out() {
    let site = Site::new();
    let pilot = pilot(&site);
    site.sh(&format!(
        "cd /home/pilot/work; mkdir upper work; chown pilot: upper; \
         mount -t overlay -o lowerdir={BOX},upperdir=upper,workdir=work overlay box; chown pilot: box"
    ));
    let run = pilot.glexec(["--sandbox", BOX, "id"]);
    run.refused(202, "sandbox.unsupported");
    assert!(run.stderr().contains("tar c . | glexec tar x"), "{run}");
}

#[test]
pub fn a_site_can_forbid_sandboxes() {
    let site = Site::with(|site| site.append("/etc/glexec.conf", "\n[isolation]\nsandbox = false\n"));
    let pilot = pilot(&site);
    pilot.glexec(["--sandbox", BOX, "id"]).refused(203, "sandbox.forbidden");
    pilot.glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn commands_and_target_proxies_are_found_in_the_sandbox() {
    for site in Site::in_both_modes() {
        let pilot = pilot(&site).env("GLEXEC_TARGET_PROXY", format!("{BOX}/proxy"));
        pilot
            .sh(&format!("cd {BOX}; printf '%s\\n' '#!/bin/sh' 'echo $0 $X509_USER_PROXY' 'stat -c %U:%a $X509_USER_PROXY' > run; \
                chmod 755 run; ln -s run link; ln -s {BOX}/run far; touch plain; ln -s /nowhere off"))
            .exits(0);
        for command in ["./run", "./link", "./far", "/home/pilot/work/box/run"] {
            let told = command.replace("./", &format!("{BOX}/./"));
            let expected = format!("{told} {BOX}/proxy\nalice:600\n");
            pilot.glexec(["--sandbox", BOX, command]).succeeds_with(&expected);
        }
        assert_eq!(site.sh(&format!("stat -c '%U %a' {BOX}/proxy")), "pilot 600\n");
        pilot.glexec(["--sandbox", BOX, "./none"]).refused(201, "command.not-found");
        pilot.glexec(["--sandbox", BOX, "./plain"]).refused(201, "command.not-executable");
        pilot.glexec(["--sandbox", BOX, "/home/pilot/work/elsewhere"]).refused(201, "command.not-found");
        pilot.glexec(["--sandbox", BOX, "./off"]).exits(126);
        // Renewed in the same view, and with the directory as the caller stands.
        pilot.glexec(["--sandbox", BOX]).succeeds_with("");
        pilot.clone().cwd("/home/pilot/work").glexec(["--sandbox", "box", "pwd"]).succeeds_with(&format!("{BOX}\n"));
        let other = pilot.clone().credential("bob");
        other.glexec(["--sandbox", BOX]).refused(201, "target-proxy.other-identity");
    }
}

#[test]
fn a_path_with_links_above_the_sandbox_is_told_without_them() {
    let site = Site::new();
    let pilot = pilot(&site);
    pilot.sh("ln -s work ~/short").exits(0);
    let proxy = "/home/pilot/short/box/proxy";
    let run = pilot.env("GLEXEC_TARGET_PROXY", proxy).reporting().glexec([
        "--sandbox",
        "/home/pilot/short/box",
        "sh",
        "-c",
        "echo $GLEXEC_SANDBOX $X509_USER_PROXY; test -r $X509_USER_PROXY",
    ]);
    run.succeeds_with(&format!("{BOX} {BOX}/proxy\n"));
    assert_eq!(run.reported()["target_proxy"], format!("{BOX}/proxy"));
}

#[test]
fn what_ends_a_payload_ends_one_in_a_sandbox() {
    let site = Site::with(Site::linger);
    let running = pilot(&site).start(GLEXEC, shell("touch began; sleep 1000 & wait"));
    site.wait_until(&format!("test -e {BOX}/began"));
    running.signal(Signal::SIGKILL);
    running.finish().killed_by(Signal::SIGKILL);
    site.wait_until_nobody_is("alice");
    site.wait_until_the_end_is_recorded();
}

// ---- a /tmp of one's own ----

/// A /tmp of the pilot's job's own, as HTCondor (MOUNT_UNDER_SCRATCH) and Slurm (job_container/tmpfs) make it.
fn with_tmp_of_the_job(site: &Site) {
    site.sh("mount -t tmpfs -o mode=700,uid=2000,gid=2000 tmpfs /tmp; touch /tmp/jobs; chown pilot: /tmp/jobs");
}

#[test]
fn where_a_batch_system_gave_the_job_a_tmp_of_its_own_the_payload_has_one_in_it() {
    for site in Site::in_both_modes() {
        with_tmp_of_the_job(&site);
        let pilot = site.pilot().credential("alice");
        let script =
            "stat -c '%U %a' /tmp; ls -A /tmp | sed 's/c[.].*/c/'; stat -c %U $X509_USER_PROXY; touch /tmp/mine";
        pilot.glexec(["sh", "-c", script]).succeeds_with("alice 700\nx509up_u3000.glexec\nalice\n");
        site.sh("rm -f /tmp/.glexec-alice/tmp/x509up*");
        let again = pilot.env("GLEXEC_TARGET_PROXY", "/tmp/proxy").glexec([
            "sh",
            "-c",
            "ls /tmp/mine; stat -c %U:%a /tmp /tmp/proxy",
        ]);
        again.succeeds_with("/tmp/mine\nalice:700\nalice:600\n");
        let on_disk =
            site.sh("cd /tmp; ls -A; stat -c '%n %U:%G %a' .glexec-alice .glexec-alice/tmp .glexec-alice/tmp/mine");
        assert_eq!(
            on_disk,
            ".glexec-alice\njobs\n.glexec-alice pilot:pilots 700\n.glexec-alice/tmp pilot:pilots 700\n\
             .glexec-alice/tmp/mine pilot:pilots 644\n"
        );
    }
}

#[test]
fn a_target_proxy_in_the_payloads_tmp_is_renewed_while_it_runs_and_removed_when_it_ends() {
    let site = Site::with(Site::linger);
    with_tmp_of_the_job(&site);
    let tmp = "/tmp/.glexec-alice/tmp";
    let pilot = site.pilot().credential("alice");
    let script = "cp $X509_USER_PROXY /tmp/first; touch /tmp/began; until [ -e /tmp/end ]; do sleep 0.01; done; \
        cmp -s /tmp/first /tmp/proxy; echo $?";
    let named = pilot.clone().env("GLEXEC_TARGET_PROXY", "/tmp/proxy");
    let running = named.start(GLEXEC, ["sh", "-c", script]);
    site.wait_until(&format!("test -e {tmp}/began"));
    site.sh(&format!("stat -c %i {tmp}/proxy > /run/old"));
    named.glexec::<&str>([]).succeeds_with("");
    site.sh(&format!("test $(stat -c %i {tmp}/proxy) != $(cat /run/old); touch {tmp}/end"));
    running.finish().succeeds_with("0\n");
    // A name of glexec's own goes with the call.
    pilot.glexec(["sh", "-c", "ls /tmp/x509up_u3000.glexec.*"]).exits(0);
    assert_eq!(site.sh(&format!("ls {tmp}")), "began\nend\nfirst\nproxy\n");
}

#[test]
fn a_site_can_give_every_payload_a_tmp_of_its_own() {
    for site in Site::in_both_modes() {
        site.append("/etc/glexec.conf", "\n[isolation]\nprivate_tmp = \"always\"\n");
        // Whoever may write in /tmp plants what might be taken for it.
        site.caller("mallory").sh("mkdir /tmp/.glexec-alice; ln -s /etc /tmp/tmp; touch /tmp/planted").exits(0);
        let pilot = site.pilot().credential("alice");
        let script = "ls -A /tmp /var/tmp; echo 1 > /tmp/a; echo 2 > /var/tmp/b";
        let run = pilot.clone().env("GLEXEC_TARGET_PROXY", "/dev/null").glexec(["sh", "-c", script]);
        run.succeeds_with("/tmp:\n\n/var/tmp:\n");
        let run = pilot.clone().env("GLEXEC_TARGET_PROXY", "/dev/null").glexec(["sh", "-c", "cat /tmp/a /var/tmp/b"]);
        run.succeeds_with("1\n2\n");
        let store = "/var/lib/glexec/tmp";
        assert_eq!(
            site.sh(&format!("cd {store}; stat -c '%n %U %a' . 2000 2000/alice 2000/alice/tmp 2000/alice/tmp/a")),
            ". root 711\n2000 pilot 700\n2000/alice pilot 700\n2000/alice/tmp pilot 700\n2000/alice/tmp/a pilot 644\n"
        );
        // Another caller's payload, of the same account too, has another one; other accounts look into none.
        site.caller("pilot001").credential("alice").glexec(["ls", "/tmp/a"]).exits(2);
        site.caller("alice").sh(&format!("ls {store}/2000/alice/tmp")).exits(2);
        site.caller("mallory").sh(&format!("ls {store}")).exits(2);
        assert!(site.sh("ls /tmp").contains("planted"));
    }
}

#[test]
fn a_tmp_of_the_payloads_own_is_there_too_where_the_sites_is_a_symbolic_link() {
    for (links, seen) in [
        ("rm -rf /tmp; mkdir -m 1777 /disk; ln -s /disk /tmp", "/tmp:\n\n/var/tmp:\n"),
        ("rm -rf /var/tmp; ln -s ../tmp /var/tmp", "/tmp:\n\n/var/tmp:\n"),
    ] {
        let site = Site::with(|site| site.append("/etc/glexec.conf", "\n[isolation]\nprivate_tmp = \"always\"\n"));
        site.sh(links);
        site.caller("mallory").sh("touch /tmp/planted /var/tmp/planted").exits(0);
        let pilot = site.pilot().credential("alice");
        let none = pilot.clone().env("GLEXEC_TARGET_PROXY", "/dev/null");
        none.glexec(["sh", "-c", "ls -A /tmp/ /var/tmp/ | sed 's,/:,:,'; echo 1 > /tmp/a"]).succeeds_with(seen);
        none.glexec(["cat", "/tmp/a"]).succeeds_with("1\n");
        let script = "stat -c %U:%a $X509_USER_PROXY";
        pilot.glexec(["sh", "-c", script]).succeeds_with("alice:600\n");
        for proxy in ["/tmp/proxy", "/var/tmp/proxy"] {
            let named = pilot.clone().env("GLEXEC_TARGET_PROXY", proxy);
            named.glexec(["sh", "-c", script]).succeeds_with("alice:600\n");
            named.glexec::<&str>([]).succeeds_with("");
        }
        assert!(!site.sh("ls -A /tmp/ /var/tmp/").contains("proxy"), "{links}: nothing of the payload's is outside");
    }
}

#[test]
fn no_payload_is_shown_what_is_roots_on_disk_as_its_tmp() {
    let site = Site::with(|site| {
        site.append("/etc/glexec.conf", "\n[isolation]\nprivate_tmp = \"always\"\n");
        site.configure(|text| text.replace("[\"pilot\"", "[\"root\", \"pilot\""));
    });
    let root = site.caller("root").credential("alice");
    root.glexec(["cp", "/bin/id", "/tmp/id"]).refused(202, "sandbox.unsupported");
    site.sh("test ! -e /var/lib/glexec/tmp/0");
}

#[test]
fn a_site_can_leave_tmp_as_it_is() {
    let site = Site::with(|site| site.append("/etc/glexec.conf", "\n[isolation]\nprivate_tmp = \"never\"\n"));
    with_tmp_of_the_job(&site);
    site.pilot().credential("alice").glexec(["id"]).refused(201, "target-proxy.not-writable");
}

#[test]
fn a_sandbox_may_lie_in_the_jobs_own_tmp() {
    for site in Site::in_both_modes() {
        with_tmp_of_the_job(&site);
        let pilot = site.pilot().credential("alice");
        pilot.sh("mkdir -m 700 /tmp/work /tmp/work/box; echo input > /tmp/work/box/input").exits(0);
        let script =
            "pwd; cat input; echo new > output; ls -A /tmp/work; stat -c %U /tmp/work/box; test -r $X509_USER_PROXY";
        for _ in 0..2 {
            let run = pilot.glexec(["--sandbox", "/tmp/work/box", "sh", "-c", script]);
            run.succeeds_with("/tmp/work/box\ninput\nbox\nalice\n");
        }
        assert_eq!(site.sh("stat -c %U:%G /tmp/work/box/output; ls /tmp/work"), "pilot:pilots\nbox\n");
    }
}

// ---- IPC ----

#[test]
fn a_site_can_give_every_payload_ipc_of_its_own() {
    for site in Site::in_both_modes() {
        let pilot = site.pilot().credential("alice");
        let script = "ipcmk -M 64 > /dev/null; ipcs -m | grep -c 0x; ls -A /dev/shm; echo $((16#$(stat -c %f /dev/shm))); touch /dev/shm/mine";
        let shared = pilot.glexec(["/bin/bash", "-c", script]);
        assert!(shared.exits(0).stdout().starts_with("1\n"), "{shared}");
        assert!(site.exists("/dev/shm/mine"), "by default it is everybody's");
        site.append("/etc/glexec.conf", "\n[isolation]\nprivate_ipc = true\n");
        for _ in 0..2 {
            pilot.glexec(["/bin/bash", "-c", script]).succeeds_with("1\n17407\n");
        }
        assert_eq!(site.sh("ls /dev/shm; ipcs -m | grep -c 0x"), "mine\n1\n");
    }
}
