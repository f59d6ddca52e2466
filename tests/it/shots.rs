//! The picture of a terminal in the README, made of what the program prints: nobody takes it by hand.

use std::fmt::Write as _;
use std::path::Path;

use aksiso::report::{self, Format, Options};

use crate::{judged, snapshots};

const COLUMNS: usize = 100;
/// Height of a line and width of a character, in pixels.
const LINE: usize = 19;
const CHARACTER: usize = 8;

/// With `AKSISO_UPDATE` it is written.
#[test]
fn the_picture_of_the_terminal_is_what_the_program_prints() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnose.svg");
    let evidence = aksiso::app::files::read_snapshot(&snapshots::example()).expect("a snapshot");
    let options = Options { width: COLUMNS, ..Options::default() };
    let screen = report::render(&judged::report(&evidence), Format::Table, &options).expect("a report");
    let drawn = svg(&screen);
    if std::env::var_os("AKSISO_UPDATE").is_some() {
        std::fs::write(&file, &drawn).expect("written");
    }
    let shipped = std::fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    assert!(shipped == drawn, "docs/diagnose.svg is old: AKSISO_UPDATE=1 cargo test --test it shots::");
    roxmltree::Document::parse(&drawn).expect("XML");
}

/// A terminal with a text in it.
fn svg(screen: &str) -> String {
    let text = format!("\u{1b}[1m$ aksiso diagnose -g prod-rg -n aks1\u{1b}[0m\n{screen}");
    let rows: Vec<Vec<(char, String)>> = text.lines().flat_map(|line| wrapped(styled(line))).collect();
    let (width, height) = (COLUMNS * CHARACTER + 32, rows.len() * LINE + 32);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"aksiso diagnose on a terminal\">\n<style>text {{ font: 13px ui-monospace, Menlo, Consolas, \
         'DejaVu Sans Mono', monospace; fill: #e6edf3; white-space: pre }} .b {{ font-weight: 700 }} .c31 {{ fill: \
         #ff7b72 }} .c32 {{ fill: #3fb950 }} .c33 {{ fill: #d29922 }} .c36 {{ fill: #39c5cf }}</style>\n<rect \
         width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (at, row) in rows.iter().enumerate() {
        // Each run stands at its own column: fonts differ in the width of a mark.
        let y = at * LINE + 30;
        let mut start = 0;
        for run in row.chunk_by(|one, other| one.1 == other.1 && one.0.is_ascii() == other.0.is_ascii()) {
            let words: String = run.iter().map(|(c, _)| *c).collect();
            if !words.trim().is_empty() {
                let x = start * CHARACTER + 16;
                let length = run.len() * CHARACTER;
                let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let class = &run[0].1;
                let _ = writeln!(
                    out,
                    "<text x=\"{x}\" y=\"{y}\" class=\"{class}\" textLength=\"{length}\" \
                     xml:space=\"preserve\">{words}</text>"
                );
            }
            start += run.len();
        }
    }
    out + "</svg>\n"
}

/// The characters of a line with their styles, as classes.
fn styled(line: &str) -> Vec<(char, String)> {
    let (mut out, mut class, mut rest) = (Vec::new(), Vec::<String>::new(), line);
    while let Some((text, after)) = rest.split_once("\u{1b}[") {
        out.extend(text.chars().map(|c| (c, class.join(" "))));
        let (codes, further) = after.split_once('m').expect("a style");
        for code in codes.split(';') {
            match code {
                "" | "0" => class.clear(),
                "1" => class.push("b".to_owned()),
                colour => class.push(format!("c{colour}")),
            }
        }
        rest = further;
    }
    out.extend(rest.chars().map(|c| (c, class.join(" "))));
    out
}

/// Rows as wide as the terminal.
fn wrapped(line: Vec<(char, String)>) -> Vec<Vec<(char, String)>> {
    if line.is_empty() { vec![line] } else { line.chunks(COLUMNS).map(<[_]>::to_vec).collect() }
}
