//! The form in which an answer is written.

use crate::show::{Cell, Look, Table, csv};
use clap::ArgMatches;
use serde_json::Value;
use std::io::{Result, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Table(Look),
    /// One array of objects.
    Json,
    /// Comma-separated values with a line of names.
    Csv,
    /// What the question itself writes.
    Text,
}

impl Form {
    /// The form that the command line asks for.
    pub fn of(matches: &ArgMatches, look: Look) -> Form {
        match (matches.get_flag("json"), matches.get_flag("csv")) {
            (true, _) => Form::Json,
            (_, true) => Form::Csv,
            _ => Form::Table(look),
        }
    }
}

/// One line of an answer in all its forms.
pub trait Row {
    /// The cells of the table.
    fn cells(&self) -> Vec<Cell>;
    /// The object of the JSON.
    fn json(&self) -> Value;
    /// The values of the CSV.
    fn values(&self) -> Vec<String>;
}

/// What the columns of an answer are called.
#[derive(Clone, Debug)]
pub struct Columns {
    /// In the table.
    pub headings: Vec<&'static str>,
    /// In the CSV.
    pub names: Vec<&'static str>,
}

/// An answer that is being written.
pub struct Answer<'o> {
    form: Form,
    out: Option<&'o mut dyn Write>,
    table: Option<Table<&'o mut dyn Write>>,
    begun: bool,
}

impl<'o> Answer<'o> {
    /// Nothing is written yet.
    pub fn new(form: Form, out: &'o mut dyn Write) -> Self {
        Answer { form, out: Some(out), table: None, begun: false }
    }

    /// Writes what comes before the first row.
    pub fn begin(&mut self, columns: &Columns) -> Result<()> {
        match (self.form, self.out.take()) {
            (Form::Table(look), Some(out)) => self.table = Some(Table::new(out, look, &columns.headings)),
            (form, Some(out)) => {
                if form == Form::Csv {
                    out.write_all(csv(columns.names.iter().copied()).as_bytes())?;
                }
                self.out = Some(out);
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// Writes a row.
    pub fn row(&mut self, row: &dyn Row) -> Result<()> {
        if let Some(table) = &mut self.table {
            return table.row(row.cells());
        }
        let Some(out) = &mut self.out else { return Ok(()) };
        if self.form == Form::Csv {
            return out.write_all(csv(row.values().iter().map(String::as_str)).as_bytes());
        }
        let before = if self.begun { ",\n" } else { "[\n" };
        self.begun = true;
        write!(out, "{before}{}", row.json())
    }

    /// Writes a text as it is, and shows it at once.
    pub fn text(&mut self, text: &str) -> Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes what comes after the last row.
    pub fn finish(&mut self) -> Result<()> {
        if let Some(table) = self.table.take() {
            return table.finish();
        }
        let Some(out) = &mut self.out else { return Ok(()) };
        if self.form == Form::Json {
            out.write_all(if self.begun { b"\n]\n" } else { b"[]\n" })?;
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str);

    impl Row for One {
        fn cells(&self) -> Vec<Cell> {
            vec![self.0.into()]
        }
        fn json(&self) -> Value {
            serde_json::json!({ "n": self.0 })
        }
        fn values(&self) -> Vec<String> {
            vec![self.0.to_owned()]
        }
    }

    fn written(form: Form, rows: &[&'static str]) -> String {
        let mut out = Vec::new();
        let mut answer = Answer::new(form, &mut out);
        answer.begin(&Columns { headings: vec!["N"], names: vec!["n"] }).unwrap();
        rows.iter().for_each(|row| answer.row(&One(row)).unwrap());
        answer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_form_is_whole_also_without_rows() {
        assert_eq!(written(Form::Table(Look::Plain), &["a", "b"]), "N\na\nb\n");
        assert_eq!(written(Form::Json, &["a", "b"]), "[\n{\"n\":\"a\"},\n{\"n\":\"b\"}\n]\n");
        assert_eq!(written(Form::Csv, &["a", "b,c"]), "n\r\na\r\n\"b,c\"\r\n");
        assert_eq!(written(Form::Json, &[]), "[]\n");
        assert_eq!(written(Form::Table(Look::Plain), &[]), "N\n");
    }
}
