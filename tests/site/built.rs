//! Our programs as cargo has built them, those of other packages of the workspace too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// One of our programs: beside the one under test, `GLEXEC_UNDER_TEST`, or beside the one that cargo has just built.
///
/// For a test cargo builds the programs of the test's own package; the others are built here, once.
pub fn built(name: &str) -> PathBuf {
    if let Some(glexec) = std::env::var_os("GLEXEC_UNDER_TEST").filter(|path| !path.is_empty()) {
        return Path::new(&glexec).with_file_name(name);
    }
    static OTHERS: Once = Once::new();
    let ours = Path::new(env!("CARGO_BIN_EXE_glexec"));
    OTHERS.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--workspace", "--bins", "--locked", "--quiet"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if ours.parent().is_some_and(|profile| profile.ends_with("release")) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo starts").success(), "the programs are built");
    });
    ours.with_file_name(name)
}
