//! A snapshot of anything: read, judged, reported, put under pseudonyms and back. Nothing panics, and no report steers a
//! terminal.

#![no_main]

use aksiso::checks::catalogue;
use aksiso::checks::command::Shell;
use aksiso::diagnosis::Diagnosis;
use aksiso::diagnosis::plan::Plan;
use aksiso::evidence::anonymize::{self, Pseudonyms};
use aksiso::evidence::snapshot;
use aksiso::report::model::Report;
use aksiso::report::{self, Format, Options, json, script};
use aksiso::text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(evidence) = snapshot::read_from(bytes, "fuzz") else { return };
    let diagnosis = Diagnosis::of(&evidence, catalogue::ALL);
    let script = script::render(&Plan::of(&diagnosis), Shell::Powershell);
    let report = Report::of_diagnosis(diagnosis, Shell::Posix);
    let json = json::render(&report).expect("a report");
    let harmless = |report: &str| !report.chars().any(|c| c != '\n' && text::is_hostile(c));
    assert!(harmless(&json) && harmless(&script));
    let options = Options { width: 80, ..Options::default() };
    assert!(report::render(&report, Format::Table, &options).expect("a table").len() < 50_000_000);
    let mut names = Pseudonyms::default();
    let other = anonymize::anonymize(&evidence, &mut names).expect("pseudonyms");
    anonymize::restore(&other, &names).expect("names");
    let again = snapshot::render(&evidence).expect("a snapshot");
    assert!(snapshot::read_from(again.as_bytes(), "again").is_ok());
});
