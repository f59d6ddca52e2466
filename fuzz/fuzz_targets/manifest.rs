//! Any text as manifests: what is found in them is judged and rendered beside a cluster that has everything.

#![no_main]

use std::sync::LazyLock;

use aksiso::check;
use aksiso::command::Shell;
use aksiso::correlate::Diagnosis;
use aksiso::evidence::Evidence;
use aksiso::manifest;
use aksiso::report::model::Report;
use aksiso::report::{json, markdown, preflight, sarif};
use aksiso::text;
use libfuzzer_sys::fuzz_target;

static CLUSTER: LazyLock<Evidence> = LazyLock::new(|| {
    let snapshot = include_bytes!("../../fixtures/healthy/noisy.json");
    aksiso::snapshot::read_from(&snapshot[..], "fixture").expect("a snapshot")
});

fuzz_target!(|manifests: &str| {
    let Ok(found) = manifest::read_text("-", manifests, &[]) else { return };
    if found.places.len() > 200 {
        return;
    }
    let evidence = Evidence { manifests: Some(found), ..CLUSTER.clone() };
    let diagnosis = Diagnosis::of(&evidence, &[&check::preflight::CHECK]);
    let report = Report::of(&diagnosis, Shell::Posix);
    let table = preflight::render(&diagnosis, &report, 100, Shell::Posix);
    let shown = anstream_free(&table);
    assert!(!shown.chars().any(|c| c != '\n' && text::is_hostile(c)), "{shown:?}");
    markdown::render(&report);
    json::render(&report).expect("JSON");
    sarif::render(&report).expect("JSON");
});

/// The page without the colours that it brings itself.
fn anstream_free(page: &str) -> String {
    let mut out = String::new();
    let mut chars = page.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            for c in chars.by_ref() {
                if c == 'm' {
                    break;
                }
            }
        } else {
            out.push(c);
        }
    }
    out
}
