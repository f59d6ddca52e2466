//! The chain as a Mermaid flowchart: GitHub, GitLab and Azure DevOps draw it in Markdown.

use super::headline;
use super::marks::mark;
use super::model::Report;
use super::picture::{Picture, Shown};
use super::roots::Roots;
use crate::answers::chain::LinkState;
use crate::text;

/// Colours that can be read on light and dark pages; the marks say the same.
const CLASSES: &str = "  classDef broken stroke:#d1242f,stroke-width:3px
  classDef warning stroke:#bf8700,stroke-width:3px
  classDef unseen stroke:#bf8700,stroke-dasharray:4 3
  classDef ok stroke:#1a7f37
  classDef absent stroke:#8b949e,stroke-dasharray:1 3
";

/// The chain below the verdict.
pub fn render(report: &Report) -> String {
    let title = label(&text::bounded(&headline::line(report), 1_000));
    format!("flowchart LR\n  subgraph verdict[\"{title}\"]\n  direction LR\n{}  end\n{CLASSES}", links(report))
}

/// The chain alone, for a page that says the verdict itself; nothing where there is no chain.
pub(super) fn chain(report: &Report) -> Option<String> {
    (!report.chain.is_empty()).then(|| format!("flowchart LR\n{}{CLASSES}", links(report)))
}

fn links(report: &Report) -> String {
    let picture = Picture::of(report, &Roots::of(report));
    let links: Vec<&Shown> = picture.links().collect();
    let node = |(at, link): (usize, &&Shown)| {
        let note = if link.note.is_empty() { String::new() } else { format!("<br/>{}", label(&link.note)) };
        let name = format!("{} {}{note}", mark(link.state), label(&link.title));
        let class = if link.state == LinkState::NotApplicable { "absent" } else { link.state.as_str() };
        format!("  link{at}[\"{name}\"]:::{class}\n")
    };
    // The way to the API server begins at the nodes again.
    let before = |at: usize| if at == picture.images.len() { 0 } else { at - 1 };
    let arrows = (1..links.len()).map(|at| format!("  link{} --> link{at}\n", before(at)));
    let nodes: String = links.iter().enumerate().map(node).collect();
    if links.is_empty() {
        "  images[\"images of manifests\"]\n".to_owned()
    } else {
        nodes + &arrows.collect::<String>()
    }
}

/// Text that is nothing but text in a quoted label: no quote, no markup, no directive, no end of a fence.
fn label(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text::clean(text).chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '%' | '{' | '}' | '[' | ']' | '|' | '\\' | '@' | ';' | '*' | '_' => {
                out.push_str(&format!("#{};", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}
