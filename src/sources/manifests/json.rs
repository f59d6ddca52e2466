//! JSON as kubectl reads it where a file begins like JSON: one value after another, with or without lines between them,
//! and with escapes that YAML does not know.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::yaml::YamlNode;

/// The values of a text; `None` where it is not JSON throughout.
pub(super) fn values(text: &str) -> Option<Vec<YamlNode>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let line = Cell::new(1);
    let mut json = serde_json::Deserializer::from_reader(Lines { rest: text.as_bytes(), line: &line });
    let mut values = Vec::new();
    while json.end().is_err() {
        values.push(Node(&line).deserialize(&mut json).ok()?);
    }
    Some(values)
}

/// Counts the lines that were read; serde has no word for them.
struct Lines<'t> {
    rest: &'t [u8],
    line: &'t Cell<usize>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Byte by byte, so that nothing is counted before it is looked at.
        let [byte, rest @ ..] = self.rest else { return Ok(0) };
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        *first = *byte;
        self.rest = rest;
        self.line.set(self.line.get() + usize::from(*byte == b'\n'));
        Ok(1)
    }
}

/// A node, at the line that was reached.
#[derive(Clone, Copy)]
struct Node<'l>(&'l Cell<usize>);

impl Node<'_> {
    fn scalar(self, text: &str, plain: bool) -> YamlNode {
        YamlNode::Scalar { text: text.into(), line: self.0.get(), plain }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = YamlNode;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<YamlNode, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = YamlNode;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value of JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<YamlNode, E> {
        Ok(self.scalar(text, false))
    }

    fn visit_bool<E>(self, value: bool) -> Result<YamlNode, E> {
        Ok(self.scalar(if value { "true" } else { "false" }, true))
    }

    fn visit_i64<E>(self, value: i64) -> Result<YamlNode, E> {
        Ok(self.scalar(&value.to_string(), true))
    }

    fn visit_u64<E>(self, value: u64) -> Result<YamlNode, E> {
        Ok(self.scalar(&value.to_string(), true))
    }

    fn visit_f64<E>(self, value: f64) -> Result<YamlNode, E> {
        Ok(self.scalar(&value.to_string(), true))
    }

    fn visit_unit<E>(self) -> Result<YamlNode, E> {
        Ok(self.scalar("", true))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<YamlNode, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(YamlNode::List(Rc::new(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<YamlNode, A::Error> {
        let mut all = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            all.push((Rc::from(key), entries.next_value_seed(self)?));
        }
        Ok(YamlNode::Map(Rc::new(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_one_another() {
        let text = "{\"a\": 1}\n\n{\"b\":\n \"\\ud83d\\ude00\", \"c\": [true, null, 1.5]}[]\n";
        let all = values(text).expect("JSON");
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].get("a").and_then(YamlNode::text), Some(("1", 1)));
        assert_eq!(all[1].get("b").and_then(YamlNode::text), Some(("😀", 4)));
        let texts: Vec<_> =
            all[1].get("c").expect("c").items().iter().map(|node| node.text().map(|(t, _)| t)).collect();
        assert_eq!(texts, [Some("true"), None, Some("1.5")]);
        for other in ["a: 1", "", "{a: 1}", "{\"a\": 1}\n---\n{\"b\": 1}", "{\"a\": 1"] {
            assert_eq!(values(other), None, "{other}");
        }
    }
}
