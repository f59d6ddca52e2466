//! Green means green: what a baseline or a policy accepts is told in every format, and never reads as healthy or passed.

use std::collections::BTreeSet;

use aksiso::answers;
use aksiso::app::exit::{Exit, FailOn};
use aksiso::checks::command::Shell;
use aksiso::checks::finding::Finding;
use aksiso::checks::rule::{RuleSet, Severity};
use aksiso::checks::{catalogue, check::Check};
use aksiso::diagnosis::plan::{Phase, Plan};
use aksiso::diagnosis::policy::{Baseline, Policy, Ruling};
use aksiso::diagnosis::{Diagnosis, Status, Verdict};
use aksiso::evidence::Evidence;
use aksiso::report::compare::Comparison;
use aksiso::report::model::{Report, Results};
use aksiso::report::old::Since;
use aksiso::report::{self, Format, Options, servicenow};
use clap::ValueEnum as _;
use serde_json::Value;

use crate::{fixtures, judged};

/// Every fixture that has something to accept: an error or a warning.
fn faulty() -> impl Iterator<Item = (String, Evidence)> {
    let all = fixtures::all().into_iter().map(|(name, snapshot)| (name, fixtures::evidence(&snapshot)));
    all.filter(|(_, evidence)| judged::diagnose(evidence).findings.iter().any(counts))
}

fn counts(finding: &Finding) -> bool {
    finding.severity >= Severity::Warning
}

fn report_of(ruling: &Ruling<'_>) -> Report {
    let plan = Plan::of(&ruling.diagnosis);
    Report::of(&Results { ruling, plan: &plan, preflight: None, effect: None }, Shell::Posix)
}

/// The ruling under a baseline that was made from the same cluster.
fn under_own_baseline(evidence: &Evidence) -> Ruling<'_> {
    let known = judged::report(evidence).as_baseline(None).known();
    Policy::default().rule(judged::diagnose(evidence), Some(&Baseline::new("known.json", known)))
}

fn policy(rules: &[&str]) -> Policy {
    let known: Vec<&'static RuleSet> = answers::rule_sets().collect();
    let entry =
        |rule: &&str| format!("[[suppress]]\nrule = \"{rule}\"\nreason = \"ticket 17\"\nuntil = \"2099-01-31\"\n");
    let toml: String = rules.iter().map(entry).collect();
    Policy::parse(&toml, "aksiso.toml", &known).expect("a policy")
}

/// A warning that became an error was not accepted as one.
#[test]
fn what_became_worse_than_in_the_baseline_is_news() {
    let evidence = |name: &str| fixtures::evidence(&fixtures::named(name));
    let (before, after) = (evidence("cases/acrpull-missing-anonymous"), evidence("cases/acrpull-missing"));
    let known = judged::report(&before).as_baseline(None).known();
    let baseline = Baseline::new("known.json", known);
    assert_eq!(
        Policy::default().rule(judged::diagnose(&after), Some(&baseline)).diagnosis.verdict(),
        Verdict::Findings
    );
    let better = Baseline::new("known.json", judged::report(&after).as_baseline(None).known());
    let ruling = Policy::default().rule(judged::diagnose(&before), Some(&better));
    assert!(ruling.suppressed.iter().any(|(finding, _)| finding.severity == Severity::Warning));
}

#[test]
fn a_baseline_of_a_broken_cluster_never_reads_as_healthy() {
    for (name, evidence) in faulty() {
        let wrong: BTreeSet<&str> =
            judged::diagnose(&evidence).findings.iter().filter(|own| counts(own)).map(|own| own.check.id).collect();
        let ruling = under_own_baseline(&evidence);
        let diagnosis = &ruling.diagnosis;
        assert!(diagnosis.findings.is_empty(), "{name}: nothing of it is new");
        let expected = if diagnosis.incomplete() { Verdict::Incomplete } else { Verdict::Accepted };
        assert_eq!(diagnosis.verdict(), expected, "{name}");
        for result in &diagnosis.checks {
            let allowed: &[Status] = match (wrong.contains(result.check.id), result.gaps.is_empty()) {
                (true, true) => &[Status::Accepted],
                (true, false) => &[Status::Undetermined],
                (false, _) => &[Status::Passed, Status::Undetermined, Status::NotApplicable],
            };
            assert!(allowed.contains(&result.status), "{name}: {} is {:?}", result.check.id, result.status);
        }
        let code = Exit::of(diagnosis, FailOn::Info, false).code();
        assert_eq!(code, if diagnosis.incomplete() { 3 } else { 0 }, "{name}");
        let report = report_of(&ruling);
        assert_eq!(report.summary.accepted, judged::diagnose(&evidence).findings.len(), "{name}");
        for format in Format::value_variants() {
            let text = rendered(&report, *format);
            assert!(tells(&text, *format, &report), "{name}: {format:?} keeps it to itself:\n{text}");
        }
    }
}

/// A policy that calls everything a note makes nothing healthy either.
#[test]
fn what_is_lowered_to_a_note_is_accepted() {
    let known: Vec<&'static RuleSet> = answers::rule_sets().collect();
    let rules = known.iter().flat_map(|set| set.rules).map(|rule| format!("{} = \"info\"\n", rule.id));
    let toml = format!("[severity]\n{}", rules.collect::<String>());
    let policy = Policy::parse(&toml, "aksiso.toml", &known).expect("a policy");
    for (name, evidence) in faulty() {
        let ruling = policy.rule(judged::diagnose(&evidence), None);
        let diagnosis = &ruling.diagnosis;
        assert!(!diagnosis.findings.iter().any(counts), "{name}");
        assert!(ruling.suppressed.iter().any(|(finding, _)| counts(finding)), "{name}");
        let expected = if diagnosis.incomplete() { Verdict::Incomplete } else { Verdict::Accepted };
        assert_eq!(diagnosis.verdict(), expected, "{name}");
    }
}

/// Accepting what breaks pulls does not make it safe to replace nodes: no gate of a plan opens for it.
#[test]
fn what_is_accepted_keeps_nodes_from_being_replaced() {
    let evidence = fixtures::evidence(&fixtures::named("cases/three-faults"));
    let ruling = policy(&["acrpull-missing", "dns-record-missing"]).rule(judged::diagnose(&evidence), None);
    let accepted = ruling.suppressed.iter().map(|(finding, _)| finding);
    let plan = Plan::of(&ruling.diagnosis).beside(accepted);
    let renew = plan.steps.iter().find(|step| step.phase == Phase::Renew).expect("a reimage");
    let first: BTreeSet<&str> = renew.pass_first.iter().map(|check| check.id).collect();
    assert_eq!(first, BTreeSet::from(["private-dns", "kubelet-acrpull"]));
    let gate = renew.gate().expect("a gate").posix();
    assert!(gate.contains("--no-config") && gate.contains("--allow-incomplete"), "{gate}");
}

fn rendered(report: &Report, format: Format) -> String {
    report::render(report, format, &Options { width: 4_000, details: true, ..Options::default() }).expect("a report")
}

/// Whether a format says the verdict, and how much was accepted.
fn tells(text: &str, format: Format, report: &Report) -> bool {
    let of = |severity: &str| report.suppressed.iter().filter(|entry| entry.finding.severity == severity).count();
    let first = match (of("error"), of("warning")) {
        (0, warnings) => aksiso::text::count(warnings, "warning"),
        (errors, _) => aksiso::text::count(errors, "error"),
    };
    let line = format!("accepted: {first}");
    let said = match format {
        Format::Json => format!("\"accepted\": {}", report.summary.accepted),
        Format::Openmetrics => {
            let id = &report.cluster.id;
            format!("aksiso_accepted_findings{{cluster=\"{id}\"}} {}", report.summary.accepted)
        }
        _ => line,
    };
    let healthy = ["HEALTHY", "\"healthy\"", "— healthy"].iter().any(|word| text.contains(word));
    text.contains(&said) && text.to_lowercase().contains(&report.verdict) && !healthy
}

#[test]
fn accepting_a_cause_does_not_bring_its_symptoms_back() {
    for (name, evidence) in faulty() {
        let diagnosis = judged::diagnose(&evidence);
        let roots: BTreeSet<&str> = diagnosis.roots().map(|root| root.rule.id).collect();
        let roots: Vec<&str> = roots.into_iter().collect();
        let ruling = policy(&roots).rule(diagnosis.clone(), None);
        assert!(ruling.diagnosis.findings.is_empty(), "{name}: {:?}", ruling.diagnosis.findings);
        assert_eq!(ruling.suppressed.len(), diagnosis.findings.len(), "{name}: all of it is told");
        // One rule alone: what stands as a root cause afterwards stood as one before.
        for rule in roots {
            let ruling = policy(&[rule]).rule(diagnosis.clone(), None);
            let before: BTreeSet<_> = diagnosis.roots().map(Finding::fingerprint).collect();
            for root in ruling.diagnosis.roots() {
                assert!(before.contains(&root.fingerprint()), "{name}: without {rule}, {} is news", root.rule.id);
            }
        }
    }
}

/// A comparison and a ticket do not take what is accepted for fixed.
#[test]
fn what_is_accepted_is_not_gone() {
    for (name, evidence) in faulty() {
        let former = judged::report(&evidence);
        let present = report_of(&under_own_baseline(&evidence));
        let compared = Comparison::of(&former, &present);
        assert!(compared.fixed.is_empty() && compared.new.is_empty() && compared.unseen.is_empty(), "{name}");
        assert_eq!(compared.accepted.len(), former.findings.len(), "{name}");
        assert!(former.findings.iter().all(|finding| Since::of(finding, &present) == Since::Accepted), "{name}");
        let events = servicenow::render(&present, Some(&former)).expect("JSON");
        let events: Value = serde_json::from_str(&events).expect("JSON");
        let cleared = |event: &Value| event["severity"] == "0";
        assert!(!events["records"].as_array().expect("records").iter().any(cleared), "{name}");
        // And once it is no longer accepted, it is nothing new.
        let back = Comparison::of(&present, &former);
        assert!(back.new.is_empty() && back.fixed.is_empty(), "{name}");
    }
}

/// A check that nobody asked for is no clean bill of health either.
#[test]
fn checks_that_were_not_asked_for_are_told() {
    let evidence = fixtures::healthy("byo");
    for check in catalogue::ALL.iter().copied() {
        let one: [&'static Check; 1] = [check];
        let ruling = Ruling::none(Diagnosis::of(&evidence, &one));
        assert_eq!(Exit::of(&ruling.diagnosis, FailOn::Info, false).code(), 0, "{}", check.about.id);
        let report = report_of(&ruling);
        assert_ne!(report.verdict, "healthy", "{}", check.about.id);
        for format in Format::value_variants().iter().filter(|format| **format != Format::Json) {
            let text = rendered(&report, *format);
            assert!(text.contains("not asked for"), "{}: {format:?}\n{text}", check.about.id);
        }
    }
    assert_eq!(judged::report(&evidence).summary.not_asked, 0);
}
