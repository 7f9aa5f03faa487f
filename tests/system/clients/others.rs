//! gsido and osg-test.

use super::in_both_modes;
use crate::site::Site;

#[test]
fn gsido_puts_anything_into_argv_0_and_options_behind_its_command() {
    in_both_modes(|site| {
        let gsido = site.pilot().credential("alice");
        gsido.sh("printf '#!/bin/bash\\necho \"$@\"' > gsido && chmod a+rx gsido && chmod a+x .").exits(0);
        for argv0 in ["/usr/bin/python", "", "-v", "--help", "\u{1b}[31m\n"] {
            let args = ["/home/pilot/gsido", "-v", "0", "-p", "postglexec", "--", "-h", "--version"];
            gsido.clone().arg0(argv0).glexec(args).succeeds_with("-v 0 -p postglexec -- -h --version\n");
        }
    });
}

#[test]
fn osg_test_calls_as_root_with_nothing_but_the_users_proxy() {
    in_both_modes(|site| {
        site.configure(|text| text.replace("user_white_list = [", "user_white_list = [\"root\", "));
        let root = site.caller("root").credential("alice");
        root.glexec(["/usr/bin/id", "-u"]).succeeds_with("3000\n");
        root.glexec(["sh", "-c", "kill -0 1 2> /dev/null || echo powerless"]).succeeds_with("powerless\n");
    });
}

#[test]
fn root_must_be_on_the_white_list_like_anybody() {
    let site = Site::new();
    site.caller("root").credential("alice").glexec(["id"]).refused(203, "caller.not-white-listed");
}
