//! OpenMetrics text: what Prometheus reads from a file (node_exporter's textfile collector) or a push gateway.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::Timestamp;

use super::model::Report;
use crate::text;

/// Metrics in the making.
#[derive(Default)]
pub struct Metrics(String);

impl Metrics {
    /// Begins a gauge.
    pub fn gauge(&mut self, name: &str, help: &str) {
        self.0.push_str(&format!("# TYPE {name} gauge\n# HELP {name} {help}\n"));
    }

    /// One value.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0.push_str(&format!("{name}{labels} {value}\n"));
    }

    /// When the facts were gathered: an alert on its age finds a job that no longer runs.
    pub fn collected(&mut self, at: Timestamp) {
        let name = "aksiso_collected_timestamp_seconds";
        self.gauge(name, "When the evidence was gathered, in Unix time; time() minus this is its age.");
        self.sample(name, &[], at.as_second());
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0 + "# EOF\n"
    }
}

/// The report of one cluster.
pub fn render(report: &Report) -> String {
    let cluster = ("cluster", report.cluster.id.as_str());
    let mut metrics = Metrics::default();
    metrics.gauge("aksiso_verdict", "1 for the cluster's verdict.");
    metrics.sample("aksiso_verdict", &[cluster, ("verdict", &report.verdict)], 1);
    let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in &report.findings {
        *rules.entry((&finding.rule, &finding.severity)).or_insert(0) += 1;
    }
    metrics.gauge("aksiso_findings", "Findings by rule.");
    for ((rule, severity), number) in rules {
        metrics.sample("aksiso_findings", &[cluster, ("rule", rule), ("severity", severity)], number);
    }
    metrics.gauge("aksiso_undetermined_checks", "Checks that could not see everything.");
    metrics.sample("aksiso_undetermined_checks", &[cluster], report.summary.undetermined);
    metrics
        .gauge("aksiso_accepted_findings", "Findings that the policy or the baseline accepts: they are still there.");
    metrics.sample("aksiso_accepted_findings", &[cluster], report.summary.accepted);
    metrics.gauge("aksiso_unasked_checks", "Checks that were not asked for.");
    metrics.sample("aksiso_unasked_checks", &[cluster], report.summary.not_asked);
    metrics.collected(report.collected_at);
    metrics.finish()
}

fn escape(value: &str) -> String {
    text::break_hashes(&text::clean(value), "# ").replace('\\', "\\\\").replace('"', "\\\"")
}
