//! YAML (and JSON, which is YAML) as a tree that knows its lines: what serde's data model has no place for.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

/// Most nodes that the aliases of one document may stand for; a few anchors can stand for billions.
const MOST_COPIES: usize = 1_000_000;
/// Deepest nesting that is read.
const DEEPEST: usize = 200;

#[derive(Debug, Clone, PartialEq)]
pub enum YamlNode {
    /// A text, number, boolean or null, as it is written.
    Scalar {
        /// What is written.
        text: String,
        /// The line, from 1.
        line: usize,
        /// Whether it stands without quotes, so that `null` and `~` are nothing.
        plain: bool,
    },
    List(Vec<YamlNode>),
    /// A map, in the order of the file.
    Map(Vec<(String, YamlNode)>),
}

impl YamlNode {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().rev().find(|(own, _)| own == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text and line of a scalar that is not null.
    pub fn text(&self) -> Option<(&str, usize)> {
        match self {
            Self::Scalar { text, line, plain }
                if !(*plain && ["", "~", "null", "Null", "NULL"].contains(&text.as_str())) =>
            {
                Some((text, *line))
            }
            _ => None,
        }
    }

    /// The line of the first scalar in it; 0 where there is none.
    pub fn first_line(&self) -> usize {
        match self {
            Self::Scalar { line, .. } => *line,
            Self::List(items) => items.first().map_or(0, Self::first_line),
            Self::Map(entries) => entries.first().map_or(0, |(_, value)| value.first_line()),
        }
    }

    /// The text at a path of keys.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        Some(self.at(path)?.text()?.0)
    }

    /// The items of a list; nothing for anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

/// One document of a file.
#[derive(Debug)]
pub struct Document {
    /// What is in it.
    pub root: YamlNode,
    /// The template that Helm says it was rendered from (`# Source: chart/templates/web.yaml`).
    pub source: Option<String>,
}

/// Why a file cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl From<ScanError> for Unreadable {
    fn from(error: ScanError) -> Self {
        let text = error.to_string();
        // The parser appends where it stopped; the line has a place of its own here.
        let message = text.split(" at byte ").next().unwrap_or_default().split(" at line ").next().unwrap_or_default();
        Self { line: error.marker().line(), message: message.to_owned() }
    }
}

/// A list or map that is being read.
enum Open {
    List(Vec<YamlNode>),
    Map(Vec<(String, YamlNode)>, Option<String>),
}

/// Reads a file document by document: none is kept once it has been looked at.
///
/// # Errors
/// Where the text is not YAML, and why.
pub fn documents(text: &str, mut each: impl FnMut(Document)) -> Result<(), Unreadable> {
    let mut builder = Builder::default();
    let mut source = None;
    for next in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = next?;
        let line = span.start.line();
        match event {
            Event::Comment(comment, _) => {
                if let Some(path) = comment.trim().strip_prefix("Source: ") {
                    source = Some(path.trim().to_owned());
                }
            }
            Event::DocumentStart(..) => builder = Builder::default(),
            Event::DocumentEnd => {
                let source = source.take();
                if let Some(root) = builder.root.take() {
                    each(Document { root, source });
                }
            }
            Event::Alias(anchor) => {
                let node = builder.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| Unreadable { line, message: "an alias refers to itself".to_owned() })?;
                builder.copies += size(&node);
                if builder.copies > MOST_COPIES {
                    return Err(Unreadable { line, message: "aliases make the document too large".to_owned() });
                }
                builder.add(node, 0);
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                // A block's line is that of its first text, before which empty lines may stand.
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let empty = if block { text.bytes().take_while(|byte| *byte == b'\n').count() } else { 0 };
                let line = line.saturating_sub(empty);
                builder.add(YamlNode::Scalar { text: text.into_owned(), line, plain }, anchor);
            }
            Event::SequenceStart(_, anchor, _) => builder.open(Open::List(Vec::new()), anchor, line)?,
            Event::MappingStart(_, anchor, _) => builder.open(Open::Map(Vec::new(), None), anchor, line)?,
            Event::SequenceEnd | Event::MappingEnd => builder.close(),
            _ => {}
        }
    }
    Ok(())
}

#[derive(Default)]
struct Builder {
    stack: Vec<(Open, usize)>,
    anchors: HashMap<usize, YamlNode>,
    root: Option<YamlNode>,
    copies: usize,
}

impl Builder {
    fn open(&mut self, open: Open, anchor: usize, line: usize) -> Result<(), Unreadable> {
        if self.stack.len() >= DEEPEST {
            return Err(Unreadable { line, message: format!("it is nested deeper than {DEEPEST} levels") });
        }
        self.stack.push((open, anchor));
        Ok(())
    }

    fn close(&mut self) {
        let Some((open, anchor)) = self.stack.pop() else { return };
        let node = match open {
            Open::List(items) => YamlNode::List(items),
            Open::Map(entries, _) => YamlNode::Map(merged(entries)),
        };
        self.add(node, anchor);
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: YamlNode, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some((Open::List(items), _)) => items.push(node),
            Some((Open::Map(entries, key), _)) => match key.take() {
                Some(key) => entries.push((key, node)),
                // A key that is no scalar is nothing that Kubernetes knows.
                None => *key = Some(if let YamlNode::Scalar { text, .. } = node { text } else { String::new() }),
            },
        }
    }
}

/// A map with what `<<` brings in; its own keys win.
fn merged(mut entries: Vec<(String, YamlNode)>) -> Vec<(String, YamlNode)> {
    while let Some(at) = entries.iter().position(|(key, _)| key == "<<") {
        let (_, from) = entries.remove(at);
        let maps = if let YamlNode::List(maps) = from { maps } else { vec![from] };
        for map in maps {
            let YamlNode::Map(more) = map else { continue };
            let new: Vec<_> = more.into_iter().filter(|(key, _)| !entries.iter().any(|(own, _)| own == key)).collect();
            entries.extend(new);
        }
    }
    entries
}

fn size(node: &YamlNode) -> usize {
    match node {
        YamlNode::Scalar { .. } => 1,
        YamlNode::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        YamlNode::Map(entries) => 1 + entries.iter().map(|(_, value)| size(value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Document> {
        let mut all = Vec::new();
        documents(text, |document| all.push(document)).expect("YAML");
        all
    }

    #[test]
    fn lines_sources_and_documents_are_told() {
        let text = "---\n# Source: web/templates/a.yaml\na: 1\n---\nb:\n  - x\n  - y: z\n---\n---\n{\"c\": [\"d\"]}\n";
        let all = read(text);
        let sources: Vec<Option<&str>> = all.iter().map(|document| document.source.as_deref()).collect();
        assert_eq!(sources, [Some("web/templates/a.yaml"), None, None, None]);
        assert_eq!(all[1].root.get("b").expect("b").items()[1].get("y").and_then(YamlNode::text), Some(("z", 7)));
        for block in ["a: |\n  x\n  y\n", "a: >-\n  x\n", "a: |-\n\n  x\n", "- |2\n   x\n"] {
            let all = read(block);
            let node = all[0].root.get("a").unwrap_or_else(|| &all[0].root.items()[0]);
            assert_eq!(node.text().map(|(_, line)| line), Some(2), "{block:?}");
        }
        assert_eq!(all[3].root.get("c").expect("c").items()[0].text(), Some(("d", 10)));
    }

    #[test]
    fn anchors_aliases_and_merges_are_resolved() {
        let all = read("base: &b {image: x, tag: 1}\none:\n  <<: *b\n  tag: 2\ntwo: *b\nthree:\n  <<: [*b, {z: 3}]\n");
        let root = &all[0].root;
        assert_eq!(root.text_at(&["one", "image"]), Some("x"));
        assert_eq!(root.text_at(&["one", "tag"]), Some("2"));
        assert_eq!(root.text_at(&["two", "tag"]), Some("1"));
        assert_eq!(root.text_at(&["three", "z"]), Some("3"));
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let error = documents("a: 1\nb: {{ .Values.x }}\nc: [1\n", |_| ()).expect_err("no YAML");
        assert!(error.line >= 2, "{error:?}");
        assert!(!error.message.is_empty());
    }

    #[test]
    fn a_billion_laughs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
        }
        let error = documents(&text, |_| ()).expect_err("too large");
        assert!(error.message.contains("too large"), "{error:?}");
        let deep = "[".repeat(10_000);
        assert!(documents(&deep, |_| ()).is_err());
    }
}
