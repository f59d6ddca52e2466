//! ServiceNow Event Management: one `em_event` record a finding, and a clear for each that a former report had and this
//! one has not. What the operator accepted meanwhile is no longer urgent, and is not cleared either. `message_key` is the
//! fingerprint, so that the same finding is the same alert tomorrow. Each check that could not see everything has
//! a record, and the verdict one more where findings alone do not say it all.

use serde::Serialize;
use serde_json::{Value, json};

use super::headline;
use super::model::{CheckEntry, FindingEntry, GapEntry, Report};
use super::old::Since;
use crate::text;

/// The metric of a check that could not see everything.
const UNSEEN: &str = "could-not-check";

/// The web service that takes many events at once expects them in `records`.
#[derive(Serialize)]
struct Events {
    records: Vec<Event>,
}

/// A record; the lengths are those of the table's columns.
#[derive(Serialize)]
struct Event {
    source: &'static str,
    event_class: String,
    node: String,
    resource: String,
    #[serde(rename = "type")]
    kind: String,
    metric_name: String,
    message_key: String,
    severity: &'static str,
    time_of_event: String,
    description: String,
    additional_info: String,
}

/// Renders the report; findings of `previous` that are gone become clears.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(report: &Report, previous: Option<&Report>) -> serde_json::Result<String> {
    let raised = report.findings.iter().map(|finding| event(report, finding, severity(&finding.severity)));
    // What could not be seen this time is not known to be gone.
    let former = previous.into_iter().flat_map(|previous| &previous.findings);
    let settled = former.filter_map(|finding| match Since::of(finding, report) {
        Since::Settled => Some(event(report, finding, "0")),
        Since::Accepted => Some(event(report, finding, severity("info"))),
        Since::StillThere | Since::Unseen => None,
    });
    let records = raised.chain(settled).chain(unseen(report, previous)).chain(verdict(report, previous));
    super::json::printed(&Events { records: records.collect() })
}

/// What could not be seen, and a clear for each check that sees everything again.
fn unseen(report: &Report, previous: Option<&Report>) -> impl Iterator<Item = Event> {
    let blind = report.checks.iter().filter(|check| !check.gaps.is_empty());
    let sees = |id: &str| report.checks.iter().any(|check| check.id == id && check.gaps.is_empty());
    let former = previous.into_iter().flat_map(|previous| &previous.checks);
    let again = former.filter(move |check| !check.gaps.is_empty() && sees(&check.id));
    let blind = blind.map(|check| unseen_event(report, check, severity("warning")));
    blind.chain(again.map(|check| unseen_event(report, check, "0")))
}

/// The verdict, and a clear for a former one.
fn verdict(report: &Report, previous: Option<&Report>) -> Option<Event> {
    let severity = if headline::is_more_than_findings(report) {
        severity(headline::severity(report))
    } else {
        previous.filter(|previous| headline::is_more_than_findings(previous)).map(|_| "0")?
    };
    let info = json!({ "cluster": report.cluster.id, "verdict": report.verdict, "summary": report.summary });
    let name = &report.cluster.name;
    let (key, detail) = (headline::fingerprint(report), headline::line(report));
    Some(record(report, [name, "aksiso", "verdict"], key, severity, &detail, &info))
}

/// 1 critical, 2 major, 3 minor, 4 warning, 5 info, 0 clear.
fn severity(word: &str) -> &'static str {
    match word {
        "error" => "1",
        "warning" => "4",
        _ => "5",
    }
}

fn event(report: &Report, finding: &FindingEntry, severity: &'static str) -> Event {
    let mut info = json!({
        "rule": finding.rule,
        "check": finding.check,
        "subject": finding.subject.id,
        "cluster": report.cluster.id,
        "remediation": finding.remediation.kind,
        "commands": finding.remediation.commands,
        "documentation": finding.remediation.docs,
        "causedBy": finding.caused_by,
    });
    if info.to_string().len() > 3_900 {
        info["commands"] = json!([]);
    }
    let detail = format!("{} {}", finding.detail, finding.remediation.summary);
    let about = [finding.subject.name.as_str(), &finding.check, &finding.rule];
    record(report, about, finding.fingerprint.clone(), severity, &detail, &info)
}

/// A record about a resource, a check and a rule.
fn record(
    report: &Report,
    [resource, check, rule]: [&str; 3],
    message_key: String,
    severity: &'static str,
    detail: &str,
    info: &Value,
) -> Event {
    Event {
        source: "aksiso",
        event_class: text::truncated(&format!("aksiso {}", report.cluster.name), 100),
        node: text::truncated(&report.cluster.name, 100),
        resource: text::truncated(&text::clean(resource), 100),
        kind: text::truncated(check, 100),
        metric_name: text::truncated(rule, 100),
        message_key,
        severity,
        time_of_event: report.collected_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        description: text::bounded(detail, 3_900),
        additional_info: info.to_string(),
    }
}

/// A check that could not see everything: cleared once it does.
fn unseen_event(report: &Report, check: &CheckEntry, severity: &'static str) -> Event {
    let gaps: Vec<String> = check.gaps.iter().map(GapEntry::line).collect();
    let key = text::hash(&format!("{UNSEEN}\n{}\n{}", check.id, report.cluster.id.to_lowercase()));
    let info = json!({ "check": check.id, "cluster": report.cluster.id });
    let detail = format!("Could not check: {}", gaps.join(" "));
    record(report, [&report.cluster.name, &check.id, UNSEEN], key, severity, &detail, &info)
}
