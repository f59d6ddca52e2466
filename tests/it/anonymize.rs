//! What an anonymized snapshot must keep, and what it must not.

use std::collections::BTreeMap;

use aksiso::answers::cutover::{Goal, ReimagePolicy};
use aksiso::checks::command::Shell;
use aksiso::evidence::Evidence;
use aksiso::evidence::anonymize::{self, Pseudonyms};
use aksiso::report::cutover::CutoverReport;
use serde_json::Value;

use crate::{fixtures, judged};

fn report(evidence: &Evidence) -> Value {
    let mut report: Value = serde_json::from_str(&judged::json(evidence)).expect("JSON");
    let goal = Goal::Isolated(evidence.other_registries.keys().next().cloned());
    let cutover = judged::cutover(evidence, goal, ReimagePolicy::Documented);
    report["cutover"] = serde_json::to_value(CutoverReport::of(&cutover, Shell::Posix)).expect("JSON");
    report
}

/// What a report says without naming anything: each finding with its rule, severity, remediation and the rules of its
/// causes; each check with its status and the number of its gaps; the steps of the plan.
fn essence(report: &Value) -> (Vec<String>, Vec<String>, Vec<String>) {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let rules: BTreeMap<String, Value> = list(&report["findings"])
        .into_iter()
        .map(|finding| (finding["fingerprint"].to_string(), finding["rule"].clone()))
        .collect();
    let mut findings: Vec<String> = list(&report["findings"])
        .iter()
        .map(|finding| {
            let causes = list(&finding["causedBy"]);
            let mut causes: Vec<String> = causes.iter().map(|cause| rules[&cause.to_string()].to_string()).collect();
            causes.sort();
            let remediation = &finding["remediation"];
            let commands = list(&remediation["commands"]).len();
            format!("{} {} {} {commands} <- {causes:?}", finding["rule"], finding["severity"], remediation["kind"])
        })
        .collect();
    findings.sort();
    let checks = list(&report["checks"]);
    let checks =
        checks.iter().map(|check| format!("{} {} {}", check["id"], check["status"], list(&check["gaps"]).len()));
    let plan = list(&report["plan"]).into_iter().map(|step| step["kind"].to_string());
    let cutover = &report["cutover"];
    let stands = [&cutover["state"]["id"], &cutover["next"]["id"], &cutover["next"]["safety"]].map(Value::to_string);
    let plan = plan.chain(stands).collect();
    (findings, checks.collect(), plan)
}

fn anonymized(evidence: &Evidence, names: &mut Pseudonyms) -> Evidence {
    anonymize::anonymize(evidence, names).expect("evidence is JSON")
}

#[test]
fn every_fixture_is_diagnosed_alike_under_pseudonyms() {
    for (fixture, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let mut names = Pseudonyms::default();
        let other = anonymized(&evidence, &mut names);
        assert_eq!(essence(&report(&evidence)), essence(&report(&other)), "{fixture}");
        let back = anonymize::restore(&other, &names).expect("evidence is JSON");
        // In one casing: a name that a snapshot writes in two comes back in the first.
        let lower = |evidence: &Evidence| report(evidence).to_string().to_lowercase();
        assert_eq!(lower(&evidence), lower(&back), "{fixture}: the map does not translate back");
    }
}

/// Every name that got a pseudonym is gone everywhere: in ids, hosts, images and messages.
#[test]
fn no_name_that_was_replaced_is_left_anywhere() {
    for (fixture, snapshot) in fixtures::all() {
        let mut names = Pseudonyms::default();
        let other = anonymized(&fixtures::evidence(&snapshot), &mut names);
        let map: Value = serde_json::from_str(&names.render().expect("a map")).expect("JSON");
        let left = texts(&serde_json::to_value(&other).expect("JSON"));
        for name in map["names"].as_object().expect("names").values() {
            let name = name.as_str().expect("a name").to_lowercase();
            // A fixture has a link whose id is no whole one, so that its type is taken for a name.
            if name.len() < 3 || name == "virtualnetworklinks" {
                continue;
            }
            let named = |text: &&String| {
                text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|word| word == name)
            };
            let found: Vec<&String> = left.iter().filter(named).collect();
            let harmless = |text: &&&String| PUBLIC.iter().any(|part| text.contains(part));
            assert!(found.iter().all(|text| harmless(&text)), "{fixture}: {name} is left in {found:?}");
        }
    }
}

/// A word may also be one of a sentence, of a public image's path, or of a public host.
const PUBLIC: [&str; 4] = [" ", "mcr.microsoft.com/", "aks-managed-repository/", "quay.io/"];

/// Every text but those of fields that hold Azure's own words.
fn texts(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut value = value.clone();
    // How a private API server is named is Azure's own word, and so is that for a machine's own resolver.
    let mode = |field: &str, text: &str| field == "privateDNSZone" && ["system", "none"].contains(&text);
    let own = |field: &str, text: &str| field == "via" && text == aksiso::evidence::probe::SYSTEM;
    each(&mut value, "", &mut |field, text| {
        if !mode(field, text) && !own(field, text) {
            found.push(text.to_lowercase());
        }
    });
    found
}

/// Calls back with the field and text of every text but those of fields that hold Azure's own words.
fn each(value: &mut Value, field: &str, call: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::String(text) if !anonymize::OPEN.contains(&field) => call(field, text),
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, field, call)),
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| {
            let below = if key == "name" { format!("{field}.name") } else { key.clone() };
            each(value, &below, call);
        }),
        _ => {}
    }
}

/// A secret of the operator's in every text of a snapshot, in every form: none comes through.
#[test]
fn nothing_that_an_operator_wrote_comes_through() {
    let forms = [
        "Canary{n}",
        "canary-{n}_x",
        "canary{n}.contoso.com",
        "see Canary{n}: (ask Canary)",
        "https://canary{n}.example/x?sig=1",
        "/subscriptions/canary{n}/resourceGroups/canary",
        "aks-canary{n}-1-vmss000000",
        "mcr.microsoft.com-canary{n}",
        "HV_canary{n}",
        "canary{n}\u{1b}[31m",
        "größe-canary{n}",
    ];
    for (number, form) in forms.iter().enumerate() {
        let mut snapshot = fixtures::case(&fixtures::folder().join("cases/three-faults.json")).1;
        let mut count = 0;
        each(&mut snapshot["evidence"], "", &mut |_, text| {
            count += 1;
            *text = form.replace("{n}", &format!("{number}x{count}"));
        });
        let evidence = fixtures::evidence(&snapshot);
        let text = serde_json::to_string(&anonymized(&evidence, &mut Pseudonyms::default())).expect("JSON");
        let at = text.to_lowercase().find("canary").map(|at| text[at.saturating_sub(80)..].chars().take(160).collect());
        assert_eq!(at, None::<String>, "{form}");
        assert!(count > 80, "only {count} texts were poisoned");
    }
}

#[test]
fn a_map_gives_the_same_pseudonyms_to_the_next_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    let (map, first, second) =
        (folder.path().join("map.json"), folder.path().join("1.json"), folder.path().join("2.json"));
    let collect = |from: &str, to: &std::path::Path| {
        let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
        command.args(["collect", "--anonymize", "--from"]).arg(fixtures::folder().join(from));
        let output = command.arg("--anonymize-map").arg(&map).arg("-o").arg(to).output().expect("it runs");
        assert!(output.status.code().is_some_and(|code| code != 2), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(to).expect("a snapshot")
    };
    let other = collect("healthy/managed.json", &first);
    let again = collect("example.json", &second);
    assert_ne!(other, again);
    let names = std::fs::read_to_string(&map).expect("a map");
    assert_eq!(collect("example.json", &second), again, "the same names, the same pseudonyms");
    assert_eq!(std::fs::read_to_string(&map).expect("a map"), names, "nothing new");
    std::fs::write(&map, "{\"format\": \"else\"}").expect("written");
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    let output = command.args(["diagnose", "--from"]).arg(&second).arg("--anonymize-map").arg(&map).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not a map that aksiso collect --anonymize wrote"));
}
