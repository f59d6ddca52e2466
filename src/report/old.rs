//! Reports that aksiso wrote before: read back, and held against the present one.

use super::model::{CheckEntry, FindingEntry, Report, SCHEMA_VERSION};
use crate::checks::rule::Severity;
use crate::diagnosis::Status;
use crate::text::{self, problem::Problem};

const HINT: &str = "expected a report that aksiso diagnose --output json wrote";

/// Reads a JSON report; `name` names its file in messages.
///
/// # Errors
/// What is wrong with it.
pub fn read(json: &[u8], name: &str) -> Result<Report, Problem> {
    let version = serde_json::from_slice::<serde_json::Value>(json).ok();
    match version.as_ref().and_then(|report| report["schemaVersion"].as_str()) {
        Some(SCHEMA_VERSION) => {}
        Some(other) => {
            let other = text::clean(&text::bounded(other, 20));
            let message = format!("{name} has report schema version {other}, which this aksiso does not read");
            return Err(Problem::new(message, HINT));
        }
        None => return Err(Problem::new(format!("{name} is not a report"), HINT)),
    }
    serde_json::from_slice(json).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(format!("{name} is not a whole report ({place})"), HINT)
    })
}

/// What became of a finding of a former report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The present report has it too.
    StillThere,
    /// The present report has it too, and the policy or the baseline accepts it.
    Accepted,
    /// It is gone: its check was run, and saw everything.
    Settled,
    /// Its check was not run, or could not see everything: whether it is gone is not known.
    Unseen,
}

impl Since {
    /// Looks for a former finding in the present report. The one rule for what counts as gone: comparisons, tickets and
    /// baselines all ask here.
    pub fn of(former: &FindingEntry, present: &Report) -> Self {
        let saw_all = |check: &CheckEntry| check.status != Status::Undetermined.as_str() && check.gaps.is_empty();
        if present.findings.iter().any(|finding| finding.fingerprint == former.fingerprint) {
            Self::StillThere
        } else if present.suppressed.iter().any(|entry| entry.finding.fingerprint == former.fingerprint) {
            Self::Accepted
        } else if present.checks.iter().any(|check| check.id == former.check && saw_all(check)) {
            Self::Settled
        } else {
            Self::Unseen
        }
    }
}

impl Report {
    /// The report as a baseline: what a former baseline knew and this run could not see is not forgotten.
    #[must_use]
    pub fn as_baseline(mut self, former: Option<&Self>) -> Self {
        let known = former.into_iter().flat_map(|former| former.findings.iter().chain(&former.unsettled));
        let unsettled = known.filter(|finding| Since::of(finding, &self) == Since::Unseen).cloned();
        self.unsettled = unsettled.collect();
        self
    }

    /// What a baseline knows: fingerprints, and how bad each finding was.
    pub fn known(self) -> impl Iterator<Item = (String, Severity)> {
        let all = self.findings.into_iter().chain(self.unsettled);
        all.map(|finding| (finding.fingerprint, Severity::of(&finding.severity).unwrap_or(Severity::Info)))
    }
}
