//! A page of text for people that grows line by line: wrapped, escaped, in the terminal's own characters.

use anstyle::Style;

use super::Options;
use crate::text;

/// Column at which the text beside a label begins.
pub(super) const LABEL: usize = 12;

pub(super) fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A page that grows line by line.
pub(super) struct Page {
    out: String,
    width: usize,
    links: bool,
}

impl Page {
    pub(super) fn new(width: usize) -> Self {
        Self { out: String::new(), width, links: false }
    }

    /// A page for a terminal, or for what stands in for one.
    pub(super) fn for_options(options: &Options<'_>) -> Self {
        Self { links: options.links, ..Self::new(options.width) }
    }

    /// Characters of a line.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The page, safe for a terminal and for a CI log.
    pub(super) fn finish(self) -> String {
        text::for_ci_log(&self.out)
    }

    pub(super) fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// Text with a link, where the terminal shows links.
    pub(super) fn linked(&self, text: &str, link: &str) -> String {
        if self.links { format!("\u{1b}]8;;{link}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\") } else { text.to_owned() }
    }

    /// Parts on as few lines as they fit on, none of them broken: each may be there to be copied.
    pub(super) fn units(&mut self, parts: &[String], between: &str) {
        let mut line = String::new();
        for part in parts {
            let columns = |text: &str| text.chars().count();
            if !line.is_empty() && columns(&line) + columns(between) + columns(part) > self.width {
                self.line(&line);
                line.clear();
            }
            line = if line.is_empty() { format!(" {part}") } else { format!("{line}{between}{part}") };
        }
        self.line(&line);
    }

    /// A wrapped paragraph of so many lines at most; what is cut is marked.
    pub(super) fn at_most(&mut self, first: &str, body: &str, indent: usize, lines: usize) {
        let options = textwrap::Options::new(self.width.saturating_sub(indent + 1)).break_words(true);
        let wrapped = textwrap::wrap(body, options.word_splitter(textwrap::WordSplitter::NoHyphenation));
        for (at, line) in wrapped.iter().take(lines).enumerate() {
            let start = if at == 0 { first.to_owned() } else { " ".repeat(indent) };
            let end = if at + 1 == lines && wrapped.len() > lines { "…" } else { "" };
            self.line(&format!("{start}{}{end}", line.trim_end()));
        }
    }

    /// Commands stand on lines of their own and are never broken: they are there to be copied.
    pub(super) fn commands(&mut self, heading: &str, commands: &[String]) {
        if commands.is_empty() {
            return;
        }
        if !heading.is_empty() {
            self.field("", heading, LABEL);
        }
        for command in commands {
            let line = format!("    {}", text::clean(command));
            self.line(&line);
        }
    }

    /// A label and a wrapped paragraph beside it; an empty label goes on with the one above.
    pub(super) fn field(&mut self, label: &str, body: &str, indent: usize) {
        self.paragraph(&format!("  {label:<width$}", width = indent - 2), body, indent);
    }

    /// A wrapped paragraph: what its first line begins with, and how far the others are indented.
    pub(super) fn paragraph(&mut self, first: &str, body: &str, indent: usize) {
        self.wrapped(first, &text::clean(body), indent);
    }

    /// The same of what is clean already; it may hold styles.
    pub(super) fn wrapped(&mut self, first: &str, body: &str, indent: usize) {
        let rest = " ".repeat(indent);
        let options =
            textwrap::Options::new(self.width).initial_indent(first).subsequent_indent(&rest).break_words(false);
        for line in textwrap::wrap(body, options.word_splitter(textwrap::WordSplitter::NoHyphenation)) {
            self.line(line.trim_end());
        }
    }
}
