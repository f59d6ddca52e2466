//! Findings as people read them: each root cause with what it explains, and what is only worth knowing. Every finding
//! stands in one place, so that the counts add up.

use std::collections::{HashMap, HashSet};

use super::model::{FindingEntry, Report};
use crate::checks::rule::Severity;

/// A root cause.
pub(super) struct Root<'r> {
    pub finding: &'r FindingEntry,
    /// As bad as the worst of what it explains.
    pub severity: Severity,
    /// What it explains, nearest first, without what a cause before it explains.
    pub explains: Vec<&'r FindingEntry>,
}

/// The findings of a report, sorted out.
pub(super) struct Roots<'r> {
    pub causes: Vec<Root<'r>>,
    /// Worth knowing, and neither cause nor symptom.
    pub notes: Vec<&'r FindingEntry>,
}

impl<'r> Roots<'r> {
    pub fn of(report: &'r Report) -> Self {
        let mut direct: HashMap<&str, Vec<&FindingEntry>> = HashMap::new();
        for finding in &report.findings {
            finding.caused_by.iter().for_each(|cause| direct.entry(cause).or_default().push(finding));
        }
        let mut told: HashSet<*const FindingEntry> = HashSet::new();
        let (mut causes, mut notes) = (Vec::new(), Vec::new());
        for finding in report.findings.iter().filter(|finding| finding.caused_by.is_empty()) {
            let all = explained(finding, &direct);
            let worst = all.iter().chain([&finding]).map(|finding| severity(finding)).max();
            let severity = worst.unwrap_or(Severity::Error);
            if severity == Severity::Info {
                notes.push(finding);
                notes.extend(all.into_iter().filter(|own| told.insert(*own)));
            } else {
                let explains = all.into_iter().filter(|own| told.insert(*own)).collect();
                causes.push(Root { finding, severity, explains });
            }
        }
        Self { causes, notes }
    }

    /// How many findings the root causes explain.
    pub fn symptoms(&self) -> usize {
        self.causes.iter().map(|root| root.explains.len()).sum()
    }

    /// How many root causes are as bad as this.
    pub fn count(&self, severity: Severity) -> usize {
        self.causes.iter().filter(|root| root.severity == severity).count()
    }

    /// The number under which a root cause is shown, from one on.
    pub fn number(&self, fingerprint: &str) -> Option<usize> {
        self.causes.iter().position(|root| root.finding.fingerprint == fingerprint).map(|at| at + 1)
    }
}

fn severity(finding: &FindingEntry) -> Severity {
    Severity::of(&finding.severity).unwrap_or(Severity::Error)
}

/// What a cause explains, directly or through other symptoms, nearest first.
fn explained<'r>(cause: &'r FindingEntry, direct: &HashMap<&str, Vec<&'r FindingEntry>>) -> Vec<&'r FindingEntry> {
    let (mut found, mut seen, mut next) = (vec![cause], HashSet::from([cause.fingerprint.as_str()]), 0);
    while let Some(cause) = found.get(next) {
        let symptoms = direct.get(cause.fingerprint.as_str()).into_iter().flatten();
        let new: Vec<_> = symptoms.filter(|symptom| seen.insert(&symptom.fingerprint)).copied().collect();
        found.extend(new);
        next += 1;
    }
    found.split_off(1)
}
