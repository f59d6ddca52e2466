//! Snapshots of earlier versions: what they do not hold is neither a gap nor a fault, and what was refused is a gap.

use aksiso::diagnosis::Verdict;
use aksiso::evidence::Section;
use serde_json::Value;

use crate::fixtures;
use crate::judged::diagnose;

/// The parts that the first snapshots did not have.
const LATER: [(&str, Section); 3] =
    [("desired", Section::Templates), ("budgets", Section::Budgets), ("storage", Section::Storage)];

#[test]
fn a_healthy_snapshot_of_before_stays_healthy() {
    for name in fixtures::files("healthy").into_keys() {
        let mut snapshot = fixtures::healthy_json(&name);
        let facts = snapshot["evidence"]["kubernetes"].as_object_mut().expect("facts");
        LATER.iter().for_each(|(part, _)| drop(facts.remove(*part)));
        let evidence = fixtures::evidence(&snapshot);
        assert_eq!(diagnose(&evidence).verdict(), Verdict::Healthy, "{name}");
        // It is written as it was read.
        let text = aksiso::evidence::snapshot::render(&evidence).expect("JSON");
        let again: Value = serde_json::from_str(&text).expect("JSON");
        assert!(LATER.iter().all(|(part, _)| again["evidence"]["kubernetes"].get(*part).is_none()), "{name}");
    }
}

/// What this version asks for and does not get is a gap wherever something rests on it.
#[test]
fn what_was_not_collected_is_a_gap() {
    for (_, section) in LATER {
        let (_, snapshot) = fixtures::case(&fixtures::folder().join("cases/drain-blocked.json"));
        let mut evidence = fixtures::evidence(&snapshot);
        section.blank(&mut evidence);
        assert!(diagnose(&evidence).incomplete(), "{section:?}");
    }
}
