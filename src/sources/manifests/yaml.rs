//! YAML (and JSON, which is YAML) as a tree that knows its lines: what serde's data model has no place for.
//!
//! The parser is a port of libyaml, as kubectl's is: what kubectl accepts is accepted, and in the same sense.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use libyaml_safer::{EventData, Parser, ScalarStyle};

/// Deepest nesting that is read.
const DEEPEST: usize = 200;
/// What aliases may stand for in any file, as nodes and bytes of text.
const ALIASED: usize = 20_000;
/// What aliases may stand for besides, for each byte of the file.
const ALIASED_PER_BYTE: usize = 20;

/// What the aliases of one file may still stand for: a few anchors can stand for billions of nodes. It grows with the
/// file, so that the cost of reading does, too.
#[derive(Debug)]
pub struct Budget(Cell<Option<usize>>);

impl Budget {
    /// The budget of a file of some bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Cell::new(Some(bytes.saturating_mul(ALIASED_PER_BYTE).saturating_add(ALIASED))))
    }

    /// Takes from it; whether there was enough. Once there was not, there never is.
    pub fn spend(&self, weight: usize) -> bool {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(weight)));
        !self.is_spent()
    }

    /// Whether more was asked for than there was.
    pub fn is_spent(&self) -> bool {
        self.0.get().is_none()
    }
}

/// A node. What is in it is shared with the aliases that stand for it.
#[derive(Debug, Clone, PartialEq)]
pub enum YamlNode {
    /// A text, number, boolean or null, as it is written.
    Scalar {
        /// What is written.
        text: Rc<str>,
        /// The line, from 1.
        line: usize,
        /// Whether it stands without quotes, so that `null` and `~` are nothing.
        plain: bool,
    },
    List(Rc<Vec<YamlNode>>),
    /// A map, in the order of the file.
    Map(Rc<Entries>),
}

/// The keys of a map, with their values.
pub type Entries = Vec<(Rc<str>, YamlNode)>;

impl YamlNode {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|(own, _)| &**own == key).map(|(_, value)| value)
    }

    /// The value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text and line of a scalar that is not null.
    pub fn text(&self) -> Option<(&str, usize)> {
        match self {
            Self::Scalar { text, line, plain } if !(*plain && ["", "~", "null", "Null", "NULL"].contains(&&**text)) => {
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

    /// The keys and values of a map; nothing for anything else.
    pub fn entries(&self) -> &[(Rc<str>, Self)] {
        match self {
            Self::Map(entries) => entries,
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

impl Unreadable {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }

    /// What the parser says; it names no line of a character that YAML does not know.
    fn parsing(error: &libyaml_safer::Error, text: &str) -> Self {
        if let Some(mark) = error.problem_mark() {
            let said = error.to_string();
            // The kind and the position stand before the problem, and the position has a place of its own here.
            let message = said.split_once(&format!("{mark}: ")).map_or(said.as_str(), |(_, message)| message);
            return Self::new(line(mark), message);
        }
        let strange = text.find(|c: char| c != '\u{feff}' && !matches!(c, '\t' | '\n' | '\r') && c.is_control());
        let line = 1 + text[..strange.unwrap_or_default()].bytes().filter(|byte| *byte == b'\n').count();
        Self::new(line, "control characters are not allowed")
    }
}

/// The parser counts lines from 0.
fn line(mark: libyaml_safer::Mark) -> usize {
    usize::try_from(mark.line).unwrap_or(usize::MAX - 1) + 1
}

/// Reads a file document by document: none is kept once it has been looked at.
///
/// # Errors
/// Where the text is not YAML, or stands for more than the budget allows, and why.
pub fn documents(text: &str, budget: &Budget, mut each: impl FnMut(Document)) -> Result<(), Unreadable> {
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut sources = Sources { lines: text.lines(), next: 1 };
    let mut builder = Builder::new(budget);
    loop {
        let event = parser.parse().map_err(|error| Unreadable::parsing(&error, text))?;
        let line = line(event.start_mark);
        match event.data {
            EventData::StreamEnd => return Ok(()),
            EventData::DocumentStart { .. } => builder = Builder::new(budget),
            EventData::DocumentEnd { .. } => {
                let source = sources.before(line);
                if let Some(root) = builder.root.take() {
                    each(Document { root, source });
                }
            }
            EventData::Alias { anchor } => builder.alias(&anchor, line)?,
            EventData::Scalar { anchor, value, style, .. } => {
                let plain = style == ScalarStyle::Plain;
                // A block begins below its mark.
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let weight = 1 + value.len();
                let node = YamlNode::Scalar { text: value.into(), line: line + usize::from(block), plain };
                builder.add(node, weight, anchor);
            }
            EventData::SequenceStart { anchor, .. } => builder.open(Open::List(Vec::new()), anchor, line)?,
            EventData::MappingStart { anchor, .. } => builder.open(Open::Map(Vec::new(), None), anchor, line)?,
            EventData::SequenceEnd | EventData::MappingEnd => builder.close(),
            EventData::StreamStart { .. } => {}
        }
    }
}

/// The comments in which Helm names its templates: the parser brings none.
struct Sources<'t> {
    lines: std::str::Lines<'t>,
    next: usize,
}

impl Sources<'_> {
    /// The last template that is named before a line and after those that were looked at.
    fn before(&mut self, line: usize) -> Option<String> {
        let ahead = line.saturating_sub(self.next);
        self.next += ahead;
        let named = self.lines.by_ref().take(ahead).filter_map(|line| line.strip_prefix("# Source: "));
        named.last().map(|path| path.trim().to_owned())
    }
}

/// A list or map that is being read.
enum Open {
    List(Vec<YamlNode>),
    Map(Entries, Option<Rc<str>>),
}

/// A list or map that is being read, its anchor, and how much is in it.
struct Frame {
    open: Open,
    anchor: Option<String>,
    weight: usize,
}

struct Builder<'b> {
    stack: Vec<Frame>,
    /// What aliases stand for, and how much that is.
    anchors: HashMap<String, (YamlNode, usize)>,
    root: Option<YamlNode>,
    budget: &'b Budget,
}

impl<'b> Builder<'b> {
    fn new(budget: &'b Budget) -> Self {
        Self { stack: Vec::new(), anchors: HashMap::new(), root: None, budget }
    }

    fn open(&mut self, open: Open, anchor: Option<String>, line: usize) -> Result<(), Unreadable> {
        if self.stack.len() >= DEEPEST {
            return Err(Unreadable::new(line, format!("it is nested deeper than {DEEPEST} levels")));
        }
        self.stack.push(Frame { open, anchor, weight: 1 });
        Ok(())
    }

    fn close(&mut self) {
        let Some(Frame { open, anchor, weight }) = self.stack.pop() else { return };
        let node = match open {
            Open::List(items) => YamlNode::List(Rc::new(items)),
            Open::Map(entries, _) => YamlNode::Map(Rc::new(merged(entries))),
        };
        self.add(node, weight, anchor);
    }

    /// What an alias stands for is looked at as often as it is named, so it counts each time.
    fn alias(&mut self, anchor: &str, line: usize) -> Result<(), Unreadable> {
        let Some((node, weight)) = self.anchors.get(anchor).cloned() else {
            return Err(Unreadable::new(line, format!("no anchor \"{anchor}\" stands before the alias")));
        };
        if !self.budget.spend(weight) {
            return Err(Unreadable::new(line, TOO_LARGE));
        }
        self.add(node, weight, None);
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: YamlNode, weight: usize, anchor: Option<String>) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.weight = frame.weight.saturating_add(weight);
        match &mut frame.open {
            Open::List(items) => items.push(node),
            Open::Map(entries, key) => match key.take() {
                Some(key) => entries.push((key, node)),
                // A key that is no scalar is nothing that Kubernetes knows.
                None => *key = Some(if let YamlNode::Scalar { text, .. } = node { text } else { "".into() }),
            },
        }
    }
}

/// What is said where aliases or merge keys stand for too much.
pub const TOO_LARGE: &str = "its aliases and merge keys stand for far more than the file holds";

/// A map with what `<<` brings in; its own keys win, then what is named first.
fn merged(entries: Entries) -> Entries {
    if !entries.iter().any(|(key, _)| &**key == "<<") {
        return entries;
    }
    let (brought, mut all): (Entries, Entries) = entries.into_iter().partition(|(key, _)| &**key == "<<");
    let mut known: HashSet<Rc<str>> = all.iter().map(|(key, _)| Rc::clone(key)).collect();
    for (_, from) in &brought {
        for map in if let YamlNode::List(maps) = from { maps.as_slice() } else { std::slice::from_ref(from) } {
            let new = map.entries().iter().filter(|(key, _)| known.insert(Rc::clone(key)));
            all.extend(new.cloned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Document> {
        let mut all = Vec::new();
        documents(text, &Budget::of(text.len()), |document| all.push(document)).expect("YAML");
        all
    }

    fn refused(text: &str) -> Unreadable {
        documents(text, &Budget::of(text.len()), |_| ()).expect_err("it is refused")
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
        let error = refused("a: 1\nb: {{ .Values.x }}\nc: [1\n");
        assert!(error.line >= 2, "{error:?}");
        assert!(!error.message.is_empty());
    }

    #[test]
    fn what_kubectl_accepts_is_accepted() {
        let quoted = "a:\n  b: \"x\n  y\"\n  c: 'v\n\n  w'\nd: \"z\n\"\n";
        let all = read(quoted);
        assert_eq!(all[0].root.text_at(&["a", "b"]), Some("x y"));
        assert_eq!(all[0].root.text_at(&["a", "c"]), Some("v\nw"));
        assert_eq!(read("a:\r\n- b\r\n")[0].root.get("a").expect("a").items()[0].text(), Some(("b", 2)));
        let error = refused("a: 1\nb: \u{1}\n");
        assert_eq!((error.line, error.message.as_str()), (2, "control characters are not allowed"));
        assert_eq!(refused("a: *b\n"), Unreadable::new(1, "no anchor \"b\" stands before the alias"));
        assert!(refused("a: &a [*a]\n").message.contains("no anchor"));
    }

    #[test]
    fn a_billion_laughs_are_refused() {
        let laughs = |end: &str| {
            let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
            for level in 1..10 {
                let before = format!("*a{}", level - 1);
                text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
            }
            text + end
        };
        assert_eq!(refused(&laughs("")).message, TOO_LARGE);
        let merge = |n| format!("m{n}: &m{n} {{<<: *m{}, k{n}: v}}\n", n - 1);
        let merges = (1..2_000).map(merge).collect::<Vec<_>>().concat();
        assert_eq!(refused(&format!("m0: &m0 {{k: v}}\n{merges}")).message, TOO_LARGE);
        // One long text is as heavy as many nodes.
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(20_000), ["*a"; 1_000].join(", "));
        assert_eq!(refused(&long).message, TOO_LARGE);
        assert!(refused(&"[".repeat(10_000)).message.contains("nested deeper"));
    }

    #[test]
    fn a_file_may_repeat_itself() {
        // Anchors in anchors cost nothing while nobody names them.
        let nested = format!("{}x{}", "&a [".repeat(150), "]".repeat(150));
        assert_eq!(read(&nested).len(), 1);
        let pods = "- *pod\n".repeat(100);
        let text = format!("- &pod {{spec: {{containers: [{{name: c, image: \"a/b:1\"}}]}}}}\n{pods}");
        assert_eq!(read(&text)[0].root.items().len(), 101);
    }
}
