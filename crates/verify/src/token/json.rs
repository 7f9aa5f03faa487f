//! JSON as tokens and key files may have it (RFC 8259): bounded in depth, and every member is kept, so that one that is
//! there twice is seen. Parsers differ on which of two counts, and attacks live on that (RFC 8725 section 2.4).

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Deepest nesting; tokens and key sets have four levels.
const MAX_DEPTH: u8 = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// null, true or false: no claim that is looked at is one.
    Word,
    /// A number, without its fraction; `None` where it is beyond 64 bits.
    Number(Option<i64>),
    Text(String),
    /// An array.
    List(Vec<Value>),
    Object(Object),
}

/// The members of an object, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Value)>);

impl Value {
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The texts of an array of nothing but texts.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Value::List(list) => list.iter().map(Value::text).collect(),
            _ => None,
        }
    }

    fn has_duplicates(&self) -> bool {
        match self {
            Value::List(list) => list.iter().any(Value::has_duplicates),
            Value::Object(object) => object.has_duplicates(),
            _ => false,
        }
    }
}

impl Object {
    /// Reads an object, to the end of the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Object, String> {
        Object::parse_inside(0, bytes)
    }

    /// Reads an object that is to stand so many levels deep in another one.
    pub fn parse_inside(levels: u8, bytes: &[u8]) -> Result<Object, String> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let level = Level(MAX_DEPTH.saturating_sub(levels));
        let value = level.deserialize(&mut reader).map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        match value {
            Value::Object(object) => Ok(object),
            _ => Err("it is not a JSON object".into()),
        }
    }

    /// The member of this name; of two the first, see [`Object::has_duplicates`].
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// How often a member is there.
    pub fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(member, _)| member == name).count()
    }

    /// Whether a name is there twice, in the object or in anything inside.
    pub fn has_duplicates(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
            || self.0.iter().any(|(_, value)| value.has_duplicates())
    }
}

/// So many levels may still come.
#[derive(Clone, Copy)]
struct Level(u8);

impl Level {
    fn below<E: Error>(self) -> Result<Level, E> {
        self.0.checked_sub(1).map(Level).ok_or_else(|| E::custom("it is nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Word)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Word)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(Some(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(i64::try_from(number).ok()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        // Text is the way from a float to a whole number that can fail.
        Ok(Value::Number(format!("{:.0}", number.floor()).parse().ok()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut object = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            object.push((name, members.next_value_seed(below)?));
        }
        Ok(Value::Object(Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_kept_and_duplicates_seen() {
        let read = |text: &str| Object::parse(text.as_bytes());
        assert!(read(r#"{"a":1,"a":2}"#).unwrap().has_duplicates());
        assert!(read(r#"{"a":1,"\u0061":2}"#).unwrap().has_duplicates(), "an escape is the same name");
        assert!(read(r#"{"b":[{"a":1,"a":2}]}"#).unwrap().has_duplicates());
        assert!(!read(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).unwrap().has_duplicates());
        let numbers = read(r#"{"a":7,"b":7.9,"c":1e3,"d":1e300,"e":18446744073709551615,"f":-1.5,"g":"7"}"#).unwrap();
        for (name, number) in
            [("a", Some(7)), ("b", Some(7)), ("c", Some(1000)), ("d", None), ("e", None), ("f", Some(-2))]
        {
            assert_eq!(numbers.get(name), Some(&Value::Number(number)), "{name}");
        }
        assert_eq!(numbers.get("g").and_then(Value::text), Some("7"));
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let deep = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        assert!(Object::parse(deep(15).as_bytes()).is_ok());
        for bad in [
            "",
            "1",
            "[]",
            "{}{}",
            "{} x",
            "{\"a\":}",
            "{\"a\":1e999}",
            "{'a':1}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":NaN}",
            &deep(16),
        ] {
            assert!(Object::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_err(), "not UTF-8");
    }
}
