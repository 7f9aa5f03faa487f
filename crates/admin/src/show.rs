//! What people see: tables, colour on a terminal, plain text in a pipe.

use glexec_core::escape::visible;
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};

/// How a text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    Head,
    /// As it should be.
    Good,
    /// Needs a look.
    Warning,
    /// Needs somebody now.
    Bad,
}

/// Whether colours are understood where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A pipe or a file, or NO_COLOR is set.
    Plain,
    /// A terminal.
    Colour,
}

impl Look {
    /// The look for a stream: colours on a terminal, unless NO_COLOR is set and not empty (no-color.org).
    pub fn of(stream: &impl IsTerminal, environment: &[(impl AsRef<OsStr>, impl AsRef<OsStr>)]) -> Self {
        let set = |wanted: &str| {
            environment
                .iter()
                .find(|(name, _)| name.as_ref() == wanted)
                .is_some_and(|(_, value)| !value.as_ref().is_empty())
        };
        if stream.is_terminal() && !set("NO_COLOR") { Look::Colour } else { Look::Plain }
    }

    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match (self, tone) {
            (Look::Plain, _) | (_, Tone::Plain) => return text.to_owned(),
            (_, Tone::Head) => "1",
            (_, Tone::Good) => "32",
            (_, Tone::Warning) => "33",
            (_, Tone::Bad) => "31;1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text with a tone. Control characters, as names of files may have them, are written out.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        match text.chars().any(char::is_control) {
            true => Cell { text: visible(text.as_bytes(), usize::MAX), tone },
            false => Cell { text, tone },
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::new(Tone::Plain, text)
    }
}

/// How many rows decide how wide the columns are; what comes after them is written at once.
const ROWS_THAT_DECIDE: usize = 500;

/// A table of any length in bounded memory.
#[derive(Debug)]
pub struct Table<W> {
    out: W,
    look: Look,
    rows: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
}

impl<W: Write> Table<W> {
    /// A table with these headings.
    pub fn new(out: W, look: Look, headings: &[&str]) -> Self {
        let headings = headings.iter().map(|text| Cell::new(Tone::Head, *text)).collect();
        Table { out, look, rows: vec![headings], widths: None }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) -> std::io::Result<()> {
        self.rows.push(cells);
        if self.widths.is_some() || self.rows.len() > ROWS_THAT_DECIDE { self.flush() } else { Ok(()) }
    }

    /// Writes what is not written yet.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.flush()?;
        self.out.flush()
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let widths = self.widths.get_or_insert_with(|| widths(&rows));
        for row in rows {
            let last = row.len().saturating_sub(1);
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                line.push_str(&self.look.paint(cell.tone, &cell.text));
                if column < last {
                    let width = widths.get(column).copied().unwrap_or(0);
                    let blanks = width.saturating_sub(cell.text.chars().count()).saturating_add(2);
                    line.push_str(&" ".repeat(blanks));
                }
            }
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn widths(rows: &[Vec<Cell>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max();
    (0..columns).map(|column| width(column).unwrap_or(0)).collect()
}

/// A line of comma-separated values, RFC 4180.
pub fn csv<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = |value: &str| match value.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    };
    values.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}

/// So many of what has this name.
pub fn counted(number: usize, name: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {name}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_colours_take_no_room() {
        let shown = |look| {
            let mut out = Vec::new();
            let mut table = Table::new(&mut out, look, &["NAME", "X"]);
            table.row(vec!["Jörg".into(), Cell::new(Tone::Bad, "no")]).unwrap();
            table.row(vec!["somebody".into(), "".into()]).unwrap();
            table.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(Look::Plain), "NAME      X\nJörg      no\nsomebody\n");
        let plain: String = shown(Look::Colour).replace("\x1b[1m", "").replace("\x1b[31;1m", "").replace("\x1b[0m", "");
        assert_eq!(plain.lines().nth(1), Some("Jörg      no"));
    }

    #[test]
    fn nothing_in_a_cell_speaks_to_the_terminal() {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, Look::Plain, &["NAME", "X"]);
        table.row(vec!["\x1b[2J\nroot\u{9b}31m".into(), "/CN=a\\/b".into()]).unwrap();
        table.finish().unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown.lines().nth(1), Some("\\x1b[2J\\x0aroot\\u{9b}31m  /CN=a\\/b"));
    }

    #[test]
    fn a_long_table_is_written_while_it_grows() {
        let mut table = Table::new(Vec::new(), Look::Plain, &["N"]);
        for n in 0..2 * ROWS_THAT_DECIDE {
            table.row(vec![n.to_string().into()]).unwrap();
            assert!(table.rows.len() <= ROWS_THAT_DECIDE);
        }
        assert_eq!(table.out.iter().filter(|b| **b == b'\n').count(), 2 * ROWS_THAT_DECIDE + 1);
    }

    #[test]
    fn values_with_commas_and_quotes_stay_one_value() {
        assert_eq!(csv(["a", "b,c", "say \"hi\""]), "a,\"b,c\",\"say \"\"hi\"\"\"\r\n");
    }

    #[test]
    fn a_pipe_gets_no_colours() {
        let (reading, _writing) = nix::unistd::pipe().unwrap();
        assert_eq!(Look::of(&reading, &[("NO_COLOR", "")]), Look::Plain);
    }
}
