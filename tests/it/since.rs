//! What became of a former finding: its check found something else meanwhile and could not see everything, so nobody knows.

use aksiso::report::compare::Comparison;
use aksiso::report::model::{FindingEntry, Report};
use aksiso::report::old::Since;
use aksiso::report::servicenow;
use serde_json::Value;

use crate::{fixtures, judged};

fn report(name: &str) -> Report {
    judged::report(&fixtures::evidence(&fixtures::named(name)))
}

/// Yesterday a node's script said why it failed; today its pool has failed still, and its instances may not be read.
fn yesterday_and_today() -> (Report, FindingEntry, Report) {
    let (former, present) =
        (report("cases/node-bootstrap-failed-instance"), report("cases/pool-failed-instances-forbidden"));
    let gone = former.findings.iter().find(|own| own.rule == "node-bootstrap-failed").expect("it was there").clone();
    let check = present.checks.iter().find(|own| own.id == gone.check).expect("the check");
    assert_eq!(check.status, "failed", "it found something else");
    assert!(!check.gaps.is_empty(), "and it could not see everything");
    assert!(present.findings.iter().all(|own| own.fingerprint != gone.fingerprint));
    (former, gone, present)
}

/// The severities of the events that a run raises about a finding that a former run had; 0 clears it.
fn events(present: &Report, former: &Report, finding: &FindingEntry) -> Vec<String> {
    let text = servicenow::render(present, Some(former)).expect("JSON");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let own = |event: &&Value| event["message_key"].as_str().is_some_and(|key| key.contains(&finding.fingerprint));
    let records = all["records"].as_array().expect("records");
    records.iter().filter(own).map(|event| event["severity"].as_str().unwrap_or_default().to_owned()).collect()
}

fn names(findings: &[FindingEntry], wanted: &FindingEntry) -> bool {
    findings.iter().any(|own| own.fingerprint == wanted.fingerprint)
}

#[test]
fn a_failed_check_with_a_gap_settles_nothing() {
    let (former, gone, present) = yesterday_and_today();
    assert_eq!(Since::of(&gone, &present), Since::Unseen);
    let compared = Comparison::of(&former, &present);
    assert!(names(&compared.unseen, &gone) && !names(&compared.fixed, &gone) && !names(&compared.still_there, &gone));
    assert!(events(&present, &former, &gone).is_empty(), "a ticket is not closed by what was not seen");
    let baseline = present.as_baseline(Some(&former));
    assert!(baseline.known().any(|(own, _)| own == gone.fingerprint), "a baseline does not forget it");
}

/// The same without the gap: the check has failed, but it saw everything, and the finding is gone.
#[test]
fn a_failed_check_that_saw_everything_settles_what_is_gone() {
    let (former, gone, mut present) = yesterday_and_today();
    present.checks.iter_mut().for_each(|check| check.gaps.clear());
    assert_eq!(Since::of(&gone, &present), Since::Settled);
    let compared = Comparison::of(&former, &present);
    assert!(names(&compared.fixed, &gone) && !names(&compared.unseen, &gone));
    assert_eq!(events(&present, &former, &gone), ["0"]);
    let baseline = present.as_baseline(Some(&former));
    assert!(baseline.known().all(|(own, _)| own != gone.fingerprint));
}

/// The same by the files that runs leave behind, as a pipeline has them.
#[test]
fn the_options_of_a_run_say_the_same() {
    let (former, gone, _) = yesterday_and_today();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let snapshot = fixtures::named("cases/pool-failed-instances-forbidden");
    std::fs::write(path("snapshot.json"), snapshot.to_string()).expect("written");
    for file in ["former.json", "baseline.json"] {
        std::fs::write(path(file), aksiso::report::json::render(&former).expect("JSON")).expect("written");
    }
    let run = |more: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
        command.args(["diagnose", "--no-config", "--from", &path("snapshot.json")]).args(more);
        let output = command.output().expect("it runs");
        assert!(output.stderr.is_empty(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = run(&["--output", "servicenow", "--previous", &path("former.json")]);
    assert!(!said.contains(&gone.fingerprint), "{said}");
    run(&["--output", "json", "--baseline", &path("baseline.json"), "--update-baseline"]);
    let baseline = std::fs::read_to_string(path("baseline.json")).expect("a baseline");
    assert!(baseline.contains(&gone.fingerprint), "{baseline}");
}

/// On a stopped cluster, and while an operation runs, nobody runs into a fault: that does not mend it.
#[test]
fn a_cluster_at_rest_settles_nothing_of_its_nodes() {
    let former = report("cases/three-faults");
    for rests in ["cases/cluster-stopped", "cases/operation-in-progress"] {
        let present = report(rests);
        let node = former.findings.iter().filter(|own| own.check == "node-image" || own.check == "image-pulls");
        for gone in node.filter(|own| present.findings.iter().all(|now| now.fingerprint != own.fingerprint)) {
            assert_eq!(Since::of(gone, &present), Since::Unseen, "{rests}: {}", gone.rule);
            assert!(events(&present, &former, gone).is_empty(), "{rests}: {}", gone.rule);
        }
    }
}

/// What was a warning and is an error is news.
#[test]
fn what_became_worse_is_new() {
    let (before, now) = (report("cases/acrpull-missing-anonymous"), report("cases/acrpull-missing"));
    let wrong = now.findings.iter().find(|own| own.rule == "acrpull-missing").expect("a finding").clone();
    let compared = Comparison::of(&before, &now);
    assert!(names(&compared.new, &wrong) && !names(&compared.still_there, &wrong));
    let back = Comparison::of(&now, &before);
    assert!(!names(&back.new, &wrong) && names(&back.still_there, &wrong));
}
