//! Any text as manifests: what is found in them is judged and rendered beside a cluster that has everything.

#![no_main]

use std::sync::LazyLock;

use aksiso::answers::preflight::Preflight;
use aksiso::answers::pull::Puller;
use aksiso::checks::catalogue;
use aksiso::checks::command::Shell;
use aksiso::diagnosis::Diagnosis;
use aksiso::diagnosis::plan::Plan;
use aksiso::diagnosis::policy::Ruling;
use aksiso::evidence::Evidence;
use aksiso::report::model::{Report, Results};
use aksiso::report::{self, Format, Options, json, markdown, sarif};
use aksiso::sources::manifests;
use aksiso::text;
use libfuzzer_sys::fuzz_target;

static CLUSTER: LazyLock<Evidence> = LazyLock::new(|| {
    let snapshot = include_bytes!("../../fixtures/healthy/noisy.json");
    aksiso::evidence::snapshot::read_from(&snapshot[..], "fixture").expect("a snapshot")
});

fuzz_target!(|text: &str| {
    let Ok(found) = manifests::read_text("-", text, &[]) else { return };
    if found.places.len() > 200 {
        return;
    }
    let preflight = Preflight::of(&Puller::new(&Diagnosis::of(&CLUSTER, catalogue::ALL)), &found);
    let ruling = Ruling::none(Diagnosis::from_outcomes(&CLUSTER, vec![preflight.outcome(&CLUSTER, &|_| false)]));
    let plan = Plan::of(&ruling.diagnosis);
    let results = Results { ruling: &ruling, plan: &plan, preflight: Some(&preflight), effect: None };
    let report = Report::of(&results, Shell::Posix);
    let options = Options { width: 100, ..Options::default() };
    let table = report::render(&report, Format::Table, &options).expect("a table");
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
