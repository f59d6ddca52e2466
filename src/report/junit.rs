//! JUnit XML: a test case for each check; what could not be seen, or was accepted, is skipped and never passed.

use super::headline;
use super::model::{CheckEntry, FindingEntry, Report};
use crate::answers;
use crate::checks::rule::Severity;

/// Renders the report; findings fail a test case from this severity on.
pub fn render(report: &Report, fails_from: Option<Severity>) -> String {
    let cases: Vec<String> = report.checks.iter().map(|check| case(report, check, fails_from)).collect();
    let count = |status: &str| report.checks.iter().filter(|check| check.status == status).count();
    let failures = report.checks.iter().filter(|check| fails(report, check, fails_from)).count();
    // What does not fail and could not be seen whole is skipped as well.
    let unseen = report.checks.iter().filter(|check| passes_unseen(report, check, fails_from)).count();
    let (tests, skipped) = (cases.len(), count("undetermined") + count("accepted") + unseen);
    let name = escape(&format!("aksiso {}", report.cluster.name));
    let time = report.collected_at.strftime("%Y-%m-%dT%H:%M:%S");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"aksiso\" tests=\"{tests}\" \
         failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\">\n  <testsuite name=\"{name}\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\" timestamp=\"{time}\" \
         hostname=\"{}\">\n    <properties>\n      <property name=\"verdict\" value=\"{}\"/>\n    </properties>\n{}    \
         <system-out>{}</system-out>\n  </testsuite>\n</testsuites>\n",
        escape(&report.cluster.name),
        escape(&report.verdict),
        cases.concat(),
        escape(&headline::line(report))
    )
}

/// Whether a check has a finding that fails the run.
fn fails(report: &Report, check: &CheckEntry, from: Option<Severity>) -> bool {
    let severity = |finding: &FindingEntry| Severity::of(&finding.severity).unwrap_or(Severity::Error);
    let mut own = report.findings.iter().filter(|finding| finding.check == check.id);
    from.is_some_and(|from| own.any(|finding| severity(finding) >= from))
}

/// Whether a check has findings that fail nothing, and gaps.
fn passes_unseen(report: &Report, check: &CheckEntry, from: Option<Severity>) -> bool {
    check.status == "failed" && !check.gaps.is_empty() && !fails(report, check, from)
}

fn case(report: &Report, check: &CheckEntry, fails_from: Option<Severity>) -> String {
    let title = answers::rule_sets().find(|own| own.id == check.id).map_or("", |own| own.title);
    let own: Vec<&FindingEntry> = report.findings.iter().filter(|finding| finding.check == check.id).collect();
    let mut inner = String::new();
    let reason = check.reason.as_deref().unwrap_or_default();
    match check.status.as_str() {
        _ if fails(report, check, fails_from) => {
            let message = own.iter().map(|finding| finding.title.as_str()).collect::<Vec<_>>().join("; ");
            let text = own.iter().map(|finding| words(finding)).collect::<Vec<_>>().join("\n\n");
            let kind = own.first().map_or("", |finding| finding.rule.as_str());
            inner = format!(
                "      <failure message=\"{}\" type=\"{}\">{}</failure>\n",
                escape(&message),
                escape(kind),
                escape(&text)
            );
        }
        "failed" if passes_unseen(report, check, fails_from) => {
            let gaps = check.gaps.iter().map(|gap| gap.detail.as_str()).collect::<Vec<_>>().join("; ");
            let text = own.iter().map(|finding| words(finding)).collect::<Vec<_>>().join("\n\n");
            inner = format!(
                "      <skipped message=\"{}\"/>\n      <system-out>{}</system-out>\n",
                escape(&format!("could not check: {gaps}")),
                escape(&text)
            );
        }
        "undetermined" | "accepted" => {
            inner = format!("      <skipped message=\"{}\"/>\n{}", escape(reason), unseen(check));
        }
        "not-applicable" => inner = format!("      <system-out>not applicable: {}</system-out>\n", escape(reason)),
        _ if !own.is_empty() => {
            let text = own.iter().map(|finding| words(finding)).collect::<Vec<_>>().join("\n\n");
            inner = format!("      <system-out>{}</system-out>\n", escape(&text));
        }
        _ => {}
    }
    if check.status == "failed" {
        inner.push_str(&unseen(check));
    }
    let class = escape(&format!("aksiso.{}", report.cluster.name));
    format!(
        "    <testcase classname=\"{class}\" name=\"{}: {}\" time=\"0\">\n{inner}    </testcase>\n",
        escape(&check.id),
        escape(title)
    )
}

/// What the check could not see, and what to do about it.
fn unseen(check: &CheckEntry) -> String {
    if check.gaps.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = check.gaps.iter().map(|gap| format!("could not check: {}", gap.line())).collect();
    format!("      <system-out>{}</system-out>\n", escape(&lines.join("\n")))
}

fn words(finding: &FindingEntry) -> String {
    format!(
        "{} {}\n{}\nabout: {}\n{}\n{}",
        finding.severity,
        finding.rule,
        finding.detail,
        finding.subject.id,
        finding.remediation.summary,
        finding.remediation.commands.join("\n")
    )
}

/// Escapes text for elements and attributes alike, and leaves out what XML cannot hold.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // A log in which the file is shown may obey `##`.
            '#' if out.ends_with('#') => out.push_str("&#35;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c if crate::text::is_hostile(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}
