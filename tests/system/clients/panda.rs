//! The PanDA pilot (glexec_utils.py): a ping, a directory of the target's, the wrapped environment.

use super::in_both_modes;
use crate::companions;
use crate::site::{Caller, Site, material_file};

/// The user's proxy with the mode that the pilot gives it.
fn panda(site: &Site) -> Caller<'_> {
    companions::install(site);
    let caller = site.pilot().own_proxy("pilot").credential("alice");
    let proxy = caller.client_cert();
    site.chmod(&proxy, 0o700);
    caller.env("GLEXEC_SOURCE_PROXY", proxy).env("PATH", "/usr/bin:/bin")
}

#[test]
fn panda_ping_with_the_pilots_own_proxy_has_neither_status_nor_stderr() {
    in_both_modes(|site| {
        let pilot = site.pilot().own_proxy("pilot");
        pilot.sh("chmod 700 $X509_USER_PROXY").exits(0);
        pilot.sh("export GLEXEC_CLIENT_CERT=$X509_USER_PROXY;/usr/sbin/glexec /bin/true").succeeds_with("");
    });
}

#[test]
fn panda_runs_its_payload_in_the_directory_that_mkgltempdir_made() {
    in_both_modes(|site| {
        let panda = panda(site).env("JOB", "of the pilot's environment").env("LD_LIBRARY_PATH", "/opt/lib");
        site.sh("install -d -m 1777 /srv");
        let made = panda.run("/usr/sbin/mkgltempdir", ["-t", "777", "/srv"]);
        let dir = made.exits(0).stdout().trim_end().to_owned();
        made.succeeds_with(&format!("{dir}\n"));

        // The pilot puts its own files there.
        panda.sh(&format!("echo data > {dir}/data.json && mkdir -p {dir}/output && chmod 777 {dir}/output")).exits(0);
        let run = panda
            .clone()
            .env("GLEXEC_TARGET_DIR", &dir)
            .env("GLEXEC_TARGET_PROXY", format!("{dir}/user_proxy"))
            .sh(&format!(
                "export GLEXEC_ENV=`/usr/sbin/glexec_wrapenv.pl`; /usr/sbin/glexec /usr/sbin/glexec_unwrapenv.pl -- 'cd {dir}; \
                 {{ id -un; pwd; cat data.json; echo $JOB $LD_LIBRARY_PATH $GLEXEC_TARGET_DIR >&2; echo $X509_USER_PROXY; \
                 touch output/file; }} 2>&1;'"
            ));
        let expected = format!("alice\n{dir}\ndata\nof the pilot's environment /opt/lib {dir}\n{dir}/user_proxy\n");
        assert_eq!(run.exits(0).stdout(), expected, "{run}");
        assert!(run.stderr().lines().all(|line| line.starts_with("Skipping ")), "{run}");
        let proxy = format!("{dir}/user_proxy");
        assert_eq!(site.sh(&format!("stat -c '%U %a' {proxy}")), "alice 600\n");
        assert!(site.read(&proxy).as_bytes() == material_file("proxies/alice.pem"));

        panda.run("/usr/sbin/mkgltempdir", ["-r", &dir, "-f"]).succeeds_with("");
        assert_eq!(site.sh("ls /srv"), "");
    });
}

#[test]
fn panda_hears_why_its_directory_cannot_be_removed() {
    in_both_modes(|site| {
        let panda = panda(site);
        let dir = panda.run("/usr/sbin/mkgltempdir", ["-t", "755"]).exits(0).stdout().trim_end().to_owned();
        panda.glexec(["touch", &format!("{dir}/output")]).succeeds_with("");
        // A job may outlive its proxy.
        let late = panda.clone().credential("alice-expired").without("GLEXEC_SOURCE_PROXY");
        let run = late.run("/usr/sbin/mkgltempdir", ["-r", &dir, "-f"]);
        assert!(run.exits(201).stderr().contains("(credential.expired)"), "{run}");
        panda.run("/usr/sbin/mkgltempdir", ["-r", &dir, "-f"]).succeeds_with("");
    });
}

#[test]
fn panda_payload_handles_its_own_signals() {
    in_both_modes(|site| {
        for signal in ["TERM", "QUIT", "SEGV", "XCPU", "BUS"] {
            let script = format!("trap 'echo {signal}; exit 9' {signal}; kill -{signal} $$; echo unreached");
            let run = panda_without_companions(site).glexec(["/bin/bash", "-c", &script]);
            assert_eq!(run.exits(9).stdout(), format!("{signal}\n"));
        }
    });
}

fn panda_without_companions(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

#[test]
fn panda_old_pilot_opens_its_directory_and_writes_its_environment_into_a_script() {
    in_both_modes(|site| {
        site.sh("install -d -o pilot -m 755 /work");
        let pilot = panda_without_companions(site).cwd("/work");
        pilot.sh("echo 'export ATLAS=of-the-pilot; touch made; echo $ATLAS' > run.sh; chmod -R go+rwx .").exits(0);
        pilot.glexec(["/bin/sh", "-c", "cd /work && . ./run.sh"]).succeeds_with("of-the-pilot\n");
        pilot.sh("rm made && ls").succeeds_with("run.sh\n");
    });
}
