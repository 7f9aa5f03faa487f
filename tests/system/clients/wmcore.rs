//! WMCore (CondorPlugin.py): a server makes a proxy of the target's, then submits as the target.

use super::in_both_modes;
use crate::companions;

#[test]
fn wmcore_makes_a_target_proxy_beside_the_users_in_a_directory_for_everybody() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /proxies");
        let pilot = site.pilot().credential("alice");
        pilot.sh("install -m 600 $GLEXEC_CLIENT_CERT /proxies/P").exits(0);
        let server = ["GLEXEC_CLIENT_CERT", "GLEXEC_SOURCE_PROXY", "X509_USER_PROXY"]
            .into_iter()
            .fold(pilot, |server, variable| server.env(variable, "/proxies/P"))
            .env("GLEXEC_TARGET_PROXY", "/proxies/P.user");
        server.glexec(["/usr/bin/id"]).succeeds_with("uid=3000(alice) gid=3000(alice) groups=3000(alice)\n");
        assert_eq!(site.sh("stat -c '%n %U %a' /proxies/*"), "/proxies/P pilot 600\n/proxies/P.user alice 600\n");

        // The submission: any byte on stderr is a failure.
        site.write("/usr/bin/submit", "#!/bin/sh\ncat \"$1\" > /dev/null && echo \"$X509_USER_PROXY submitted\"\n");
        site.chmod("/usr/bin/submit", 0o755);
        site.write("/file.jdl", "");
        server.glexec(["/usr/bin/submit", "/file.jdl"]).succeeds_with("/proxies/P.user submitted\n");

        companions::install(site);
        let wrapped = server.env("SCRAM_ARCH", "slc7").sh(
            "export GLEXEC_ENV=`/usr/sbin/glexec_wrapenv.pl 2> /dev/null`; \
             exec /usr/sbin/glexec /usr/sbin/glexec_unwrapenv.pl --exclude=PATH -- /usr/bin/sh -c 'submit /file.jdl; echo $SCRAM_ARCH'",
        );
        wrapped.succeeds_with("/proxies/P.user submitted\nslc7\n");
    });
}
