//! DIRAC (glexecComputingElement.py): the payload in a login shell, the proxy renewed by a call without command.

use super::{eventually, in_both_modes};
use crate::site::{Caller, Site, material_file};
use nix::sys::signal::Signal;

fn dirac(site: &Site) -> Caller<'_> {
    let caller = site.pilot().own_proxy("pilot").credential("alice");
    let payload = caller.client_cert();
    caller.env("GLEXEC_SOURCE_PROXY", payload)
}

#[test]
fn dirac_runs_the_job_in_a_login_shell_of_the_target() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /jobs; echo 'export FROM_PROFILE=yes' > /home/alice/.bash_profile");
        let dirac = dirac(site);
        let script = "#!/bin/bash\necho $HOME $USER $FROM_PROFILE; cat $X509_USER_PROXY | head -c 27; exit 4\n";
        dirac.clone().stdin(script).sh("cat > /jobs/job.sh && chmod 755 /jobs/job.sh").exits(0);
        let run = dirac.glexec(["/bin/bash", "-lc", "/jobs/job.sh"]);
        run.exits(4);
        assert_eq!(run.stdout(), "/home/alice alice yes\n-----BEGIN CERTIFICATE-----", "{run}");
        assert_eq!(run.stderr(), "");
    });
}

#[test]
fn dirac_writes_files_of_the_target_through_cat() {
    in_both_modes(|site| {
        let dirac = dirac(site).stdin("content");
        dirac.glexec(["/bin/bash", "-c", "mkdir -p job_1 && chmod 0711 job_1 && cat > job_1/s.sh"]).succeeds_with("");
        assert_eq!(site.sh("cat /home/alice/job_1/s.sh; stat -c ' %U %a' /home/alice/job_1"), "content alice 711\n");
    });
}

#[test]
fn dirac_runs_a_script_in_a_directory_that_only_the_target_may_enter() {
    in_both_modes(|site| {
        let make = "mkdir -m 700 job && printf '#!/bin/sh\\nid -un\\n' > job/s.sh && chmod 700 job/s.sh";
        dirac(site).glexec(["sh", "-c", make]).succeeds_with("");
        dirac(site).glexec(["/home/alice/job/s.sh"]).succeeds_with("alice\n");
    });
}

#[test]
fn dirac_renews_the_target_proxy_by_a_call_without_command() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /jobs");
        let dirac = dirac(site).env("GLEXEC_TARGET_PROXY", "/jobs/proxy");
        dirac.glexec(["/bin/true"]).succeeds_with("");
        assert!(site.read("/jobs/proxy").as_bytes() == material_file("proxies/alice.pem"));

        let renewed = dirac.credential("alice-nested");
        let payload = renewed.client_cert();
        let renewed = renewed.env("GLEXEC_SOURCE_PROXY", payload);
        renewed.glexec::<&str>([]).succeeds_with("");
        assert!(site.read("/jobs/proxy").as_bytes() == material_file("proxies/alice-nested.pem"));
        assert_eq!(site.sh("stat -c '%U %a' /jobs/*"), "alice 600\n");
    });
}

#[test]
fn dirac_that_names_no_target_proxy_renews_none_and_leaves_no_copy_behind() {
    in_both_modes(|site| {
        let run = dirac(site).glexec::<&str>([]);
        run.succeeds_with("").record().says([("decision", "permit"), ("target_user", "alice")]);
        assert_eq!(site.sh("ls /tmp"), "");
    });
}

#[test]
fn dirac_job_that_signals_its_own_process_group_gets_the_signal_once() {
    in_both_modes(|site| {
        // The second signal tells how often the first one came; it comes behind it on every way, and has a higher number.
        let job = "n=0; trap 'n=$((n+1))' TERM; trap 'echo $n; exit 3' RTMIN; kill -TERM 0; touch ready; while :; do sleep 0.01; done";
        let run = dirac(site).start("/usr/sbin/glexec", ["/bin/bash", "-lc", job]);
        eventually("the job has signalled its group", || site.exists("/home/alice/ready"));
        let kill = format!("kill -RTMIN {}", run.pid_in_site());
        dirac(site).glexec(["/bin/bash", "-c", &kill]).succeeds_with("");
        assert_eq!(run.finish().exits(3).stdout(), "1\n");
    });
}

#[test]
fn dirac_takes_a_negative_status_for_a_signal_and_127_and_more_for_a_failure_of_glexec() {
    in_both_modes(|site| {
        dirac(site).glexec(["/bin/bash", "-lc", "kill -KILL $$"]).killed_by(Signal::SIGKILL);
        dirac(site).glexec(["/bin/bash", "-lc", "exit 126"]).exits(126);
        dirac(site).glexec(["/bin/bash", "-lc", "no-such-command"]).exits(127);
        dirac(site)
            .credential("mallory")
            .without("GLEXEC_SOURCE_PROXY")
            .glexec(["/bin/true"])
            .refused(203, "lcas.userban");
    });
}

#[test]
fn dirac_finds_glexec_where_variables_or_its_path_say_also_through_a_link() {
    let find = r#"for glexec in "$OSG_GLEXEC_LOCATION" "$GLITE_LOCATION/sbin/glexec" "$(command -v glexec)"; do
        [ -f "$glexec" ] && [ -x "$glexec" ] && exec "$glexec" /bin/bash -lc 'id -un'; done"#;
    in_both_modes(|site| {
        site.sh("mkdir -p /opt/glite/sbin; ln -s /usr/sbin/glexec /opt/glite/sbin/glexec");
        for (variable, value) in [
            ("OSG_GLEXEC_LOCATION", "/usr/sbin/glexec"),
            ("GLITE_LOCATION", "/opt/glite"),
            ("PATH", "/opt/glite/sbin:/usr/bin:/bin"),
        ] {
            dirac(site).env(variable, value).sh(find).succeeds_with("alice\n");
        }
    });
}

#[test]
fn dirac_fork_makes_a_directory_of_the_targets_with_a_fixed_proxy_in_it() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /jobs");
        dirac(site).glexec(["/bin/bash", "-c", "mkdir /jobs/1 && chmod 0711 /jobs/1"]).succeeds_with("");
        let dirac = dirac(site).env("GLEXEC_TARGET_PROXY", "/jobs/1/proxy");
        let show = "echo $X509_USER_PROXY; ls /jobs/1";
        dirac.glexec(["/bin/bash", "-lc", show]).succeeds_with("/jobs/1/proxy\nproxy\n");
        dirac.glexec(["/bin/bash", "-lc", show]).succeeds_with("/jobs/1/proxy\nproxy\n");
        // The fork's other form leaves a tilde that no shell has expanded.
        let tilde = dirac.env("GLEXEC_TARGET_PROXY", "~/job_1/proxy");
        tilde.glexec(["/bin/true"]).refused(201, "target-proxy.not-writable");
    });
}
