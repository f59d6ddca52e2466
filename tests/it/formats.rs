//! The formats, each read by a real parser or held against its published schema.

use std::collections::BTreeSet;
use std::path::Path;

use aksiso::app::schema::SchemaOf;
use aksiso::checks::rule::Severity;
use aksiso::report::compare::Comparison;
use aksiso::report::model::Report;
use aksiso::report::{annotations, gitlab, json, junit, markdown, sarif, servicenow};
use clap::ValueEnum as _;
use serde_json::{Value, json};

use crate::{fixtures, judged};

fn report_of(snapshot: &Value) -> Report {
    judged::report(&fixtures::evidence(snapshot))
}

/// The report of every fixture.
fn reports() -> Vec<(String, Report)> {
    fixtures::all().into_iter().map(|(name, snapshot)| (name, report_of(&snapshot))).collect()
}

fn three_faults() -> Report {
    report_of(&fixtures::case(&fixtures::folder().join("cases/three-faults.json")).1)
}

/// A report in which everything from outside bites.
fn hostile() -> Report {
    let bite =
        "\u{1b}[31m<b>&\"' ]]> | `x` ``` @all #1 ::error::x ##vso[task.complete]y \u{202e} %0A\n## h\r\n\u{fffe}";
    let mut report = three_faults();
    bite.clone_into(&mut report.cluster.name);
    for finding in &mut report.findings {
        finding.detail.push_str(bite);
        finding.subject.name.push_str(bite);
        finding.subject.id.push_str(bite);
        finding.remediation.summary.push_str(bite);
        finding.remediation.commands.push("az x '`````'".to_owned());
        finding.evidence.iter_mut().for_each(|seen| seen.value.push_str(bite));
    }
    for check in &mut report.checks {
        if check.status != "failed" {
            "undetermined".clone_into(&mut check.status);
            check.reason = Some(bite.to_owned());
        }
    }
    report
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn reports_and_snapshots_match_their_published_schemas() {
    let schema = |of: SchemaOf| jsonschema::validator_for(&of.schema().to_value()).expect("a schema");
    let (report, snapshot, comparison) =
        (schema(SchemaOf::Report), schema(SchemaOf::Snapshot), schema(SchemaOf::Comparison));
    let old = three_faults();
    for (name, value) in fixtures::all() {
        let evidence = fixtures::evidence(&value);
        let written = parse(&aksiso::evidence::snapshot::render(&evidence).expect("a snapshot"));
        assert!(
            snapshot.is_valid(&written),
            "{name}: {:?}",
            snapshot.iter_errors(&written).next().map(|e| e.to_string())
        );
        let own = report_of(&value);
        let written = parse(&json::render(&own).expect("a report"));
        assert!(report.is_valid(&written), "{name}: {:?}", report.iter_errors(&written).next().map(|e| e.to_string()));
        assert_eq!(serde_json::from_value::<Report>(written).expect("a report"), own, "{name}: it does not read back");
        let changed =
            parse(&Comparison::of(&old, &own).render(aksiso::report::compare::ComparisonFormat::Json).expect("JSON"));
        assert!(comparison.is_valid(&changed), "{name}");
    }
    assert!(!report.is_valid(&json!({ "schemaVersion": "1" })));
}

/// The schemas in the repository are those that the program prints.
#[test]
fn schemas_in_the_repository_are_the_programs_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for of in SchemaOf::value_variants() {
        let file = folder.join(format!("{}.schema.json", of.name()));
        let schema = of.render().expect("a schema");
        if std::env::var_os("AKSISO_UPDATE").is_some() {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&file, &schema).expect("written");
        }
        let shipped = std::fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
        assert!(shipped == schema, "{} is old: run the tests once with AKSISO_UPDATE=1", file.display());
    }
}

#[test]
fn sarif_is_read_by_its_parser_and_names_what_it_is_about() {
    for (name, report) in reports().into_iter().chain([("hostile".to_owned(), hostile())]) {
        let text = sarif::render(&report).expect("SARIF");
        let log: serde_sarif::sarif::Sarif =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let run = &log.runs[0];
        let results = run.results.as_ref().expect("results");
        assert_eq!(results.len(), report.findings.len() + report.suppressed.len(), "{name}");
        let raw = parse(&text);
        let rules = raw["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules").clone();
        for result in raw["runs"][0]["results"].as_array().expect("results") {
            let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small")];
            assert_eq!(rule["id"], result["ruleId"], "{name}");
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a path");
            assert!(uri.starts_with("azure/") && uri.bytes().all(|b| b.is_ascii_graphic()), "{name}: {uri}");
            assert_eq!(
                result["partialFingerprints"].as_object().expect("prints").keys().collect::<Vec<_>>(),
                ["aksisoFinding/v1"]
            );
        }
        // The pages are one address away: a run does not carry them.
        for rule in &rules {
            assert!(rule["helpUri"].as_str().is_some_and(|link| link.starts_with("https://")), "{name}: {rule}");
            let help = rule["help"]["text"].as_str().expect("a text");
            assert!(
                help.contains("aksiso explain") && help.len() < 300 && rule["help"]["markdown"].is_null(),
                "{help}"
            );
        }
        assert!(!results.is_empty() || text.len() < 4_096, "{name}: {} bytes of nothing", text.len());
        assert!(!text.contains("primaryLocationLineHash"));
    }
}

#[test]
fn junit_is_xml_with_a_test_case_for_each_check() {
    for (name, report) in reports().into_iter().chain([("hostile".to_owned(), hostile())]) {
        let xml = junit::render(&report, Some(Severity::Error));
        let document = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{name}: {error}"));
        let cases: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(cases.len(), report.checks.len(), "{name}");
        for (case, check) in cases.iter().zip(&report.checks) {
            let child = case.children().find(roxmltree::Node::is_element).map(|node| node.tag_name().name().to_owned());
            let fails = report.findings.iter().any(|own| own.check == check.id && own.severity == "error");
            let expected = match check.status.as_str() {
                "failed" if fails => Some("failure"),
                "failed" if !check.gaps.is_empty() => Some("skipped"),
                "undetermined" | "accepted" => Some("skipped"),
                "failed" | "not-applicable" => Some("system-out"),
                _ => child.as_deref().filter(|tag| *tag == "system-out"),
            };
            assert_eq!(child.as_deref(), expected, "{name}: {}", check.id);
        }
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).expect("a suite");
        let of = |tag: &str| cases.iter().filter(|case| case.children().any(|node| node.has_tag_name(tag))).count();
        assert_eq!(suite.attribute("failures"), Some(of("failure").to_string().as_str()), "{name}");
        assert_eq!(suite.attribute("skipped"), Some(of("skipped").to_string().as_str()), "{name}");
    }
}

#[test]
fn markdown_stays_small_and_obeys_nobody() {
    let whole = markdown::render(&hostile());
    assert!(!whole.contains('\u{1b}') && !whole.contains("##vso"), "{whole}");
    let text = without_code(&whole);
    assert!(
        !text.contains('\u{1b}') && !text.contains("##vso") && !text.contains("<b>") && !text.contains("@all"),
        "{text}"
    );
    assert!(text.lines().all(|line| !line.starts_with("::") && !line.starts_with("## h")), "{text}");
    let mut report = three_faults();
    let finding = report.findings[0].clone();
    report.findings = (0..5_000).map(|_| finding.clone()).collect();
    let text = markdown::render(&report);
    assert!(text.len() <= 1 << 20 && text.len() > 900_000, "{} bytes", text.len());
    assert!(text.contains("the rest is in the other formats"));
}

/// Markdown without its code spans and blocks, in which nothing is obeyed.
fn without_code(text: &str) -> String {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('`') {
        let escaped = rest[..at].ends_with('\\');
        let ticks = if escaped { 1 } else { run(&rest[at..]) };
        let inner = &rest[at + ticks..];
        let mut end = 0;
        let close = loop {
            let Some(next) = inner[end..].find('`').filter(|_| !escaped) else { break None };
            let length = run(&inner[end + next..]);
            end += next + length;
            if length == ticks {
                break Some(end);
            }
        };
        out.push_str(&rest[..at]);
        rest = &inner[close.unwrap_or(0)..];
    }
    out + rest
}

#[test]
fn annotations_are_ten_at_most_and_one_line_each() {
    let mut report = hostile();
    let finding = report.findings[0].clone();
    report.findings.extend((0..30).map(|_| finding.clone()));
    "info".clone_into(&mut report.findings[0].severity);
    let github = annotations::github(&report);
    assert_eq!(github.lines().count(), 10);
    assert!(
        github.lines().all(|line| line.starts_with("::error title=") && !line[2..].contains("::error::x\n")),
        "{github}"
    );
    assert!(!github.contains('\u{1b}') && !github.contains('\r'));
    let azure = annotations::azure_pipelines(&report);
    assert_eq!(azure.lines().count(), 10);
    for line in azure.lines() {
        assert!(line.starts_with("##vso[task.logissue type=error;code="), "{line}");
        assert_eq!(line.matches("##").count(), 1, "{line}");
    }
    let healthy = report_of(&fixtures::healthy_json("byo"));
    assert_eq!(annotations::github(&healthy) + &annotations::azure_pipelines(&healthy), "");
}

#[test]
fn gitlab_and_json_lines_have_what_their_readers_need() {
    for report in [three_faults(), hostile()] {
        let issues = parse(&gitlab::render(&report).expect("JSON"));
        let issues = issues.as_array().expect("a list");
        let unseen = report.checks.iter().filter(|check| !check.gaps.is_empty()).count();
        assert_eq!(issues.len(), report.findings.len() + unseen);
        let prints: BTreeSet<_> = issues.iter().map(|issue| issue["fingerprint"].to_string()).collect();
        assert_eq!(prints.len(), issues.len(), "fingerprints are unique");
        for issue in issues {
            assert!(
                ["info", "minor", "major", "critical", "blocker"]
                    .contains(&issue["severity"].as_str().expect("a word"))
            );
            assert!(issue["location"]["path"].is_string() && issue["location"]["lines"]["begin"] == 1);
        }
        let lines = json::render_lines(&report).expect("JSON");
        assert_eq!(lines.lines().count(), report.findings.len());
        for line in lines.lines() {
            let finding = parse(line);
            assert!(finding["fingerprint"].is_string() && finding["clusterId"].is_string(), "{finding}");
        }
    }
}

#[test]
fn servicenow_clears_what_is_gone_and_only_that() {
    let (bad, good) = (three_faults(), report_of(&fixtures::healthy_json("byo")));
    let events = |report: &Report, previous: Option<&Report>| {
        parse(&servicenow::render(report, previous).expect("JSON"))["records"].as_array().expect("records").clone()
    };
    let raised = events(&bad, None);
    let unseen = bad.checks.iter().filter(|check| !check.gaps.is_empty()).count();
    assert_eq!(raised.len(), bad.findings.len() + unseen);
    for event in raised.iter().chain(&events(&hostile(), None)) {
        assert!(["1", "4", "5"].contains(&event["severity"].as_str().expect("a number")));
        assert!(event["additional_info"].as_str().is_some_and(|info| serde_json::from_str::<Value>(info).is_ok()));
        for (field, most) in
            [("node", 100), ("resource", 100), ("type", 100), ("description", 4_000), ("message_key", 1_024)]
        {
            let text = event[field].as_str().expect("a text");
            assert!(!text.is_empty() && text.chars().count() <= most, "{field}: {text}");
        }
    }
    let cleared = events(&good, Some(&bad));
    assert_eq!(cleared.len(), bad.findings.len() + unseen);
    assert!(cleared.iter().all(|event| event["severity"] == "0"));
    let keys = |events: &[Value]| events.iter().map(|event| event["message_key"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(keys(&cleared), keys(&raised));
    // What this run could not see is not gone.
    let mut blind = good.clone();
    let gap = report_of(&fixtures::named("cases/role-assignments-forbidden"));
    let gap = gap.checks.iter().find_map(|check| check.gaps.first()).expect("a gap");
    for check in &mut blind.checks {
        "undetermined".clone_into(&mut check.status);
        check.gaps.push(gap.clone());
    }
    let raised = events(&blind, Some(&bad));
    let (verdicts, unseen): (Vec<_>, Vec<_>) = raised.iter().partition(|event| event["metric_name"] == "verdict");
    assert_eq!((verdicts.len(), unseen.len()), (1, blind.checks.len()), "only that something was not seen: {raised:?}");
    assert!(raised.iter().all(|event| event["severity"] == "4"));
    assert!(unseen.iter().all(|event| event["metric_name"] == "could-not-check"));
    // What is seen again is no longer unseen.
    let cleared = events(&good, Some(&blind));
    assert!(cleared.iter().all(|event| event["severity"] == "0"));
    assert_eq!(keys(&cleared), keys(&raised));
}

/// Every format that a person or a system reads says what was not seen, with the call and what to do.
#[test]
fn every_format_says_what_was_not_seen() {
    let report = report_of(&fixtures::named("cases/role-assignments-forbidden"));
    let all = [
        ("github", annotations::github(&report)),
        ("azure-pipelines", annotations::azure_pipelines(&report)),
        ("gitlab", gitlab::render(&report).expect("JSON")),
        ("servicenow", servicenow::render(&report, None).expect("JSON")),
        ("junit", junit::render(&report, Some(aksiso::checks::rule::Severity::Error))),
        ("sarif", sarif::render(&report).expect("JSON")),
        ("json", json::render(&report).expect("JSON")),
        ("markdown", markdown::render(&report).replace('\\', "")),
        ("table", crate::judged::table(&report).split_whitespace().collect::<Vec<_>>().join(" ")),
    ];
    for (format, text) in all {
        assert!(text.contains("Grant Microsoft.Authorization/roleAssignments/read"), "{format}: {text}");
        assert!(text.contains("kubelet-acrpull"), "{format}: {text}");
    }
}
