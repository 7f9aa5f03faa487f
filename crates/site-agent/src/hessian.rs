//! Hessian 1.0.2 as far as Argus uses it: values, bounded, written and read.

/// Most values of a document, and how deep they may lie in each other.
const MAX_VALUES: usize = 10_000;
const MAX_DEPTH: usize = 24;
/// Most characters of a chunk of a text.
const CHUNK: usize = 32_767;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, and what is not needed of other types: dates, numbers of 64 bits, octets, references.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Int(i32),
    /// A text.
    Text(String),
    /// Values in their order.
    List(Vec<Value>),
    /// An object of a class, by the names of its fields.
    Object(String, Vec<(String, Value)>),
}

impl Value {
    /// An object.
    pub fn object(class: &str, fields: Vec<(&str, Value)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Value::Object(class.to_owned(), fields)
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Value::Text(text.to_owned())
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(_, fields) => fields.iter().find(|(other, _)| other == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The values of the list in a field.
    pub fn items(&self, name: &str) -> &[Value] {
        match self.field(name) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// The text of a field.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.field(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(b'N'),
            Value::Bool(yes) => out.push(if *yes { b'T' } else { b'F' }),
            Value::Int(number) => {
                out.push(b'I');
                out.extend(number.to_be_bytes());
            }
            Value::Text(text) => write_text(text, out),
            Value::List(items) => {
                out.extend(b"Vl");
                out.extend(u32::try_from(items.len()).unwrap_or(u32::MAX).to_be_bytes());
                items.iter().for_each(|item| item.write(out));
                out.push(b'z');
            }
            Value::Object(class, fields) => {
                out.extend(b"Mt");
                out.extend(u16::try_from(class.len()).unwrap_or(u16::MAX).to_be_bytes());
                out.extend(class.as_bytes());
                for (name, value) in fields {
                    write_text(name, out);
                    value.write(out);
                }
                out.push(b'z');
            }
        }
    }

    /// Reads one value and nothing after it.
    pub fn read(bytes: &[u8]) -> Result<Value, String> {
        let mut reader = Reader { bytes, left: MAX_VALUES };
        let value = reader.value(0).ok_or("no Hessian, or too much of it")?;
        match reader.bytes.is_empty() {
            true => Ok(value),
            false => Err("more than one value".to_owned()),
        }
    }
}

/// In chunks, each with its number of characters.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let characters: Vec<char> = text.chars().collect();
    let mut chunks = characters.chunks(CHUNK).peekable();
    if chunks.peek().is_none() {
        out.extend([b'S', 0, 0]);
    }
    while let Some(chunk) = chunks.next() {
        out.push(if chunks.peek().is_some() { b's' } else { b'S' });
        out.extend(u16::try_from(chunk.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(chunk.iter().collect::<String>().as_bytes());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn tag(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Whether this comes next; then it is taken.
    fn comes(&mut self, tag: u8) -> bool {
        let comes = self.bytes.first() == Some(&tag);
        comes && self.take(1).is_some()
    }

    fn length(&mut self) -> Option<usize> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes).map(usize::from)
    }

    /// So many characters as it says.
    fn characters(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        let rest = self.bytes;
        let mut at = 0_usize;
        for _ in 0..length {
            // How long a character is, its first byte says (RFC 3629).
            let bytes = match rest.get(at)? {
                0..=0x7f => 1,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => return None,
            };
            at = at.checked_add(bytes)?;
        }
        std::str::from_utf8(self.take(at)?).ok()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        let inside = depth.saturating_add(1);
        Some(match self.tag()? {
            b'N' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'I' => Value::Int(i32::from_be_bytes(self.take(4)?.try_into().ok()?)),
            b'L' | b'D' | b'd' => self.take(8).map(|_| Value::Null)?,
            b'R' => self.take(4).map(|_| Value::Null)?,
            tag @ (b'S' | b's' | b'X' | b'x') => {
                let mut text = self.characters()?.to_owned();
                let mut last = tag.is_ascii_uppercase();
                while !last {
                    last = self.tag()?.is_ascii_uppercase();
                    text.push_str(self.characters()?);
                }
                Value::Text(text)
            }
            tag @ (b'B' | b'b') => {
                let mut last = tag == b'B';
                let length = self.length()?;
                self.take(length)?;
                while !last {
                    last = self.tag()? == b'B';
                    let length = self.length()?;
                    self.take(length)?;
                }
                Value::Null
            }
            b'V' => {
                self.class()?;
                if self.comes(b'l') {
                    self.take(4)?;
                }
                let mut items = Vec::new();
                while !self.comes(b'z') {
                    items.push(self.value(inside)?);
                }
                Value::List(items)
            }
            b'M' => {
                let class = self.class()?;
                let mut fields = Vec::new();
                while !self.comes(b'z') {
                    let Value::Text(name) = self.value(inside)? else { return None };
                    fields.push((name, self.value(inside)?));
                }
                Value::Object(class, fields)
            }
            _ => return None,
        })
    }

    /// The class of a list or an object; empty where none is given.
    fn class(&mut self) -> Option<String> {
        if !self.comes(b't') {
            return Some(String::new());
        }
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_out_as_it_went_in() {
        let texts = Value::List(vec![Value::text("ä€😀"), Value::text(""), Value::text(&"x".repeat(70_000))]);
        let list = Value::List(vec![Value::Null, Value::Bool(true), Value::Int(-2), texts]);
        let value = Value::object("a.B", vec![("list", list)]);
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        assert_eq!(Value::read(&bytes), Ok(value));
    }

    #[test]
    fn what_is_cut_or_too_deep_is_no_value() {
        let mut bytes = Vec::new();
        Value::List(vec![Value::text("abc"), Value::Int(5)]).write(&mut bytes);
        for length in 0..bytes.len() {
            assert!(Value::read(&bytes[..length]).is_err(), "{length}");
        }
        assert!(Value::read(&[b'V'; 1000]).is_err());
        assert!(Value::read(b"NN").is_err());
        assert!(Value::read(&[b"Vl".as_slice(), &[0xff; 4], b"z"].concat()).is_ok(), "no length is believed");
        assert!(Value::read(b"S\0\x09abc").is_err());
        assert!(Value::read(b"Q").is_err());
    }
}
