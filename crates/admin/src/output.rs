//! TOML as it is written by hand: settings with comments, in an order for people.

/// The text so far.
#[derive(Debug, Default)]
pub struct Output(String);

/// A text as a TOML string.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Texts as a TOML array.
pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", texts.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

impl Output {
    pub fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A table, with an empty line before it.
    pub fn table(&mut self, header: &str) {
        self.line(&format!("\n{header}"));
    }

    /// A comment; what comes from old files cannot break out of it.
    pub fn comment(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.line(&format!("# {text}"));
    }

    /// A setting, its value already in TOML.
    pub fn set(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {value}"));
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }
}
