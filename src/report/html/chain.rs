//! The chain as SVG, in a row and in a column: the page shows the one that fits.

use super::escape;
use crate::report::marks::mark;
use crate::report::picture::{Picture, Shown, folded};

/// Lines of a box below its name.
const LINES: usize = 3;
const HEIGHT: usize = 96;
/// From one row to the next.
const ROW: usize = HEIGHT + 24;

/// Both pictures; the one that is not shown is hidden from a screen reader too.
pub(super) fn svg(picture: &Picture) -> String {
    if picture.images.is_empty() {
        return String::new();
    }
    let all: Vec<String> = picture.links().map(words).collect();
    let said = escape(&format!("The chain: {}", all.join("; ")));
    format!("{}{}", wide(picture, &said), tall(picture, &said))
}

/// A link in words: what a picture says, for whoever does not see it.
fn words(link: &Shown) -> String {
    let state = link.state.as_str().replace('-', " ");
    let note = if link.note.is_empty() { String::new() } else { format!(", {}", link.note) };
    format!("{}: {state}{note}", link.title)
}

fn wide(picture: &Picture, said: &str) -> String {
    const PITCH: usize = 196;
    let (images, api_server) = (&picture.images, &picture.api_server);
    let width = images.len() * PITCH - 20;
    let at_row = |at: usize, row: usize, link: &Shown| boxed(link, at * PITCH + 2, row * ROW + 2, PITCH - 40);
    let first = images.iter().enumerate().map(|(at, link)| at_row(at, 0, link));
    let second = api_server.iter().enumerate().map(|(at, link)| at_row(at + 1, 1, link));
    let arrow = |at: usize, row: usize| {
        let (x, y) = (at * PITCH - 32, row * ROW + HEIGHT / 2);
        format!("<path d=\"M{x} {y}h26m-7 -6l7 6l-7 6\"/>")
    };
    let mut arrows: Vec<String> = (1..images.len()).map(|at| arrow(at, 0)).collect();
    arrows.extend((2..=api_server.len()).map(|at| arrow(at, 1)));
    let boxes: String = first.chain(second).collect();
    let mut height = HEIGHT + 4;
    if !api_server.is_empty() {
        // From below the nodes to the first link of the second row.
        let (x, down) = (PITCH / 2 - 18, ROW - HEIGHT / 2);
        arrows.push(format!("<path d=\"M{x} {HEIGHT}v{down}h{}m-7 -6l7 6l-7 6\"/>", PITCH - x - 6));
        height += ROW;
    }
    let arrows = arrows.concat();
    format!(
        "<svg class=\"wide\" role=\"img\" aria-label=\"{said}\" viewBox=\"0 0 {width} {height}\">{boxes}{arrows}</svg>\n"
    )
}

fn tall(picture: &Picture, said: &str) -> String {
    const PITCH: usize = HEIGHT + 30;
    let links: Vec<&Shown> = picture.links().collect();
    let height = links.len() * PITCH - 26;
    let boxes = links.iter().enumerate().map(|(at, link)| boxed(link, 2, at * PITCH + 2, 336));
    // The way to the API server is one of its own: no arrow leads there from the last link of an image's.
    let arrows = (1..links.len()).filter(|at| *at != picture.images.len()).map(|at| {
        let y = at * PITCH - 24;
        format!("<path d=\"M170 {y}v20m-6 -7l6 7l6 -7\"/>")
    });
    let (boxes, arrows): (String, String) = (boxes.collect(), arrows.collect());
    format!(
        "<svg class=\"tall\" role=\"img\" aria-label=\"{said}\" viewBox=\"0 0 340 {height}\">{boxes}{arrows}</svg>\n"
    )
}

fn boxed(link: &Shown, x: usize, y: usize, width: usize) -> String {
    let mark = mark(link.state);
    // About seven pixels a character of this font.
    let lines = folded(&link.note, (width - 20) / 7, LINES);
    let note = lines
        .iter()
        .enumerate()
        .map(|(at, line)| format!("<text x=\"{}\" y=\"{}\">{}</text>", x + 10, y + 44 + at * 18, escape(line)));
    format!(
        "<g class=\"link {}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" rx=\"8\"/><text \
         class=\"mark\" x=\"{}\" y=\"{}\">{mark}</text><text class=\"name\" x=\"{}\" y=\"{}\">{}</text>{}</g>",
        link.state.as_str(),
        x + 10,
        y + 23,
        x + 28,
        y + 23,
        escape(&link.title),
        note.collect::<String>()
    )
}
