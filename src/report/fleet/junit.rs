//! JUnit XML of a fleet: a test case for each cluster; what could not be seen is skipped.

use super::model::{ClusterEntry, FleetReport, QueryEntry};
use super::words;
use crate::report::junit::escape;

/// Renders the report.
pub fn render(report: &FleetReport) -> String {
    let cases: String = report.clusters.iter().map(|cluster| case(report, cluster)).collect();
    let scope = scope(report);
    let count = |word: &str| report.clusters.iter().filter(|cluster| cluster.verdict == word).count();
    let unseen = usize::from(!scope.is_empty());
    let (tests, failures) = (report.clusters.len() + unseen, count("findings"));
    let skipped = count("incomplete") + unseen;
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
    let inner = match cluster.verdict.as_str() {
        "findings" => {
            let found = cluster.findings.iter().filter_map(|print| report.finding(print));
            let lines = found.map(|own| format!("{} {}: {}", own.severity, own.rule, own.detail)).collect::<Vec<_>>();
            let text = escape(&lines.join("\n"));
            format!("      <failure message=\"{}\" type=\"findings\">{text}</failure>\n", escape(&has))
        }
        "incomplete" => format!("      <skipped message=\"{}\"/>\n", escape(&has)),
        _ => String::new(),
    };
    format!(
        "    <testcase classname=\"aksiso.fleet\" name=\"{}\" time=\"0\">\n{inner}    </testcase>\n",
        escape(&format!("{} ({})", cluster.name, words::place(cluster)))
    )
}
