//! The gLite certification tests of gLExec: which fault has which exit code, and what must be refused.

use super::in_both_modes;
use crate::site::{Caller, Site};

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

#[test]
fn gives_201_for_what_the_caller_must_change() {
    in_both_modes(|site| {
        let not_given = |caller: Caller<'_>| {
            caller.glexec(["/usr/bin/id"]).refused(201, "credential.not-given");
        };
        not_given(site.pilot());
        not_given(alice(site).env("GLEXEC_CLIENT_CERT", ""));
        not_given(alice(site).env("GLEXEC_SOURCE_PROXY", ""));
        let missing = alice(site).env("GLEXEC_CLIENT_CERT", "/home/pilot/none");
        missing.glexec(["/usr/bin/id"]).refused(201, "credential.unreadable");
        site.pilot().credential("alice-expired").glexec(["/usr/bin/id"]).refused(201, "credential.expired");
        alice(site).env("GLEXEC_TARGET_PROXY", "/root/proxy").glexec(["id"]).refused(201, "target-proxy.not-writable");
        alice(site).env("GLEXEC_TARGET_PROXY", "/no/where").glexec(["id"]).refused(201, "target-proxy.not-writable");
        alice(site).glexec(["/no/such/command"]).refused(201, "command.not-found");
        site.sh("install -m 700 /usr/bin/true /usr/sbin/for-root");
        alice(site).glexec(["/usr/sbin/for-root"]).refused(201, "command.not-executable");
    });
}

#[test]
fn gives_201_for_a_proxy_that_others_may_read_or_that_belongs_to_others() {
    in_both_modes(|site| {
        for mode in [0o666, 0o644, 0o660, 0o604, 0o602] {
            let caller = alice(site);
            site.chmod(&caller.client_cert(), mode);
            caller.glexec(["/usr/bin/id"]).refused(201, "credential.insecure-permissions");
        }
        for mode in [0o600, 0o400, 0o700] {
            let caller = alice(site);
            site.chmod(&caller.client_cert(), mode);
            caller.glexec(["id", "-un"]).succeeds_with("alice\n");
        }
        let foreign = site.caller("pilot001").credential("alice").client_cert();
        site.sh("chmod a+x /home/pilot001");
        alice(site).env("GLEXEC_SOURCE_PROXY", foreign).glexec(["id"]).exits(201);
    });
}

#[test]
fn gives_202_for_what_the_site_must_fix() {
    in_both_modes(|site| {
        site.sh("mv /etc/lcas/ban_users.db /root/");
        alice(site).glexec(["id"]).refused(202, "lcas.file-missing");
        site.write("/etc/lcas/ban_users.db", "\"/DC=org/CN=no end\n");
        alice(site).glexec(["id"]).refused(202, "lcas.file-malformed");
        site.sh("mv /root/ban_users.db /etc/lcas/; mv /etc/grid-security/grid-mapfile /root/");
        alice(site).glexec(["id"]).refused(202, "lcmaps.file-missing");
        site.sh("mv /root/grid-mapfile /etc/grid-security/; cp /etc/glexec.conf /root/");
        site.append("/etc/glexec.conf", "\n[dummy]\n");
        alice(site).glexec(["id"]).refused_without_record(202, "config.invalid");
        site.sh("rm /etc/glexec.conf");
        alice(site).glexec(["id"]).refused_without_record(202, "config.missing");
    });
}

#[test]
fn gives_202_for_what_others_than_root_may_write() {
    in_both_modes(|site| {
        for mode in [0o666, 0o664, 0o646] {
            site.chmod("/etc/glexec.conf", mode);
            alice(site).glexec(["id"]).refused_without_record(202, "config.insecure-permissions");
        }
        site.chmod("/etc/glexec.conf", 0o640);
        for (path, code, right) in [
            ("/etc/lcas/ban_users.db", "lcas.insecure-permissions", 0o644),
            ("/etc/grid-security/grid-mapfile", "lcmaps.insecure-permissions", 0o644),
            ("/etc/grid-security/certificates", "trust.insecure-permissions", 0o755),
            ("/etc/grid-security/vomsdir", "trust.insecure-permissions", 0o755),
        ] {
            for wrong in [right | 0o002, right | 0o020] {
                site.chmod(path, wrong);
                alice(site).glexec(["id"]).refused(202, code);
            }
            site.chmod(path, right);
        }
        alice(site).glexec(["id", "-un"]).succeeds_with("alice\n");
    });
}

#[test]
fn gives_203_for_who_may_not() {
    in_both_modes(|site| {
        site.caller("mallory").credential("alice").glexec(["id"]).refused(203, "caller.not-white-listed");
        site.pilot().credential("mallory").glexec(["id"]).refused(203, "lcas.userban");
        site.pilot().credential("dave").glexec(["id"]).refused(203, "lcmaps.no-mapping");
        site.pilot().credential("rita").glexec(["id"]).refused(203, "credential.revoked");
    });
}

#[test]
fn gives_204_for_a_payload_that_uses_glexecs_own_codes_and_every_other_code_as_it_is() {
    let codes = Site::with(Site::linger);
    for code in 0..=255 {
        let expected = if (201..=204).contains(&code) { 204 } else { code };
        let run = alice(&codes).env("GLEXEC_TARGET_PROXY", "/dev/null").glexec(["sh", "-c", &format!("exit {code}")]);
        assert!(run.exits(expected).stderr().is_empty(), "{run}");
    }
}

#[test]
fn accepts_a_relative_path_of_the_proxy() {
    in_both_modes(|site| {
        alice(site).env("GLEXEC_CLIENT_CERT", "alice.pem").glexec(["id", "-un"]).succeeds_with("alice\n");
        let elsewhere = alice(site).cwd("/tmp");
        elsewhere
            .clone()
            .env("GLEXEC_CLIENT_CERT", "../home/pilot/alice.pem")
            .glexec(["id", "-un"])
            .succeeds_with("alice\n");
        elsewhere.env("GLEXEC_CLIENT_CERT", "alice.pem").glexec(["id"]).refused(201, "credential.unreadable");
    });
}

#[test]
fn prints_its_settings_to_root_only() {
    let site = Site::new();
    site.caller("root").glexec(["-V"]).succeeds_with("GLEXEC_CONFIG_FILE=\"/etc/glexec.conf\"\n");
    site.pilot().glexec(["-V"]).refused(201, "invocation.usage");
    let run = site.pilot().glexec(["-v"]);
    run.succeeds_with(&format!("glexec {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_newline_in_glexec_id_starts_no_line_of_the_log() {
    in_both_modes(|site| {
        let id = "one\nevent=start call=forged decision=permit";
        let run = alice(site).env("GLEXEC_ID", id).glexec(["true"]);
        run.succeeds_with("");
        let record = run.record();
        record.says([("decision", "permit"), ("target_user", "alice")]);
        assert!(record["glexec_id"].starts_with("one\\x0aevent=start"), "{record:?}");
        let log = site.read("/var/log/glexec/glexec.log");
        assert!(!log.lines().any(|line| line.starts_with("event=") || record["call"] == "forged"), "{log}");
    });
}

#[test]
fn does_not_overwrite_a_target_proxy_of_somebody_else() {
    in_both_modes(|site| {
        site.sh("install -d -m 777 /proxies; install -m 666 /dev/null /proxies/of-root; ln -s /proxies/of-root /proxies/link");
        for path in ["/proxies/of-root", "/proxies/link"] {
            alice(site).env("GLEXEC_TARGET_PROXY", path).glexec(["id"]).refused(201, "target-proxy.foreign");
        }
        assert_eq!(site.read("/proxies/of-root"), "");
    });
}

#[test]
fn the_loaders_variables_change_nothing() {
    in_both_modes(|site| {
        let caller =
            alice(site).env("LD_DEBUG", "all").env("LD_DEBUG_OUTPUT", "/tmp/debug").env("LD_PRELOAD", "/tmp/x.so");
        caller.glexec(["sh", "-c", "echo \"$LD_DEBUG$LD_PRELOAD\"; ls /tmp | grep debug"]).exits(1);
        assert_eq!(caller.glexec(["id", "-un"]).exits(0).stderr(), "");
    });
}

#[test]
fn the_plain_certificate_is_judged_by_its_missing_key() {
    // The tests want a plain certificate refused, CREAM wants certificates without key accepted from its own account.
    in_both_modes(|site| {
        let plain = crate::site::material_file("certs/alice.pem");
        let caller = site.pilot().file_in("GLEXEC_CLIENT_CERT", "plain.pem", &plain);
        caller.glexec(["id"]).refused(201, "credential.no-private-key");
    });
}

#[test]
fn runs_with_the_modes_that_sites_gave_the_program() {
    // 6555 on CREAM's machines; on worker nodes nobody but root could read it.
    in_both_modes(|site| {
        for (owner, mode) in [("root:glexec", "6555"), ("root:glexec", "6111"), ("root:root", "4711")] {
            site.sh(&format!("chown {owner} /usr/sbin/glexec; chmod {mode} /usr/sbin/glexec"));
            alice(site).glexec(["id"]).succeeds_with("uid=3000(alice) gid=3000(alice) groups=3000(alice)\n");
        }
    });
}
