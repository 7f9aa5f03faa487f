//! Every reason of the catalogue that can be produced from outside: its exit code, its sentence, its record, its report.
//!
//! Each line of the tables is a reason and a call that is refused for it. A reason that no line has must stand in one of
//! the lists at the end, or the last test fails.

use crate::site::{Caller, GLEXEC, Run, Site, material_file};
use crate::{agent, audit, command, epilogue, isolation, prologue, target_proxy, tokens, verifier};
use glexec_core::reason::{Reason, Retry};
use nix::fcntl::{Flock, FlockArg};
use serde_json::json;
use std::thread;

/// A call that is refused.
pub type Refused = for<'s> fn(&'s Site) -> Run<'s>;
pub type Table = &'static [(Reason, Refused)];

/// What nobody must run: it would leave a file.
pub const PAYLOAD: [&str; 2] = ["/usr/bin/touch", "/tmp/ran"];

fn call(caller: Caller<'_>) -> Run<'_> {
    caller.reporting().glexec(PAYLOAD)
}

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

/// A call with Alice's proxy after root has changed something.
fn after<'s>(site: &'s Site, script: &str) -> Run<'s> {
    site.sh(script);
    call(alice(site))
}

/// A call with somebody's proxy under other rules for credentials.
fn under<'s>(site: &'s Site, rule: &str, credential: &str) -> Run<'s> {
    site.append("/etc/glexec.conf", &format!("\n[credentials]\n{rule}\n"));
    call(site.pilot().credential(credential))
}

/// A call with this text as the proxy file.
fn with_file<'s>(site: &'s Site, text: &str) -> Run<'s> {
    call(site.pilot().file_in("GLEXEC_CLIENT_CERT", "proxy", text.as_bytes()))
}

fn proxy_of_alice() -> String {
    String::from_utf8(material_file("proxies/alice.pem")).unwrap()
}

/// A call that root begins as the pilot with some tool in between.
fn through<'s>(site: &'s Site, setpriv: &[&str]) -> Run<'s> {
    let proxy = alice(site).client_cert();
    let root = site.caller("root").env("GLEXEC_CLIENT_CERT", proxy).reporting();
    root.run("/usr/bin/setpriv", setpriv.iter().chain(&[GLEXEC]).chain(&PAYLOAD))
}

#[track_caller]
fn is_refused(run: &Run, reason: Reason) {
    let code = reason.code();
    run.refused(reason.class().exit_code().into(), code);
    let transient = reason.retry() == Retry::MayHelp;
    let record = run.record();
    record.says([("event", "start"), ("decision", "deny"), ("transient", if transient { "true" } else { "false" })]);
    assert!(
        !record["reason"].is_empty() && !record["caller_uid"].is_empty() && record["call"].len() == 16,
        "{record:?}"
    );
    if reason != Reason::InvocationReportFd {
        let sentence = run.stderr().strip_prefix("[gLExec]: ").unwrap().replace(&format!(" ({code})\n"), "");
        let expected = json!({
            "outcome": "refused", "call": record["call"], "code": code, "class": reason.class().name(),
            "exit_code": reason.class().exit_code(), "transient": transient, "message": sentence,
        });
        assert_eq!(run.reported(), expected, "{run}");
    }
}

fn each_is_refused(table: Table, site: fn() -> Site) {
    for (reason, refused) in table {
        let site = site();
        is_refused(&refused(&site), *reason);
        assert!(!site.exists("/tmp/ran"), "the payload ran though {reason}");
    }
}

// Before the configuration is known records go to syslog.

const INVOCATION: Table = &[
    (Reason::InvocationUsage, |site| site.pilot().reporting().glexec(["--frobnicate"])),
    (Reason::InvocationEmptyArgv, |site| alice(site).reporting().arg0("").glexec::<&str>([])),
    (Reason::InvocationMode, |site| call(alice(site).env("GLEXEC_MODE", "lcmaps_guess_account"))),
    (Reason::InvocationReportFd, |site| alice(site).env("GLEXEC_REPORT_FD", "99").glexec(PAYLOAD)),
];

#[test]
fn calls_that_make_no_sense() {
    each_is_refused(INVOCATION, Site::with_syslog);
}

const AS_PILOT: [&str; 3] = ["--reuid=pilot", "--regid=pilots", "--clear-groups"];

const SELF: Table = &[
    (Reason::SelfNotSetuid, |site| {
        site.chmod(GLEXEC, 0o755);
        call(alice(site))
    }),
    (Reason::SelfNotSetuid, |site| {
        let strace = ["-f", "-o", "/dev/null", GLEXEC];
        alice(site).reporting().run("/usr/bin/strace", strace.iter().chain(&PAYLOAD))
    }),
    (Reason::SelfNoNewPrivs, |site| {
        alice(site).reporting().run("/usr/bin/setpriv", ["--no-new-privs", GLEXEC].iter().chain(&PAYLOAD))
    }),
    (Reason::SelfUserNamespace, |site| {
        alice(site).reporting().run("/usr/bin/unshare", ["--map-root-user", GLEXEC].iter().chain(&PAYLOAD))
    }),
    (Reason::SelfTraced, |site| {
        // The kernel honours the setuid bit under a tracer that may trace everybody.
        let tracer = ["--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace", "/usr/bin/strace", "-o", "/dev/null"];
        through(site, &[&AS_PILOT[..], &tracer].concat())
    }),
    (Reason::SelfStartup, |site| through(site, &[&["--bounding-set=-setpcap"][..], &AS_PILOT].concat())),
];

#[test]
fn processes_that_cannot_switch_safely() {
    each_is_refused(SELF, Site::with_syslog);
}

const CONFIG: Table = &[
    (Reason::ConfigMissing, |site| after(site, "rm /etc/glexec.conf")),
    (Reason::ConfigInsecure, |site| after(site, "chmod 666 /etc/glexec.conf")),
    (Reason::ConfigUnreadable, |site| after(site, "rm /etc/glexec.conf; mkdir /etc/glexec.conf")),
    (Reason::ConfigHistoric, |site| after(site, "printf '[glexec]\nuser_white_list = pilot\n' > /etc/glexec.conf")),
    (Reason::ConfigSyntax, |site| after(site, "echo '[glexec' > /etc/glexec.conf")),
    (Reason::ConfigInvalid, |site| after(site, "sed -i s/linger/lingre/ /etc/glexec.conf")),
];

#[test]
fn configurations_that_cannot_be_used() {
    each_is_refused(CONFIG, Site::with_syslog);
}

const CALLER: Table = &[
    (Reason::CallerUnknown, |site| through(site, &["--reuid=12345", "--regid=12345", "--clear-groups"])),
    (Reason::CallerNotWhiteListed, |site| call(site.caller("mallory").credential("alice"))),
];

#[test]
fn callers_who_may_not_call() {
    each_is_refused(CALLER, Site::new);
}

const CREDENTIAL_FILES: Table = &[
    (Reason::CredentialNotGiven, |site| call(site.pilot())),
    (Reason::CredentialNotGiven, |site| call(site.pilot().env("GLEXEC_CLIENT_CERT", ""))),
    (Reason::CredentialNotGiven, |site| call(alice(site).env("GLEXEC_SOURCE_PROXY", ""))),
    (Reason::CredentialUnreadable, |site| call(site.pilot().env("GLEXEC_CLIENT_CERT", "/home/pilot/no-such-file"))),
    (Reason::CredentialUnreadable, |site| call(site.pilot().env("GLEXEC_CLIENT_CERT", "/etc/shadow"))),
    (Reason::CredentialNotRegular, |site| call(site.pilot().env("GLEXEC_CLIENT_CERT", "/home/pilot"))),
    (Reason::CredentialNotRegular, |site| call(site.pilot().env("GLEXEC_CLIENT_CERT", "/dev/zero"))),
    (Reason::CredentialNotRegular, |site| {
        site.pilot().sh("mkfifo -m 600 pipe").exits(0);
        call(site.pilot().env("GLEXEC_CLIENT_CERT", "/home/pilot/pipe"))
    }),
    (Reason::CredentialWrongOwner, |site| call(site.pilot().env("GLEXEC_CLIENT_CERT", "/etc/hostname"))),
    (Reason::CredentialInsecure, |site| {
        let pilot = alice(site);
        site.chmod(&pilot.client_cert(), 0o640);
        call(pilot)
    }),
    (Reason::CredentialTooLarge, |site| with_file(site, &format!("{}{}", proxy_of_alice(), "\n".repeat(256 * 1024)))),
    (Reason::CredentialUnexpected, |site| call(alice(site).env("GLEXEC_EXPECTED_SUBJECT", "/CN=Somebody Else"))),
    (Reason::CredentialMalformed, |site| {
        with_file(site, "-----BEGIN CERTIFICATE-----\nnonsense!\n-----END CERTIFICATE-----\n")
    }),
    (Reason::CredentialNoCertificate, |site| call(site.pilot().credential("only-a-key"))),
    (Reason::CredentialNoKey, |site| call(site.pilot().credential("alice-no-key"))),
    (Reason::CredentialEncryptedKey, |site| {
        let plain = proxy_of_alice().replace("RSA PRIVATE KEY", "PRIVATE KEY");
        with_file(site, &plain.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))
    }),
    (Reason::CredentialSeveralKeys, |site| {
        let key = String::from_utf8(material_file("keys/other.key")).unwrap();
        with_file(site, &format!("{}{key}", proxy_of_alice()))
    }),
    (Reason::CredentialPilotMissing, |site| under(site, "pilot_proxy = \"required\"", "alice")),
];

#[test]
fn proxy_files_that_are_not_taken() {
    each_is_refused(CREDENTIAL_FILES, Site::new);
}

const CREDENTIALS: Table = &[
    (Reason::CredentialKeyMismatch, |site| call(site.pilot().credential("alice-wrong-key"))),
    (Reason::CredentialIncomplete, |site| call(site.pilot().credential("alice-incomplete"))),
    (Reason::CredentialExpired, |site| call(site.pilot().credential("alice-expired"))),
    (Reason::CredentialNotYetValid, |site| call(site.pilot().credential("alice-not-yet-valid"))),
    (Reason::CredentialIdentity, |site| {
        let other = material_file("proxies/bob-plain.pem");
        call(alice(site).file_in("GLEXEC_SOURCE_PROXY", "source", &other))
    }),
    (Reason::CredentialChainTooLong, |site| under(site, "max_chain = 1", "alice")),
    (Reason::CredentialUnknownCa, |site| call(site.pilot().credential("uma"))),
    (Reason::CredentialSignature, |site| with_file(site, &with_wrong_signature(&proxy_of_alice()))),
    (Reason::CredentialRevoked, |site| call(site.pilot().credential("rita"))),
    (Reason::CredentialSigningPolicy, |site| {
        let elsewhere = "s,^cond_subjects.*,cond_subjects globus \"/DC=net/*\",";
        after(site, &format!("sed -i '{elsewhere}' /etc/grid-security/certificates/*.signing_policy"))
    }),
    (Reason::CredentialWeakKey, |site| under(site, "min_rsa_bits = 3072", "alice")),
    (Reason::CredentialWeakDigest, |site| under(site, "digests = [\"sha512\"]", "alice")),
    (Reason::CredentialProxyType, |site| under(site, "proxy_types = [\"gt3\"]", "alice")),
    (Reason::CredentialLimitedRefused, |site| under(site, "limited_proxy = \"refuse\"", "alice-limited")),
    (Reason::CredentialLimitedRequired, |site| under(site, "limited_proxy = \"require\"", "alice")),
    (Reason::CredentialLifetime, |site| under(site, "max_proxy_lifetime = \"7d\"", "alice")),
    (Reason::VomsExpired, |site| call(site.pilot().credential("bob-ac-expired"))),
    (Reason::VomsUntrusted, |site| {
        site.sh("rm /etc/grid-security/vomsdir/testvo/*");
        call(site.pilot().credential("bob"))
    }),
    (Reason::VomsLifetime, |site| under(site, "max_ac_lifetime = \"7d\"", "bob")),
    (Reason::VomsLsc, |site| {
        site.sh("echo nonsense > /etc/grid-security/vomsdir/testvo/voms.example.org.lsc");
        call(site.pilot().credential("bob"))
    }),
];

/// The proxy with one bit of its signature changed: the signature is what its certificate, the first, ends with.
fn with_wrong_signature(proxy: &str) -> String {
    let end = proxy.find("-----END").unwrap() - 100;
    let changed = if proxy.as_bytes()[end] == b'A' { "B" } else { "A" };
    format!("{}{changed}{}", &proxy[..end], &proxy[end + 1..])
}

#[test]
fn credentials_that_are_not_good_or_not_trusted() {
    each_is_refused(CREDENTIALS, Site::new);
}

/// Root makes a CRL or a CA certificate with times of its own choice.
fn reissued<'s>(site: &'s Site, command: &str) -> Run<'s> {
    site.write("/root/ca.key", material_file("keys/ca.key"));
    site.write("/root/ca.pem", material_file("certs/root-ca.pem"));
    let script = format!(
        "cd /root && : > index && printf '[ca]\ndefault_ca = a\n[a]\ndatabase = index\nnew_certs_dir = .\n\
         rand_serial = yes\ndefault_md = sha256\npreserve = yes\npolicy = p\n[p]\ndomainComponent = optional\n\
         commonName = optional\n[x]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n\
         [req]\ndistinguished_name = n\n[n]\n' > cnf && \
         hash=$(openssl x509 -in ca.pem -noout -subject_hash) dir=/etc/grid-security/certificates && {command}"
    );
    after(site, &script)
}

const TRUST: Table = &[
    (Reason::TrustInsecure, |site| after(site, "chmod 777 /etc/grid-security/certificates")),
    (Reason::TrustUnreadable, |site| after(site, "rm -r /etc/grid-security/certificates")),
    (Reason::TrustCaMalformed, |site| {
        after(site, "for ca in /etc/grid-security/certificates/*.0; do echo nonsense > $ca; done")
    }),
    (Reason::TrustCaExpired, |site| {
        reissued(
            site,
            "openssl req -new -config cnf -key ca.key -subj /CN=unused -out csr && openssl ca -batch -notext -config cnf \
             -selfsign -keyfile ca.key -in csr -subj '/DC=org/DC=example/CN=Example Grid Root CA' -extensions x \
             -startdate 20200101000000Z -enddate 20210101000000Z -out $dir/$hash.0 2>/dev/null",
        )
    }),
    (Reason::TrustCrlMissing, |site| after(site, "rm /etc/grid-security/certificates/*.r0")),
    (Reason::TrustCrlExpired, |site| {
        reissued(
            site,
            "openssl ca -gencrl -config cnf -cert ca.pem -keyfile ca.key -crl_lastupdate 20200101000000Z \
             -crl_nextupdate 20210101000000Z -out $dir/$hash.r0 2>/dev/null",
        )
    }),
    (Reason::TrustCrlInvalid, |site| {
        after(site, "for crl in /etc/grid-security/certificates/*.r0; do echo nonsense > $crl; done")
    }),
    (Reason::TrustPolicyMissing, |site| after(site, "rm /etc/grid-security/certificates/*.signing_policy")),
    (Reason::TrustPolicyMalformed, |site| {
        after(site, "for file in /etc/grid-security/certificates/*.signing_policy; do echo nonsense > $file; done")
    }),
    (Reason::VerifierVersion, |site| {
        verifier::put_verifier(site, &verifier::witness(r#"printf("glexec-verdict 99\n{}"); return 0;"#));
        call(alice(site))
    }),
    (Reason::VerifierFailed, |site| {
        site.set("service_user = \"nosuch\"");
        call(alice(site))
    }),
];

#[test]
fn trust_that_the_site_has_to_fix() {
    each_is_refused(TRUST, Site::new);
}

/// A call with Alice's proxy and one more LCAS plug-in.
fn with_lcas<'s>(site: &'s Site, plugin: &str) -> Run<'s> {
    site.append("/etc/glexec.conf", &format!("\n[[lcas.plugin]]\n{plugin}\n"));
    call(alice(site))
}

/// The command of a site's own plug-in that says no.
const DENIES: &str = r#"["/usr/bin/printf", '{"decision":"deny"}']"#;
/// And of one that answers nonsense.
const FAILS: &str = r#"["/usr/bin/echo", "nonsense"]"#;

const LCAS: Table = &[
    (Reason::LcasExecDenied, |site| with_lcas(site, &format!("type = \"exec\"\ncommand = {DENIES}"))),
    (Reason::LcasExecFailed, |site| with_lcas(site, &format!("type = \"exec\"\ncommand = {FAILS}"))),
    (Reason::LcasUserallow, |site| with_lcas(site, "type = \"userallow\"\nfile = \"/etc/lcas/ban_users.db\"")),
    (Reason::LcasVoms, |site| with_lcas(site, "type = \"voms\"\nfile = \"/etc/grid-security/groupmapfile\"")),
    (Reason::LcasTimeslots, |site| {
        site.write("/etc/lcas/timeslots.db", "* * * * 1990 *\n");
        with_lcas(site, "type = \"timeslots\"\nfile = \"/etc/lcas/timeslots.db\"")
    }),
    (Reason::LcasCheckExecutable, |site| with_lcas(site, "type = \"check_executable\"\ncommands = [\"/usr/bin/id\"]")),
    (Reason::LcasUserban, |site| call(site.pilot().credential("mallory"))),
    (Reason::LcasFileMissing, |site| after(site, "rm /etc/lcas/ban_users.db")),
    (Reason::LcasFileMalformed, |site| after(site, "echo '\"/CN=not closed' >> /etc/lcas/ban_users.db")),
    (Reason::LcasFileInsecure, |site| after(site, "chmod 666 /etc/lcas/ban_users.db")),
];

#[test]
fn people_whom_lcas_keeps_out() {
    each_is_refused(LCAS, Site::new);
}

fn carol(site: &Site) -> Caller<'_> {
    site.pilot().credential("carol")
}

/// Carol has a lease; then root does something to it.
fn with_lease<'s>(site: &'s Site, script: &str) -> Run<'s> {
    carol(site).glexec(["true"]).exits(0);
    site.sh(&format!("cd /etc/grid-security/gridmapdir && lease=$(ls -d %*) && {script}"));
    call(carol(site))
}

/// A call with Alice's proxy under a policy that begins with another plug-in.
fn with_lcmaps<'s>(site: &'s Site, plugin: &str) -> Run<'s> {
    let old = "vomsgroups -> vomspool | localaccount";
    let table = format!("[lcmaps.plugins.first]\n{plugin}\n");
    site.configure(|text| format!("{}\n{table}", text.replace(old, "first -> localaccount")));
    call(alice(site))
}

/// A call with Alice's proxy under a policy that begins with a list of banned names.
fn with_ban<'s>(site: &'s Site, list: &str) -> Run<'s> {
    site.write("/etc/grid-security/ban", list);
    with_lcmaps(site, "type = \"ban_dn\"\nbanmapfile = \"/etc/grid-security/ban\"")
}

const LCMAPS: Table = &[
    (Reason::LcmapsExecDenied, |site| with_lcmaps(site, &format!("type = \"exec\"\ncommand = {DENIES}"))),
    (Reason::LcmapsExecFailed, |site| with_lcmaps(site, &format!("type = \"exec\"\ncommand = {FAILS}"))),
    (Reason::LcmapsBanned, |site| with_ban(site, "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"\n")),
    (Reason::LcmapsFileMalformed, |site| with_ban(site, "\"/DC=org/not closed\n")),
    (Reason::LcmapsNoMapping, |site| call(site.pilot().credential("dave"))),
    (Reason::LcmapsPoolExhausted, |site| {
        site.sh("cd /etc/grid-security/gridmapdir && for account in tvo*; do ln $account %2fcn%3d$account; done");
        call(carol(site))
    }),
    (Reason::LcmapsNoLease, |site| call(carol(site).env("GLEXEC_MODE", "lcmaps_verify_account"))),
    (Reason::LcmapsLeaseConflict, |site| with_lease(site, "ln $lease another-name")),
    (Reason::LcmapsLeaseName, |site| with_lease(site, "printf '/DC=org/DC=example/O=Grid/CN=CAROL COLE' > $lease")),
    (Reason::LcmapsFileMissing, |site| after(site, "rm /etc/grid-security/grid-mapfile")),
    (Reason::LcmapsFileInsecure, |site| after(site, "chmod 666 /etc/grid-security/grid-mapfile")),
    (Reason::LcmapsNoGroup, |site| {
        site.configure(|text| text.replace("vomspool | localaccount", "vomspool | vomspool"));
        site.write("/etc/grid-security/groupmapfile", "");
        call(carol(site))
    }),
    (Reason::LcmapsGridmapdir, |site| {
        site.sh("cd /etc/grid-security && mount --bind -o ro gridmapdir gridmapdir");
        call(carol(site))
    }),
];

#[test]
fn people_whom_the_mapping_policy_gives_no_account() {
    each_is_refused(LCMAPS, Site::new);
}

/// Alice's line in the grid-mapfile names another account.
fn mapped_to<'s>(site: &'s Site, account: &str) -> Run<'s> {
    after(site, &format!("sed -i 's/Adams\" alice/Adams\" {account}/' /etc/grid-security/grid-mapfile"))
}

const ACCOUNT: Table = &[
    (Reason::AccountUnknown, |site| mapped_to(site, "nosuch")),
    (Reason::AccountUnknown, |site| mapped_to(site, "3000")),
    (Reason::AccountUnknown, |site| mapped_to(site, "+0")),
    (Reason::AccountForbidden, |site| mapped_to(site, "root")),
    (Reason::AccountForbidden, |site| mapped_to(site, "nobody")),
    (Reason::AccountForbidden, |site| mapped_to(site, "daemon")),
    (Reason::AccountForbidden, |site| mapped_to(site, "glexec")),
    (Reason::AccountForbidden, |site| {
        site.sh("echo toor:x:0:3000::/root:/bin/sh >> /etc/passwd");
        mapped_to(site, "toor")
    }),
    (Reason::AccountForbidden, |site| {
        site.sh("echo last:x:4294967295:3000::/:/bin/sh >> /etc/passwd");
        mapped_to(site, "last")
    }),
    (Reason::AccountForbidden, |site| {
        site.set("min_uid = 1");
        site.sh("echo short:x:65535:3000::/:/bin/sh >> /etc/passwd");
        mapped_to(site, "short")
    }),
    (Reason::AccountForbidden, |site| {
        site.sh("sed -i 's/^adm:.*/&alice/' /etc/group"); // a system group among her secondary ones
        call(alice(site))
    }),
    (Reason::AccountNoGroup, |site| {
        site.sh("sed -i 's/ testvo$/ no-such-group/' /etc/grid-security/groupmapfile");
        call(carol(site))
    }),
    (Reason::AccountLocked, |site| after(site, "sed -i 's/^alice:.*/alice:!:19000:0:99999:7::19000:/' /etc/shadow")),
    (Reason::AccountSame, |site| {
        site.set("allow_same_account = false");
        mapped_to(site, "pilot")
    }),
    (Reason::AccountLookup, |site| {
        let pilot = alice(site);
        site.sh("rm /etc/passwd && ln -s passwd /etc/passwd");
        call(pilot)
    }),
];

#[test]
fn accounts_that_nobody_may_become() {
    each_is_refused(ACCOUNT, Site::new);
}

const PAYLOADS: Table = &[
    (Reason::CommandNotFound, |site| alice(site).reporting().glexec(["/no/such/command"])),
    (Reason::CommandNotExecutable, |site| alice(site).reporting().glexec(["/etc/hostname"])),
    (Reason::CgroupUnusable, |site| {
        site.linger();
        site.set("cgroup = \"/no/such/cgroup\"");
        call(alice(site))
    }),
    (Reason::EpilogueUnusable, |site| {
        site.linger();
        site.set("epilogue = \"/no/such/program\"");
        call(alice(site))
    }),
    (Reason::TargetProxyBad, |site| call(alice(site).env("GLEXEC_TARGET_PROXY", "/root/proxy"))),
    (Reason::TargetProxyForeign, |site| call(alice(site).env("GLEXEC_TARGET_PROXY", "/etc/hostname"))),
];

#[test]
fn payloads_that_cannot_run() {
    each_is_refused(PAYLOADS, Site::new);
}

/// A call while somebody holds the lock of a file; glexec waits some seconds before it gives up.
fn locked<'s>(site: &'s Site, caller: Caller<'s>, path: &str) -> Run<'s> {
    let held = Flock::lock(site.file(path), FlockArg::LockExclusiveNonblock).unwrap();
    let run = call(caller);
    drop(held);
    run
}

const LOCKED: Table = &[
    (Reason::CredentialLocked, |site| {
        let pilot = alice(site);
        let path = pilot.client_cert();
        locked(site, pilot, &path)
    }),
    (Reason::TargetProxyLocked, |site| {
        let path = "/home/alice/proxy";
        site.write(path, "of before");
        site.chown(path, "alice");
        locked(site, alice(site).env("GLEXEC_TARGET_PROXY", path), path)
    }),
];

#[test]
fn files_that_stay_locked() {
    thread::scope(|scope| {
        for one in LOCKED.chunks(1) {
            scope.spawn(|| each_is_refused(one, Site::new));
        }
    });
}

#[test]
fn tokens() {
    each_is_refused(tokens::TABLE, Site::new);
}

const TABLES: [Table; 13] = [
    INVOCATION,
    SELF,
    CONFIG,
    CALLER,
    CREDENTIAL_FILES,
    CREDENTIALS,
    TRUST,
    LCAS,
    LCMAPS,
    ACCOUNT,
    PAYLOADS,
    LOCKED,
    tokens::TABLE,
];

/// Reasons that another test of these produces, because their record is not that of a refusal, or they need more than a call.
const ELSEWHERE: &[(Reason, fn())] = &[
    (Reason::AgentUnavailable, agent::a_site_that_requires_the_agent_runs_nothing_without_it),
    (Reason::SandboxNotADirectory, isolation::what_is_no_directory_of_the_callers_own_is_refused),
    (Reason::SandboxNotYours, isolation::what_is_no_directory_of_the_callers_own_is_refused),
    (Reason::SandboxUnreachable, isolation::what_is_no_directory_of_the_callers_own_is_refused),
    (Reason::SandboxExposed, isolation::what_is_no_directory_of_the_callers_own_is_refused),
    (
        Reason::SandboxUnsupported,
        isolation::where_files_cannot_be_shown_under_another_owner_the_sentence_names_the_way_out,
    ),
    (Reason::SandboxForbidden, isolation::a_site_can_forbid_sandboxes),
    (Reason::CommandExec, command::what_the_kernel_does_not_execute_ends_with_126),
    (Reason::AuditUnavailable, audit::without_a_record_nothing_runs),
    (Reason::TargetProxyIdentity, target_proxy::a_call_without_a_command_does_not_renew_the_proxy_of_somebody_else),
    (Reason::PrologueFailed, prologue::a_prologue_that_fails_refuses_the_call_and_leaves_nothing_behind),
    (Reason::PrologueUnusable, prologue::no_prologue_runs_that_somebody_else_than_root_can_write),
    (Reason::WrapperUnusable, prologue::no_wrapper_runs_that_the_account_cannot_execute_or_others_can_write),
    (Reason::EpilogueFailed, epilogue::a_failure_is_the_sites_and_its_own_use_of_our_codes_becomes_204),
];

/// Reasons that need a forged credential: the verdicts of `tests/trust` produce them.
const FORGED: &[Reason] = &[
    Reason::CredentialName,
    Reason::CredentialCaRules,
    Reason::CredentialExtension,
    Reason::CredentialPurpose,
    Reason::CredentialProxySubject,
    Reason::CredentialProxyInfo,
    Reason::CredentialProxyPolicy,
    Reason::CredentialProxyPathLength,
    Reason::CredentialProxyExtension,
    Reason::CredentialProxyUsage,
    Reason::CredentialProxyLimited,
    Reason::VomsMalformed,
    Reason::VomsNotYetValid,
    Reason::VomsSignature,
    Reason::VomsHolder,
    Reason::VomsScope,
    Reason::VomsExtension,
    Reason::VomsTarget,
];

/// Reasons that the site's mapping service gives its nodes: `tests/service` produces them.
const OF_THE_SERVICE: &[Reason] = &[Reason::SiteDenied, Reason::SiteUnavailable];

/// The verdicts, as they are written.
const VERDICTS: [&str; 4] = [
    include_str!("../trust/authorities.rs"),
    include_str!("../trust/file.rs"),
    include_str!("../trust/proxies.rs"),
    include_str!("../trust/voms.rs"),
];

/// Reasons that no test produces, and why.
const EXCEPTIONS: &[(Reason, &str)] = &[
    (
        Reason::SwitchFailed,
        "the kernel would have to refuse root a change of identity; that is tried first by earlier steps",
    ),
    (Reason::SystemFailed, "the kernel would have to fail in ways that a caller cannot bring about"),
];

#[test]
fn every_reason_is_produced_or_has_an_excuse() {
    let here = TABLES.iter().copied().flatten().map(|(reason, _)| reason);
    let elsewhere = ELSEWHERE.iter().map(|(reason, _)| reason);
    let excused = EXCEPTIONS.iter().map(|(reason, _)| reason);
    let produced: Vec<_> = here.chain(elsewhere).collect();
    for reason in Reason::ALL {
        let places = [
            produced.contains(&reason),
            FORGED.contains(reason),
            OF_THE_SERVICE.contains(reason),
            excused.clone().any(|excused| excused == reason),
        ];
        assert_eq!(places.iter().filter(|there| **there).count(), 1, "{reason}: produced, forged, excused: {places:?}");
    }
    for reason in FORGED {
        let expected = format!("\"{reason}\"");
        assert!(VERDICTS.iter().any(|text| text.contains(&expected)), "no verdict of tests/trust is {reason}");
    }
}
