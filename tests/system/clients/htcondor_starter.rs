//! HTCondor's older GLEXEC_STARTER: the whole starter runs as the mapped user (glexec_starter.linux.cpp).

use super::in_both_modes;

#[test]
fn condor_starter_gets_its_proxy_in_a_directory_of_the_target() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /execute");
        let set_up = "#!/bin/sh\numask 022; mkdir -p \"$1\" && echo `whoami`\n";
        site.write("/usr/bin/glexec_starter_setup.sh", set_up);
        site.chmod("/usr/bin/glexec_starter_setup.sh", 0o755);
        let pilot = site.pilot().own_proxy("pilot").credential("alice");
        let dir = "/execute/dir_1.glexec";
        pilot.glexec(["/usr/bin/glexec_starter_setup.sh", dir]).succeeds_with("alice\n");

        let source = pilot.client_cert();
        let pilot = pilot
            .env("GLEXEC_MODE", "lcmaps_get_account")
            .env("GLEXEC_SOURCE_PROXY", source)
            .env("GLEXEC_TARGET_PROXY", format!("{dir}/glexec_starter_proxy"));
        let run =
            pilot.glexec(["sh", "-c", "echo $X509_USER_PROXY; stat -c '%U %a' $X509_USER_PROXY; env | grep GLEXEC"]);
        assert_eq!(run.exits(1).stdout(), format!("{dir}/glexec_starter_proxy\nalice 600\n"));
        let copy = site.read(&format!("{dir}/glexec_starter_proxy"));
        assert_eq!(copy, site.read(&pilot.client_cert()));
    });
}
