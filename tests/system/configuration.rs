//! /etc/glexec.conf: who may write it, what is wrong in it and where, and what its keys do.

use crate::site::{Caller, Run, Site};
use serde_json::json;

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

/// A new site with something changed by root; then Alice's call.
fn refused_after(script: &str, code: &str) -> String {
    let site = Site::new();
    site.sh(script);
    let run = alice(&site).glexec(["touch", "/tmp/ran"]);
    run.refused_without_record(202, code);
    assert!(!site.exists("/tmp/ran"), "{script}");
    run.stderr()
}

fn with_text(text: &str) -> Site {
    Site::with(|site| site.write("/etc/glexec.conf", text))
}

#[test]
fn a_file_that_somebody_else_could_have_written_is_not_used() {
    for script in [
        "chmod 666 /etc/glexec.conf",
        "chmod 664 /etc/glexec.conf",
        "chown pilot /etc/glexec.conf",
        "chown glexec /etc/glexec.conf",
        "chmod 777 /etc",
        "chmod 775 /etc",
        "chown mallory /etc",
        "chmod 1777 /",
        "mkdir -m 777 /srv/conf && mv /etc/glexec.conf /srv/conf && ln -s /srv/conf/glexec.conf /etc/glexec.conf",
        "mkdir -p /srv/conf/sub && chmod 777 /srv/conf && mv /etc/glexec.conf /srv/conf/sub && \
         ln -s ../srv/conf/sub/glexec.conf /etc/glexec.conf",
        "mkdir -m 777 /srv/conf && mkdir /srv/safe && mv /etc/glexec.conf /srv/safe && \
         ln -s ../safe/glexec.conf /srv/conf/link && ln -s /srv/conf/link /etc/glexec.conf",
        "mv /etc/glexec.conf /tmp && ln -s /tmp/glexec.conf /etc/glexec.conf",
    ] {
        let sentence = refused_after(script, "config.insecure-permissions");
        assert!(sentence.contains("/etc/glexec.conf") && !sentence.contains("/srv"), "{script}: {sentence}");
    }
}

#[test]
fn a_safe_file_behind_links_is_used() {
    for script in [
        "mkdir -p /srv/shared/site && mv /etc/glexec.conf /srv/shared/site && \
         ln -s /srv/shared/site/glexec.conf /etc/glexec.conf",
        "mkdir -p /srv/shared && mv /etc/glexec.conf /srv/shared && ln -s shared /srv/link && \
         ln -s ../srv/./link/../link/glexec.conf /etc/glexec.conf",
        "chmod 600 /etc/glexec.conf",
        "chgrp pilots /etc/glexec.conf && chmod 640 /etc/glexec.conf",
    ] {
        let site = Site::new();
        site.sh(script);
        alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    }
}

#[test]
fn a_file_that_is_missing_or_no_file_stops_every_call() {
    refused_after("rm /etc/glexec.conf", "config.missing");
    refused_after("rm /etc/glexec.conf && ln -s nowhere /etc/glexec.conf", "config.missing");
    refused_after("rm /etc/glexec.conf && ln -s glexec.conf /etc/glexec.conf", "config.unreadable");
    refused_after("rm /etc/glexec.conf && mkdir /etc/glexec.conf", "config.unreadable");
    refused_after("rm /etc/glexec.conf && mkfifo /etc/glexec.conf", "config.unreadable");
    refused_after("rm /etc/glexec.conf && ln -s /dev/zero /etc/glexec.conf", "config.unreadable");
    refused_after("head -c 2000000 /dev/zero | tr '\\0' '#' > /etc/glexec.conf", "config.unreadable");
    refused_after("printf '\\377' >> /etc/glexec.conf", "config.syntax");
    refused_after(": > /etc/glexec.conf", "config.invalid"); // there is no mapping policy in it
}

#[test]
fn a_mistake_is_told_with_its_file_line_and_column() {
    let table = [
        ("[glexec]\nlingre = true\n", "config.invalid", ":2:1: ", "no key lingre in [glexec]; did you mean linger? ("),
        (
            "[glexec]\nfrobnicate = 1\n",
            "config.invalid",
            ":2:1: ",
            "no key frobnicate in [glexec]; glexec.conf(5) has all that there are (",
        ),
        ("[glexec]\n  linger = \"yes\"\n", "config.invalid", ":2:12: ", "linger takes true or false, without quotes ("),
        (
            "[glexec]\nlinger = yes\n[credentials]\n",
            "config.syntax",
            ":2:",
            "linger takes true or false, without quotes (",
        ),
        ("[glexec]\nmin_uid = \"500\"\n", "config.invalid", ":2:11: ", "min_uid takes a number, without quotes ("),
        (
            "[glexec]\nuser_white_list = \"pilot\"\n",
            "config.invalid",
            ":2:19: ",
            "user_white_list takes a list: user_white_list = [\"pilot\"] (",
        ),
        (
            "[lcmaps.policies]\ndefault = []\nlinger = true\n",
            "config.invalid",
            ":3:",
            "linger is a key of [glexec] and stands below [lcmaps.policies]: move it",
        ),
        (
            "[lcmaps.policies]\nuser_white_list = [\"pilot\"]\n",
            "config.invalid",
            ":2:",
            "user_white_list is a key of [glexec]",
        ),
        (
            "[credentials]\ncrl = \"require\"\nmin_uid = 500\n",
            "config.invalid",
            ":3:1: ",
            "min_uid is a key of [glexec]",
        ),
        ("[glexec]\nlinger = true\nlinger = true\n", "config.syntax", ":3:1: ", "duplicate"),
        ("[glexec\n", "config.syntax", ":1:8: ", ""),
        ("[glexec]\nmin_uid = -1\n", "config.invalid", ":2:11: ", ""),
        ("[glexec]\nmin_uid = 4294967296\n", "config.invalid", ":2:11: ", ""),
        ("[glexec]\nmin_uid = 1e3\n", "config.invalid", ":2:11: ", ""),
        ("[glexec]\numask = \"999\"\n", "config.invalid", ":2:9: ", "999"),
        ("[glexec]\npath = \"/bin:\"\n", "config.invalid", ":2:8: ", "absolute"),
        ("[glexec]\nlog_file = \"log\"\n", "config.invalid", ":2:12: ", "absolute"),
        ("[glexec]\nlog_level = 6\n", "config.invalid", ":2:13: ", "1 to 5"),
        ("[glexec]\nlog_destination = \"stderr\"\n", "config.invalid", ":2:19: ", "stderr"),
        ("[glexec]\nsyslog_facility = \"LOG_KERN\"\n", "config.invalid", ":2:19: ", "LOG_KERN"),
        ("[glexec]\ninput_lock_mechanism = \"lockf\"\n", "config.invalid", ":2:24: ", "lockf"),
        ("[glexec]\nuser_white_list = [\"pilot\",\n  \"a b\"]\n", "config.invalid", ":2:19: ", "a b"),
        ("[credentials]\ncrl = \"maybe\"\n", "config.invalid", ":2:7: ", "maybe"),
        ("[credentials]\nmax_proxy_lifetime = \"1w\"\n", "config.invalid", ":2:22: ", "1w"),
        ("[nosuch]\n", "config.invalid", ":1:2: ", "there is no table nosuch; "),
        ("[[lcas.plugin]]\ntype = \"userban\"\n", "config.invalid", "", "file"),
        ("[glexec]\nlcmaps_get_account_policy = \"other\"\n", "config.invalid", ":2:29: ", "other"),
        (
            "[credentials]\npilot_proxy = \"ignored\"\n[[lcas.plugin]]\ntype = \"userban\"\nfile = \"/b\"\nsubject = \"both\"\n",
            "config.invalid",
            ":6:11: ",
            "pilot_proxy",
        ),
    ];
    let table = table.map(|(text, code, place, word)| (text.as_bytes(), code, place, word));
    let not_text: (&[u8], _, _, _) = (b"[glexec]\n# le caf\xe9\n", "config.syntax", ":2:9: ", "UTF-8");
    for (text, code, place, word) in table.into_iter().chain([not_text]) {
        let site = Site::with(|site| site.write("/etc/glexec.conf", text));
        let text = String::from_utf8_lossy(text);
        let run = alice(&site).glexec(["true"]).refused_without_record(202, code).stderr();
        let sentence = run.strip_prefix("[gLExec]: /etc/glexec.conf").unwrap_or_else(|| panic!("{text}: {run}"));
        assert!(sentence.starts_with(place) && sentence.contains(word), "{text}: {sentence}");
    }
}

#[test]
fn a_mistake_in_a_file_that_the_caller_cannot_read_is_told_by_its_place_only() {
    let site = Site::with_syslog();
    site.write("/etc/glexec.conf", "[glexec]\nsecret = \"word\"\n");
    site.chmod("/etc/glexec.conf", 0o600);
    let run = alice(&site).glexec(["true"]);
    run.refused(202, "config.invalid");
    assert!(run.stderr().contains("/etc/glexec.conf:2:1") && !run.stderr().contains("secret"), "{run}");
    assert!(run.record()["reason"].contains("secret"));
}

#[test]
fn a_historic_file_is_refused_with_the_command_that_converts_it() {
    for text in [
        "[glexec]\nsilent_logging               = no\nlog_level = 1\nuser_white_list = .pool\nlinger=no\n",
        "[glexec]\nlcmaps_db_file = /etc/lcmaps/lcmaps-glexec.db\n",
    ] {
        let run =
            alice(&with_text(text)).glexec(["true"]).refused_without_record(202, "config.historic-format").stderr();
        assert!(run.contains("glexec-admin migrate"), "{run}");
    }
}

#[test]
fn a_type_of_plug_in_that_never_was_is_refused_by_its_name() {
    for (old, new) in [("type = \"userban\"", "type = \"nosuch\""), ("type = \"localaccount\"", "type = \"posix_enf\"")]
    {
        let site = Site::with(|site| site.configure(|text| text.replace(old, new)));
        let run = alice(&site).glexec(["true"]).refused_without_record(202, "config.invalid").stderr();
        assert!(run.contains(new.trim_start_matches("type = ").trim_matches('"')), "{run}");
    }
}

#[test]
fn the_five_forms_of_the_white_list_let_in_whom_they_name() {
    let site = Site::new();
    site.sh("echo pilotess:x:2050:2100::/home/pilotess:/bin/sh >> /etc/passwd && echo staff:x:2500:mallory >> /etc/group && \
        mkdir -m 700 /home/pilotess && chown 2050:2100 /home/pilotess");
    let everybody = ["pilot", "pilot001", "pilotess", "mallory", "alice"];
    let table: [(&str, &[&str]); 10] = [
        ("", &[]),
        ("\"pilot\"", &["pilot"]),
        ("\".pilot\"", &["pilot001"]),
        ("\"pilot*\"", &["pilot001"]),
        ("\"%pilots\"", &["pilot", "pilot001"]),
        ("\"%staff\"", &["mallory"]),
        ("\"%nosuch\", \"nosuch\"", &[]),
        ("\"PILOT\", \"2000\"", &[]),
        ("\"mallory\", \".pilot\"", &["pilot001", "mallory"]),
        ("\"*\"", &everybody),
    ];
    for (list, expected) in table {
        site.configure(|text| {
            let line = text.lines().find(|line| line.starts_with("user_white_list")).unwrap();
            text.replace(line, &format!("user_white_list = [{list}] #{}", text.len()))
        });
        for who in everybody {
            let run = site.caller(who).credential("alice").glexec(["id", "-un"]);
            match expected.contains(&who) {
                true => run.succeeds_with("alice\n"),
                false => run.refused(203, "caller.not-white-listed"),
            };
        }
    }
}

#[test]
fn a_caller_who_is_not_listed_learns_nothing_about_the_credential() {
    let site = Site::new();
    let stranger = site.caller("mallory");
    let sentences: Vec<String> = ["alice", "rita", "alice-expired", "only-a-key"]
        .map(|credential| stranger.clone().credential(credential).glexec(["id"]).stderr())
        .into_iter()
        .chain([stranger.glexec(["id"]).stderr(), stranger.clone().env("GLEXEC_MODE", "x").glexec(["id"]).stderr()])
        .collect();
    assert!(sentences.iter().all(|sentence| *sentence == sentences[0]), "{sentences:?}");
}

#[test]
fn some_callers_may_leave_the_private_key_out() {
    let site = Site::new();
    let without = |who: &str| site.caller(who).credential("alice-no-key").glexec(["id", "-un"]);
    without("pilot").refused(201, "credential.no-private-key");
    site.set("omission_private_key_white_list = [\".pilot\"]");
    without("pilot").refused(201, "credential.no-private-key");
    without("pilot001").succeeds_with("alice\n");
    // A key that is there must still be the right one.
    let wrong = site.caller("pilot001").credential("alice-wrong-key");
    wrong.glexec(["id", "-un"]).refused(201, "credential.key-mismatch");
}

#[test]
fn without_lcas_nobody_is_asked() {
    let site = Site::new();
    let mallory = site.pilot().credential("mallory");
    mallory.glexec(["id", "-un"]).refused(203, "lcas.userban");
    site.set("use_lcas = false");
    mallory.glexec(["id", "-un"]).succeeds_with("alice\n");
    site.sh("rm /etc/lcas/ban_users.db");
    mallory.glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn a_mapping_can_be_verified_without_making_one() {
    let site = Site::new();
    let get = site.pilot().credential("carol");
    let verify = get.clone().env("GLEXEC_MODE", "lcmaps_verify_account");
    verify.glexec(["id", "-un"]).refused(203, "lcmaps.no-lease");
    assert_eq!(site.sh("cd /etc/grid-security/gridmapdir && ls | grep -c % || true"), "0\n");
    let account = get.glexec(["id", "-un"]).stdout();
    verify.glexec(["id", "-un"]).succeeds_with(&account);
    alice(&site).env("GLEXEC_MODE", "lcmaps_verify_account").glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn the_two_modes_can_have_policies_of_their_own() {
    let site = Site::new();
    site.configure(|text| format!("{text}\nstrict = [\"vomsgroups -> localaccount\"]\n"));
    site.set("lcmaps_verify_account_policy = \"strict\"");
    alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    alice(&site).env("GLEXEC_MODE", "lcmaps_verify_account").glexec(["id", "-un"]).refused(203, "lcmaps.no-mapping");
}

#[test]
fn a_site_without_a_policy_for_verification_works_but_for_verification() {
    let site = Site::new();
    site.configure(|text| text.replace("default = [", "get = ["));
    alice(&site).glexec(["id", "-un"]).refused_without_record(202, "config.invalid");
    site.set("lcmaps_get_account_policy = \"get\"");
    alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    alice(&site).env("GLEXEC_MODE", "lcmaps_verify_account").glexec(["id", "-un"]).refused(202, "config.invalid");
    site.set("lcmaps_verify_account_policy = \"default\"");
    alice(&site).glexec(["id", "-un"]).refused_without_record(202, "config.invalid");
}

fn is_transient(run: &Run, code: &str) {
    run.refused(203, code);
    run.record().says([("transient", "true")]);
    assert_eq!(run.reported()["transient"], json!(true));
}

#[test]
fn a_full_pool_is_a_matter_of_time() {
    let site = Site::new();
    site.sh("cd /etc/grid-security/gridmapdir && rm tvo00[2-9] tvo010");
    site.pilot().credential("alice-voms").glexec(["id", "-un"]).succeeds_with("tvo001\n");
    is_transient(&site.pilot().credential("carol").reporting().glexec(["id"]), "lcmaps.pool-exhausted");
    // Who has a lease is not concerned.
    site.pilot().credential("alice-voms").glexec(["id", "-un"]).succeeds_with("tvo001\n");
}

#[test]
fn ids_below_the_sites_limits_are_not_given() {
    let site = Site::new();
    for limit in ["min_uid = 3001", "min_gid = 3001"] {
        site.set(limit);
        alice(&site).glexec(["id"]).refused(203, "account.forbidden");
        site.configure(|text| text.replace(limit, &format!("{}3000", &limit[..10])));
        alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    }
    // Root and nobody are not given whatever the limits say.
    site.configure(|text| text.replace("min_uid = 3000", "min_uid = 0").replace("min_gid = 3000", "min_gid = 0"));
    for account in ["root", "nobody", "glexec"] {
        site.write(
            "/etc/grid-security/grid-mapfile",
            format!("\"/DC=org/DC=example/O=Grid/CN=Alice Adams\" {account}\n"),
        );
        alice(&site).glexec(["id"]).refused(203, "account.forbidden");
    }
}

#[test]
fn a_user_may_map_to_the_callers_own_account_unless_the_site_says_no() {
    let site = Site::new();
    site.write("/etc/grid-security/grid-mapfile", "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\" pilot\n");
    alice(&site).glexec(["id"]).succeeds_with("uid=2000(pilot) gid=2000(pilots) groups=2000(pilots)\n");
    site.set("allow_same_account = false");
    alice(&site).glexec(["id"]).refused(203, "account.same-as-caller");
}

#[test]
fn the_service_account_must_be_one_that_is_nobodys() {
    for [change, code] in [
        ["service_user = \"nosuch\"", "verifier.failed"],
        ["service_user = \"root\"", "verifier.failed"],
        ["service_user = \"pilot\"", "verifier.failed"],
        ["service_user = \"\"", "verifier.failed"],
    ] {
        let site = Site::new();
        site.set(change);
        alice(&site).glexec(["touch", "/tmp/ran"]).refused(202, code);
        assert!(!site.exists("/tmp/ran"), "{change}");
    }
    let site = Site::new();
    site.set("service_user = \"alice\""); // nobody runs as the account that verifies
    alice(&site).glexec(["id"]).refused(203, "account.forbidden");
}

#[test]
fn the_pilots_own_proxy_is_judged_as_the_site_wants() {
    let rule = |rule: &str| Site::with(|site| site.append("/etc/glexec.conf", &format!("\n[credentials]\n{rule}\n")));
    let optional = Site::new();
    alice(&optional).own_proxy("pilot").glexec(["id", "-un"]).succeeds_with("alice\n");
    alice(&optional).own_proxy("alice-expired").glexec(["id"]).refused(201, "credential.expired");
    alice(&optional).env("X509_USER_PROXY", "").glexec(["id", "-un"]).succeeds_with("alice\n");
    let required = rule("pilot_proxy = \"required\"");
    alice(&required).glexec(["id"]).refused(201, "credential.pilot-missing");
    alice(&required).own_proxy("pilot").glexec(["id", "-un"]).succeeds_with("alice\n");
    let ignored = rule("pilot_proxy = \"ignored\"");
    alice(&ignored).own_proxy("alice-expired").glexec(["id", "-un"]).succeeds_with("alice\n");
    // It judges the call, not the pilot.
    ignored.append(
        "/etc/glexec.conf",
        "[[lcas.plugin]]\ntype = \"check_executable\"\ncommands = [\"/usr/bin/id\"]\nsubject = \"pilot\"\n",
    );
    alice(&ignored).glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn no_site_can_accept_rsa_keys_below_1024_bits() {
    let least = |bits: &str| format!("\n[credentials]\nmin_rsa_bits = {bits}\n");
    for bits in ["1", "0", "1023"] {
        let site = Site::with(|site| site.append("/etc/glexec.conf", &least(bits)));
        alice(&site).glexec(["true"]).refused_without_record(202, "config.invalid");
        let check = site.admin(["check"]);
        assert!(check.stdout().contains("is too little: at least 1024"), "{check}");
    }
    let site = Site::with(|site| site.append("/etc/glexec.conf", &least("1024")));
    alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn a_change_counts_from_the_next_call_on() {
    let site = Site::new();
    alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    site.configure(|text| text.replace("\"pilot\"", "\"other\""));
    alice(&site).glexec(["id", "-un"]).refused(203, "caller.not-white-listed");
}
