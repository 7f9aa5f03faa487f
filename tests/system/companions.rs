//! The companions of the callers: `glexec_wrapenv`, `glexec_unwrapenv`, `glexec_wrap.sh` and `mkgltempdir`, as `make install`
//! puts them.

use crate::site::{Caller, Site, built};
use std::fs;

/// Installs the companions beside glexec, under their own and their historic names.
pub fn install(site: &Site) {
    for (name, from) in [
        ("glexec_wrapenv", built("glexec_wrapenv")),
        ("glexec_unwrapenv", built("glexec_unwrapenv")),
        ("glexec_wrap.sh", concat!(env!("CARGO_MANIFEST_DIR"), "/crates/companions/glexec_wrap.sh").into()),
        ("mkgltempdir", concat!(env!("CARGO_MANIFEST_DIR"), "/crates/companions/mkgltempdir").into()),
    ] {
        let path = format!("/usr/sbin/{name}");
        site.write(&path, fs::read(&from).unwrap_or_else(|e| panic!("{}: {e}", from.display())));
        site.chmod(&path, 0o755);
    }
    site.sh("cd /usr/sbin; ln -s glexec_wrapenv glexec_wrapenv.pl; ln -s glexec_unwrapenv glexec_unwrapenv.pl; ln -s glexec_wrap.sh glexec_warp.sh; \
             cd /usr/bin; ln -s ../sbin/glexec_* ../sbin/mkgltempdir .");
}

fn equipped() -> Site {
    Site::with(install)
}

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice").env("PATH", "/usr/bin:/bin")
}

#[test]
fn every_byte_value_comes_through_glexec_in_glexec_env() {
    let site = equipped();
    let bytes: Vec<u8> = (1..=255).collect();
    let value = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes.clone());
    let run = alice(&site).env("BYTES", value).env("HOM", "lost once").sh(
        "export GLEXEC_ENV=`glexec_wrapenv.pl`; exec glexec /usr/sbin/glexec_unwrapenv.pl -- sh -c 'printf \"%s\" \"$BYTES$HOM\"'",
    );
    assert!(run.exits(0).stdout_bytes() == [&bytes[..], b"lost once"].concat(), "{run}");
}

#[test]
fn the_payload_keeps_its_own_identity_and_what_is_excluded_is_told() {
    let site = equipped();
    let pilot = alice(&site).env("A", "1").env("B", "2").env("AB", "3");
    let script = "export GLEXEC_ENV=`glexec_wrapenv --exclude=A 2>/dev/null`
        exec glexec /usr/sbin/glexec_unwrapenv --exclude=B,PATH -- 'echo $A $B $AB $HOME $USER $LOGNAME'";
    let run = pilot.sh(script);
    assert_eq!(run.exits(0).stdout(), "3 /home/alice alice alice\n");
    assert_eq!(run.stderr(), "", "who unwraps says nothing");
    let run = pilot.run("/usr/sbin/glexec_wrapenv", ["--exclude=A"]);
    assert_eq!(run.exits(0).stderr().lines().filter(|line| *line == "Skipping A").count(), 1);
}

#[test]
fn what_perl_wraps_is_unwrapped_and_the_other_way_round() {
    let site = equipped();
    let pilot = alice(&site).env("A", "x=y z");
    let encode = "perl -MMIME::Base64 -MCompress::Zlib -e 'print encode_base64(compress(join \"\", map { \
        encode_base64(\"$_=$ENV{$_}\", \"\").\" \" } keys %ENV), \"\")'";
    pilot.sh(&format!("GLEXEC_ENV=`{encode}` exec env -i GLEXEC_ENV=\"$GLEXEC_ENV\" true")).exits(0);
    pilot
        .sh(&format!("export GLEXEC_ENV=`{encode}`; unset A; glexec_unwrapenv 'echo \"$A\"' 2> /dev/null"))
        .succeeds_with("x=y z\n");
    let decode = "perl -MMIME::Base64 -MCompress::Zlib -e 'print map { decode_base64($_).\"\\n\" } \
        split / /, uncompress(decode_base64($ENV{GLEXEC_ENV}))'";
    let run = pilot.sh(&format!("export GLEXEC_ENV=`glexec_wrapenv 2> /dev/null`; {decode}"));
    assert!(run.exits(0).stdout().lines().any(|line| line == "A=x=y z"), "{run}");
}

#[test]
fn without_a_usable_glexec_env_nothing_is_run() {
    let site = equipped();
    let run = alice(&site).glexec(["/usr/sbin/glexec_unwrapenv.pl", "--", "echo ran"]);
    run.exits(255);
    assert_eq!(run.stderr(), "GLEXEC_ENV not set. No environment to pass on\n");
    for hostile in ["", "!", "AAAA", "eJwLDDGoAAADEAE="] {
        let run = alice(&site).env("GLEXEC_ENV", hostile).run("/usr/sbin/glexec_unwrapenv", ["echo", "ran"]);
        run.exits(255);
        assert!(run.stderr().starts_with("glexec_unwrapenv: GLEXEC_ENV ") && run.stdout().is_empty(), "{run}");
    }
}

#[test]
fn the_command_is_looked_for_in_the_path_that_was_passed_on() {
    let site = equipped();
    site.write("/opt-tool", "#!/bin/sh\necho found");
    site.sh("mkdir -m 755 /opt && install -m 755 /opt-tool /opt/tool");
    let wrapped = "export GLEXEC_ENV=`PATH=/opt:$PATH glexec_wrapenv 2> /dev/null`;";
    alice(&site).sh(&format!("{wrapped} glexec /usr/sbin/glexec_unwrapenv tool")).succeeds_with("found\n");
    alice(&site).sh(&format!("{wrapped} glexec /usr/sbin/glexec_unwrapenv no-such-tool")).exits(127);
    alice(&site).sh(&format!("{wrapped} glexec /usr/sbin/glexec_unwrapenv /opt")).exits(126);
    alice(&site).sh(&format!("{wrapped} glexec /usr/sbin/glexec_unwrapenv 'kill -TERM $$'; exit $?")).exits(143);
}

#[test]
fn one_word_is_run_as_perl_would_run_it() {
    let site = equipped();
    site.write("/home/pilot/setup.sh", "echo read by $0 $1\n");
    let empty = "eJwDAAAAAAE=";
    for word in
        [". ./setup.sh", " . ./setup.sh x", ".\t./setup.sh", "exec\techo x", "echo a  b", "echo a\n\n", "exit 3"]
    {
        let run = |program: &str, args: &[&str]| {
            let run = alice(&site).cwd("/home/pilot").env("GLEXEC_ENV", empty).run(program, args);
            (run.code(), run.stdout())
        };
        // What is no program's name is none for the shell either: 127, as the shell says it.
        let perl = run("/usr/bin/perl", &["-e", "exec @ARGV or exit 127", "--", word]);
        assert_eq!(run("/usr/sbin/glexec_unwrapenv", &["--", word]), perl, "{word:?}");
        assert!(perl.1.contains("read by sh") || !word.contains("setup"), "{perl:?}");
    }
}

#[test]
fn mkgltempdir_makes_a_directory_of_the_target_and_says_where() {
    let site = equipped();
    let run = alice(&site).run("/usr/sbin/mkgltempdir", ["-h"]);
    assert!(run.exits(0).stdout().starts_with("usage: mkgltempdir [-h] [-r [-f]"), "{run}");

    let run = alice(&site).run::<&str>("/usr/sbin/mkgltempdir", []);
    let path = run.exits(0).stdout();
    let path = path.trim_end_matches('\n');
    run.succeeds_with(&format!("{path}\n"));
    let stat = |path: &str| site.sh(&format!("stat -c '%U %a' {path} {path}/.. {path}/../.."));
    assert_eq!(stat(path), "alice 700\npilot 755\npilot 755\n");
    alice(&site).glexec(["touch", &format!("{path}/file")]).succeeds_with("");
    // No copy of the proxy stays behind.
    assert_eq!(site.sh("ls /tmp | grep -v gltmpdir | grep -vx 'x509up_u3000.*' || :"), "");

    let remove = |args: &[&str]| alice(&site).run("/usr/sbin/mkgltempdir", args);
    assert_ne!(remove(&["-r", path]).code(), Some(0));
    assert!(site.exists(path));
    alice(&site).glexec(["rm", &format!("{path}/file")]).succeeds_with("");
    remove(&["-r", path]).succeeds_with("");
    assert_eq!(site.sh("ls -d /tmp/gltmpdir* 2> /dev/null || :"), "");
}

#[test]
fn mkgltempdir_removes_what_both_left_in_it() {
    let site = equipped();
    let pilot = alice(&site).env("TMPDIR", "/home/pilot");
    let run = pilot.run("/usr/sbin/mkgltempdir", ["-t", "777", "-m", "711"]);
    let path = run.exits(0).stdout().trim_end().to_owned();
    assert!(path.starts_with("/home/pilot/"), "{run}");
    assert_eq!(site.sh(&format!("stat -c '%U %a' {path} {path}/..")), "alice 777\npilot 711\n");
    pilot
        .sh(&format!("mkdir -p -m 777 {path}/of-pilot && chmod 777 {path}/of-pilot && touch {path}/of-pilot/a"))
        .exits(0);
    let mess = format!("cd {path}; mkdir -p d/e .hidden of-pilot/sub && touch d/e/f of-pilot/sub/f && chmod 0 d/e d");
    pilot.glexec(["sh", "-c", &mess]).succeeds_with("");
    pilot.run("/usr/sbin/mkgltempdir", ["-r", &path, "-f"]).succeeds_with("");
    assert_eq!(site.sh("ls /home/pilot"), "alice.pem\n");
}

#[test]
fn mkgltempdir_fails_when_glexec_refuses_and_leaves_nothing() {
    let site = equipped();
    let run = site.pilot().credential("alice-expired").run::<&str>("/usr/sbin/mkgltempdir", []);
    assert_eq!(run.code(), Some(201), "{run}");
    assert!(run.stderr().contains("(credential.expired)") && run.stdout().is_empty(), "{run}");
    for wrong in [&["-t", "u=rwx"][..], &["-x"], &["-f"], &["a", "b"], &["-r"], &["-r", "/tmp"], &["-r", "/home/alice"]]
    {
        let run = alice(&site).run("/usr/sbin/mkgltempdir", wrong);
        assert!(run.code() == Some(1) && run.stdout().is_empty() && !run.stderr().is_empty(), "{wrong:?}: {run}");
    }
    assert_eq!(site.sh("ls -d /tmp/gltmpdir* 2> /dev/null || :"), "");
}

#[test]
fn mkgltempdir_that_cannot_say_where_its_directory_is_leaves_none() {
    let site = equipped();
    // The third is a pipe whose reader has ended.
    for deaf in [">&-", "> /dev/full", ">&3"] {
        let script = format!("exec 3> >(:); wait $!; /usr/sbin/mkgltempdir made {deaf} 2> /dev/null; ls -A");
        alice(&site).sh("mkdir empty; cd empty; mkfifo f; rm f").exits(0);
        let run = alice(&site).cwd("/home/pilot/empty").sh(&script);
        assert_eq!(run.exits(0).stdout(), "", "{deaf}");
        alice(&site).sh("rmdir empty").exits(0);
    }
}
