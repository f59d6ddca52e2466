//! JSON for machines: the whole report, and one finding a line.

use serde::Serialize;

use super::headline;
use super::model::{Report, SCHEMA_VERSION, Summary};
use crate::{answers, text};

/// The report as JSON, ending in a line break.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(report: &Report) -> serde_json::Result<String> {
    printed(report)
}

/// One line a finding, each with what it takes to be read alone: the cluster and the time. Where findings alone do not
/// say it all, a last line has the verdict.
///
/// # Errors
/// As [`render`].
pub fn render_lines(report: &Report) -> serde_json::Result<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Line<'r, T> {
        schema_version: &'static str,
        collected_at: jiff::Timestamp,
        cluster_id: &'r str,
        #[serde(flatten)]
        said: T,
    }
    #[derive(Serialize)]
    struct Verdict<'r> {
        verdict: &'r str,
        summary: &'r Summary,
        detail: String,
    }
    fn line(report: &Report, said: impl Serialize) -> serde_json::Result<String> {
        let line = Line {
            schema_version: SCHEMA_VERSION,
            collected_at: report.collected_at,
            cluster_id: &report.cluster.id,
            said,
        };
        Ok(text::escape_json(&serde_json::to_string(&line)?) + "\n")
    }
    let mut out = String::new();
    for finding in &report.findings {
        out.push_str(&line(report, finding)?);
    }
    if headline::is_more_than_findings(report) {
        let detail = headline::line(report);
        out.push_str(&line(report, Verdict { verdict: &report.verdict, summary: &report.summary, detail })?);
    }
    Ok(out)
}

/// The checks and their rules as JSON.
///
/// # Errors
/// As [`render`].
pub fn render_checks() -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct RuleEntry {
        id: &'static str,
        severity: &'static str,
        title: &'static str,
    }
    #[derive(Serialize)]
    struct Entry {
        id: &'static str,
        title: &'static str,
        rules: Vec<RuleEntry>,
    }
    let rule = |rule: &&'static crate::checks::rule::Rule| RuleEntry {
        id: rule.id,
        severity: rule.severity.as_str(),
        title: rule.title,
    };
    let entries = answers::rule_sets().map(|check| Entry {
        id: check.id,
        title: check.title,
        rules: check.rules.iter().map(rule).collect(),
    });
    printed(&entries.collect::<Vec<_>>())
}

/// JSON that no terminal and no pipeline obeys: what could steer them is written as an escape, so nothing is lost.
pub(super) fn printed(value: &impl Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string_pretty(value)? + "\n";
    Ok(text::escape_json(&json))
}
