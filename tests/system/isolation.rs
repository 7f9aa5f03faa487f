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
fn what_is_no_directory_of_the_callers_own_is_refused() {
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
    // The caller's own home is in a directory of root's.
    pilot.glexec(["--sandbox", "/home/pilot", "id"]).refused(201, "sandbox.exposed");
}

#[test]
fn where_files_cannot_be_shown_under_another_owner_the_sentence_names_the_way_out() {
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
fn a_site_can_forbid_sandboxes() {
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
