//! The table in docs/evidence/attacks.md says what there is: its tests, its files, every attack once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = "docs/evidence/attacks.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.extension().is_some_and(|name| name == "rs")).collect()
}

/// The tests of a file: functions that are marked, and groups of the verifier's corpus, which a macro makes tests of.
fn tests(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        let function = line.trim_start_matches("pub ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        if let Some(name) = function.filter(|_| marked) {
            found.push(name.to_owned());
        }
        marked = line == "#[test]" || marked && line.starts_with("#[");
    }
    if let Some((_, groups)) = text.split_once("\ngroups! {") {
        let names = groups.split("\n}").next().unwrap().split([' ', '\n', ';']);
        found.extend(names.filter(|word| word.contains('_')).map(str::to_owned));
    }
    found
}

struct Row {
    number: String,
    exposed: String,
    defence: String,
    tests: String,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join(TABLE)).unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let row = |cells: Vec<String>| {
        assert_eq!(cells.len(), 8, "six cells a row: {cells:?}");
        Row { number: cells[1].clone(), exposed: cells[4].clone(), defence: cells[5].clone(), tests: cells[6].clone() }
    };
    let lines = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    lines.map(cells).map(row).collect()
}

/// What stands in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_attack_has_its_row() {
    let numbered = |letter: &str, last: u32| (1..=last).map(|n| format!("{letter}{n}")).collect::<Vec<_>>();
    let expected = [numbered("", 64), numbered("X", 32), numbered("S", 14), numbered("T", 10)].concat();
    assert_eq!(rows().into_iter().map(|row| row.number).collect::<Vec<_>>(), expected);
}

#[test]
fn every_row_names_tests_and_files_that_exist() {
    let folders = ["src", "crates", "tests"].map(|folder| sources(&root().join(folder)));
    let known: BTreeSet<String> = folders.iter().flatten().flat_map(|path| tests(path)).collect();
    for Row { number, exposed, defence, tests } in rows() {
        let verdict = exposed.split([':', ' ', ';']).next().unwrap();
        assert!(["no", "accepted"].contains(&verdict), "{number}: exposed? {exposed}");
        let files: Vec<&str> = quoted(&defence).into_iter().filter(|name| name.ends_with(".rs")).collect();
        assert!(!files.is_empty() || defence.contains("clippy.toml"), "{number}: no file in {defence}");
        for file in files {
            assert!(root().join(file).exists(), "{number}: there is no {file}");
        }
        let named = quoted(&tests);
        assert!(!named.is_empty() || tests.starts_with("none: "), "{number}: neither a test nor a reason: {tests}");
        for name in named {
            assert!(known.contains(name), "{number}: there is no test {name}");
        }
    }
}

#[test]
fn every_attack_that_is_tried_is_in_the_table() {
    let text: String = rows().into_iter().map(|row| row.tests).collect();
    let named: BTreeSet<&str> = quoted(&text).into_iter().collect();
    let mut missing = BTreeMap::new();
    for path in sources(&root().join("tests/attacks")) {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let absent: Vec<String> = tests(&path).into_iter().filter(|test| !named.contains(test.as_str())).collect();
        if file != "table.rs" && !absent.is_empty() {
            missing.insert(file, absent);
        }
    }
    assert!(missing.is_empty(), "attacks that {TABLE} does not have: {missing:?}");
}
