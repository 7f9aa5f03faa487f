//! The documentation says what the program does: generated parts are compared with their source.

// These lints are meant for code that runs privileged at a site.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use glexec_core::field::Field;
use glexec_core::reason::{Reason, Retry};
use glexec_core::tokens::Tokens;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The table of docs/reference/reasons.md as the catalogue has it.
fn table() -> String {
    let mut table =
        String::from("| reason | exit | transient | what it means, and who fixes it |\n|---|---|---|---|\n");
    for reason in Reason::ALL {
        let transient = if reason.retry() == Retry::MayHelp { "yes" } else { "" };
        let exit = reason.class().exit_code();
        writeln!(table, "| `{reason}` | {exit} | {transient} | {} |", reason.meaning()).unwrap();
    }
    table
}

/// The table of docs/reference/audit.md as the catalogue has it.
fn fields() -> String {
    let mut table = String::from("| field | meaning |\n|---|---|\n");
    for field in Field::ALL {
        writeln!(table, "| `{field}` | {} |", field.meaning()).unwrap();
    }
    table
}

/// Compares what stands between a mark and the next empty line, or the end of the page, with its source.
#[track_caller]
fn is_generated(page: &str, mark: &str, table: &str) {
    let old = read(page);
    let mark = format!("<!-- {mark} -->\n");
    let (before, after) = old.split_once(&mark).unwrap_or_else(|| panic!("{page} has no {mark}"));
    let after = after.find("\n\n").map_or("", |at| &after[at + 1..]);
    let new = format!("{before}{mark}{table}{after}");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(page), &new).unwrap();
    } else {
        assert_eq!(old, new, "to bring {page} up to date: WRITE_DOCS=1 cargo test --test docs");
    }
}

#[test]
fn the_list_of_reasons_is_the_catalogue() {
    is_generated("docs/reference/reasons.md", "the catalogue", &table());
}

#[test]
fn the_list_of_fields_is_the_catalogue() {
    is_generated("docs/reference/audit.md", "the fields", &fields());
}

#[test]
fn every_link_to_a_page_leads_to_it() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<_> = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| top.join(name)).into();
    pages.push(top.join("python/README.md"));
    pages_below(&top.join("docs"), &mut pages);
    for page in &pages {
        for link in links(page) {
            let to = page.parent().unwrap().join(&link);
            assert!(link.contains("://") || to.exists(), "{}: {link}", page.display());
        }
    }
}

/// Every page in a folder and the folders in it.
fn pages_below(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            pages_below(&entry, pages);
        } else if entry.extension().is_some_and(|e| e == "md") {
            pages.push(entry);
        }
    }
}

/// Where the links of a page lead, without the place in the page there.
fn links(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).map(str::to_owned).collect()
}

#[test]
fn every_page_is_in_the_index_of_its_room() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let index = links(&docs.join("README.md"));
    for room in ["use", "reference", "evidence"] {
        assert!(index.contains(&format!("{room}/README.md")), "docs/README.md has no link to {room}/README.md");
        let index = links(&docs.join(room).join("README.md"));
        for entry in std::fs::read_dir(docs.join(room)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let listed = index.iter().any(|link| link == &name || link.strip_suffix("/README.md") == Some(&name));
            // Pictures are in their pages, and the pages of man(1) are read with it.
            let other = name == "README.md" || name.ends_with(".svg") || name == "man" || name == "manual";
            assert!(listed || other, "docs/{room}/README.md does not list {name}");
        }
    }
}

#[test]
fn the_readme_leads_on_by_eight_links_at_most() {
    let readme = read("README.md");
    let (_, on) = readme.split_once("## Read on").unwrap();
    let count = on.split("\n## ").next().unwrap().matches("](").count();
    assert!((4..=8).contains(&count), "{count} links");
}

#[test]
fn one_file_says_who_answers_for_packages() {
    for (file, name) in [
        ("SECURITY.md", "@SECURITY_CONTACT@"),
        ("packaging/debian/control", "@MAINTAINER@"),
        ("packaging/debian/changelog", "@MAINTAINER@"),
        ("packaging/glexec.spec", "@MAINTAINER@"),
    ] {
        let text = read(file);
        assert!(text.contains(name), "{file} has no {name}");
        assert!(!text.replace(name, "").contains('@'), "{file} has an address of its own");
        let top = env!("CARGO_MANIFEST_DIR");
        let filled = Command::new("packaging/fill-in").arg(file).current_dir(top).output().unwrap();
        let filled = String::from_utf8(filled.stdout).unwrap();
        let value = read("packaging/contact");
        let value = value.lines().find_map(|line| line.strip_prefix(&format!("{}=", name.trim_matches('@')))).unwrap();
        assert_eq!(filled, text.replace(name, value), "{file}");
    }
}

#[test]
fn the_shipped_configuration_is_valid() {
    let config = glexec_config::parse::parse(&read("etc/glexec.conf"));
    assert!(config.is_ok(), "{config:?}");
}

/// The shipped file with every commented-out value taken in.
#[test]
fn every_default_that_the_shipped_configuration_shows_is_the_default() {
    let file = read("etc/glexec.conf");
    // What follows are examples, not defaults.
    let (file, examples) = file.split_at(file.find("# LCAS:").unwrap());
    let mut shown: String = file
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            // It stands in the place of servers.
            Some(rest) if rest.starts_with("argus = ") => String::new(),
            Some(rest) if is_setting(rest) || ["[tokens]", "[site]"].contains(&rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    shown.push_str(examples);
    let uncommented = glexec_config::parse::parse(&shown).unwrap();
    let defaults = glexec_config::parse::parse(&read("etc/glexec.conf")).unwrap();
    // Spans and what the file itself calls "none by default" differ.
    let plain = |config: &glexec_config::Config| {
        let mut credentials = config.credentials.clone();
        credentials.max_proxy_lifetime = None;
        credentials.max_ac_lifetime = None;
        let mut glexec = config.glexec.clone();
        (glexec.prologue, glexec.wrapper, glexec.epilogue) = (None, None, None);
        assert_eq!(*glexec.cgroup.get_ref(), glexec_config::values::Cgroup::BelowCaller);
        glexec.cgroup = toml::Spanned::new(0..0, glexec_config::values::Cgroup::BelowCaller);
        let mut glexec = format!("{glexec:?}");
        for policy in ["lcmaps_get_account_policy", "lcmaps_verify_account_policy"] {
            let at = glexec.find(policy).unwrap();
            let end = glexec[at..].find('}').unwrap() + at;
            glexec.replace_range(at..end, "");
        }
        format!("{glexec} {credentials:?}")
    };
    assert_eq!(uncommented.tokens, Some(Tokens::default()));
    let site = uncommented.site.as_ref().unwrap();
    let sparse = "[site]\nservers = [\"https://map1.example.org:8444\", \"https://map2.example.org:8444\"]\n";
    assert_eq!(glexec_config::parse::parse(&format!("{sparse}{examples}")).unwrap().site.as_ref(), Some(site));
    assert_eq!(plain(&uncommented).replace("[Name(\"GLEXEC_ENV\")]", "[]"), plain(&defaults));
}

fn is_setting(text: &str) -> bool {
    let key = text.split(" = ").next().unwrap_or_default();
    text.contains(" = ")
        && !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
}

/// The commands that the pages show are commands: every line of a transcript or an example that starts with glexec-admin.
#[test]
fn every_glexec_admin_command_of_the_documentation_is_one() {
    let mut tried = 0;
    for page in ["README.md", "docs/use/administration.md", "docs/reference/audit.md", "docs/use/troubleshooting.md"] {
        for line in read(page).lines().filter_map(|line| line.strip_prefix("    glexec-admin ")) {
            let command = line.split(" #").next().unwrap();
            let words = command.split('"').enumerate().flat_map(|(n, part)| match n % 2 {
                0 => part.split_whitespace().collect::<Vec<_>>(),
                _ => vec![part],
            });
            let words = std::iter::once("glexec-admin").chain(words);
            let parsed = glexec_admin::definition().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{page}: {line}\n{}", parsed.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried >= 12, "{tried} commands");
}
