//! The audit trail as an administrator keeps it and asks it: destinations, rotation, `glexec-admin log`.

use crate::site::{Caller, GLEXEC, Run, Site};
use serde_json::Value;

const LOG: &str = "/var/log/glexec/glexec.log";

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

/// What `glexec-admin log --json` answers, without a complaint.
#[track_caller]
fn asked(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let run = site.admin([&["log", "--json"], arguments].concat());
    assert!(run.stderr().is_empty(), "{run}");
    answer(&run)
}

#[track_caller]
fn answer(run: &Run<'_>) -> Vec<Value> {
    run.exits(0);
    serde_json::from_str(&run.stdout()).unwrap_or_else(|e| panic!("{e}\n{run}"))
}

#[test]
fn the_log_says_who_ran_as_whom_and_who_was_refused() {
    let site = Site::with(Site::linger);
    alice(&site).glexec(["sh", "-c", "exit 3"]).exits(3);
    site.pilot().credential("bob").own_proxy("pilot").glexec(["true"]).exits(0);
    site.pilot().credential("mallory").glexec(["true"]).exits(203);
    site.caller("mallory").credential("alice").glexec(["true"]).exits(203);

    let calls = asked(&site, &[]);
    assert_eq!(calls.len(), 4);
    assert_eq!((calls[0]["target_user"].as_str(), calls[0]["status"].as_u64()), (Some("alice"), Some(3)));
    assert!(calls[0]["end_time"].as_str() >= calls[0]["start_time"].as_str() && calls[0]["wall"].is_number());
    for (question, who) in [
        (&["--account", "tprd001"][..], "bob"),
        (&["--uid", "5001"], "bob"),
        (&["--user", "/DC=org/DC=example/O=Grid/CN=Bob Brown"], "bob"),
        (&["--user", "bob b"], "bob"),
        (&["--vo", "testvo", "--host", "worker001"], "bob"),
        (&["--pilot", "Pilot Robot"], "bob"),
        (&["--reason", "lcas.userban"], "mallory"),
        (&["--pid", &calls[0]["caller_pid"].to_string()], "alice"),
        (&["--pid", &calls[0]["payload_pid"].to_string()], "alice"),
        (&["--call", calls[0]["call"].as_str().unwrap()], "alice"),
        (&["--account", "alice", "--since", "1h"], "alice"),
    ] {
        let found = asked(&site, question);
        let is = |call: &Value| call["user_dn"].as_str().unwrap_or_default().to_lowercase().contains(who);
        assert!(found.len() == 1 && is(&found[0]), "{question:?}: {found:?}");
    }
    for question in
        [["--account", "nobody"], ["--host", "elsewhere"], ["--until", "2026-01-01"], ["--at", "2026-01-01"]]
    {
        assert_eq!(asked(&site, &question), Vec::<Value>::new(), "{question:?}");
    }

    let refused = asked(&site, &["--show", "refusals"]);
    let reasons: Vec<_> = refused.iter().map(|row| (row["code"].as_str().unwrap(), row["calls"].as_u64())).collect();
    assert_eq!(reasons, [("caller.not-white-listed", Some(1)), ("lcas.userban", Some(1))]);
    let used = asked(&site, &["--show", "usage", "--vo", "testvo"]);
    assert_eq!((used[0]["calls"].as_u64(), used[0]["ended"].as_u64()), (Some(1), Some(1)));

    let table = site.admin(["log"]);
    assert!(table.stdout().starts_with("START ") && table.stdout().lines().count() == 5, "{table}");
    assert!(!table.stdout().contains('\x1b'), "{table}");
    // A terminal sees how far it is.
    assert!(site.sh("script -qec 'glexec-admin log' /dev/null").contains("] 100 %  6 records"));
    let csv = site.admin(["log", "--csv", "--show", "usage"]).stdout();
    assert!(csv.starts_with("user_dn,vo,calls,refused,ended,wall,cpu,max_rss\r\n"), "{csv}");
}

#[test]
fn what_was_cut_or_forged_is_named_and_not_counted() {
    let site = Site::new();
    alice(&site).env("GLEXEC_ID", "\nevent=start call=0 decision=permit").glexec(["printf", "\" x\\"]).exits(0);
    assert_eq!(asked(&site, &[]).len(), 1);
    let line = site.read(LOG);
    // Not in the place where the harness itself reads records.
    site.sh(&format!("cp {LOG} /var/log/copy"));
    site.append("/var/log/copy", &line[..line.len() / 2]);
    let elses = "\n2026-11-22T16:41:00Z worker001 sshd[1]: event=start call=0123456789abcdef decision=permit\n";
    site.append("/var/log/copy", elses);
    site.append("/var/log/copy", &line.replace("decision=permit", "decision=permit decision=permit"));
    let run = site.admin(["log", "--json", "/var/log/copy"]);
    assert_eq!(answer(&run).len(), 1);
    let said = run.stderr();
    assert!(said.starts_with("3 lines look like records"), "{said}");
    for place in [":2: ", ":3: it is not glexec's, or its time cannot be read", ":4: a field is there twice"] {
        assert!(said.contains(&format!("/var/log/copy{place}")), "{place}: {said}");
    }
}

#[test]
fn a_record_from_a_host_whose_name_speaks_to_the_terminal_is_not_counted() {
    let site = Site::new();
    alice(&site).glexec(["true"]).exits(0);
    site.sh("sed 's/ worker001 / worker\\x1b[2J001 /' /var/log/glexec/glexec.log > /root/log");
    for form in ["--json", "--csv", "--show=calls"] {
        let run = site.admin(["log", "/root/log", form]);
        assert!(!run.stdout().contains("alice") && !run.stdout().contains('\u{1b}'), "{run}");
        assert!(run.stderr().contains("/root/log:1: the name of a host that is none"), "{run}");
    }
}

#[test]
fn a_log_that_cannot_be_read_is_named_and_hides_nothing_of_the_others() {
    let site = Site::new();
    alice(&site).glexec(["true"]).exits(0);
    site.sh(&format!(
        "cp {LOG} /var/log/copy; cd /var/log; gzip -k copy; head -c 100 copy.gz > torn.gz; xz -k copy; touch empty"
    ));
    for (other, says) in [
        ("torn.gz", "not read to its end: /var/log/torn.gz: "),
        ("copy.xz", "/var/log/copy.xz: it is compressed: xz -dc FILE | glexec-admin log -"),
    ] {
        let run = site.admin(["log", "--json", &format!("/var/log/{other}"), "/var/log/copy"]);
        let found: Vec<Value> = serde_json::from_str(&run.stdout()).unwrap();
        assert!(run.code() == Some(1) && found.len() == 1 && run.stderr().contains(says), "{run}");
    }
    let run = site.admin(["log", "--json", "/var/log/empty"]);
    assert_eq!(answer(&run), Vec::<Value>::new());
    assert_eq!(run.stderr(), "no record of glexec's was found (/var/log/empty); others can be named\n");
    let run = site.admin(["log", "--since", "2026-11-22", "--until", "2026-11-21"]);
    assert_eq!((run.exits(1).stderr().as_str(), run.stdout().as_str()), ("--since is later than --until\n", ""));
}

#[test]
fn a_call_that_outlives_its_log_file_ends_in_the_next_one() {
    let site = Site::with(Site::linger);
    let shell = "touch ~/runs; until [ -e ~/enough ]; do sleep 0.01; done";
    let running = alice(&site).start(GLEXEC, ["sh", "-c", shell]);
    running.wait_until("test -e /home/alice/runs");
    site.sh(&format!("mv {LOG} {LOG}.1 && gzip {LOG}.1"));
    site.sh("touch /home/alice/enough");
    running.finish().exits(0);
    let log = site.read(LOG);
    assert!(log.contains("event=end ") && !log.contains("event=start "), "{log}");
    let calls = asked(&site, &[]);
    assert!(calls.len() == 1 && calls[0]["status"] == 0, "both parts are read: {calls:?}");
}

#[test]
fn the_shipped_rotation_keeps_every_record() {
    let site = Site::with(Site::linger);
    site.write("/etc/logrotate.d-glexec", include_str!("../../packaging/logrotate"));
    for _ in 0..3 {
        alice(&site).glexec(["true"]).exits(0);
        site.sh("logrotate --force --state /run/logrotate.state /etc/logrotate.d-glexec");
    }
    let names = site.sh("ls -l /var/log/glexec | sed 1d | cut -c1-10,42-");
    assert!(names.contains("glexec.log.2.gz") && !names.contains("rw-r"), "{names}");
    assert_eq!(asked(&site, &[]).len(), 3);
}

#[test]
fn every_file_that_syslog_daemons_write_can_be_read_back() {
    let site = Site::with_syslog();
    site.pilot().credential("bob").glexec(["printf", "] [x@1 a=\"event=start call=\""]).exits(0);
    site.records_awaited(1);
    for file in ["/var/log/messages", "/var/log/messages.structured", "/var/log/messages.raw"] {
        let calls = asked(&site, &[file]);
        assert_eq!((calls.len(), calls[0]["target_user"].as_str()), (1, Some("tprd001")), "{file}");
    }
}

/// A site with nothing but journald, as many worker nodes have it.
fn with_journald() -> Site {
    let site = Site::new();
    site.configure(|text| text.replace("log_destination = \"file\"", "log_destination = \"syslog\""));
    site.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    site.sh("mkdir -p /run/systemd/journal /run/log/journal /sys/fs/cgroup; \
         mount -t cgroup2 -o ro cgroup2 /sys/fs/cgroup; ln -s /run/systemd/journal/dev-log /dev/log; \
         setsid /lib/systemd/systemd-journald > /dev/null 2>&1 < /dev/null & \
         until [ -S /run/systemd/journal/dev-log ]; do sleep 0.01; done");
    site
}

#[test]
fn the_journal_has_every_record_and_tells_who_sent_it() {
    let site = with_journald();
    site.linger();
    alice(&site).glexec(["sh", "-c", "exit 3"]).exits(3);
    site.pilot().credential("mallory").glexec(["true"]).exits(203);
    let forged = "event=start call=0123456789abcdef decision=permit caller_uid=1 caller_gid=1 caller_pid=1 \
                  target_user=bob target_uid=3001 target_gid=3001";
    site.pilot().sh(&format!("logger -t glexec '{forged}'")).exits(0);
    site.sh("journalctl --sync || sleep 1; until journalctl -q | grep -q 123456789abcdef; do sleep 0.01; done");
    let run = site.admin(["log", "--journal", "--json"]);
    let calls = answer(&run);
    let seen: Vec<_> = calls.iter().map(|call| (call["decision"].as_str(), call["status"].as_u64())).collect();
    assert_eq!(seen, [(Some("permit"), Some(3)), (Some("deny"), None)], "{run}");
    assert!(run.stderr().contains("it was not sent by root"), "{run}");
    let configured = site.admin(["log", "--json", "--user", "mallory"]);
    assert_eq!(answer(&configured).len(), 1, "the journal is where glexec.conf says\n{configured}");
}

#[test]
fn usage_is_added_up_by_what_somebody_asks() {
    let site = Site::with(Site::linger);
    alice(&site).glexec(["true"]).exits(0);
    site.pilot().credential("bob").glexec(["true"]).exits(0);
    for (by, column, names) in [
        ("account", "target_user", &["alice", "tprd001"][..]),
        ("host", "host", &["worker001"]),
        ("vo", "vo", &["", "testvo"]),
    ] {
        let rows = asked(&site, &["--by", by]);
        let mut found: Vec<_> = rows.iter().map(|row| row[column].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, names, "{by}");
        assert_eq!(rows.iter().map(|row| row["ended"].as_u64().unwrap()).sum::<u64>(), 2, "{by}");
    }
    assert_eq!(asked(&site, &["--since", "yesterday"]).len(), 2);
    assert_eq!(asked(&site, &["--until", "yesterday"]).len(), 0);
}

#[test]
fn the_log_is_one_page_for_a_browser() {
    let site = Site::with(Site::linger);
    alice(&site).glexec(["true"]).exits(0);
    site.pilot().credential("mallory").glexec(["true"]).exits(203);
    for _ in 0..2 {
        assert_eq!(site.admin(["log", "--html", "/root/page.html"]).exits(0).stdout(), "");
    }
    let page = site.read("/root/page.html");
    assert!(page.contains("<dt>calls</dt><dd>1</dd>") && page.contains("<td>lcas.userban</td>"), "{page}");
    assert_eq!(site.sh("ls /root | grep -c page.html"), "1\n", "the page of yesterday is not kept");
}

#[test]
fn calls_are_job_records_for_apel_where_they_ended() {
    let site = Site::with(Site::linger);
    site.pilot().credential("bob").glexec(["sh", "-c", "exit 3"]).exits(3);
    let refused = site.admin(["log", "--format", "apel"]);
    assert!(refused.exits(1).stderr().contains("/etc/glexec/accounting.toml"), "{refused}");
    let constants = "site = \"EXAMPLE-LCG2\"\nservice_level_type = \"HEPscore23\"\nservice_level = 11.5\n";
    site.sh("mkdir -p /etc/glexec");
    site.write("/etc/glexec/accounting.toml", constants);
    let run = site.admin(["log", "--format", "apel"]);
    let (text, warning) = (run.exits(0).stdout(), run.stderr());
    assert!(warning.contains("publish one of the two"), "{warning}");
    assert!(
        text.starts_with("APEL-individual-job-message: v0.3\nSite: EXAMPLE-LCG2\nSubmitHost: worker001\n"),
        "{text}"
    );
    for line in ["LocalUserId: tprd001", "VO: testvo", "Processors: 1", "ServiceLevel: 11.5", "%%"] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let number = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key}: {text}"));
        value.parse::<u64>().unwrap()
    };
    assert_eq!(number("EndTime: ") - number("StartTime: "), number("WallDuration: "));
    assert_eq!(site.admin(["log", "--format", "apel", "--until", "yesterday"]).exits(0).stdout(), "");
}

#[test]
fn what_happens_is_seen_while_it_happens_also_in_the_next_file() {
    let site = Site::with(Site::linger);
    alice(&site).glexec(["true"]).exits(0);
    assert_eq!(asked(&site, &[]).len(), 1);
    site.sh("setsid glexec-admin log -f --since 1h > /root/seen 2>&1 < /dev/null & echo $! > /root/follower");
    site.sh("until grep -q 'exit 0 after' /root/seen; do sleep 0.01; done");
    site.pilot().credential("mallory").glexec(["true"]).exits(203);
    site.sh(&format!("until grep -q lcas.userban /root/seen; do sleep 0.01; done; mv {LOG} {LOG}.1"));
    alice(&site).glexec(["sh", "-c", "exit 7"]).exits(7);
    site.sh("until grep -q 'exit 7 after' /root/seen; do sleep 0.01; done; kill $(cat /root/follower)");
    let seen = site.read("/root/seen");
    assert_eq!(seen.lines().count(), 5, "{seen}");
}

#[test]
fn the_log_of_a_stock_syslog_daemon_is_found_without_its_name() {
    let site = Site::new();
    alice(&site).glexec(["true"]).exits(0);
    site.sh(&format!("cp {LOG} /root/records"));
    site.configure(|text| text.replace("log_destination = \"file\"", "log_destination = \"syslog\""));
    let none = site.admin(["log"]);
    assert!(none.exits(1).stderr().contains("/var/log/syslog, /var/log/messages is there"), "{none}");
    for file in ["/var/log/messages", "/var/log/syslog"] {
        site.sh(&format!("cp /root/records {file}"));
        assert_eq!(asked(&site, &[]).len(), 1, "{file}");
    }
}
