//! The Markdown of our documents as a manual page, man(7). Only what these documents use is understood.

use std::fmt::Write;

/// What a line of the document begins or goes on with.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    None,
    Paragraph,
    Item,
    Code,
    Table,
}

/// The page of a document whose first line is `# name(section) date: summary`.
pub fn page(markdown: &str, version: &str) -> String {
    let (title, body) = markdown.split_once('\n').expect("a title and a text");
    let (name, summary) = title.trim_start_matches("# ").split_once(": ").expect("# name(section) date: summary");
    let (name, date) = name.split_once(' ').expect("a date after the name");
    let (name, section) = name.trim_end_matches(')').split_once('(').expect("a section in parentheses");
    let mut out = String::from(
        ".\\\" Made from docs/reference/manual by WRITE_DOCS=1 cargo test --test manual: change it there.\n",
    );
    writeln!(out, ".TH {} {section} {date} \"glexec {version}\" glexec", name.to_uppercase()).unwrap();
    writeln!(out, ".SH NAME\n{} \\- {}", name.replace('-', "\\-"), inline(summary)).unwrap();
    blocks(body, &mut out);
    out
}

fn blocks(body: &str, out: &mut String) {
    let mut block = Block::None;
    let mut text = String::new();
    let mut header: Vec<String> = Vec::new();
    let mut above = String::new(); // the first cell of the row above
    let mut after_heading = true;
    for line in body.lines().chain([""]) {
        let fence = line.starts_with("```");
        if block == Block::Code {
            if fence {
                out.push_str(".fi\n.RE\n");
                (block, after_heading) = (Block::None, false);
            } else {
                writeln!(out, "{}", guarded(&escaped(line))).unwrap();
            }
            continue;
        }
        let begins =
            line.is_empty() || fence || line.starts_with('#') || line.starts_with("- ") || line.starts_with('|');
        if begins && !text.is_empty() {
            match block {
                Block::Item => writeln!(out, ".IP \\(bu 2\n{}", guarded(&inline(&text))).unwrap(),
                _ if after_heading => writeln!(out, "{}", guarded(&inline(&text))).unwrap(),
                _ => writeln!(out, ".PP\n{}", guarded(&inline(&text))).unwrap(),
            }
            (block, after_heading) = (Block::None, false);
            text.clear();
        }
        if fence {
            out.push_str(if after_heading { ".RS 4\n.nf\n" } else { ".PP\n.RS 4\n.nf\n" });
            block = Block::Code;
        } else if let Some(heading) = line.strip_prefix("## ") {
            writeln!(out, ".SH {}", inline(&heading.to_uppercase())).unwrap();
            after_heading = true;
        } else if let Some(heading) = line.strip_prefix("### ") {
            writeln!(out, ".SS {}", inline(heading)).unwrap();
            after_heading = true;
        } else if line.starts_with('|') {
            let mut cells = cells(line);
            if block != Block::Table {
                (block, header) = (Block::Table, cells);
            } else if !line.starts_with("|---") {
                if cells[0].is_empty() {
                    cells[0].clone_from(&above);
                }
                row(&header, &cells, out);
                above.clone_from(&cells[0]);
                after_heading = false;
            }
        } else if line.is_empty() {
            block = Block::None;
        } else if !line.starts_with("<!--") {
            if text.is_empty() {
                block = if line.starts_with("- ") { Block::Item } else { Block::Paragraph };
            }
            let line = line.strip_prefix("- ").unwrap_or(line).trim();
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(line);
        }
    }
}

/// The cells of a table's line; `\\|` is no border.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').replace("\\|", "\0");
    let line = line.strip_suffix('|').expect("a table's line ends with |");
    line.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// A row of a table: what it is about, then the columns between as "header value", then the last column as the text.
fn row(header: &[String], cells: &[String], out: &mut String) {
    assert_eq!(header.len(), cells.len(), "this row has another number of cells than its header: {cells:?}");
    let (last, rest) = cells.split_last().unwrap();
    let mut tag = String::new();
    for (at, (name, cell)) in header.iter().zip(rest).enumerate().filter(|(_, (_, cell))| !cell.is_empty()) {
        let separator = if tag.is_empty() { "" } else { ", " };
        match at {
            0 => write!(tag, "{separator}\\fB{}\\fR", plain(cell)).unwrap(),
            _ => write!(tag, "{separator}{} {}", inline(name), inline(cell)).unwrap(),
        }
    }
    writeln!(out, ".TP\n{}\n{}", guarded(&tag), guarded(&if last.is_empty() { "\\&".into() } else { inline(last) }))
        .unwrap();
}

/// A cell that is bold as a whole.
fn plain(cell: &str) -> String {
    escaped(&cell.replace('`', "").replace("**", ""))
}

/// What is markup in a text: a backslash before one of them takes it as it is.
const MARKUP: [char; 4] = ['`', '*', '[', '\\'];

/// A text that is not Markdown, so that it stays what it is.
pub fn literal(text: &str) -> String {
    text.chars().flat_map(|c| MARKUP.contains(&c).then_some('\\').into_iter().chain([c])).collect()
}

/// A text with `code`, **strong** words and [links](of a page).
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(MARKUP) {
        let (before, special) = rest.split_at(at);
        out.push_str(&escaped(before));
        let taken = match special.as_bytes() {
            [b'\\', next, ..] if MARKUP.contains(&char::from(*next)) => Some((escaped(&special[1..2]), &special[2..])),
            [b'`', ..] => special[1..].split_once('`').map(|(code, rest)| (format!("\\fB{}\\fR", escaped(code)), rest)),
            [b'*', b'*', ..] => {
                special[2..].split_once("**").map(|(strong, rest)| (format!("\\fB{}\\fR", inline(strong)), rest))
            }
            [b'*', ..] => special[1..].split_once('*').map(|(word, rest)| (format!("\\fI{}\\fR", inline(word)), rest)),
            [b'[', ..] => special[1..].split_once("](").and_then(|(label, rest)| {
                let (_, rest) = rest.split_once(')')?;
                (!label.contains(']')).then(|| (inline(label), rest))
            }),
            _ => None,
        };
        match taken {
            Some((roff, after)) => {
                out.push_str(&roff);
                rest = after;
            }
            None => {
                out.push_str(&escaped(&special[..1]));
                rest = &special[1..];
            }
        }
    }
    out + &escaped(rest)
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            c if c.is_ascii() => out.push(c),
            c => write!(out, "\\[u{:04X}]", u32::from(c)).unwrap(),
        }
    }
    out
}

/// A line of text that would be a request otherwise.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}
