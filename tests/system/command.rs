//! Finding the command: with the eyes of the account that will run it.

use crate::site::{Caller, Site};

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

#[test]
fn a_bare_name_is_searched_in_the_payloads_path_not_the_callers() {
    let site = Site::new();
    site.set("path = \"/opt/one:/opt/two:/usr/bin\"");
    site.sh("mkdir -p /opt/one /opt/two && printf '#!/bin/sh\necho two\n' > /opt/two/tool && chmod 755 /opt/two/tool");
    site.pilot().sh("mkdir bin && printf '#!/bin/sh\necho of the pilot\n' > bin/tool && chmod -R 755 ~").exits(0);
    let pilot = alice(&site).env("PATH", "/home/pilot/bin:/usr/bin");
    pilot.glexec(["tool"]).succeeds_with("two\n");
    site.sh("printf '#!/bin/sh\necho one\n' > /opt/one/tool"); // not executable: the search goes on
    pilot.glexec(["tool"]).succeeds_with("two\n");
    site.chmod("/opt/one/tool", 0o755);
    pilot.glexec(["tool"]).succeeds_with("one\n");
    pilot.glexec(["no-such-tool"]).refused(201, "command.not-found");
}

#[test]
fn a_bare_name_is_not_looked_for_in_the_working_directory() {
    let site = Site::new();
    site.sh("printf '#!/bin/sh\necho ran\n' > /tmp/tool && chmod 755 /tmp/tool");
    alice(&site).cwd("/tmp").glexec(["tool"]).refused(201, "command.not-found");
    alice(&site).cwd("/tmp").glexec([""]).refused(201, "command.not-found");
}

#[test]
fn a_relative_path_starts_at_the_callers_working_directory() {
    let site = Site::new();
    site.sh("mkdir /tmp/job && printf '#!/bin/sh\npwd\n' > /tmp/job/run && chmod -R 755 /tmp/job");
    for [cwd, command] in [["/tmp/job", "./run"], ["/tmp", "job/run"], ["/usr/bin", "../../tmp/job/run"]] {
        alice(&site).cwd(cwd).glexec([command]).succeeds_with("/home/alice\n");
    }
    alice(&site).cwd("/usr").glexec(["./run"]).refused(201, "command.not-found");
}

#[test]
fn a_relative_path_from_a_working_directory_that_is_gone_is_not_found() {
    let site = Site::new();
    let script = "mkdir gone && cd gone && rmdir ../gone && exec /usr/sbin/glexec";
    alice(&site).sh(&format!("{script} ./run")).refused(201, "command.not-found");
    alice(&site).sh(&format!("{script} /usr/bin/id -un")).succeeds_with("alice\n");
}

#[test]
fn a_command_that_only_the_target_can_reach_runs() {
    let site = Site::new();
    let script = "mkdir -m 700 /home/alice/private && printf '#!/bin/sh\nid -un\n' > /home/alice/private/run && \
        chmod 700 /home/alice/private/run && chown -R alice: /home/alice/private";
    site.sh(script);
    site.pilot().run("/usr/bin/test", ["-e", "/home/alice/private/run"]).exits(1);
    alice(&site).glexec(["/home/alice/private/run"]).succeeds_with("alice\n");
    alice(&site).cwd("/home").glexec(["alice/private/run"]).succeeds_with("alice\n");
}

#[test]
fn a_command_that_only_the_caller_can_reach_does_not_run() {
    let site = Site::new();
    site.pilot().sh("printf '#!/bin/sh\necho ran\n' > run && chmod 755 run").exits(0);
    alice(&site).glexec(["/home/pilot/run"]).refused(201, "command.not-found");
    alice(&site).glexec(["./run"]).refused(201, "command.not-found");
}

/// A call's sentence.
fn told(caller: &Caller<'_>, command: &str, exit: i32, code: &str) -> String {
    let run = caller.glexec([command]);
    run.refused_without_record(exit, code);
    run.stderr().trim_start_matches("[gLExec]: ").trim_end_matches(&format!(" ({code})\n")).to_owned()
}

#[test]
fn a_directory_that_the_target_cannot_search_is_named_where_the_caller_can_see_it() {
    let site = Site::new();
    site.pilot()
        .sh("mkdir -p job/bin; chmod 700 job; printf '#!/bin/sh\n' > job/bin/run; chmod 755 job/bin/run; chmod 755 .")
        .exits(0);
    let told = |command: &str| told(&alice(&site), command, 201, "command.not-found");
    let bars = |command: &str, dir: &str| format!("{command}: the account alice cannot search the directory {dir}");
    assert_eq!(told("/home/pilot/job/bin/run"), bars("/home/pilot/job/bin/run", "/home/pilot/job"));
    assert_eq!(told("job/bin/run"), bars("job/bin/run", "/home/pilot/job"));
    // What is below a directory of the target's own is not the caller's to know.
    site.sh("mkdir -p /home/alice/own/roots; chmod 700 /home/alice /home/alice/own /home/alice/own/roots; chown alice: /home/alice/own");
    assert_eq!(
        told("/home/alice/own/roots/run"),
        "/home/alice/own/roots/run: the target account finds no such command"
    );
    assert!(site.last_record()["reason"].contains("cannot search the directory /home/alice/own/roots"));
}

/// Mounts a file system of the pilot's own as fusermount(1) would; false where the kernel has no FUSE. Nobody answers for it:
/// whoever is not let in is told so by the kernel.
fn mount_fuse(site: &Site, dir: &str) -> bool {
    let mount = "use Fcntl; $^F = 100; mkdir $ARGV[0]; open my $fuse, \"+<\", \"/dev/fuse\" or exit 77; \
        my $options = \"fd=\" . fileno($fuse) . \",rootmode=40000,user_id=2000,group_id=2000\"; \
        system(\"mount\", \"-i\", \"-t\", \"fuse\", \"-o\", $options, \"own\", $ARGV[0]) == 0 or exit 77; \
        exec \"sleep\", \"1000\"";
    let mounted = format!("grep -q ' {dir} fuse ' /proc/mounts");
    let script = format!(
        "mknod /dev/fuse c 10 229; perl -e '{mount}' {dir} > /dev/null 2>&1 & \
        until {mounted} || ! kill -0 $! 2> /dev/null; do sleep 0.01; done; {mounted} && echo yes || echo no"
    );
    site.sh(&script) == "yes\n"
}

#[test]
fn who_keeps_files_on_a_fuse_of_their_own_is_told_why_root_may_not_read_them() {
    let site = Site::new();
    site.sh("chmod 755 /home/pilot");
    if !mount_fuse(&site, "/home/pilot/own") {
        return;
    }
    let run = site.pilot().env("GLEXEC_CLIENT_CERT", "/home/pilot/own/proxy.pem").glexec(["id"]);
    run.refused(201, "credential.unreadable");
    let why =
        "/home/pilot/own is a file system (FUSE) that lets in its owner only, and not root: copy the file elsewhere";
    assert!(run.stderr().contains(why), "{run}");
    let sentence = told(&alice(&site), "/home/pilot/own/run", 201, "command.not-found");
    let why = "the account alice cannot search the directory /home/pilot/own, a file system (FUSE) that lets in its owner only";
    assert_eq!(sentence, format!("/home/pilot/own/run: {why}"));
}

#[test]
fn who_mounts_noexec_is_told_so() {
    let site = Site::new();
    site.sh("mkdir /srv/noexec; mount -t tmpfs -o noexec,mode=755 none /srv/noexec; cp /usr/bin/true /srv/noexec");
    let sentence = told(&alice(&site), "/srv/noexec/true", 201, "command.not-executable");
    assert_eq!(sentence, "/srv/noexec/true: /srv/noexec/true lies on a file system that is mounted noexec");
}

#[test]
fn what_the_kernel_does_not_execute_is_explained() {
    for site in Site::in_both_modes() {
        site.sh(
            "cd /usr/bin && echo '#! /no/such/interpreter -x' > no-interpreter && printf '#!/bin/sh\r\nid\r\n' > windows && \
            printf '#!/bin/sh -e\r\nid\r\n' > other-windows && chmod 755 no-interpreter windows other-windows",
        );
        let told = |command: &str| told(&alice(&site), command, 126, "command.exec-failed");
        assert_eq!(
            told("no-interpreter"),
            "/usr/bin/no-interpreter cannot be executed: there is no interpreter /no/such/interpreter, which its first line names"
        );
        assert_eq!(
            told("windows"),
            "/usr/bin/windows cannot be executed: its first line names the interpreter /bin/sh\\r: its lines end as those of Windows do, take away each \\r"
        );
    }
}

#[test]
fn the_limit_on_processes_is_named() {
    let site = Site::new();
    site.sh("for i in 1 2 3 4 5 6; do setpriv --reuid alice --regid alice --clear-groups sleep 1000 > /dev/null 2>&1 & done");
    let limit = "exec prlimit --nproc=5:5 /usr/sbin/glexec id -un";
    let run = alice(&site).sh(limit);
    assert!(run.stderr().contains("RLIMIT_NPROC (ulimit -u)"), "{run}");
}

#[test]
fn what_the_target_may_not_execute_is_refused_before_anything_happens() {
    let site = Site::new();
    site.sh(
        "cd /tmp && echo > plain && chmod 644 plain && cp /usr/bin/true of-others && chmod 754 of-others && mkdir dir",
    );
    for command in ["/tmp/plain", "/tmp/of-others", "/tmp/dir", "/", "/dev/null"] {
        alice(&site).glexec([command]).refused(201, "command.not-executable");
    }
    for command in ["/tmp/none", "/tmp/plain/x", "/root/x", "/usr/bin/true/"] {
        alice(&site).glexec([command]).refused(201, "command.not-found");
    }
    assert_eq!(site.sh("ls /tmp | grep -c x509up || true"), "0\n", "a proxy was left behind");
}

#[test]
fn symbolic_links_are_followed() {
    let site = Site::new();
    site.sh(
        "mkdir -p /opt/real && cp /usr/bin/id /opt/real/id && ln -s real /opt/link && ln -s ../opt/link/id /tmp/id",
    );
    for command in ["/tmp/id", "/opt/link/id", "/bin/id"] {
        alice(&site).glexec([command, "-un"]).succeeds_with("alice\n");
    }
    site.sh("ln -s nowhere /tmp/dangling && ln -s loop /tmp/loop");
    for command in ["/tmp/dangling", "/tmp/loop"] {
        alice(&site).glexec([command]).refused(201, "command.not-found");
    }
}

#[test]
fn a_script_is_run_by_its_interpreter_with_its_arguments() {
    let site = Site::new();
    site.write("/usr/bin/script", "#!/bin/sh -e\necho \"$0\" \"$@\"\n");
    site.chmod("/usr/bin/script", 0o755);
    alice(&site).glexec(["script", "a b", "c"]).succeeds_with("/usr/bin/script a b c\n");
}

#[test]
fn a_program_sees_its_name_as_the_caller_wrote_it() {
    let site = Site::new();
    alice(&site).glexec(["sh", "-c", "echo $0"]).succeeds_with("sh\n");
    alice(&site).glexec(["/usr/bin/cat", "/proc/self/cmdline"]).succeeds_with("/usr/bin/cat\0/proc/self/cmdline\0");
    alice(&site).glexec(["cat", "/proc/self/cmdline"]).succeeds_with("cat\0/proc/self/cmdline\0");
}

#[test]
pub fn what_the_kernel_does_not_execute_ends_with_126() {
    for site in Site::in_both_modes() {
        site.sh(
            "cd /usr/bin && echo '#!/no/such/interpreter' > no-interpreter && printf '\\177ELF garbage' > garbage && \
            echo 'echo no magic' > no-magic && chmod 755 no-interpreter garbage no-magic",
        );
        for command in ["no-interpreter", "garbage", "no-magic"] {
            let run = alice(&site).reporting().glexec([command]);
            run.refused_without_record(126, "command.exec-failed");
            // The switch had happened, and the record had said so.
            run.record().says([("decision", "permit"), ("target_user", "alice"), ("command", command)]);
        }
    }
}

#[test]
fn the_exit_code_of_the_payload_is_the_callers() {
    let site = Site::new();
    for code in [0, 1, 126, 127, 128, 200, 255] {
        alice(&site).glexec(["sh", "-c", &format!("exit {code}")]).exits(code);
    }
}
