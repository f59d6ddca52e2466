//! The same judgement: every fixture in one tenant, asked for at once.

use std::collections::{BTreeMap, BTreeSet};

use aksiso::answers::fleet::covers;
use aksiso::checks::catalogue;
use aksiso::checks::check::Check;
use aksiso::checks::command::Shell;
use aksiso::checks::kubelet_acrpull;
use aksiso::diagnosis::Diagnosis;
use aksiso::evidence::Fact;
use aksiso::report::model::Report;
use serde_json::{Value, json};

use super::world::renamed;
use super::{settle, tenant};
use crate::fixtures;
use crate::site::{Site, report, stderr};

fn covered() -> Vec<&'static Check> {
    catalogue::ALL.iter().copied().filter(|check| covers(check)).collect()
}

/// What `diagnose` says of the checks that a fleet covers: findings, and checks that could not see everything.
fn expected(snapshot: &Value) -> (Vec<Value>, BTreeSet<String>) {
    let mut evidence = fixtures::evidence(snapshot);
    // What only nodes know, by a probe or by their conditions, no fleet asks for.
    evidence.probes.clear();
    if let Fact::Known(nodes) = &mut evidence.kubernetes.nodes {
        nodes.iter_mut().for_each(|node| node.problems.clear());
    }
    let report = Report::of_diagnosis(Diagnosis::of(&evidence, &covered()), Shell::Posix);
    let report = serde_json::to_value(report).expect("JSON");
    let unseen = report["checks"].as_array().expect("checks").iter().filter(|check| check["gaps"] != json!([]));
    let unseen = unseen.map(|check| check["id"].as_str().expect("an id").to_owned()).collect();
    (report["findings"].as_array().expect("findings").clone(), unseen)
}

/// Whether the kubelet may pull through a group only. Resource Graph does not know who is in it: the check is
/// undetermined then, and says no more.
fn through_a_group(snapshot: &Value) -> bool {
    let assignments = snapshot["evidence"]["access"]["roleAssignments"]["known"].as_array();
    let mut kinds = assignments.into_iter().flatten().map(|own| own["properties"]["principalType"].as_str());
    kinds.clone().any(|kind| kind == Some("Group")) && kinds.all(|kind| kind == Some("Group"))
}

#[test]
fn graph_says_of_every_fixture_what_diagnose_says() {
    let all: BTreeMap<String, Value> =
        fixtures::all().into_iter().filter(|(name, _)| !name.ends_with("-young")).collect();
    let site = Site::new(&fixtures::healthy_json("byo"));
    let mut tenants = Vec::new();
    for (number, (name, snapshot)) in (1..).zip(&all) {
        let snapshot = renamed(snapshot, number);
        settle(&site, &snapshot);
        tenants.push((name, snapshot));
    }
    tenant(&site);
    let output = site
        .command()
        .args(["fleet", "--where", "all", "--depth", "graph", "--output", "json", "--timeout", "10m"])
        .output()
        .expect("it runs");
    let fleet = report(&output);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(fleet["scope"]["hidden"], json!([]));
    let found: BTreeMap<&str, &Value> = fleet["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| (finding["fingerprint"].as_str().expect("a fingerprint"), finding))
        .collect();
    let clusters: BTreeMap<&str, &Value> = fleet["clusters"]
        .as_array()
        .expect("clusters")
        .iter()
        .map(|cluster| (cluster["id"].as_str().expect("an id"), cluster))
        .collect();
    assert_eq!(clusters.len(), tenants.len());
    let mut wrong = Vec::new();
    for (name, snapshot) in &tenants {
        let (findings, unseen) = expected(snapshot);
        let id = snapshot["evidence"]["cluster"]["id"].as_str().expect("an id");
        let cluster = clusters[id];
        let own: Vec<&Value> = cluster["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|print| found[print.as_str().expect("a fingerprint")])
            .collect();
        let blind: BTreeSet<String> = cluster["undetermined"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|check| check["check"].as_str().expect("an id").to_owned())
            .collect();
        let mut unseen = unseen;
        if through_a_group(snapshot) {
            unseen.insert(kubelet_acrpull::CHECK.about.id.to_owned());
        }
        if blind != unseen {
            let gaps: Vec<&Value> =
                cluster["undetermined"].as_array().expect("a list").iter().map(|check| &check["reason"]).collect();
            wrong.push(format!("{name}: could not see {blind:?}, diagnose {unseen:?}: {gaps:?}"));
        }
        if own != findings.iter().collect::<Vec<_>>() {
            let names = |all: &[&Value]| {
                all.iter().map(|own| format!("{} {}", own["rule"], own["severity"])).collect::<Vec<_>>()
            };
            let (left, right) = (names(&own), names(&findings.iter().collect::<Vec<_>>()));
            if left == right {
                let (one, other) =
                    own.iter().zip(&findings).find(|(one, other)| **one != *other).expect("a difference");
                wrong.push(format!("{name}: {one}\n   diagnose: {other}"));
            } else {
                wrong.push(format!("{name}: {left:?}\n   diagnose: {right:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), tenants.len(), wrong.join("\n"));
}
