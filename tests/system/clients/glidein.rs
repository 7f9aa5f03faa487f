//! glideinWMS (glexec_setup.sh): two probes with the pilot's own proxy before any job is accepted.

use super::in_both_modes;

#[test]
fn glidein_probe_prints_hello_world_as_its_last_line() {
    in_both_modes(|site| {
        let sh = site.sh("readlink -f /bin/sh");
        for shell in [sh.trim(), "/bin/sh"] {
            let pilot = site.pilot().own_proxy("pilot");
            let own = pilot.clone().sh("echo $X509_USER_PROXY").stdout();
            let pilot = pilot.env("GLEXEC_CLIENT_CERT", own.trim());
            let run = pilot.glexec([shell, "-c", "id && echo \"Hello World\""]);
            assert_eq!(run.exits(0).stdout().lines().last(), Some("Hello World"));
            assert!(run.stdout().starts_with("uid=40") && run.stderr().is_empty(), "{run}");
        }
    });
}

#[test]
fn glidein_probe_runs_a_script_below_a_directory_opened_for_traversal() {
    in_both_modes(|site| {
        let pilot = site.pilot().own_proxy("pilot").credential("pilot");
        let script = "mkdir -p work && printf '#!/bin/sh\\nid && echo \"Hello World\"\\n' > work/glexec_test2.sh
            chmod a+x . work && chmod a+rx work/glexec_test2.sh
            cd work && exec /usr/sbin/glexec /bin/sh -c \"$PWD/glexec_test2.sh\"";
        let run = pilot.sh(script);
        assert_eq!(run.exits(0).stdout().lines().last(), Some("Hello World"));
        pilot.glexec(["/home/pilot/work/glexec_test2.sh"]).exits(0);
    });
}

#[test]
fn glidein_and_dirac_find_an_executable_file_at_the_usual_place() {
    in_both_modes(|site| {
        site.pilot().sh("[ -f /usr/sbin/glexec ] && [ -x /usr/sbin/glexec ]").succeeds_with("");
    });
}
