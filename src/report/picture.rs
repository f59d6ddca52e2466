//! The chain as a picture in text: in a row where there is room, else one link a line.

use super::lines::Page;
use super::marks::{arrow, coloured};
use super::model::{LinkEntry, Report};
use super::roots::Roots;
use crate::answers::chain::{LinkState, Place};
use crate::text;

/// From how many columns on the chain stands in a row.
const ROW: usize = 100;
/// Lines below a link's name that a row spends.
const DEEP: usize = 3;
/// Columns between two names, for the arrow.
const GAP: usize = 5;

/// Columns of the last link.
const LAST: usize = 15;

/// A link as a picture shows it.
pub(super) struct Shown {
    /// The link's name for people.
    pub title: String,
    pub state: LinkState,
    /// What stands there, or what is wrong with it, with the numbers of its root causes.
    pub note: String,
}

/// What a picture shows.
pub(super) struct Picture {
    /// The way of an image, from the nodes on.
    pub images: Vec<Shown>,
    /// The nodes' way to the API server, without the nodes; empty where it is right.
    pub api_server: Vec<Shown>,
}

impl Picture {
    /// What is shown of a report's chain.
    pub fn of(report: &Report, roots: &Roots<'_>) -> Self {
        let beside = |link: &&LinkEntry| Place::of(&link.link).is_some_and(Place::leads_to_api_server);
        let (api_server, images): (Vec<&LinkEntry>, Vec<&LinkEntry>) = report.chain.iter().partition(beside);
        let right = |link: &&LinkEntry| matches!(state(link), LinkState::Ok | LinkState::NotApplicable);
        let api_server = if api_server.iter().all(right) { Vec::new() } else { api_server };
        let shown =
            |link: &LinkEntry| Shown { title: title(link), state: state(link), note: note(link, report, roots) };
        Self {
            images: images.into_iter().map(shown).collect(),
            api_server: api_server.into_iter().map(shown).collect(),
        }
    }

    /// All links, those of images first.
    pub fn links(&self) -> impl Iterator<Item = &Shown> {
        self.images.iter().chain(&self.api_server)
    }
}

fn title(link: &LinkEntry) -> String {
    Place::of(&link.link).map_or_else(|| text::clean(&text::bounded(&link.link, 20)), |place| place.title().to_owned())
}

fn state(link: &LinkEntry) -> LinkState {
    LinkState::of(&link.state)
}

fn note(link: &LinkEntry, report: &Report, roots: &Roots<'_>) -> String {
    let subject = || link.subject.as_deref().map(text::clean).unwrap_or_default();
    match state(link) {
        // Every cluster has nodes, unless they do not run.
        LinkState::NotApplicable if link.link == Place::NodePools.as_str() => "stopped".to_owned(),
        LinkState::NotApplicable => "not used".to_owned(),
        LinkState::Unseen => {
            let why = if link.link == Place::Upstream.as_str() { "not looked at" } else { "not seen" };
            if link.subject.is_none() || why == "not looked at" {
                return why.to_owned();
            }
            format!("not all seen: {}", subject())
        }
        LinkState::Ok => subject(),
        LinkState::Broken | LinkState::Warning => wrong(link, report, roots),
    }
}

/// The rules of a link's findings, each once, with the numbers of its root causes.
fn wrong(link: &LinkEntry, report: &Report, roots: &Roots<'_>) -> String {
    let mut words: Vec<(String, Vec<String>)> = Vec::new();
    for print in &link.findings {
        let finding = report.findings.iter().find(|finding| finding.fingerprint == *print);
        let accepted = report.suppressed.iter().find(|entry| entry.finding.fingerprint == *print);
        let word = match (finding, accepted) {
            (Some(finding), _) => finding.rule.replace('-', " "),
            (None, Some(entry)) => format!("accepted: {}", entry.finding.rule.replace('-', " ")),
            (None, None) => continue,
        };
        let number = roots.number(print).map(|number| format!("#{number}"));
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, numbers)) => numbers.extend(number),
            None => words.push((word, number.into_iter().collect())),
        }
    }
    let word = |(word, numbers): (String, Vec<String>)| {
        if numbers.is_empty() { word } else { format!("{} {word}", numbers.join(" ")) }
    };
    text::clean(&words.into_iter().map(word).collect::<Vec<_>>().join(", "))
}

/// Draws a chain, and below it the way to the API server, which begins at the same nodes.
pub(super) fn draw(page: &mut Page, picture: &Picture) {
    match pitches(&picture.images, page.width()) {
        Some(pitches) if page.width() >= ROW => {
            in_a_row(page, &picture.images, &pitches);
            beside(page, &picture.api_server, &pitches);
        }
        _ => down(page, &picture.links().collect::<Vec<_>>()),
    }
}

/// The way to the API server, below the chain and beside its first link: a line each.
fn beside(page: &mut Page, links: &[Shown], pitches: &[usize]) {
    let Some(nodes) = pitches.first() else { return };
    for (at, link) in links.iter().enumerate() {
        let start = if at == 0 { format!(" └{} ", arrow(nodes - 2)) } else { " ".repeat(nodes + 1) };
        let first = format!("{start}{} {}  ", coloured(link.state), link.title);
        one_line(page, &first, &link.note, nodes + 5, 1);
    }
}

/// How many columns each link takes in a row of so many; none where there is no room. What is left over goes to the
/// narrowest.
fn pitches(links: &[Shown], width: usize) -> Option<Vec<usize>> {
    let before = links.len().checked_sub(1)?;
    let mut pitches: Vec<usize> = links[..before].iter().map(|link| link.title.chars().count() + GAP).collect();
    let last = links[before].title.chars().count().max(LAST);
    let spare = width.checked_sub(1 + last + pitches.iter().sum::<usize>())?;
    for _ in 0..spare {
        *pitches.iter_mut().min()? += 1;
    }
    pitches.push(last);
    Some(pitches)
}

/// Names with arrows between them, the state of each below it.
fn in_a_row(page: &mut Page, links: &[Shown], pitches: &[usize]) {
    let mut names = " ".to_owned();
    for (at, (link, pitch)) in links.iter().zip(pitches).enumerate() {
        names.push_str(&link.title);
        if at + 1 < links.len() {
            names.push_str(&format!(" {} ", arrow(pitch - link.title.chars().count() - 2)));
        }
    }
    page.line(&names);
    // A column stays free between two notes; after the last one there is none.
    let room = |at: usize| pitches[at] - if at + 1 < links.len() { 3 } else { 2 };
    let cells: Vec<Vec<String>> =
        links.iter().enumerate().map(|(at, link)| folded(&link.note, room(at), DEEP)).collect();
    let depth = cells.iter().map(Vec::len).max().unwrap_or(1);
    for line in 0..depth {
        let mut out = " ".to_owned();
        for ((link, cell), pitch) in links.iter().zip(&cells).zip(pitches) {
            let mark = if line == 0 { coloured(link.state) } else { " ".to_owned() };
            let words = cell.get(line).map_or("", String::as_str);
            out.push_str(&format!("{mark} {words}{}", " ".repeat((pitch - 2).saturating_sub(columns(words)))));
        }
        page.line(out.trim_end());
    }
}

/// One link a line: also what a screen reader reads best.
fn down(page: &mut Page, links: &[&Shown]) {
    let widest = links.iter().map(|link| link.title.chars().count()).max().unwrap_or_default();
    for link in links {
        let rest = " ".repeat(widest - link.title.chars().count());
        let mark = coloured(link.state);
        let first = format!(" {mark} {}{rest}  ", link.title);
        one_line(page, &first, &link.note, widest + 5, DEEP);
    }
}

/// A link and its note, if there is one, of so many lines at most.
fn one_line(page: &mut Page, first: &str, note: &str, indent: usize, lines: usize) {
    if note.is_empty() { page.line(first.trim_end()) } else { page.at_most(first, note, indent, lines) }
}

/// How many columns a text takes.
fn columns(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// A text in lines of at most `width` columns, broken at blanks, dots and hyphens where that is possible.
pub(super) fn folded(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for piece in text.split_inclusive([' ', '.', '-']).flat_map(|piece| chunks(piece, width)) {
        let last = lines.last_mut().expect("there is a line");
        if columns(last) + columns(piece.trim_end()) > width {
            lines.push(piece);
        } else {
            last.push_str(&piece);
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        let last = lines.last_mut().expect("there is a line");
        while columns(last) >= width {
            last.pop();
        }
        last.push('…');
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A piece in parts of at most `width` columns.
fn chunks(piece: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in piece.chars() {
        if columns(parts.last().map_or("", String::as_str)) >= width && c != ' ' {
            parts.push(String::new());
        }
        parts.last_mut().expect("there is a part").push(c);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn names_are_folded_where_one_would_break_them() {
        assert_eq!(folded("privatelink.azurecr.io", 12, 3), ["privatelink.", "azurecr.io"]);
        assert_eq!(folded("1 dns record missing", 10, 3), ["1 dns", "record", "missing"]);
        assert_eq!(folded("contosobootregistry", 10, 3), ["contosoboo", "tregistry"]);
        assert_eq!(folded("a b c d", 1, 2), ["a", "…"]);
        assert_eq!(folded("", 10, 3), [""]);
    }
}
