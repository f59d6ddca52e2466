//! Two reports side by side: what is fixed, what is new, what is still there, what is accepted, told apart by
//! fingerprint.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use super::markdown::{code, escape};
use super::model::{FindingEntry, Report};
use super::old::Since;
use crate::checks::rule::Severity;
use crate::text;

/// What a comparison is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ComparisonFormat {
    /// For people
    Table,
    /// Markdown, for a pull request or a ticket
    Markdown,
    /// For machines
    Json,
}

/// What changed from one report to the other.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Version of this schema.
    pub schema_version: String,
    /// In the new report only, or worse than in the old one.
    pub new: Vec<FindingEntry>,
    /// In the old report only, and its check saw everything this time.
    pub fixed: Vec<FindingEntry>,
    /// In the old report only, but this time its check could not see everything: not known to be fixed.
    pub unseen: Vec<FindingEntry>,
    /// In both, as the new one has it; accepted or not in the old one.
    pub still_there: Vec<FindingEntry>,
    /// What the policy or the baseline of the new report accepts: it is there.
    pub accepted: Vec<FindingEntry>,
}

impl Comparison {
    /// Compares two reports.
    pub fn of(old: &Report, new: &Report) -> Self {
        let before = || old.findings.iter().chain(old.suppressed.iter().map(|entry| &entry.finding));
        let former =
            |wanted: Since| before().filter(move |finding| Since::of(finding, new) == wanted).cloned().collect();
        let severity = |own: &FindingEntry| Severity::of(&own.severity);
        let known = |own: &FindingEntry| {
            before().any(|former| former.fingerprint == own.fingerprint && severity(own) <= severity(former))
        };
        let accepted = new.suppressed.iter().map(|entry| entry.finding.clone()).collect();
        let (still_there, new_ones) = new.findings.iter().cloned().partition(known);
        let (fixed, unseen) = (former(Since::Settled), former(Since::Unseen));
        Self {
            schema_version: super::model::SCHEMA_VERSION.to_owned(),
            new: new_ones,
            fixed,
            unseen,
            still_there,
            accepted,
        }
    }

    /// The lists with their headings.
    fn parts(&self) -> [(&'static str, &[FindingEntry]); 5] {
        [
            ("New", &self.new),
            ("Fixed", &self.fixed),
            ("Not seen this time", &self.unseen),
            ("Still there", &self.still_there),
            ("Accepted", &self.accepted),
        ]
    }

    /// Renders the comparison.
    ///
    /// # Errors
    /// Data that is no JSON, which does not happen.
    pub fn render(&self, format: ComparisonFormat) -> serde_json::Result<String> {
        match format {
            ComparisonFormat::Json => super::json::printed(self),
            ComparisonFormat::Markdown => Ok(self.markdown()),
            ComparisonFormat::Table => Ok(self.table()),
        }
    }

    fn table(&self) -> String {
        let mut out = String::new();
        for (heading, findings) in self.parts() {
            out.push_str(&format!("{heading}: {}\n", findings.len()));
            for finding in findings {
                let line = format!("  {} {} {}", finding.severity.to_uppercase(), finding.rule, finding.subject.name);
                out.push_str(&text::clean(&line));
                out.push('\n');
            }
        }
        text::for_ci_log(&out)
    }

    fn markdown(&self) -> String {
        let mut out = String::new();
        for (heading, findings) in self.parts() {
            out.push_str(&format!("### {heading}: {}\n\n", findings.len()));
            for finding in findings {
                let subject = code(&finding.subject.name);
                out.push_str(&format!(
                    "- {} `{}` of {subject}: {}\n",
                    finding.severity,
                    finding.rule,
                    escape(&finding.title)
                ));
            }
            out.push('\n');
        }
        out
    }
}
