//! A line for each cluster and finding, for a spreadsheet; a cluster without findings has one line of its own.

use super::model::{ClusterEntry, FleetReport};
use crate::report::model::FindingEntry;
use crate::text;

const HEADER: &str = "cluster,resourceGroup,subscription,registry,verdict,undetermined,rule,severity,role,subject,\
                      fingerprint,remediation,asOf";

/// Renders the report.
pub fn render(report: &FleetReport) -> String {
    let mut out = format!("{HEADER}\r\n");
    for cluster in &report.clusters {
        let found: Vec<&FindingEntry> =
            cluster.findings.iter().filter_map(|fingerprint| report.finding(fingerprint)).collect();
        if found.is_empty() {
            out.push_str(&line(report, cluster, None));
        }
        for finding in found {
            out.push_str(&line(report, cluster, Some(finding)));
        }
    }
    out
}

fn line(report: &FleetReport, cluster: &ClusterEntry, finding: Option<&FindingEntry>) -> String {
    let part = |key: &str| {
        let mut parts = cluster.id.split('/').skip_while(|part| !part.eq_ignore_ascii_case(key));
        parts.nth(1).unwrap_or_default().to_owned()
    };
    let of = |get: fn(&FindingEntry) -> &str| finding.map_or(String::new(), |finding| get(finding).to_owned());
    let undetermined: Vec<&str> = cluster.undetermined.iter().map(|check| check.check.as_str()).collect();
    let role = |finding: &FindingEntry| if finding.caused_by.is_empty() { "cause" } else { "symptom" };
    let cells = [
        cluster.name.clone(),
        part("resourceGroups"),
        part("subscriptions"),
        cluster.registry_id.clone().unwrap_or_default(),
        cluster.verdict.clone(),
        undetermined.join(" "),
        of(|finding| &finding.rule),
        of(|finding| &finding.severity),
        finding.map_or(String::new(), |finding| role(finding).to_owned()),
        of(|finding| &finding.subject.id),
        of(|finding| &finding.fingerprint),
        of(|finding| &finding.remediation.kind),
        report.as_of.to_string(),
    ];
    cells.map(|cell| quoted(&cell)).join(",") + "\r\n"
}

/// A cell that a spreadsheet shows and never computes.
fn quoted(cell: &str) -> String {
    let clean = text::break_hashes(&text::clean(cell), "# ");
    let formula = clean.starts_with(['=', '+', '-', '@', '\t']);
    let clean = if formula { format!("'{clean}") } else { clean };
    if clean.contains([',', '"', ';']) || formula { format!("\"{}\"", clean.replace('"', "\"\"")) } else { clean }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(quoted("=cmd|'/c calc'!A1"), "\"'=cmd|'/c calc'!A1\"");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("/subscriptions/x"), "/subscriptions/x");
    }
}
