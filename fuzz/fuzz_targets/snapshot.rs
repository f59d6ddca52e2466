//! A snapshot of anything: read, judged, reported, put under pseudonyms and back. Nothing panics, and no report steers a
//! terminal.

#![no_main]

use aksiso::anonymize::{self, Pseudonyms};
use aksiso::command::Shell;
use aksiso::correlate::Diagnosis;
use aksiso::report::model::Report;
use aksiso::report::{json, script, table};
use aksiso::{check, snapshot, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(evidence) = snapshot::read_from(bytes, "fuzz") else { return };
    let diagnosis = Diagnosis::of(&evidence, check::ALL);
    let json = json::render(&Report::of(&diagnosis, Shell::Posix)).expect("a report");
    let script = script::render(&diagnosis, Shell::Powershell);
    let harmless = |report: &str| !report.chars().any(|c| c != '\n' && text::is_hostile(c));
    assert!(harmless(&json) && harmless(&script));
    assert!(table::render(&diagnosis, 80, Shell::Posix, false).len() < 50_000_000);
    let mut names = Pseudonyms::default();
    let other = anonymize::anonymize(&evidence, &mut names).expect("pseudonyms");
    anonymize::restore(&other, &names).expect("names");
    let again = snapshot::render(&evidence).expect("a snapshot");
    assert!(snapshot::read_from(again.as_bytes(), "again").is_ok());
});
