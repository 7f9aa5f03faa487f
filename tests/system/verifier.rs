//! The verifier's program: what it is given, what it must be, and what is believed of it.
//!
//! In its place another program is installed that writes down what it sees of its process: nothing of the caller's, and
//! one credential.

use crate::site::{GLEXEC, Site};
use glexec_core::question::VERSION;

const VERIFIER: &str = "/usr/libexec/glexec/verifier";

/// A program that tells what it was given, on files of its own beside the call's, and then does what `then` says.
pub fn witness(then: &str) -> String {
    format!(
        r#"
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        #include <dirent.h>
        extern char **environ;
        static void copy(FILE *to, const char *path) {{
            FILE *from = fopen(path, "r");
            int c;
            fprintf(to, "== %s\n", path);
            while (from && (c = fgetc(from)) != EOF) fputc(c, to);
            if (from) fclose(from);
        }}
        int main(int argc, char **argv) {{
            char name[64], path[64], target[256];
            snprintf(name, sizeof name, "/tmp/seen/%d", getpid());
            FILE *seen = fopen(name, "w");
            fprintf(seen, "argc %d argv0 %s\n", argc, argv[0]);
            for (char **one = environ; *one; one++) fprintf(seen, "environment %s\n", *one);
            fprintf(seen, "cwd %s\n", getcwd(target, sizeof target));
            for (int fd = 0; fd < 1024; fd++) {{
                snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
                ssize_t n = readlink(path, target, sizeof target - 1);
                if (n > 0 && fd != fileno(seen)) {{ target[n] = 0; fprintf(seen, "fd %d %.5s\n", fd, target); }}
            }}
            copy(seen, "/proc/self/status");
            fprintf(seen, "== question\n");
            int c;
            while ((c = getchar()) != EOF) fputc(c, seen);
            fclose(seen);
            {then}
        }}
        "#
    )
}

/// A site whose verifier is a program made from C.
fn with_verifier(source: &str) -> Site {
    let site = Site::new();
    put_verifier(&site, source);
    site
}

/// Puts a program made from C in the verifier's place.
pub fn put_verifier(site: &Site, source: &str) {
    site.sh("mkdir -m 1777 /tmp/seen");
    site.write("/root/verifier.c", source);
    site.sh(&format!("cc -o /root/verifier /root/verifier.c && install -m 755 /root/verifier {VERIFIER}"));
}

#[test]
fn it_is_given_one_credential_two_directories_and_nothing_else_of_the_call() {
    let site = with_verifier(&witness("return 7;"));
    let pilot = site.pilot().credential("alice").own_proxy("bob").env("SECRET", "of-the-caller");
    pilot.glexec(["id", "-un", "an-argument"]).refused(202, "verifier.failed");
    let seen: Vec<String> = site.sh("ls /tmp/seen").lines().map(|one| site.read(&format!("/tmp/seen/{one}"))).collect();
    assert_eq!(seen.len(), 2, "one process for the user's, one for the pilot's");
    let keys: Vec<Vec<&str>> = seen.iter().map(|one| private_keys(one)).collect();
    assert!(keys.iter().all(|keys| keys.len() == 1), "one private key each");
    assert_ne!(keys[0], keys[1], "and not the same");
    for one in &seen {
        let (process, question) = one.split_once("== question\n").unwrap();
        assert!(question.starts_with("glexec-question 3 "), "{question}");
        let lines: Vec<&str> = process.lines().take_while(|line| !line.starts_with("==")).collect();
        let given = ["argc 1 argv0 glexec-verifier", "cwd /", "fd 0 pipe:", "fd 1 pipe:", "fd 2 pipe:"];
        assert_eq!(lines[..5], given, "no environment, and no descriptor of the caller's");
        assert_eq!(lines[5..], ["fd 3 /etc/", "fd 4 /etc/"], "the CA directory and the vomsdir");
        let status = |name: &str| {
            let line = process.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let service = site.account("glexec");
        assert_eq!(status("Uid:"), vec![service.uid.to_string(); 4]);
        assert_eq!(status("Gid:"), vec![service.gid.to_string(); 4]);
        assert!(status("Groups:").is_empty(), "{process}");
        assert_eq!(status("NoNewPrivs:"), ["1"]);
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(status(set), ["0000000000000000"], "{set}");
        }
        for hidden in ["of-the-caller", "an-argument"] {
            assert!(!one.contains(hidden), "{hidden} is nothing to it");
        }
    }
}

/// The lines that begin private keys, with the line after them.
fn private_keys(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |pair: &&[&str]| pair[0].starts_with("-----BEGIN") && pair[0].contains("PRIVATE KEY");
    lines.windows(2).filter(begins).map(|pair| pair[1]).collect()
}

#[test]
fn a_verifier_that_others_could_have_changed_or_that_is_missing_is_not_run() {
    for (spoil, why) in [
        (format!("chmod g+w {VERIFIER}"), "can be written by others than root"),
        (format!("chown pilot {VERIFIER}"), "belongs to uid"),
        ("chmod o+w /usr/libexec/glexec".into(), "can be written by others than root"),
        (format!("chmod a-x {VERIFIER}"), "is not executable"),
        (format!("rm {VERIFIER}"), "does not exist"),
        (format!("rm {VERIFIER}; mkdir {VERIFIER}"), "is not a regular file"),
        (format!("echo nonsense > {VERIFIER}"), "could not be started"),
    ] {
        let site = Site::new();
        site.sh(&spoil);
        let run = site.pilot().credential("alice").glexec(["id"]);
        run.refused(202, "verifier.failed");
        assert!(site.read("/var/log/glexec/glexec.log").contains(why), "{spoil}: {run}");
    }
}

#[test]
fn what_is_no_verdict_is_no_pass() {
    let half =
        r#"glexec-verdict 3\n{\"answered\":{\"identity\":{\"subject\":\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"}}}"#;
    for then in [
        "return 0;".to_owned(),
        r#"printf("nonsense"); return 0;"#.to_owned(),
        r#"printf("glexec-verdict 3\n"); return 0;"#.to_owned(),
        format!("printf(\"{half}\"); return 0;"),
        r#"for (;;) puts("glexec-verdict 3");"#.to_owned(),
        "abort();".to_owned(),
    ] {
        let site = with_verifier(&witness(&then));
        site.pilot().credential("alice").glexec(["id"]).refused(202, "verifier.failed");
    }
}

#[test]
fn a_verifier_of_another_version_is_refused_by_name_and_trying_again_helps() {
    let site = with_verifier(&witness(r#"printf("glexec-verdict 99\n{}"); return 0;"#));
    let run = site.pilot().credential("alice").glexec(["id"]);
    run.refused(202, "verifier.version");
    assert_eq!(run.record()["transient"], "true");
    let why = format!("glexec asks in version {VERSION}, the verifier answers in version 99");
    assert!(site.read("/var/log/glexec/glexec.log").contains(&why), "{run}");
}

#[test]
fn an_update_under_running_pilots_refuses_calls_for_a_moment_and_disturbs_no_payload() {
    let site = Site::with(Site::linger);
    let bob = site.pilot().credential("bob").start(GLEXEC, ["sleep", "1000"]);
    bob.wait_until("pgrep -u tprd001 sleep");
    site.sh(&format!("cp {VERIFIER} /root/good"));
    put_verifier(&site, &witness(r#"printf("glexec-verdict 99\n{}"); return 0;"#));
    let alice = || site.pilot().credential("alice").glexec(["id", "-un"]);
    alice().refused(202, "verifier.version");
    site.sh(&format!("install -m 755 /root/good {VERIFIER}"));
    alice().succeeds_with("alice\n");
    site.sh("pgrep -u tprd001 sleep");
    bob.signal(nix::sys::signal::Signal::SIGTERM);
    bob.finish();
}
