//! Reports that aksiso wrote before: read back, and held against the present one.

use super::model::{CheckEntry, FindingEntry, Report, SCHEMA_VERSION};
use crate::checks::rule::Severity;
use crate::checks::{bootstrap_profile, catalogue};
use crate::diagnosis::Status;
use crate::evidence::Section;
use crate::text::{self, problem::Problem};

/// Refuses two reports that are not about one cluster; `name` is what the second is.
///
/// # Errors
/// They are about two.
pub fn same_cluster(one: &Report, other: &Report, name: &str) -> Result<(), Problem> {
    if one.cluster.id.eq_ignore_ascii_case(&other.cluster.id) {
        return Ok(());
    }
    Err(Problem::new(
        format!("{name} is a report on another cluster, {}", text::clean(&other.cluster.id)),
        "give two reports on the same cluster",
    ))
}

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
    let report: Report = serde_json::from_slice(json).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(format!("{name} is not a whole report ({place})"), HINT)
    })?;
    if report.what_if.is_some() {
        let message = format!("{name} tells of changes that were only assumed (--what-if)");
        return Err(Problem::new(message, "use a report of the cluster as it is"));
    }
    Ok(report)
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
        } else if waits(former, present) {
            Self::Unseen
        } else if present.checks.iter().any(|check| check.id == former.check && saw_all(check)) {
            Self::Settled
        } else {
            Self::Unseen
        }
    }
}

/// Whether nodes would have to be seen, while the cluster is stopped or something is done to it: a fault is not gone
/// because nobody runs into it now.
fn waits(former: &FindingEntry, present: &Report) -> bool {
    let rests = [&bootstrap_profile::STOPPED, &bootstrap_profile::IN_PROGRESS];
    let shown = [Section::Nodes, Section::Pods, Section::Autoscaler];
    let check = catalogue::ALL.iter().find(|check| check.about.id == former.check);
    check.is_some_and(|check| check.needs.iter().any(|section| shown.contains(section)))
        && present.findings.iter().any(|finding| rests.iter().any(|rule| rule.id == finding.rule))
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
