//! The audit record: one a call, never forged by what a caller says, never suppressed by what a caller does.

use crate::site::{Caller, GLEXEC, Record, Run, Site, material_file};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

fn text(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// The lines of the site's log.
fn lines(site: &Site) -> Vec<String> {
    site.read("/var/log/glexec/glexec.log").lines().map(str::to_owned).collect()
}

#[test]
fn a_call_has_one_record_that_answers_who_ran_what_as_whom() {
    for site in [Site::new(), Site::with_syslog()] {
        let pilot = site.pilot().credential("bob").own_proxy("pilot").cwd("/tmp");
        let pilot = pilot.env("GLEXEC_ID", "job 17").env("SLURM_JOB_ID", "4711").env("PBS_JOBID", "8.ce");
        let run = pilot.reporting().glexec(["/usr/bin/true", "two words", "", "it's"]);
        let record = run.succeeds_with("").record();
        record.says([("event", "start"), ("caller_uid", "2000"), ("caller_user", "pilot"), ("caller_gid", "2000")]);
        record.says([("pilot_dn", "/DC=org/DC=example/O=Grid/CN=Pilot Robot")]);
        record.says([("user_dn", "/DC=org/DC=example/O=Grid/CN=Bob Brown"), ("vo", "testvo")]);
        record.says([("issuer_dn", "/DC=org/DC=example/CN=Example Grid Root CA")]);
        record.says([("target_user", "tprd001"), ("target_uid", "5001"), ("target_gid", "5000")]);
        record.says([("command", "/usr/bin/true"), ("args", "'two words' '' it\\x27s"), ("cwd", "/tmp")]);
        record.says([("batch", "PBS_JOBID=8.ce,SLURM_JOB_ID=4711"), ("glexec_id", "job 17"), ("decision", "permit")]);
        assert!(record["fqans"].starts_with("/testvo/Role=production"), "{record:?}");
        assert!(record["target_gids"].split(',').any(|gid| gid == "4000"), "{record:?}");
        assert!(record["lease"].contains("%2fcn%3dbob%20brown"), "{record:?}");
        assert!(record["caller_pid"].parse::<u32>().is_ok() && !record["serial"].is_empty(), "{record:?}");
        assert!(!record.has("code") && !record.has("reason"), "{record:?}");
        assert_eq!(run.reported()["call"], record["call"]);
    }
}

#[test]
fn a_line_that_a_relay_cuts_still_says_who_ran_as_whom() {
    let long: Vec<String> = (0..100).map(|n| format!("{n:030}")).collect();
    for (site, log) in [(Site::new(), "/var/log/glexec/glexec.log"), (Site::with_syslog(), "/var/log/messages.raw")] {
        let pilot = alice(&site).env("GLEXEC_ID", "x".repeat(256)).env("PBS_JOBID", "y".repeat(256));
        pilot.glexec(["/usr/bin/true".to_owned()].iter().chain(&long)).exits(0);
        // The daemon writes when it likes, and about its own start first.
        site.wait_until(&format!("grep -q ' event=' {log}"));
        let text = site.read(log);
        let line = text.lines().find(|line| line.contains(" event=")).unwrap();
        let kept = &line[..1024];
        let places: Vec<usize> =
            ["event", "call", "decision", "caller_uid", "caller_user", "target_user", "target_uid", "user_dn"]
                .iter()
                .map(|field| kept.find(&format!(" {field}=")).unwrap_or_else(|| panic!("{field}: {kept}")))
                .collect();
        assert!(places.is_sorted(), "{places:?} {kept}");
        let chosen =
            ["command", "args", "cwd", "batch", "glexec_id"].map(|field| line.find(&format!(" {field}=")).unwrap());
        assert!(chosen.is_sorted() && places.last() < chosen.first(), "{places:?} {chosen:?} {line}");
    }
}

#[test]
fn two_calls_have_two_ids() {
    let site = Site::new();
    let calls: Vec<String> = (0..2).map(|_| alice(&site).glexec(["true"]).record()["call"].clone()).collect();
    assert_ne!(calls[0], calls[1]);
}

/// What somebody would say who wants to forge a record, disguise one, or upset who reads it.
const HOSTILE: [&[u8]; 9] = [
    b"a\nevent=start call=0 decision=permit",
    b"a\r\nNov 22 12:00:00 host glexec[1]: event=start decision=permit",
    b"\x1b[2J\x1b]0;title\x07\x08\x7f",
    b"\" decision=permit \"",
    b"\\\" decision=permit \\",
    b"%n%n%s%s%1$n",
    "\u{202e}timrep=noisiced\u{2028}\u{85}\u{feff}".as_bytes(),
    b"\xff\xfe\xc3\x28\xf0\x9f",
    b"'; reboot; ' ] [x@1 decision=\"permit\"]",
];

#[track_caller]
fn is_one_record_of_the_caller(site: &Site, run: &Run, before: usize, decision: &str) {
    let record = run.record();
    record.says([("decision", decision), ("caller_uid", "2000"), ("event", "start")]);
    let lines = lines(site);
    assert_eq!(lines.len(), before + 1, "{lines:?}");
    let line = lines.last().unwrap();
    assert!(!line.chars().any(|c| c.is_control() || "\u{202e}\u{2028}\u{feff}".contains(c)), "{line:?}");
    assert!(line.len() < 8192 && line.contains("Z worker001 glexec["), "{line:?}");
}

#[test]
fn hostile_text_stays_in_its_field_of_its_line() {
    let site = Site::new();
    let mut before = 0;
    for hostile in HOSTILE {
        let pilot = alice(&site).env("GLEXEC_ID", text(hostile)).env("PBS_JOBID", text(hostile)).arg0(text(hostile));
        let run = pilot.glexec([text(b"/usr/bin/printf"), text(b"%s|"), text(hostile), text(b"last")]);
        assert_eq!(run.exits(0).stdout_bytes(), [hostile, b"|last|"].concat(), "{run}");
        is_one_record_of_the_caller(&site, &run, before, "permit");
        before += 1;
        let run = pilot.clone().glexec([text(hostile)]);
        run.refused(201, "command.not-found");
        is_one_record_of_the_caller(&site, &run, before, "deny");
        before += 1;
        let file = [b"/home/pilot/".as_slice(), hostile].concat();
        let run = pilot.clone().env("GLEXEC_CLIENT_CERT", text(&file)).glexec(["true"]);
        run.refused(201, "credential.unreadable");
        is_one_record_of_the_caller(&site, &run, before, "deny");
        before += 1;
        let run = pilot.clone().env("GLEXEC_TARGET_PROXY", text(&[b"/root/", hostile].concat())).glexec(["true"]);
        run.refused(201, "target-proxy.not-writable");
        is_one_record_of_the_caller(&site, &run, before, "deny");
        before += 1;
        let run = pilot.clone().env("GLEXEC_MODE", text(hostile)).glexec(["true"]);
        run.refused(201, "invocation.mode");
        is_one_record_of_the_caller(&site, &run, before, "deny");
        before += 1;
    }
}

#[test]
fn hostile_text_reaches_syslog_as_one_message_too() {
    let site = Site::with_syslog();
    for hostile in HOSTILE {
        let run = alice(&site).env("GLEXEC_ID", text(hostile)).glexec([text(b"/usr/bin/true"), text(hostile)]);
        run.succeeds_with("").record().says([("decision", "permit"), ("caller_uid", "2000")]);
    }
    // rsyslogd parsed every one of them as RFC 5424, and structured data and message say the same.
    let log = site.read("/var/log/messages.structured");
    let structured: Vec<&str> = log.lines().filter(|line| line.contains(" glexec ")).collect();
    assert_eq!(structured.len(), HOSTILE.len());
    for line in structured {
        assert!(line.contains("[glexec@32473 "), "{line}");
        Record::parse_all(line)[0].says([
            ("decision", "permit"),
            ("command", "/usr/bin/true"),
            ("target_user", "alice"),
        ]);
    }
    assert_eq!(site.records().len(), HOSTILE.len());
}

#[test]
fn records_are_bounded_and_payloads_are_not() {
    let long = "A".repeat(130_000);
    let many: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    for (site, syslog) in [(Site::new(), false), (Site::with_syslog(), true)] {
        let pilot = alice(&site).env("GLEXEC_ID", long.clone()).env("PBS_JOBID", long.clone());
        let run = pilot.glexec(["/usr/bin/printf", "%s", &long]);
        assert!(run.exits(0).stdout().len() == long.len());
        let record = run.record();
        assert!(record["args"].len() <= 1024 && record["glexec_id"].len() == 256, "{record:?}");
        let just_so = "x".repeat(256);
        let run = alice(&site).env("GLEXEC_ID", &just_so).glexec(["true"]);
        assert_eq!(run.record()["glexec_id"], just_so);
        let count = pilot.glexec(["sh", "-c", "echo $#", "sh"].map(str::to_owned).into_iter().chain(many.clone()));
        let record = count.succeeds_with("5000\n").record();
        assert!(record["args"].starts_with("-c 'echo $#' sh 0 1 2") && record["args"].ends_with(" ..."), "{record:?}");
        let log = if syslog { "/var/log/messages.raw" } else { "/var/log/glexec/glexec.log" };
        assert!(site.read(log).lines().all(|line| line.len() < 8192));
        let refused = pilot.glexec([&long]);
        refused.refused(201, "command.not-found");
        assert!(refused.stderr().len() < 1000 && refused.record()["command"].len() <= 256, "{refused}");
    }
}

/// A call that says what the record of a call should have, whatever becomes of it.
fn telling(site: &Site) -> Caller<'_> {
    alice(site).env("GLEXEC_ID", "job 7").env("PBS_JOBID", "42").cwd("/tmp")
}

#[test]
fn a_command_line_that_is_refused_is_recorded_where_the_site_looks() {
    for site in [Site::new(), Site::with_syslog()] {
        site.set("syslog_facility = \"LOG_LOCAL3\"");
        for bad in [&["--frobnicate", "id"][..], &["-V"]] {
            let run = telling(&site).glexec(bad);
            run.refused(201, "invocation.usage");
            run.record().says([("glexec_id", "job 7"), ("batch", "PBS_JOBID=42"), ("cwd", "/tmp")]);
        }
        let run = telling(&site).env("GLEXEC_REPORT_FD", "99").glexec(["id", "-u"]);
        run.refused(201, "invocation.report-fd");
        run.record().says([("command", "id"), ("args", "-u"), ("glexec_id", "job 7"), ("cwd", "/tmp")]);
    }
}

#[test]
fn what_is_refused_before_there_is_a_configuration_is_recorded_with_its_command() {
    let site = Site::with_syslog();
    let recorded = |run: &Run, code: &str| {
        run.refused(202, code);
        run.record().says([("command", "id"), ("args", "-u"), ("glexec_id", "job 7"), ("batch", "PBS_JOBID=42")]);
    };
    recorded(&telling(&site).run("/usr/bin/setpriv", ["--no-new-privs", GLEXEC, "id", "-u"]), "self.no-new-privs");
    site.set("nonsense = 1");
    recorded(&telling(&site).glexec(["id", "-u"]), "config.invalid");
    telling(&site).glexec(["--frobnicate"]).refused(201, "invocation.usage");
}

#[test]
fn the_log_is_roots_alone_whatever_the_callers_umask() {
    let site = Site::new();
    alice(&site).sh("umask 0; exec /usr/sbin/glexec true").exits(0);
    assert_eq!(site.sh("stat -c '%a %U' /var/log/glexec/glexec.log"), "600 root\n");
    alice(&site).glexec(["cat", "/var/log/glexec/glexec.log"]).exits(1);
}

#[test]
pub fn without_a_record_nothing_runs() {
    for site in Site::in_both_modes() {
        for [name, unusable] in [
            ["no directory", "mv /var/log/glexec /var/log/other"],
            ["no syslog daemon", "sed -i 's/^log_destination.*/log_destination = \"syslog\"/' /etc/glexec.conf"],
        ] {
            site.sh(unusable);
            let run = alice(&site).reporting().glexec(["touch", "/tmp/ran"]);
            run.refused_without_record(202, "audit.unavailable");
            let report = run.reported();
            assert_eq!((&report["code"], &report["transient"]), (&json!("audit.unavailable"), &json!(true)), "{name}");
            assert!(!site.exists("/tmp/ran"), "{name}");
            assert_eq!(site.sh("ls /tmp"), "", "{name}: a proxy is left");
        }
        site.set("audit_required = false");
        alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    }
}

#[test]
fn a_syslog_daemon_that_does_not_read_is_none() {
    let site = Site::with(|site| site.configure(|text| text.replace("\"file\"", "\"syslog\"")));
    let _daemon = UnixDatagram::bind(site.host_path("/dev/log")).unwrap();
    site.sh("chmod 666 /dev/log");
    alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    other.connect(site.host_path("/dev/log")).unwrap();
    while other.send(b"full").is_ok() {}
    let run = alice(&site).reporting().glexec(["touch", "/tmp/ran"]);
    run.refused_without_record(202, "audit.unavailable");
    assert!(!site.exists("/tmp/ran") && run.reported()["transient"] == json!(true), "{run}");
}

#[test]
fn records_are_written_at_every_level() {
    let site = Site::new();
    for level in 1..=5 {
        site.set(&format!("log_level = {level}"));
        alice(&site).glexec(["true"]).record().says([("decision", "permit")]);
        site.pilot().credential("rita").glexec(["true"]).refused(203, "credential.revoked");
        site.configure(|text| text.replace(&format!("log_level = {level}\n"), ""));
    }
}

#[test]
fn the_level_says_how_much_of_a_decision_is_in_the_log() {
    let site = Site::new();
    let answers = ["LCAS plug-in userban on the user: yes", "LCMAPS plug-in localaccount localaccount: yes"];
    let refusal = "LCMAPS plug-in voms_localgroup vomsgroups: no, your proxy carries no VOMS attributes";
    let found = "LCMAPS plug-in localaccount localaccount: /etc/grid-security/grid-mapfile line ";
    for level in 1..=5 {
        site.sh("rm -f /var/log/glexec/glexec.log");
        site.set(&format!("log_level = {level}"));
        let record = alice(&site).glexec(["true"]).succeeds_with("").record();
        let log = site.read("/var/log/glexec/glexec.log");
        for text in answers.into_iter().chain([refusal]) {
            assert_eq!(
                log.contains(&format!("]: call={}: {text}", record["call"])),
                level >= 4,
                "{level}: {text}\n{log}"
            );
        }
        assert_eq!(log.contains(found), level == 5, "{level}: {log}");
        site.configure(|text| text.replace(&format!("log_level = {level}\n"), ""));
    }
}

#[test]
fn a_note_says_whose_proxy_it_is_about() {
    let site = Site::with(|site| site.append("/etc/glexec.conf", "\n[credentials]\nbad_ac = \"ignore\"\n"));
    let noted = |caller: Caller, whose: &str| {
        caller.glexec(["true"]);
        let log = site.read("/var/log/glexec/glexec.log");
        assert!(log.contains(&format!(": {whose}VOMS attributes are ignored (bad_ac): voms.ac-expired: ")), "{log}");
    };
    noted(alice(&site).own_proxy("bob-ac-expired"), "the pilot's proxy: ");
    let source = material_file("proxies/bob-ac-expired.pem");
    noted(site.pilot().credential("bob").file_in("GLEXEC_SOURCE_PROXY", "source.pem", &source), "the source proxy: ");
    noted(site.pilot().credential("bob-ac-expired"), "");
}

#[test]
fn syslog_gets_the_configured_facility_and_a_severity() {
    let site = Site::with_syslog();
    alice(&site).glexec(["true"]).record();
    site.set("syslog_facility = \"LOG_LOCAL3\"");
    alice(&site).glexec(["true"]).record();
    alice(&site).glexec(["/no/such"]).record();
    // facility * 8 + severity (RFC 5424 section 6.2.1): daemon and local3; notice for a permit, warning for a refusal.
    let log = site.read("/var/log/messages.raw");
    let priorities = log.lines().filter(|line| line.contains(" glexec ")).map(|line| line.split('>').next().unwrap());
    assert_eq!(priorities.collect::<Vec<_>>(), ["<29", "<157", "<156"]);
}

#[test]
fn a_log_that_others_may_write_is_no_log() {
    for insecure in ["chmod 777 /var/log/glexec", "install -m 666 /dev/null /var/log/glexec/glexec.log"] {
        let site = Site::new();
        site.sh(insecure);
        alice(&site).glexec(["touch", "/tmp/ran"]).refused_without_record(202, "audit.unavailable");
        assert!(!site.exists("/tmp/ran"));
    }
    let site = Site::new();
    site.sh("ln -s /tmp/elsewhere /var/log/glexec/glexec.log");
    alice(&site).glexec(["touch", "/tmp/ran"]).refused_without_record(202, "audit.unavailable");
    assert!(!site.exists("/tmp/ran") && !site.exists("/tmp/elsewhere"));
}

#[test]
fn a_full_disk_leaves_no_half_record_and_nothing_runs() {
    let site = Site::new();
    // The room that is left ends in the middle of a record.
    site.sh("mount -t tmpfs -o size=8k,mode=755 tmpfs /var/log/glexec && head -c 4000 /dev/zero > /var/log/glexec/glexec.log && \
        chmod 600 /var/log/glexec/glexec.log && head -c 4096 /dev/zero > /var/log/glexec/other");
    alice(&site).glexec(["touch", "/tmp/ran"]).refused_without_record(202, "audit.unavailable");
    assert!(!site.exists("/tmp/ran"));
    assert_eq!(site.sh("stat -c %s /var/log/glexec/glexec.log"), "4000\n");
    site.sh("rm /var/log/glexec/other");
    alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
}

/// A caller with a lower limit; with `hard`, one that nobody without CAP_SYS_RESOURCE can raise again.
fn limited(site: &Site, resource: Resource, limit: u64, hard: bool) -> Caller<'_> {
    alice(site).first(move || {
        let ceiling = if hard { limit } else { getrlimit(resource)?.1 };
        Ok(setrlimit(resource, limit, ceiling)?)
    })
}

/// Either the payload ran as Alice and the log says so, or glexec refused or failed cleanly and nothing ran.
#[track_caller]
fn ran_recorded_or_not_at_all(site: &Site, run: &Run, what: &str) {
    assert!(!run.stderr().contains("panicked"), "{what}: {run}");
    let permitted =
        run.records().iter().any(|record| record["decision"] == "permit" && record["target_user"] == "alice");
    let ran = site.exists("/tmp/ran");
    assert!(!ran || permitted, "{what}: something ran without a record: {run}");
    assert!(!run.stdout().contains("uid=0") && !run.stdout().contains("uid=2000"), "{what}: {run}");
    match (permitted, run.code()) {
        // How the payload fares under its limit is its own business.
        (true, code) => assert!(code != Some(0) || ran, "{what}: {run}"),
        // 127 and signals come from the loader or the kernel, before the first instruction of the program.
        (false, Some(code)) => assert!(matches!(code, 127 | 201..=203), "{what}: {run}"),
        (false, None) => assert_ne!(run.signal(), Some(Signal::SIGABRT as i32), "{what}: {run}"),
    }
    if ran {
        assert_eq!(site.sh("stat -c %U /tmp/ran && rm /tmp/ran"), "alice\n", "{what}");
    }
}

const TRACE: [&str; 3] = ["sh", "-c", "id; : > /tmp/ran"];

#[test]
fn soft_limits_neither_suppress_the_record_nor_stop_the_payload() {
    for site in Site::in_both_modes() {
        for (resource, limit) in [
            (Resource::RLIMIT_FSIZE, 0),
            (Resource::RLIMIT_NPROC, 1),
            (Resource::RLIMIT_CORE, 0),
            (Resource::RLIMIT_NOFILE, 4),
            (Resource::RLIMIT_MEMLOCK, 0),
            (Resource::RLIMIT_SIGPENDING, 0),
        ] {
            // What the payload can still do is its own business: `true` needs little.
            let run = limited(&site, resource, limit, false).glexec(["true"]);
            run.record().says([("decision", "permit"), ("target_user", "alice")]);
            assert!(matches!(run.code(), Some(0 | 127)), "{resource:?}: {run}"); // 127: the payload's loader
        }
    }
}

/// Limits that stop a call somewhere between its start and its end.
fn limits() -> impl Iterator<Item = (Resource, u64)> {
    let files = (3..16).map(|n| (Resource::RLIMIT_NOFILE, n));
    let memory = [4, 12, 32, 64].map(|mb| (Resource::RLIMIT_AS, mb << 20));
    let data = [0, 1, 4].map(|mb| (Resource::RLIMIT_DATA, mb << 20));
    let stack = [64, 256].map(|kb| (Resource::RLIMIT_STACK, kb << 10));
    let others = [(Resource::RLIMIT_FSIZE, 0), (Resource::RLIMIT_FSIZE, 100), (Resource::RLIMIT_NPROC, 1)];
    files.chain(memory).chain(data).chain(stack).chain(others)
}

#[test]
fn no_soft_limit_makes_a_payload_run_unrecorded_or_unswitched() {
    for site in Site::in_both_modes() {
        for (resource, limit) in limits() {
            let run = limited(&site, resource, limit, false).glexec(TRACE);
            ran_recorded_or_not_at_all(&site, &run, &format!("{resource:?} {limit}"));
        }
    }
}

#[test]
fn no_hard_limit_makes_a_payload_run_unrecorded_or_unswitched() {
    for site in Site::in_both_modes() {
        for (resource, limit) in limits() {
            let run = limited(&site, resource, limit, true).glexec(TRACE);
            ran_recorded_or_not_at_all(&site, &run, &format!("hard {resource:?} {limit}"));
        }
    }
}

#[test]
fn hard_limits_below_the_verifiers_own_do_not_stop_it() {
    for site in Site::in_both_modes() {
        for (resource, limit) in
            [(Resource::RLIMIT_CPU, 3), (Resource::RLIMIT_NOFILE, 14), (Resource::RLIMIT_DATA, 32 << 20)]
        {
            limited(&site, resource, limit, true).glexec(["id", "-un"]).succeeds_with("alice\n");
        }
    }
}

#[test]
fn limits_do_not_make_a_revoked_proxy_good() {
    let site = Site::new();
    for files in 3..24 {
        let rita = site.pilot().credential("rita");
        let run = rita.first(move || Ok(setrlimit(Resource::RLIMIT_NOFILE, files, files)?)).glexec(TRACE);
        assert!(matches!(run.code(), Some(127 | 202 | 203)), "{files}: {run}");
        assert!(!site.exists("/tmp/ran"), "{files}: {run}");
    }
}

#[test]
fn the_report_of_a_success_names_the_account() {
    for site in Site::in_both_modes() {
        let run = site.pilot().credential("bob").reporting().glexec(["id", "-u"]);
        let record = run.succeeds_with("5001\n").record();
        let report = run.reported();
        let path = report["target_proxy"].as_str().unwrap();
        assert!(path.starts_with("/tmp/x509up_u5001.glexec."), "{path}");
        let not_after = site.sh("for time in $(openssl crl2pkcs7 -nocrl -certfile /home/pilot/bob.pem | openssl pkcs7 -print_certs -text | \
            sed -n 's/ *Not After : //p' | tr ' ' _); do date -ud \"$(echo $time | tr _ ' ')\" +%s; done | sort -n | head -1");
        let expected = json!({
            "outcome": "success", "call": record["call"], "transient": false, "account": "tprd001", "uid": 5001, "gid": 5000, "gids": [5000, 4000],
            "subject": record["user_dn"], "target_proxy": path, "target_token": null, "not_after": not_after.trim().parse::<i64>().unwrap(),
        });
        assert_eq!(report, expected);
    }
}

#[test]
fn the_report_names_the_copy_of_the_proxy_as_the_payload_does() {
    for site in Site::in_both_modes() {
        let reported = |target: &str| {
            let run = alice(&site).env("GLEXEC_TARGET_PROXY", target).reporting().glexec([
                "sh",
                "-c",
                "echo $X509_USER_PROXY",
            ]);
            (run.stdout().trim().to_owned(), run.reported()["target_proxy"].clone())
        };
        assert_eq!(reported("/home/alice/proxy"), ("/home/alice/proxy".into(), json!("/home/alice/proxy")));
        assert_eq!(reported("/dev/null"), (String::new(), json!(null)));
    }
    let site = Site::new();
    let renewed = alice(&site).env("GLEXEC_TARGET_PROXY", "/home/alice/proxy").reporting().glexec::<&str>([]);
    assert_eq!(
        (&renewed.exits(0).reported()["target_proxy"], renewed.stdout().as_str()),
        (&json!("/home/alice/proxy"), "")
    );
}

#[test]
fn the_payload_does_not_inherit_the_report() {
    for site in Site::in_both_modes() {
        let run = alice(&site).reporting().glexec(["sh", "-c", "ls /proc/$$/fd; echo ${GLEXEC_REPORT_FD-unset}"]);
        run.succeeds_with("0\n1\n2\nunset\n");
        assert_eq!(run.reported()["outcome"], "success");
    }
}

#[test]
fn a_report_may_have_the_number_that_glexec_would_use_next() {
    for site in Site::in_both_modes() {
        let script = "for fd in 3 4 5 6; do eval \"GLEXEC_REPORT_FD=$fd /usr/sbin/glexec id -un $fd>report\"; \
            cut -c1-20 report; done";
        alice(&site).sh(script).succeeds_with(&"alice\n{\"outcome\":\"success\"\n".repeat(4));
    }
}

#[test]
fn a_command_that_the_kernel_refuses_is_reported_in_one_line_where_glexec_lingers() {
    for (site, lines) in Site::in_both_modes().iter().zip([vec!["success", "refused"], vec!["refused"]]) {
        site.sh("printf '\\0\\0' > /usr/bin/no-format; chmod 755 /usr/bin/no-format");
        let run = alice(site).reporting().glexec(["/usr/bin/no-format"]);
        let reported: Vec<Value> = run.report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(reported.iter().map(|line| &line["outcome"]).collect::<Vec<_>>(), lines, "{}", run.report);
        let last = reported.last().unwrap();
        assert_eq!((&last["code"], &last["exit_code"]), (&json!("command.exec-failed"), &json!(126)));
        run.exits(126);
        assert!(run.stderr().contains("(command.exec-failed)"), "{run}");
    }
}

#[test]
fn a_report_that_nobody_reads_holds_up_no_payload_that_is_supervised() {
    let site = Site::with(Site::linger);
    let full = "mkfifo full; exec 7<>full; dd if=/dev/zero of=/dev/fd/7 oflag=nonblock bs=1 2>/dev/null; ";
    let call = "GLEXEC_REPORT_FD=7 /usr/sbin/glexec sh -c 'id -un; exit 7'; echo $?; exec 7>&-; rm full";
    alice(&site).sh(&format!("{full}{call}")).succeeds_with("alice\n7\n");
    // Neither does it outlive the call.
    site.caller("root").run("/usr/bin/pgrep", ["glexec"]).exits(1);
}

#[test]
fn the_report_ends_when_the_payload_begins() {
    // Who waits for the end of the report does not wait for the end of the payload.
    for site in Site::in_both_modes() {
        let script = "mkfifo done; exec 5<>done; \
            line=$( { GLEXEC_REPORT_FD=7 /usr/sbin/glexec sh -c 'cat' 7>&1 1>&- <done 5>&- & } | cat ); \
            echo $line | cut -c1-20; exec 5>&-; wait";
        alice(&site).sh(script).succeeds_with("{\"outcome\":\"success\"\n");
    }
}

#[test]
fn a_report_that_nobody_can_read_is_refused_or_ignored() {
    let site = Site::new();
    for bad in ["", "x", "-1", "0", "1", "2", "3 ", "99", "2147483648", "99999999999999999999"] {
        alice(&site).env("GLEXEC_REPORT_FD", bad).glexec(["true"]).refused(201, "invocation.report-fd");
    }
    // It is open, but nothing can be written to it: the exit code says the same.
    let script = "exec 7</dev/null 8>/dev/full; for fd in 7 8; do GLEXEC_REPORT_FD=$fd /usr/sbin/glexec id -un; done";
    alice(&site).sh(script).succeeds_with("alice\nalice\n");
}

#[test]
fn a_reader_that_is_gone_does_not_change_the_outcome() {
    for site in Site::in_both_modes() {
        let script = "mkfifo pipe; exec 7<>pipe 8>pipe 7<&-; GLEXEC_REPORT_FD=8 /usr/sbin/glexec true; echo $?; \
            GLEXEC_REPORT_FD=8 /usr/sbin/glexec /no/such 2>&8; echo $?; /usr/sbin/glexec /no/such 2>/dev/full; echo $?; \
            (ulimit -S -f 0; GLEXEC_REPORT_FD=9 /usr/sbin/glexec true 9>>file; echo $?)";
        alice(&site).sh(script).succeeds_with("0\n201\n201\n0\n");
        assert_eq!(site.records().iter().filter(|record| record["event"] == "start").count(), 4);
    }
}

#[test]
fn a_call_whose_report_nobody_reads_can_be_ended() {
    let site = Site::with(Site::linger);
    let script = "mkfifo pipe; exec 7<>pipe; dd if=/dev/zero of=/proc/self/fd/7 bs=4096 count=16 status=none; \
        GLEXEC_REPORT_FD=7 exec /usr/sbin/glexec sh -c 'touch /tmp/ran; sleep 1000'";
    let running = alice(&site).start("/bin/sh", ["-c", script]);
    running.wait_until("test -e /tmp/ran");
    running.signal(Signal::SIGTERM);
    running.finish().killed_by(Signal::SIGTERM);
}
