//! The main job: a pilot runs commands as the users whose proxies it holds.

use crate::site::Site;

#[test]
fn alice_runs_as_her_local_account() {
    let site = Site::new();
    let run = site.pilot().credential("alice").glexec(["/usr/bin/id", "-un"]);
    run.succeeds_with("alice\n");
    let record = run.record();
    record.says([("decision", "permit"), ("caller_user", "pilot"), ("target_user", "alice")]);
    record.says([
        ("user_dn", "/DC=org/DC=example/O=Grid/CN=Alice Adams"),
        ("target_uid", "3000"),
        ("target_gid", "3000"),
    ]);
}

#[test]
fn bob_runs_as_a_pool_account_of_his_voms_role() {
    let site = Site::new();
    let run = site.pilot().credential("bob").glexec(["sh", "-c", "id -un; id -gn; id -Gn"]);
    let output = run.stdout();
    let [account, group, groups] = output.lines().collect::<Vec<_>>()[..] else { panic!("{run}") };
    assert!(account.starts_with("tprd") && account.len() == 7, "{run}");
    assert_eq!((group, groups), ("production", "production testvo"), "{run}");
    let record = run.record();
    record.says([("vo", "testvo"), ("target_user", account)]);
    assert!(record["fqans"].contains("/testvo/Role=production"), "{record:?}");
}

#[test]
fn the_same_user_gets_the_same_account_again_and_another_user_another() {
    let site = Site::new();
    let whoami = |caller: &str, who| site.caller(caller).credential(who).glexec(["id", "-un"]).stdout();
    let first = whoami("pilot", "carol");
    assert!(first.starts_with("tvo"), "{first:?}");
    assert_eq!(whoami("pilot", "carol"), first);
    assert_eq!(whoami("pilot001", "carol"), first);
    assert_ne!(whoami("pilot", "alice-voms"), first);
}

#[test]
fn a_tar_pipe_hands_files_over() {
    let site = Site::new();
    let pilot = site.pilot().credential("alice");
    pilot.sh("mkdir -p d/sub && echo in > d/sub/file").exits(0);
    pilot.sh("(cd d && tar -cf - sub) | /usr/sbin/glexec tar -xf -").succeeds_with("");
    assert_eq!(site.sh("stat -c '%U %a' /home/alice/sub/file && cat /home/alice/sub/file"), "alice 644\nin\n");
    pilot.sh("/usr/sbin/glexec tar -cf - sub | tar -xOf - sub/file").succeeds_with("in\n");
}

#[test]
fn a_shell_command_runs_in_the_users_home_with_the_users_environment() {
    let site = Site::new();
    let pilot = site.pilot().credential("alice").env("SECRET", "of the pilot").env("LD_PRELOAD", "/tmp/x.so");
    pilot.glexec(["sh", "-c", "id -un && echo \"Hello World\""]).succeeds_with("alice\nHello World\n");
    pilot
        .glexec(["sh", "-c", "pwd; echo $HOME $USER $LOGNAME $SECRET; umask"])
        .succeeds_with("/home/alice\n/home/alice alice alice\n0022\n");
}

#[test]
fn bytes_pass_through_and_the_payloads_exit_code_is_its_own() {
    let site = Site::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let run = site.pilot().credential("alice").stdin(bytes.clone()).glexec(["cat"]);
    assert!(run.exits(0).stdout_bytes() == bytes);
    site.pilot().credential("alice").glexec(["sh", "-c", "exit 42"]).exits(42);
}

#[test]
fn a_banned_user_is_refused() {
    let site = Site::new();
    let run = site.pilot().credential("mallory").glexec(["id"]);
    run.refused(203, "lcas.userban");
    run.record().says([("user_dn", "/DC=org/DC=example/O=Grid/CN=Mallory Moe")]);
}

#[test]
fn an_expired_proxy_is_refused() {
    Site::new().pilot().credential("alice-expired").glexec(["id"]).refused(201, "credential.expired");
}

#[test]
fn a_caller_who_is_not_on_the_white_list_is_refused() {
    let site = Site::new();
    let run = site.caller("mallory").credential("alice").glexec(["id"]);
    run.refused(203, "caller.not-white-listed");
    run.record().says([("caller_user", "mallory")]);
}

#[test]
fn credentials_that_are_not_good_are_refused_for_what_is_wrong_with_them() {
    let site = Site::new();
    for (credential, exit, code) in [
        ("alice-not-yet-valid", 201, "credential.not-yet-valid"),
        ("alice-no-key", 201, "credential.no-private-key"),
        ("alice-wrong-key", 201, "credential.key-mismatch"),
        ("alice-incomplete", 201, "credential.incomplete"),
        ("only-a-key", 201, "credential.no-certificate"),
        ("rita", 203, "credential.revoked"),
        ("uma", 203, "credential.unknown-ca"),
        ("bob-ac-expired", 201, "voms.ac-expired"),
        ("dave", 203, "lcmaps.no-mapping"),
    ] {
        site.pilot().credential(credential).glexec(["id"]).refused(exit, code);
    }
    site.pilot().glexec(["id"]).refused(201, "credential.not-given");
}

#[test]
fn chains_of_any_depth_and_limited_proxies_are_accepted() {
    let site = Site::new();
    for credential in ["alice-nested", "alice-limited", "alice-own-certificate"] {
        site.pilot().credential(credential).glexec(["id", "-un"]).succeeds_with("alice\n");
    }
}

#[test]
fn every_call_has_its_record_in_syslog() {
    let site = Site::with_syslog();
    let pilot = site.pilot().credential("alice").own_proxy("pilot").env("GLEXEC_ID", "job 17");
    let run = pilot.glexec(["/usr/bin/true", "an argument"]);
    let record = run.succeeds_with("").record();
    record.says([("pilot_dn", "/DC=org/DC=example/O=Grid/CN=Pilot Robot"), ("command", "/usr/bin/true")]);
    record.says([("glexec_id", "job 17")]);
    site.caller("mallory").credential("alice").glexec(["id"]).refused(203, "caller.not-white-listed");
    assert_eq!(site.records_awaited(2).len(), 2);
}

#[test]
fn a_ban_works_from_the_next_call_on() {
    let site = Site::new();
    let alice = site.pilot().credential("alice");
    alice.glexec(["id", "-un"]).succeeds_with("alice\n");
    site.append("/etc/lcas/ban_users.db", "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"\n");
    alice.glexec(["id", "-un"]).refused(203, "lcas.userban");
}

#[test]
fn a_configuration_that_is_wrong_or_not_safe_stops_every_call() {
    let misspelt = Site::with(|site| site.configure(|text| text.replace("linger", "lingre")));
    let writable = Site::with(|site| site.chmod("/etc/glexec.conf", 0o666));
    for (site, code) in [(misspelt, "config.invalid"), (writable, "config.insecure-permissions")] {
        site.pilot().credential("alice").glexec(["id"]).refused_without_record(202, code);
    }
}
