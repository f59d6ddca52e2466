//! The fleet as OpenMetrics, for alerts: clusters by verdict, findings by rule, the age of the evidence.

use std::collections::BTreeMap;

use super::model::FleetReport;
use crate::report::openmetrics::Metrics;

/// Renders the report.
pub fn render(report: &FleetReport) -> String {
    let mut metrics = Metrics::default();
    metrics.gauge("aksiso_clusters", "Clusters by verdict.");
    for verdict in ["healthy", "findings", "incomplete"] {
        let number = report.summary.verdicts.get(verdict).copied().unwrap_or(0);
        metrics.sample("aksiso_clusters", &[("verdict", verdict)], number);
    }
    for (verdict, number) in &report.summary.verdicts {
        if !["healthy", "findings", "incomplete"].contains(&verdict.as_str()) {
            metrics.sample("aksiso_clusters", &[("verdict", verdict)], *number);
        }
    }
    metrics.gauge("aksiso_cause_clusters", "Clusters that a root cause affects.");
    for cause in &report.causes {
        let labels = [
            ("rule", cause.rule.as_str()),
            ("severity", cause.severity.as_str()),
            ("subject", cause.subject.id.as_str()),
            ("fingerprint", cause.fingerprint.as_str()),
        ];
        metrics.sample("aksiso_cause_clusters", &labels, cause.clusters.len());
    }
    let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for cluster in &report.clusters {
        for finding in cluster.findings.iter().filter_map(|print| report.finding(print)) {
            *rules.entry((&finding.rule, &finding.severity)).or_insert(0) += 1;
        }
    }
    metrics.gauge("aksiso_findings", "Findings by rule, one for each cluster that has it.");
    for ((rule, severity), number) in rules {
        metrics.sample("aksiso_findings", &[("rule", rule), ("severity", severity)], number);
    }
    metrics.gauge("aksiso_subscriptions_hidden", "Subscriptions of the scope that did not answer.");
    metrics.sample("aksiso_subscriptions_hidden", &[], report.scope.hidden.len());
    metrics.gauge("aksiso_incomplete", "Whether something of the scope could not be seen.");
    metrics.sample("aksiso_incomplete", &[], usize::from(report.incomplete()));
    metrics.collected(report.as_of);
    metrics.finish()
}
