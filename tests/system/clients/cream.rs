//! CREAM (LocalUserPIP, GetJobSTDTask): a Java service calls glexec with an environment of two variables.

use super::in_both_modes;
use crate::site::{Caller, Site};

/// Two variables, and a proxy without its key as LocalUserPIP writes it.
fn cream<'s>(site: &'s Site, proxy: &str) -> Caller<'s> {
    site.configure(|text| text.replace("[glexec]", "[glexec]\nomission_private_key_white_list = [\"pilot\"]"));
    let caller = site.pilot().credential(proxy).env("GLEXEC_MODE", "lcmaps_get_account");
    ["PATH", "HOME", "USER", "LOGNAME"].into_iter().fold(caller, Caller::without)
}

#[test]
fn cream_learns_the_account_from_the_output_of_id() {
    in_both_modes(|site| {
        let run = cream(site, "alice-no-key").glexec(["/usr/bin/id"]);
        run.succeeds_with("uid=3000(alice) gid=3000(alice) groups=3000(alice)\n");
    });
}

#[test]
fn cream_reads_files_of_the_user_and_takes_empty_output_for_a_missing_one() {
    in_both_modes(|site| {
        site.sh("install -o alice -m 600 /dev/null /home/alice/StandardOutput; echo text > /home/alice/StandardOutput");
        let cream = cream(site, "alice-no-key");
        cream.glexec(["/bin/cat", "/home/alice/StandardOutput"]).succeeds_with("text\n");
        let run = cream.glexec(["/bin/cat", "/home/alice/StandardError"]);
        assert_eq!(run.exits(1).stdout(), "");
    });
}

#[test]
fn cream_takes_the_first_line_of_output_for_the_sandbox() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /sandbox");
        let run = cream(site, "alice").glexec(["/bin/sh", "-c", "mkdir /sandbox/1 && echo /sandbox/1"]);
        run.succeeds_with("/sandbox/1\n");
        assert_eq!(site.sh("stat -c '%U %a' /sandbox/1"), "alice 755\n");
    });
}

#[test]
fn cream_gets_little_on_stderr_when_refused_because_it_reads_after_the_end() {
    in_both_modes(|site| {
        let cream = cream(site, "mallory");
        let run = cream.glexec(["/usr/bin/id"]);
        run.refused(203, "lcas.userban");
        assert!(run.stderr().len() < 4096);
    });
}

#[test]
fn a_certificate_without_key_is_for_the_callers_on_the_list_only() {
    in_both_modes(|site| {
        cream(site, "alice-no-key").glexec(["id", "-un"]).succeeds_with("alice\n");
        site.caller("pilot001").credential("alice-no-key").glexec(["id"]).refused(201, "credential.no-private-key");
    });
}
