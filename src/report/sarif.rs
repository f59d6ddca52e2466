//! SARIF 2.1.0, for code scanning: one run, a rule for every rule that was checked, a result for every finding.
//!
//! Code scanning wants a file for each result. What aksiso looks at lies in no file, so that each result has a stable
//! pseudo path made of the ARM id, and the id itself as a logical location. The fingerprint has a key of our own:
//! GitHub computes `primaryLocationLineHash` from a file's lines, which do not exist here.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::headline;
use super::model::{FindingEntry, LocationEntry, Report};
use crate::answers;
use crate::checks::rule::{Rule, RuleSet};
use crate::text;

/// GitHub takes at most this many results of a run.
const RESULTS: usize = 25_000;
/// Longest message of a result, in characters.
const MESSAGE: usize = 4_000;

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Value,
    automation_details: Value,
    invocations: [Value; 1],
    results: Vec<Value>,
    column_kind: &'static str,
}

/// Renders the report.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(report: &Report) -> serde_json::Result<String> {
    let checks: Vec<&'static RuleSet> =
        answers::rule_sets().filter(|check| report.checks.iter().any(|own| own.id == check.id)).collect();
    // Only rules that something was found of: a healthy run is a few kilobytes.
    let suppressed = report.suppressed.iter().map(|entry| &entry.finding);
    let named: BTreeSet<&str> = report.findings.iter().chain(suppressed).map(|own| own.rule.as_str()).collect();
    let all = checks.iter().flat_map(|check| check.rules.iter().map(move |rule| (*check, *rule)));
    let rules: Vec<(&RuleSet, &Rule)> = all.filter(|(_, rule)| named.contains(rule.id)).collect();
    let index = |rule: &str| rules.iter().position(|(_, own)| own.id == rule);
    let kept = report.findings.iter().map(|finding| result(finding, index(&finding.rule), None));
    let suppressed = report
        .suppressed
        .iter()
        .map(|entry| result(&entry.finding, index(&entry.finding.rule), Some(&entry.suppressed_by.reason)));
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: json!({ "driver": {
                "name": "aksiso",
                "version": report.tool.version,
                "semanticVersion": report.tool.version,
                "informationUri": "https://learn.microsoft.com/azure/aks/concepts-network-isolated",
                "rules": rules.iter().map(|(check, rule)| descriptor(check, rule)).collect::<Vec<_>>(),
            } }),
            // Two clusters in one repository are two analyses.
            automation_details: json!({ "id": format!("aksiso/{}/", path(&report.cluster.id)) }),
            invocations: [json!({
                "executionSuccessful": true,
                "endTimeUtc": report.collected_at.to_string(),
                "toolExecutionNotifications": notifications(report),
            })],
            results: kept.chain(suppressed).take(RESULTS).collect(),
            column_kind: "unicodeCodePoints",
        }],
    };
    super::json::printed(&log)
}

fn level(severity: &str) -> &'static str {
    match severity {
        "error" => "error",
        "warning" => "warning",
        _ => "note",
    }
}

/// A rule, without its page: that is one address and one command away, and the same in every run.
fn descriptor(check: &RuleSet, rule: &Rule) -> Value {
    let page = check.rule_doc(rule.id).unwrap_or_default();
    let link = page
        .split_whitespace()
        .find(|word| word.starts_with("https://"))
        .map(|link| link.trim_end_matches(['.', ',', ')', ';']));
    let more = format!("{}. aksiso explain {}", rule.title, rule.id);
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "help": { "text": more },
        "helpUri": link,
        "defaultConfiguration": { "level": level(rule.severity.as_str()) },
        "properties": { "tags": ["aks", "network-isolated", check.id], "precision": "high" },
    })
}

fn result(finding: &FindingEntry, rule: Option<usize>, suppressed: Option<&str>) -> Value {
    let commands = finding.remediation.commands.join("\n");
    let message = format!("{} {}\n{commands}", finding.detail, finding.remediation.summary);
    let mut result = Map::new();
    let mut put = |key: &str, value: Value| drop(result.insert(key.to_owned(), value));
    put("ruleId", json!(finding.rule));
    if let Some(rule) = rule {
        put("ruleIndex", json!(rule));
    }
    put("level", json!(level(&finding.severity)));
    put("message", json!({ "text": cut(message.trim()) }));
    put("locations", json!([location(finding, finding.locations.first())]));
    let further: Vec<Value> = finding.locations.iter().skip(1).map(|place| location(finding, Some(place))).collect();
    if !further.is_empty() {
        put("relatedLocations", json!(further));
    }
    put("partialFingerprints", json!({ "aksisoFinding/v1": finding.fingerprint }));
    put(
        "properties",
        json!({ "check": finding.check, "remediation": finding.remediation.kind, "causedBy": finding.caused_by }),
    );
    if let Some(reason) = suppressed {
        put("suppressions", json!([{ "kind": "external", "justification": reason }]));
    }
    Value::Object(result)
}

/// A line of a manifest; else the resource, under a path that no file has.
fn location(finding: &FindingEntry, place: Option<&LocationEntry>) -> Value {
    let (uri, line) = place.map_or_else(|| (path(&finding.subject.id), 1), |place| (file(place), place.line.max(1)));
    json!({
        "physicalLocation": { "artifactLocation": { "uri": uri }, "region": { "startLine": line } },
        "logicalLocations": [{
            "name": text::bounded(&finding.subject.name, 300),
            "fullyQualifiedName": finding.subject.id,
            "kind": "resource",
        }],
    })
}

/// The path of a manifest as a relative URI; what came over a pipe is named by the template that Helm says.
pub(super) fn file(place: &LocationEntry) -> String {
    let path = if place.file == "-" { place.source.as_deref().unwrap_or("standard-input") } else { &place.file };
    encoded(&path.replace('\\', "/"))
}

/// The verdict, and what could not be seen: no result, and no silence either.
fn notifications(report: &Report) -> Vec<Value> {
    let unseen = report.checks.iter().flat_map(|check| check.gaps.iter().map(move |gap| (check, gap)));
    let unseen = unseen.map(|(check, gap)| {
        let text = format!("{} could not see everything: {}", check.id, gap.line());
        json!({ "level": "warning", "message": { "text": text } })
    });
    let policy = report.policy.iter().map(|notice| {
        json!({ "level": "warning", "message": { "text": format!("{}, line {}: \
                                                                  {}", notice.file, notice.line, notice.message) } })
    });
    let level = match headline::severity(report) {
        "info" => "note",
        level => level,
    };
    let verdict = json!({ "level": level, "message": { "text": headline::line(report) } });
    [verdict].into_iter().chain(unseen).chain(policy).collect()
}

fn cut(message: &str) -> String {
    let cut = text::truncated(message, MESSAGE);
    if cut.len() < message.len() { cut + "…" } else { cut }
}

/// A path in a repository that does not exist: the id without its first slash, with every other character encoded.
pub(super) fn path(id: &str) -> String {
    format!("azure/{}", encoded(id.trim_start_matches('/')))
}

fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
