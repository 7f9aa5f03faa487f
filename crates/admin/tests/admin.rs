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
fn migrate_writes_its_output_whole_and_keeps_what_was_there() {
    let old = "[glexec]\nuser_white_list = pilot\nuse_lcas = no\n";
    let conf = file("in-place.conf", old);
    for backup in [".bak", ".bak1", ".new"] {
        let _ = std::fs::remove_file(format!("{conf}{backup}"));
    }
    let printed = admin(&["migrate", "--glexec-conf", &conf]).stdout;
    let run = admin(&["migrate", "--glexec-conf", &conf, "--output", &conf]);
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(said.starts_with(&format!("{conf} is written; what was there is {conf}.bak; ")), "{said}");
    assert_eq!(std::fs::read(&conf).unwrap(), printed);
    assert_eq!(std::fs::read_to_string(format!("{conf}.bak")).unwrap(), old);
    // Once more there is nothing to convert, and nothing is lost.
    let run = admin(&["migrate", "--glexec-conf", &conf, "--output", &conf]);
    assert!(String::from_utf8(run.stderr).unwrap().contains("converted already"));
    assert_eq!(std::fs::read(&conf).unwrap(), printed);
    // No backup is overwritten.
    let run = admin(&["migrate", "--glexec-conf", &format!("{conf}.bak"), "--output", &conf]);
    assert!(run.status.success(), "{run:?}");
    assert_eq!(std::fs::read(format!("{conf}.bak1")).unwrap(), printed);
    let run = admin(&["migrate", "--glexec-conf", &format!("{conf}.bak"), "--output", "/dev/null"]);
    assert!(run.status.code() == Some(1) && String::from_utf8(run.stderr).unwrap().contains("not a regular file"));
}

#[test]
fn migrate_does_not_read_what_the_shell_has_emptied_for_it() {
    let conf = file("emptied.conf", "[glexec]\nuser_white_list = pilot\n");
    let command = format!("exec {} migrate --glexec-conf {conf} >{conf}", env!("CARGO_BIN_EXE_glexec-admin"));
    let run = Command::new("sh").args(["-c", &command]).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.code() == Some(1) && said.contains(&format!("use --output {conf}")), "{said}");
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
    let version = admin(&["--version"]);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), concat!("glexec-admin ", env!("CARGO_PKG_VERSION"), "\n"));
    let help = admin(&["--help"]);
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("migrate"));
}
