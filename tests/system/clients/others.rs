//! gsido, osg-test, glexec-wrapper-scripts.

use super::{eventually, in_both_modes};
use crate::companions;
use crate::site::Site;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

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

#[test]
fn gsido_finds_glexec_in_its_path_and_gives_its_command_a_proxy() {
    in_both_modes(|site| {
        let gsido = site.pilot().credential("alice").env("PATH", "/usr/bin:/bin:/usr/sbin");
        let run = gsido.sh("exec -a /usr/bin/python glexec sh -c 'cat $X509_USER_PROXY'");
        assert_eq!(run.exits(0).stdout(), site.read(&gsido.client_cert()));
    });
}

#[test]
fn dirac_variant_and_sites_find_the_wrap_script_beside_glexec() {
    // Its own variables reappear in the payload, and names that are a part of an excluded one.
    in_both_modes(|site| {
        companions::install(site);
        site.sh(
            "mkdir -p /opt/glite; ln -s /usr/sbin /opt/glite/sbin; ln -s /usr/sbin/glexec_wrap.sh /usr/local/bin/wrap",
        );
        let caller = site.pilot().credential("alice").env("GLEXEC_ID", "job 1").env("PROXY", "p").env("HOM", "h");
        for script in ["/opt/glite/sbin/glexec_wrap.sh", "/usr/sbin/glexec_warp.sh", "/usr/local/bin/wrap"] {
            let run = caller.run(script, ["echo $GLEXEC_ID $PROXY $HOM; id -un"]);
            run.succeeds_with("job 1 p h\nalice\n");
            caller.run(script, ["printf", "%s.", "two words", "$HOM"]).succeeds_with("two words.$HOM.");
        }
        caller.run("/usr/sbin/glexec_wrap.sh", ["exit 7;"]).exits(7);

        site.sh("install -d -m 1777 /jobs");
        caller
            .clone()
            .env("GLEXEC_TARGET_PROXY", "/jobs/proxy")
            .run::<&str>("/usr/sbin/glexec_wrap.sh", [])
            .succeeds_with("");
        assert_eq!(site.sh("stat -c '%U %a' /jobs/proxy"), "alice 600\n");

        let digits: String = (0..70_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect();
        let much = ["A", "B", "C", "D"].into_iter().zip(digits.as_bytes().chunks(120_000));
        let much =
            much.fold(caller, |caller, (name, part)| caller.env(name, String::from_utf8_lossy(part).into_owned()));
        let run = much.run("/usr/sbin/glexec_wrap.sh", ["id"]);
        assert!(run.exits(255).stderr().contains("too large") && run.stdout().is_empty(), "{run}");
    });
}

#[test]
fn wrap_script_leaves_out_what_the_call_before_has_wrapped() {
    in_both_modes(|site| {
        companions::install(site);
        let script = "for job in 1 2 3; do export JOB=$job; export GLEXEC_ENV=`/usr/sbin/glexec_wrapenv.pl 2> /dev/null`
            /usr/sbin/glexec /usr/sbin/glexec_unwrapenv.pl -- sh -c '[ \"$GLEXEC_ENV\" = \"$1\" ] && echo $JOB' sh \"$GLEXEC_ENV\"; done";
        site.pilot().credential("alice").sh(script).succeeds_with("1\n2\n3\n");
    });
}

#[test]
fn a_developer_at_a_terminal_stops_a_call_and_continues_it() {
    in_both_modes(|site| {
        let call = "/usr/sbin/glexec sh -c ': > ready; read -r line; echo got $line; exit 3'";
        let shell = format!(
            "set -m; {call}; echo stopped with $?; until [ -e go ]; do sleep 0.01; done; fg; echo ended with $?"
        );
        let (mut keyboard, theirs) = UnixStream::pair().unwrap();
        let developer = site.pilot().credential("alice").env("SHELL", "/bin/bash");
        let run = developer.start_on(OwnedFd::from(theirs), "/usr/bin/script", ["-qc", &shell, "/dev/null"]);
        eventually("the command runs", || site.exists("/home/alice/ready"));
        keyboard.write_all(b"\x1a").unwrap();
        let states = || site.sh("ps -o stat= -u alice | cut -c1 | sort -u");
        eventually("all of it is stopped", || states() == "T\n");
        developer.sh("touch go").exits(0);
        eventually("all of it goes on", || !states().contains('T'));
        keyboard.write_all(b"a line\n").unwrap();
        let output = run.finish().stdout().replace('\r', "");
        for expected in ["stopped with 148\n", "got a line\n", "ended with 3\n"] {
            assert!(output.contains(expected), "{expected:?}: {output}");
        }
    });
}
