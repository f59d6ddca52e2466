//! Pages of documentation on a terminal: the Markdown of a check or rule, wrapped.

use anstyle::Style;

/// Renders a page for lines of `width` characters.
pub fn render(markdown: &str, width: usize) -> String {
    let bold = Style::new().bold();
    let mut out = String::new();
    for block in markdown.trim().split("\n\n") {
        if !out.is_empty() {
            out.push('\n');
        }
        for line in joined(block) {
            let heading = line.trim_start_matches('#');
            if heading.len() < line.len() {
                out.push_str(&format!("{bold}{}{bold:#}\n", heading.trim()));
                continue;
            }
            let rest = if line.starts_with("- ") { "  " } else { "" };
            let plain = line.replace("**", "").replace('`', "");
            let options = textwrap::Options::new(width).subsequent_indent(rest).break_words(false);
            for wrapped in textwrap::wrap(&plain, options.word_splitter(textwrap::WordSplitter::NoHyphenation)) {
                out.push_str(wrapped.trim_end());
                out.push('\n');
            }
        }
    }
    out
}

/// The lines of a block, those of one paragraph or list item joined.
fn joined(block: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in block.lines() {
        let begins = line.starts_with('#') || line.starts_with("- ") || line.starts_with("**");
        match lines.last_mut() {
            Some(last) if !begins && !last.starts_with('#') => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}
