//! From outcomes to a diagnosis: what comes first, the verdict, and the exit code.

use crate::check::{Check, Outcome};
use crate::evidence::{Evidence, Gap};
use crate::exit::{Exit, FailOn};
use crate::finding::{Finding, Severity};

/// Everything that a report says.
#[derive(Debug)]
pub struct Diagnosis<'e> {
    /// What it rests on.
    pub evidence: &'e Evidence,
    /// The checks that were asked for, in their order.
    pub checks: Vec<Judged>,
    /// All findings, worst first.
    pub findings: Vec<Finding>,
}

/// What became of one check, without its findings.
#[derive(Debug)]
pub struct Judged {
    /// The check.
    pub check: &'static Check,
    /// Its status.
    pub status: Status,
    /// Why it is undetermined or does not apply.
    pub reason: Option<String>,
    /// What it could not see.
    pub gaps: Vec<Gap>,
}

/// The status of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything was seen, and nothing is wrong.
    Passed,
    /// It has an error or a warning.
    Failed,
    /// It has neither, but could not see everything.
    Undetermined,
    /// There is nothing for it to judge.
    NotApplicable,
}

impl Status {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undetermined => "undetermined",
            Self::NotApplicable => "not-applicable",
        }
    }
}

/// The verdict of a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No error, no warning, nothing unseen.
    Healthy,
    /// An error or a warning.
    Findings,
    /// Neither, but something could not be seen.
    Incomplete,
}

impl Verdict {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Findings => "findings",
            Self::Incomplete => "incomplete",
        }
    }
}

impl<'e> Diagnosis<'e> {
    /// Runs the checks on the evidence.
    pub fn of(evidence: &'e Evidence, checks: &[&'static Check]) -> Self {
        let mut findings = Vec::new();
        let checks = checks.iter().map(|check| {
            let outcome = check.judge(evidence);
            let judged = Judged::of(check, &outcome);
            findings.extend(outcome.findings);
            judged
        });
        let checks = checks.collect();
        // Stable: within a severity the order of the checks stands, then the subject decides.
        findings.sort_by_key(|finding: &Finding| std::cmp::Reverse(finding.severity));
        Self { evidence, checks, findings }
    }

    /// How many findings have the severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// How many checks are undetermined.
    pub fn undetermined(&self) -> usize {
        self.checks.iter().filter(|judged| judged.status == Status::Undetermined).count()
    }

    fn incomplete(&self) -> bool {
        self.checks.iter().any(|judged| !judged.gaps.is_empty())
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        if self.findings.iter().any(|finding| finding.severity >= Severity::Warning) {
            Verdict::Findings
        } else if self.incomplete() {
            Verdict::Incomplete
        } else {
            Verdict::Healthy
        }
    }

    /// The exit code.
    pub fn exit(&self, fail_on: FailOn, allow_incomplete: bool) -> Exit {
        if self.findings.iter().any(|finding| fail_on.includes(finding.severity)) {
            Exit::Findings
        } else if self.incomplete() && !allow_incomplete {
            Exit::Incomplete
        } else {
            Exit::Clean
        }
    }
}

impl Judged {
    fn of(check: &'static Check, outcome: &Outcome) -> Self {
        let wrong = outcome.findings.iter().any(|finding| finding.severity >= Severity::Warning);
        let (status, reason) = match &outcome.not_applicable {
            Some(reason) => (Status::NotApplicable, Some(reason.clone())),
            None if wrong => (Status::Failed, None),
            None if outcome.gaps.is_empty() => (Status::Passed, None),
            None => (Status::Undetermined, Some(unseen(&outcome.gaps))),
        };
        Self { check, status, reason, gaps: outcome.gaps.clone() }
    }
}

fn unseen(gaps: &[Gap]) -> String {
    let mut details: Vec<&str> = gaps.iter().map(|gap| gap.detail.as_str()).collect();
    details.dedup();
    format!("could not be seen: {}", details.join("; "))
}
