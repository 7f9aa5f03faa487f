//! glexec-admin as an administrator runs it.

// These lints are meant for code that runs privileged at a site.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::path::PathBuf;
use std::process::{Command, Output};

fn admin(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_glexec-admin")).args(arguments).output().unwrap()
}

fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("admin-{name}"));
    std::fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn what_migrate_prints_passes_its_own_check() {
    let lcmaps =
        "local = \"lcmaps_localaccount.mod\" \"-gridmapfile /m\"\nvp = \"lcmaps_verify_proxy.mod\"\np:\nvp -> local\n";
    let lcmaps = file("lcmaps.db", lcmaps);
    let old = file("old.conf", &format!("[glexec]\nuser_white_list = pilot\nlcmaps_db_file = {lcmaps}\n"));
    let run = admin(&["migrate", "--glexec-conf", &old]);
    assert!(run.status.success(), "{run:?}");
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.contains("\"p\" = [\"vp -> local\"]"), "{text}");
    let new = file("new.conf", &text);
    let run = admin(&["migrate", "--check", &new]);
    assert_eq!(String::from_utf8(run.stdout).unwrap(), format!("{new} can be loaded\n"));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let bad = file("bad.conf", "[glexec]\nlingre = true\n");
    let run = admin(&["migrate", "--check", &bad]);
    assert_eq!(run.status.code(), Some(1));
    let text = String::from_utf8(run.stderr).unwrap();
    assert!(text.starts_with(&format!("{bad}:2:1: ")) && text.contains("(config.invalid)"), "{text}");
    for arguments in [&["migrate", "--lcas-db", "/no/such/file"][..], &["migrate", "--nonsense"], &[]] {
        let run = admin(arguments);
        assert!(run.status.code() == Some(1) && !run.stderr.is_empty() && run.stdout.is_empty(), "{run:?}");
    }
    let help = admin(&["--help"]);
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("migrate"));
}
