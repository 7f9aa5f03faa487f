//! A reader of XML for requests of a few kilobytes: elements, attributes, text. What a request has no need of is refused, so that
//! nothing can grow or be fetched: document types, entities but the five of XML 1.0, processing instructions, CDATA.

use std::collections::BTreeMap;

/// Longest document in bytes.
pub const MAX_DOCUMENT: usize = 256 * 1024;
/// How deep elements may be nested.
const MAX_DEPTH: usize = 40;
/// Most elements.
const MAX_ELEMENTS: usize = 2000;
/// Most attributes of an element.
const MAX_ATTRIBUTES: usize = 40;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name without prefix: what it means is told by where it stands.
    pub name: String,
    /// Attributes, named without prefix.
    pub attributes: BTreeMap<String, String>,
    /// Elements inside.
    pub children: Vec<Element>,
    /// The text inside, without that of its elements.
    pub text: String,
}

impl Element {
    /// The first element of this name in it, at any depth, itself included.
    pub fn find(&self, name: &str) -> Option<&Element> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// The elements of this name directly in it.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Reads a document.
pub fn read(bytes: &[u8]) -> Result<Element, &'static str> {
    if bytes.len() > MAX_DOCUMENT {
        return Err("the document is too long");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the document is not UTF-8")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    let rest = match text.strip_prefix("<?xml") {
        Some(declared) => declared.split_once("?>").ok_or("a declaration that does not end")?.1,
        None => text,
    };
    let mut reader = Reader { rest, elements: 0 };
    // Elements that are open, the outermost first.
    let mut open: Vec<(String, Element)> = Vec::new();
    loop {
        let text = reader.text()?;
        match open.last_mut() {
            Some((_, element)) => element.text.push_str(&text),
            None if text.trim().is_empty() => {}
            None => return Err("text outside of the document's element"),
        }
        let closed = match reader.tag()? {
            Tag::Comment => continue,
            Tag::Open(full, element) => {
                if open.len() >= MAX_DEPTH {
                    return Err("elements are nested too deep");
                }
                open.push((full, element));
                continue;
            }
            Tag::Empty(element) => element,
            Tag::Close(full) => match open.pop() {
                Some((opened, element)) if opened == full => element,
                _ => return Err("an end tag that ends nothing"),
            },
        };
        match open.last_mut() {
            Some((_, parent)) => parent.children.push(closed),
            None if reader.rest.trim().is_empty() => return Ok(closed),
            None => return Err("something after the document's element"),
        }
    }
}

enum Tag {
    Comment,
    Open(String, Element),
    Empty(Element),
    Close(String),
}

struct Reader<'a> {
    rest: &'a str,
    elements: usize,
}

impl<'a> Reader<'a> {
    fn text(&mut self) -> Result<String, &'static str> {
        let end = self.rest.find('<').ok_or("the document breaks off")?;
        let (text, rest) = self.rest.split_at_checked(end).ok_or("the document breaks off")?;
        self.rest = rest;
        resolved(text)
    }

    fn tag(&mut self) -> Result<Tag, &'static str> {
        let rest = self.rest.strip_prefix('<').ok_or("the document breaks off")?;
        if let Some(comment) = rest.strip_prefix("!--") {
            self.rest = comment.split_once("-->").ok_or("a comment that does not end")?.1;
            return Ok(Tag::Comment);
        }
        if rest.starts_with(['!', '?']) {
            return Err("document types, entities, instructions and CDATA are not read");
        }
        if let Some(close) = rest.strip_prefix('/') {
            let (name, rest) = close.split_once('>').ok_or("a tag that does not end")?;
            self.rest = rest;
            return Ok(Tag::Close(name.trim_end().to_owned()));
        }
        self.elements = self.elements.saturating_add(1);
        if self.elements > MAX_ELEMENTS {
            return Err("there are too many elements");
        }
        self.rest = rest;
        let full = self.name()?;
        let mut element = Element { name: local(full).to_owned(), ..Element::default() };
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                return Ok(Tag::Empty(element));
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                return Ok(Tag::Open(full.to_owned(), element));
            }
            let (name, value) = self.attribute()?;
            if element.attributes.len() >= MAX_ATTRIBUTES {
                return Err("an element has too many attributes");
            }
            // Declarations of namespaces say nothing here.
            if name != "xmlns"
                && !name.starts_with("xmlns:")
                && element.attributes.insert(local(name).to_owned(), value).is_some()
            {
                return Err("an attribute is there twice");
            }
        }
    }

    fn name(&mut self) -> Result<&'a str, &'static str> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.');
        let end = self.rest.find(|c| !is_name(c)).ok_or("a tag that does not end")?;
        let (name, rest) = self.rest.split_at_checked(end).ok_or("a tag that does not end")?;
        self.rest = rest;
        if name.is_empty() { Err("a name is missing") } else { Ok(name) }
    }

    fn attribute(&mut self) -> Result<(&'a str, String), &'static str> {
        let name = self.name()?;
        let value = self.rest.trim_start().strip_prefix('=').ok_or("an attribute without a value")?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or("a value without quotes")?;
        let (value, rest) =
            value.get(1..).and_then(|value| value.split_once(quote)).ok_or("a value that does not end")?;
        if value.contains('<') {
            return Err("a < in a value");
        }
        self.rest = rest;
        Ok((name, resolved(value)?))
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// A text with its references resolved: the five of XML 1.0, and numbers of characters.
fn resolved(text: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = after.split_once(';').ok_or("a reference that does not end")?;
        let number = |text: &str, radix| u32::from_str_radix(text, radix).ok().and_then(char::from_u32);
        let c = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
                (Some(hex), _) => number(hex, 16),
                (None, Some(decimal)) => number(decimal, 10),
                (None, None) => None,
            },
        };
        out.push(c.filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')).ok_or("a reference to nothing")?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// A text as a document has it, of XML or of HTML.
pub fn written(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text_are_read() {
        let text =
            "<?xml version=\"1.0\"?>\n<a:x xmlns:a='u' b=\"1 &amp; 2\"><!-- no --><y>t&#x41;&lt;</y><y/></a:x>\n";
        let element = read(text.as_bytes()).unwrap();
        assert_eq!((element.name.as_str(), element.attribute("b")), ("x", Some("1 & 2")));
        assert_eq!(element.all("y").map(|y| y.text.as_str()).collect::<Vec<_>>(), ["tA<", ""]);
        assert_eq!(element.find("y").unwrap().text, "tA<");
    }

    #[test]
    fn what_could_grow_or_fetch_is_refused() {
        let deep = "<a>".repeat(MAX_DEPTH + 1) + &"</a>".repeat(MAX_DEPTH + 1);
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        let long = format!("<a>{}</a>", "x".repeat(MAX_DOCUMENT));
        for bad in [
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
            "<a>&x;</a>",
            "<a>&#0;</a>",
            "<a><![CDATA[x]]></a>",
            "<a><?x?></a>",
            "<a></b>",
            "<a>",
            "<a/><b/>",
            "x<a/>",
            "",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a b='<'/>",
            "</a>",
            "<>",
            deep.as_str(),
            wide.as_str(),
            long.as_str(),
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{}", bad.chars().take(60).collect::<String>());
        }
        assert!(read(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "a<b>&\"c\"";
        assert_eq!(read(format!("<a b=\"{0}\">{0}</a>", written(text)).as_bytes()).unwrap().text, text);
    }
}
