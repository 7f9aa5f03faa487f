//! The manual pages and shell completions: made from docs/reference/manual, the command line definitions, the configuration's
//! comments, the catalogue of reasons and the pages on policy, and compared with what is committed.
//!
//! `WRITE_DOCS=1 cargo test --test manual` brings docs/reference/man and packaging/completions up to date.

// These lints are meant for code that runs privileged at a site.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "../site/built.rs"]
mod built;
mod roff;

use built::built;
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;
use glexec::invocation::command_line::{FLAGS, Flag, SANDBOX};
use glexec_core::reason::Reason;
use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The pages; each has a text in docs/reference/manual.
const PAGES: [&str; 7] = [
    "glexec.1",
    "glexec.conf.5",
    "glexec-admin.8",
    "glexec-agent.8",
    "glexec-plugins.7",
    "glexec_wrapenv.1",
    "mkgltempdir.1",
];
/// Programs that share another one's page.
const LINKS: [(&str, &str); 5] = [
    ("glexec_unwrapenv.1", "glexec_wrapenv.1"),
    ("glexec_unwrapenv.pl.1", "glexec_wrapenv.1"),
    ("glexec_warp.sh.1", "glexec_wrapenv.1"),
    ("glexec_wrap.sh.1", "glexec_wrapenv.1"),
    ("glexec_wrapenv.pl.1", "glexec_wrapenv.1"),
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Compares a generated file with the committed one, or writes it.
fn committed(name: &str, new: &str) {
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        std::fs::write(path(name), new).unwrap();
    } else {
        let stale = "to bring it up to date: WRITE_DOCS=1 cargo test --test manual";
        assert_eq!(std::fs::read_to_string(path(name)).unwrap_or_default(), new, "{name}: {stale}");
    }
}

// ---- the texts, with what is put into them ----

/// The text of a page: every `{{what argument}}` on a line of its own stands for a part made from its source.
fn text(page: &str) -> String {
    let mut out = String::new();
    for line in read(&format!("docs/reference/manual/{page}.md")).lines() {
        match line.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
            Some(directive) => {
                let (what, argument) = directive.split_once(' ').expect("{{what argument}}");
                out.push_str(&match what {
                    "options" => options(argument),
                    "help" => help(argument),
                    "configuration" => configuration(argument),
                    "shipped" => shipped(argument),
                    "include" => include(argument),
                    _ => panic!("{page}: {line}"),
                });
            }
            None => writeln!(out, "{line}").unwrap(),
        }
    }
    out
}

/// The command line of glexec, which links no library for it.
fn glexec() -> Command {
    let payload = Arg::new("payload").value_name("command [args…]").num_args(0..).trailing_var_arg(true);
    let payload = payload.value_hint(ValueHint::CommandWithArguments).value_parser(ValueParser::os_string());
    let flag = |flag: &'static Flag| {
        let name = flag.long.unwrap_or("settings");
        let arg = Arg::new(name).short(char::from(flag.short)).action(ArgAction::SetTrue).help(flag.help);
        if flag.long.is_some() { arg.long(name) } else { arg }
    };
    Command::new("glexec")
        .about("Runs a command as the local account of the grid user whose proxy GLEXEC_CLIENT_CERT names.")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(FLAGS.iter().map(flag))
        .arg(
            Arg::new(SANDBOX.long)
                .long(SANDBOX.long)
                .value_name(SANDBOX.value)
                .help(SANDBOX.help)
                .value_hint(ValueHint::DirPath)
                .value_parser(ValueParser::os_string()),
        )
        .arg(payload.help("The command to run; without one, only the target proxy is (re)created"))
}

fn command(name: &str) -> Command {
    match name {
        "glexec" => glexec(),
        "glexec-admin" => glexec_admin::definition(),
        _ => panic!("no definition of {name}"),
    }
}

/// The options of a program and of its subcommands, as `--help` has them.
fn options(name: &str) -> String {
    let mut command = command(name);
    command.build();
    let mut out = String::new();
    write_options(&command, &mut out);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        write_command(&format!("{name} {}", sub.get_name()), sub, &mut out);
    }
    out
}

fn write_command(name: &str, command: &Command, out: &mut String) {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let about = roff::literal(&about);
    writeln!(out, "\n### {name}\n\n{about}\n").unwrap();
    write_options(command, out);
    if let Some(after) = command.get_after_help() {
        writeln!(out, "\n{}\n", roff::literal(&after.to_string())).unwrap();
    }
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        write_command(&format!("{name} {}", sub.get_name()), sub, out);
    }
}

/// A text that is not Markdown, as a cell of a table.
fn in_cell(text: &str) -> String {
    roff::literal(text).replace('|', "\\|")
}

fn write_options(command: &Command, out: &mut String) {
    let options: Vec<_> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    if options.is_empty() {
        return;
    }
    out.push_str("| option | meaning |\n|---|---|\n");
    for option in options {
        let names = [option.get_short().map(|c| format!("-{c}")), option.get_long().map(|name| format!("--{name}"))];
        let mut tag = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if let (ArgAction::Set | ArgAction::Append, Some(value)) = (option.get_action(), option.get_value_names()) {
            write!(tag, "{}{}", if tag.is_empty() { "" } else { " " }, value.join(" ")).unwrap();
        }
        let mut meaning = option.get_help().map(|help| help.to_string().replace('\n', " ")).unwrap_or_default();
        let values: Vec<_> = option.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
        if !values.is_empty() && matches!(option.get_action(), ArgAction::Set | ArgAction::Append) {
            write!(meaning, " ({})", values.join(", ")).unwrap();
        }
        let default: Vec<_> = option.get_default_values().iter().filter_map(|v| v.to_str()).collect();
        if !default.is_empty() && matches!(option.get_action(), ArgAction::Set | ArgAction::Append) {
            write!(meaning, "; {} where nothing is said", default.join(", ")).unwrap();
        }
        writeln!(out, "| {} | {} |", tag.replace('|', "\\|"), in_cell(&meaning)).unwrap();
    }
}

/// What a companion prints for `--help`: `usage:` lines, a text, and its options, indented.
fn help(name: &str) -> String {
    let run = std::process::Command::new(program(name)).arg("--help").output().unwrap();
    assert!(run.status.success(), "{name} --help: {run:?}");
    let printed = String::from_utf8(run.stdout).unwrap();
    let (usage, rest) = printed.split_once('\n').unwrap();
    let mut out = format!("```\n{}\n```\n\n", usage.trim_start_matches("usage: "));
    let mut in_options = false;
    for line in rest.lines() {
        match line.strip_prefix("  ").map(|line| line.split_once("  ").expect("an option, two blanks, its meaning")) {
            Some((option, meaning)) => {
                out.push_str(if in_options { "" } else { "\n| option | meaning |\n|---|---|\n" });
                writeln!(out, "| {} | {} |", option, in_cell(meaning.trim())).unwrap();
                in_options = true;
            }
            None => {
                writeln!(out, "{}{}", if in_options { "\n" } else { "" }, roff::literal(line)).unwrap();
                in_options = false;
            }
        }
    }
    out + "\n"
}

fn program(name: &str) -> PathBuf {
    match name {
        "glexec_wrapenv" | "glexec_unwrapenv" | "glexec-agent" => built(name),
        _ => path("crates/companions").join(name),
    }
}

/// A key of the shipped etc/glexec.conf: its value there, and what the comments above and beside it say.
struct Key {
    name: String,
    value: String,
    meaning: String,
}

/// The keys of a table of etc/glexec.conf, in its order.
fn keys(table: &str) -> Vec<Key> {
    let file = read("etc/glexec.conf");
    let lines = file
        .lines()
        .skip_while(|line| *line != table)
        .skip(1)
        .take_while(|line| !line.trim_start_matches("# ").starts_with('[') && !line.starts_with("# LCAS"));
    let mut keys = Vec::new();
    let mut above: Vec<&str> = Vec::new();
    for line in lines {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        match bare.split_once(" = ").filter(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) {
            Some((name, rest)) => {
                let (value, beside) = rest.split_once(" # ").unwrap_or((rest, ""));
                let text = [above.join(" "), beside.trim().to_owned()];
                let meaning = text.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(" ");
                keys.push(Key { name: name.into(), value: value.trim().into(), meaning });
                above.clear();
            }
            None if line.is_empty() => above.clear(),
            None => above.push(bare),
        }
    }
    keys
}

fn configuration(table: &str) -> String {
    let mut out = String::from("| key | default | meaning |\n|---|---|---|\n");
    for Key { name, value, meaning } in keys(table) {
        let default = if meaning.contains("none by default") { String::new() } else { format!("`{value}`") };
        writeln!(out, "| `{name}` | {default} | {} |", in_cell(&meaning)).unwrap();
    }
    out
}

/// The shipped configuration from this line on, as it is.
fn shipped(from: &str) -> String {
    let file = read("etc/glexec.conf");
    let at = file.find(&format!("\n{from}")).unwrap_or_else(|| panic!("etc/glexec.conf has no {from:?}"));
    format!("```\n{}```\n", &file[at + 1..])
}

/// A document without its title, or one section of it.
fn include(argument: &str) -> String {
    let (name, heading) = argument.split_once(' ').unwrap_or((argument, ""));
    let document = read(name);
    if heading.is_empty() {
        return document.split_once('\n').unwrap().1.to_owned();
    }
    let begin =
        document.find(&format!("\n## {heading}")).unwrap_or_else(|| panic!("{name} has no section {heading:?}"));
    let section = &document[begin + 1..];
    let section = &section[section.find('\n').unwrap() + 1..];
    section[..section.find("\n## ").map_or(section.len(), |at| at + 1)].to_owned()
}

fn page(name: &str) -> String {
    roff::page(&text(name), env!("CARGO_PKG_VERSION"))
}

/// The names that the program itself would accept where it refuses another one.
fn accepted(configuration: &str) -> Vec<String> {
    let mistake = glexec_config::parse::parse(configuration).expect_err("an unknown name is a mistake");
    assert!(!mistake.known.is_empty(), "{mistake:?}");
    mistake.known
}

// ---- what must hold ----

#[test]
fn the_committed_pages_are_what_their_sources_say() {
    for name in PAGES {
        committed(&format!("docs/reference/man/{name}"), &page(name));
    }
    for (name, to) in LINKS {
        committed(&format!("docs/reference/man/{name}"), &format!(".so man1/{to}\n"));
    }
}

#[test]
fn the_committed_completions_are_what_the_definitions_say() {
    for program in ["glexec", "glexec-admin"] {
        for (shell, name) in [
            (Shell::Bash, program.to_owned()),
            (Shell::Zsh, format!("_{program}")),
            (Shell::Fish, format!("{program}.fish")),
        ] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(program), program, &mut script);
            // For bash clap_complete 4.6 names a subcommand's case otherwise than it looks for it, where the program's name
            // has a hyphen (github.com/clap-rs/clap/issues/6421).
            let script = String::from_utf8(script).unwrap().replace("glexec__subcmd__admin", "glexec__admin");
            committed(&format!("packaging/completions/{shell}/{name}"), &script);
        }
    }
}

#[test]
fn bash_completes_the_options_of_subcommands() {
    for (words, expected) in [("glexec-admin check --as", "--as"), ("glexec-admin leases expire --un", "--unused-for")]
    {
        let script = path("packaging/completions/bash/glexec-admin");
        // As bash calls it (bash(1), Programmable Completion): the command, the word, the one before.
        let ask = "source \"$0\"; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                   $(complete -p glexec-admin | sed 's/.*-F \\([^ ]*\\).*/\\1/') glexec-admin \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; \
                   echo \"${COMPREPLY[*]}\"";
        let output = std::process::Command::new("bash").args(["-c", ask]).arg(script).arg(words).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{words}: {output:?}");
    }
}

#[test]
fn every_program_has_a_page() {
    for program in [
        "glexec",
        "glexec-admin",
        "glexec-agent",
        "glexec_wrapenv",
        "glexec_unwrapenv",
        "glexec_wrapenv.pl",
        "glexec_wrap.sh",
        "mkgltempdir",
    ] {
        let named = |page: &str| page.rsplit_once('.').is_some_and(|(name, _)| name == program);
        assert!(PAGES.iter().chain(LINKS.iter().map(|(name, _)| name)).any(|page| named(page)), "{program}");
    }
}

#[test]
fn every_key_of_the_configuration_is_documented() {
    for table in ["[glexec]", "[isolation]", "[agent]", "[credentials]", "# [site]", "# [tokens]"] {
        let documented = keys(table);
        for key in accepted(&format!("{}\nnonsense = 1\n", table.trim_start_matches("# "))) {
            let key =
                documented.iter().find(|k| k.name == key).unwrap_or_else(|| panic!("etc/glexec.conf lacks {key}"));
            assert!(!key.meaning.is_empty(), "etc/glexec.conf says nothing about {}", key.name);
        }
    }
}

#[test]
fn every_plugin_and_option_is_documented() {
    let page = text("glexec-plugins.7");
    let words: Vec<&str> = page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    for configuration in [
        "[[lcas.plugin]]\ntype = \"nonsense\"\n",
        "[[lcas.plugin]]\ntype = \"userban\"\nnonsense = 1\n",
        "[lcmaps.plugins.x]\ntype = \"nonsense\"\n",
        "[lcmaps.plugins.x]\ntype = \"localaccount\"\nnonsense = 1\n",
    ] {
        for name in accepted(configuration) {
            assert!(
                words.contains(&name.as_str()),
                "glexec-plugins(7) lacks {name}: docs/reference/policy.md should have it"
            );
        }
    }
}

#[test]
fn every_reason_and_exit_code_is_documented() {
    let page = text("glexec.1");
    for reason in Reason::ALL {
        assert!(page.contains(&format!("| `{reason}` | {} |", reason.class().exit_code())), "{reason}");
        assert!(page.contains(&format!("| {} |", reason.class().exit_code())), "{reason}");
    }
    for exit in ["126", "201", "202", "203", "204"] {
        assert!(page.contains(&format!("\n| {exit} |")), "{exit}");
    }
}

#[test]
fn every_variable_that_the_program_reads_is_documented() {
    let page = text("glexec.1");
    let sources = ["invocation/environment", "audit/record"];
    let sources = sources.map(|name| read(&format!("src/{name}.rs")));
    let is_variable =
        |text: &&str| text.contains('_') && text.bytes().all(|b| b.is_ascii_uppercase() || b"_0123456789".contains(&b));
    let variables: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.split("#[cfg(test)]").next().unwrap().split('"').skip(1).step_by(2))
        .filter(is_variable)
        .collect();
    for known in ["GLEXEC_CLIENT_CERT", "GLEXEC_ID", "SLURM_JOB_ID"] {
        assert!(variables.contains(&known), "{known} is not found in the source any more: {variables:?}");
    }
    let help = glexec::invocation::command_line::help();
    for name in variables {
        assert!(page.contains(name), "glexec(1) lacks {name}");
        // Libraries of callers see by it what this glexec can do (python/glexec/_program.py).
        assert!(!name.starts_with("GLEXEC_") || help.contains(name), "glexec --help lacks {name}");
    }
}

/// A page as its reader sees it, in one line.
fn rendered(name: &str) -> String {
    let mut mandoc = std::process::Command::new("mandoc");
    mandoc.args(["-Tutf8", "-Owidth=200"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut mandoc = mandoc.spawn().unwrap_or_else(|e| panic!("mandoc: {e}; packaging/install-missing installs it"));
    let (mut stdin, page) = (mandoc.stdin.take().unwrap(), page(name));
    let writer = std::thread::spawn(move || stdin.write_all(page.as_bytes()).unwrap());
    let run = mandoc.wait_with_output().unwrap();
    writer.join().unwrap();
    // A letter, a backspace, a letter: bold or underlined.
    let mut plain: Vec<char> = Vec::new();
    for c in String::from_utf8(run.stdout).unwrap().chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    in_one_line(&plain.into_iter().collect::<String>())
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a page's text shows as it is to be typed: `code`, lines of examples, "strings".
fn literals(text: &str) -> Vec<String> {
    let (mut found, mut prose, mut fenced) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line.to_owned());
        } else {
            // What is no markup is no beginning of code.
            prose += &line.replace("\\|", "|").replace("\\`", "");
            prose.push('\n');
        }
    }
    for paragraph in prose.split("\n\n").flat_map(|paragraph| paragraph.split("\n|")) {
        // Every second part is code; strings are what stands between quotes in the others.
        let parts: Vec<&str> = paragraph.split('`').collect();
        found.extend(parts.iter().skip(1).step_by(2).map(|&code| code.to_owned()));
        if parts.len() == 1 {
            found.extend(
                paragraph.split('"').skip(1).step_by(2).map(|string| format!("\"{string}\"").replace('\\', "")),
            );
        }
    }
    found.iter().map(|literal| in_one_line(literal)).filter(|literal| !literal.is_empty()).collect()
}

#[test]
fn every_literal_of_a_page_reaches_its_reader() {
    for name in PAGES {
        let page = rendered(name);
        for literal in literals(&text(name)) {
            assert!(page.contains(&literal), "{name} does not show: {literal}");
        }
    }
}

/// Comments of glexec.conf and help texts are no Markdown: their readers see every character.
#[test]
fn what_the_configuration_and_the_help_texts_say_reaches_the_reader_word_for_word() {
    let page = rendered("glexec.conf.5");
    for key in ["[glexec]", "[isolation]", "[agent]", "[credentials]", "# [site]", "# [tokens]"]
        .iter()
        .flat_map(|table| keys(table))
    {
        let meaning = in_one_line(&key.meaning);
        assert!(page.contains(&meaning), "glexec.conf(5) does not show: {meaning}");
    }
    for (program, page) in [("glexec", rendered("glexec.1")), ("glexec-admin", rendered("glexec-admin.8"))] {
        for said in said_by(&command(program)) {
            assert!(page.contains(&in_one_line(&said)), "the page of {program} does not show: {said}");
        }
    }
}

/// What `--help` says of a program's options and of its subcommands.
fn said_by(command: &Command) -> Vec<String> {
    let subs = || command.get_subcommands().filter(|sub| sub.get_name() != "help");
    let options = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_help());
    let about = subs().filter_map(|sub| sub.get_long_about().or(sub.get_about()));
    let after = subs().filter_map(Command::get_after_help);
    let own = options.chain(about).chain(after).map(ToString::to_string);
    own.chain(subs().flat_map(said_by)).collect()
}

#[test]
fn man_and_mandoc_find_nothing_to_complain_about() {
    let failed = |program: &str, arguments: &[&str], page: &str| {
        let file = path("docs/reference/man").join(page);
        let run = std::process::Command::new(program).args(arguments).arg(&file).env("LC_ALL", "C.UTF-8").output();
        let run = run.unwrap_or_else(|e| panic!("{program}: {e}; packaging/install-missing installs it"));
        let said = [run.stdout, run.stderr].concat();
        assert!(run.status.success() && said.is_empty(), "{program} {page}: {}", String::from_utf8_lossy(&said));
    };
    for name in PAGES {
        failed("mandoc", &["-Tlint", "-Wwarning"], name);
        failed("groff", &["-man", "-wall", "-ww", "-Kutf8", "-Tutf8", "-z"], name);
    }
}
