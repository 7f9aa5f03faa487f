//! The pages of docs/ that are followed: every command of a ```console block is run as who is named, and what it prints is compared.
//!
//! A line `who$ command` (`root# command`) begins a command; what follows is what it prints. `…` stands for any text of a
//! line, a line `…` for any lines. A command that fails is followed by `(exit code N)`. `cd` and `export` last.

use crate::companions;
use crate::packages;
use crate::python;
use crate::site::{Site, material_file};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A command of a page and what it should print.
struct Step {
    line: usize,
    who: String,
    command: String,
    expected: Vec<String>,
}

/// The commands of a page, in its order.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut ends_with) = (false, None);
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            let last = steps.last_mut();
            match (&ends_with, last, prompt(line)) {
                (Some(end), Some(step), _) => {
                    step.command += &format!("\n{line}");
                    if line == end {
                        ends_with = None;
                    }
                }
                (_, Some(step), None) if step.command.ends_with('\\') => step.command += &format!("\n{line}"),
                (_, _, Some((who, command))) => {
                    ends_with =
                        command.split_once("<< '").and_then(|(_, rest)| rest.split('\'').next()).map(str::to_owned);
                    let (who, command) = (who.to_owned(), command.to_owned());
                    steps.push(Step { line: number + 1, who, command, expected: Vec::new() });
                }
                (_, Some(step), None) => step.expected.push(line.to_owned()),
                (_, None, None) => panic!("line {}: output without a command", number + 1),
            }
        }
    }
    assert!(!steps.is_empty(), "no commands in this page");
    steps
}

fn prompt(line: &str) -> Option<(&str, &str)> {
    let (who, command) = line.split_once("$ ").or_else(|| line.split_once("# ").filter(|(who, _)| *who == "root"))?;
    (!who.is_empty() && who.bytes().all(|b| b.is_ascii_alphanumeric())).then_some((who, command))
}

/// Whether printed lines are what was expected, with `…` for what is not the same every time.
fn fits(printed: &[&str], expected: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((any, rest)) if any == "…" => (0..=printed.len()).any(|skip| fits(&printed[skip..], rest)),
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| line_fits(first, line) && fits(others, rest))
        }
    }
}

fn line_fits(printed: &str, expected: &str) -> bool {
    match expected.split_once('…') {
        None => printed == expected,
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|printed| {
            printed.char_indices().map(|(at, _)| at).chain([printed.len()]).any(|at| line_fits(&printed[at..], after))
        }),
    }
}

/// Runs every command of a page of docs/ in the site.
fn follow(site: &Site, page: &str) {
    follow_with(site, page, &[]);
}

/// The same, for readers who have these variables.
fn follow_with(site: &Site, page: &str, variables: &[(&str, &str)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut lasting: BTreeMap<String, String> = BTreeMap::new();
    for Step { line, who, command, expected } in steps(&text) {
        let before = lasting.entry(who.clone()).or_default();
        // What Debian gives its users, and root.
        let path =
            if who == "root" { "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" } else { "/usr/local/bin:/usr/bin" };
        let caller = site.caller(&who).env("PATH", path);
        let caller = variables.iter().fold(caller, |caller, (name, value)| caller.env(*name, *value));
        let run = caller.sh(&format!("exec 2>&1\n{before}{command}"));
        if command.starts_with("cd ") || command.starts_with("export ") {
            *before += &format!("{command}\n");
        }
        let mut printed = run.stdout();
        if run.code() != Some(0) {
            printed += &run.code().map_or(format!("({run})\n"), |code| format!("(exit code {code})\n"));
        }
        let printed: Vec<&str> = printed.lines().collect();
        let (is, should) = (printed.join("\n"), expected.join("\n"));
        assert!(fits(&printed, &expected), "{page}:{line}: {command}\nprinted:\n{is}\nexpected:\n{should}");
    }
}

fn give_proxies(site: &Site, names: &[&str]) {
    for name in names {
        let path = format!("/home/pilot/{name}.pem");
        site.write(&path, material_file(&format!("proxies/{name}.pem")));
        site.chmod(&path, 0o600);
        site.chown(&path, "pilot");
    }
}

#[test]
fn a_site_is_set_up_as_its_tutorial_says() {
    let site = packages::debian_site();
    // The node of a site that has a batch system and an account for pilots, and nothing else yet.
    site.sh(
        "mkdir /root/ca && cp /etc/grid-security/certificates/* /root/ca && rm -r /etc/grid-security /etc/lcas && \
             sed -i -E '/^(alice|tvo|tprd|testvo|production)[0-9]*:/d' /etc/passwd /etc/group /etc/shadow && \
             rm -r /home/alice /home/tvo* /home/tprd*",
    );
    give_proxies(&site, &["alice", "bob", "mallory"]);
    follow(&site, "use/tutorial-site.md");
}

#[test]
fn a_pilot_uses_it_as_its_tutorial_says() {
    let site = Site::with(Site::linger);
    companions::install(&site);
    python::install(&site);
    give_proxies(&site, &["alice", "bob", "mallory", "alice-expired", "pilot", "bob-plain"]);
    // The server takes none of the proxies that voms-proxy-fake makes.
    site.append("/etc/grid-security/grid-mapfile", "\"/DC=org/DC=example/O=Grid/CN=Bob Brown\" tprd001\n");
    let server = python::myproxy_server(&site, &["alice", "bob-plain", "mallory"]);
    let mut variables = vec![("X509_USER_PROXY", "/home/pilot/pilot.pem")];
    variables.extend(server.iter().map(|(name, value)| (*name, value.as_str())));
    follow_with(&site, "use/tutorial-pilot.md", &variables);
}

#[test]
fn a_site_comes_from_glexec_as_its_page_says() {
    let site = packages::debian_site();
    site.sh("dpkg -i /root/glexec.deb > /dev/null 2>&1 && rm /etc/glexec.conf");
    give_proxies(&site, &["alice", "mallory"]);
    follow(&site, "use/coming-from-glexec.md");
}

#[test]
fn the_questions_of_an_incident_are_answered_as_the_page_on_traceability_says() {
    let site = Site::with_admin();
    site.linger();
    give_proxies(&site, &["alice", "bob", "mallory"]);
    follow(&site, "evidence/traceability.md");
}

#[test]
fn transcripts_are_compared_line_by_line() {
    let expected = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (printed, text, same) in [
        (&["a b c"][..], "a … c", true),
        (&["a b d"], "a … c", false),
        (&["a", "b", "c"], "a\n…\nc", true),
        (&["a", "c"], "a\n…\nc", true),
        (&["a", "b"], "a", false),
        (&[], "…", true),
        (&["x"], "", false),
        (&["pid 12 of 13"], "pid … of …", true),
    ] {
        assert_eq!(fits(printed, &expected(text)), same, "{printed:?} {text:?}");
    }
    let page = "text\n```console\nroot# cat > x << 'END'\nroot# no prompt\nEND\nout\npilot$ echo a \\\n  b\na b\n```\n```\nroot# no\n```\n";
    let steps = steps(page);
    let commands: Vec<_> =
        steps.iter().map(|step| (step.who.as_str(), step.command.as_str(), step.expected.len())).collect();
    assert_eq!(commands, [("root", "cat > x << 'END'\nroot# no prompt\nEND", 1), ("pilot", "echo a \\\n  b", 1)]);
}
