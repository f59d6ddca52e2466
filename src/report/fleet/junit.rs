//! JUnit XML of a fleet: a test case for each cluster; what could not be seen is skipped.

use super::model::{ClusterEntry, FleetReport, QueryEntry};
use super::words;
use crate::report::junit::escape;
use crate::text::count;

/// Renders the report.
pub fn render(report: &FleetReport) -> String {
    let cases: String = report.clusters.iter().map(|cluster| case(report, cluster)).collect();
    let scope = scope(report);
    let count = |tag: &str| cases.matches(&format!("<{tag} message=")).count();
    let unseen = usize::from(!scope.is_empty());
    let (tests, failures) = (report.clusters.len() + unseen, count("failure"));
    let skipped = count("skipped") + unseen;
    let time = report.as_of.strftime("%Y-%m-%dT%H:%M:%S");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"aksiso fleet\" tests=\"{tests}\" \
         failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\">\n  <testsuite name=\"aksiso fleet\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\" timestamp=\"{time}\" \
         hostname=\"fleet\">\n{scope}{cases}  </testsuite>\n</testsuites>\n"
    )
}

/// The scope itself is a case where not all of it was seen.
fn scope(report: &FleetReport) -> String {
    let missing = report.queries.iter().any(QueryEntry::missing);
    if report.scope.hidden.is_empty() && report.scope.gaps.is_empty() && !missing {
        return String::new();
    }
    let words = words::unseen(report).join("; ");
    format!(
        "    <testcase classname=\"aksiso.fleet\" name=\"scope\" time=\"0\">\n      <skipped \
         message=\"{}\"/>\n    </testcase>\n",
        escape(&words)
    )
}

fn case(report: &FleetReport, cluster: &ClusterEntry) -> String {
    let has = words::has(report, cluster);
    let found: Vec<_> = cluster.findings.iter().filter_map(|print| report.finding(print)).collect();
    let lines: Vec<String> = found.iter().map(|own| format!("{} {}: {}", own.severity, own.rule, own.detail)).collect();
    let text = escape(&lines.join("\n"));
    let skipped = |why: &str| format!("      <skipped message=\"{}\"/>\n", escape(why));
    let inner = match cluster.verdict.as_str() {
        "findings" if found.iter().any(|own| own.severity == "error") => {
            format!("      <failure message=\"{}\" type=\"findings\">{text}</failure>\n", escape(&has))
        }
        // A warning is told, and fails nobody's build.
        "findings" => format!("      <system-out>{text}</system-out>\n"),
        "incomplete" if has.is_empty() => skipped("not every check was asked for"),
        "incomplete" => skipped(&has),
        "accepted" => skipped(&format!("accepted: {}", count(cluster.suppressed.len(), "finding"))),
        _ => String::new(),
    };
    format!(
        "    <testcase classname=\"aksiso.fleet\" name=\"{}\" time=\"0\">\n{inner}    </testcase>\n",
        escape(&format!("{} ({})", cluster.name, words::place(cluster)))
    )
}
