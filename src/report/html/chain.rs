//! The chain as SVG, in a row and in a column: the page shows the one that fits.

use super::escape;
use crate::report::marks::mark;
use crate::report::picture::{Picture, Shown, folded};

/// Most lines of a box below its name.
const LINES: usize = 3;
/// Between one box and the next.
const GAP: usize = 26;

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
    const PITCH: usize = 206;
    const WIDTH: usize = PITCH - 40;
    let (images, api_server) = (&picture.images, &picture.api_server);
    // All boxes are as high as the one that says most.
    let height = picture.links().map(|link| height(link, WIDTH)).max().unwrap_or_default();
    let row = height + GAP;
    let at_row = |at: usize, y: usize, link: &Shown| Frame { x: at * PITCH + 2, y, width: WIDTH, height }.drawn(link);
    let first = images.iter().enumerate().map(|(at, link)| at_row(at, 2, link));
    let second = api_server.iter().enumerate().map(|(at, link)| at_row(at + 1, row + 2, link));
    let arrow =
        |at: usize, y: usize| format!("<path d=\"M{} {}h26m-7 -6l7 6l-7 6\"/>", at * PITCH - 32, y + height / 2);
    let mut arrows: Vec<String> = (1..images.len()).map(|at| arrow(at, 0)).collect();
    arrows.extend((2..=api_server.len()).map(|at| arrow(at, row)));
    let boxes: String = first.chain(second).collect();
    let mut bottom = height + 4;
    if !api_server.is_empty() {
        // From below the nodes to the first link of the second row.
        let (x, down) = (PITCH / 2 - 18, row - height / 2);
        arrows.push(format!("<path d=\"M{x} {}v{down}h{}m-7 -6l7 6l-7 6\"/>", height + 2, PITCH - x - 6));
        bottom += row;
    }
    drawing("wide", said, (images.len() * PITCH - 20, bottom), &boxes, &arrows.concat())
}

fn tall(picture: &Picture, said: &str) -> String {
    const WIDTH: usize = 336;
    let (mut boxes, mut arrows, mut y) = (String::new(), String::new(), 2);
    for (at, link) in picture.links().enumerate() {
        let frame = Frame { x: 2, y, width: WIDTH, height: height(link, WIDTH) };
        boxes.push_str(&frame.drawn(link));
        // The way to the API server is one of its own: no arrow leads there from the last link of an image's.
        if at > 0 && at != picture.images.len() {
            arrows.push_str(&format!("<path d=\"M170 {}v19m-6 -7l6 7l6 -7\"/>", y - GAP + 3));
        }
        y += frame.height + GAP;
    }
    drawing("tall", said, (WIDTH + 4, y - GAP + 2), &boxes, &arrows)
}

fn drawing(class: &str, said: &str, (width, height): (usize, usize), boxes: &str, arrows: &str) -> String {
    format!(
        "<svg class=\"{class}\" role=\"img\" aria-label=\"{said}\" viewBox=\"0 0 {width} {height}\">{boxes}{arrows}</svg>\n"
    )
}

/// What is said of a link below its name, in a box so wide.
fn lines(link: &Shown, width: usize) -> Vec<String> {
    // About seven pixels a character of this font.
    folded(&link.note, (width - 20) / 7, LINES)
}

/// As high as what is said of a link.
fn height(link: &Shown, width: usize) -> usize {
    38 + 18 * lines(link, width).len().max(1)
}

/// Where a link's box stands.
struct Frame {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Frame {
    fn drawn(&self, link: &Shown) -> String {
        let Self { x, y, width, height } = self;
        let lines = lines(link, *width);
        let note = lines.iter().enumerate().map(|(at, line)| text("", x + 10, y + 44 + at * 18, &escape(line)));
        format!(
            "<g class=\"link {}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>{}{}{}</g>",
            link.state.as_str(),
            text("mark", x + 10, y + 23, mark(link.state)),
            text("name", x + 28, y + 23, &escape(&link.title)),
            note.collect::<String>()
        )
    }
}

fn text(class: &str, x: usize, y: usize, words: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!("class=\"{class}\" ") };
    format!("<text {class}x=\"{x}\" y=\"{y}\">{words}</text>")
}
