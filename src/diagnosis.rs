//! From outcomes to a diagnosis: causes and their symptoms, statuses and the verdict.

pub mod causes;
pub mod drains;
pub mod gaps;
pub mod links;
mod node_problems;
pub mod plan;
pub mod policy;
mod settle;
mod severity;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::checks::catalogue;
use crate::checks::check::Check;
use crate::checks::finding::{Finding, Fingerprint};
use crate::checks::judge::Outcome;
use crate::checks::private_endpoint;
use crate::checks::rule::{RuleSet, Severity};
use crate::evidence::{Evidence, Gap, Reason};

/// What the checks found, and what explains what. It knows neither a policy nor a change that one thinks of.
#[derive(Debug, Clone)]
pub struct Diagnosis<'e> {
    /// What it rests on.
    pub evidence: &'e Evidence,
    /// The checks that were asked for, in their order.
    pub checks: Vec<CheckResult>,
    /// All findings: root causes first, worst first.
    pub findings: Vec<Finding>,
    /// How many checks were not asked for: nothing is known of what they would find.
    pub not_asked: usize,
    /// The checks that left something open which a node's own view could answer.
    pub answerable: Vec<&'static RuleSet>,
}

/// What became of one check, without its findings.
#[derive(Debug, Clone)]
pub struct CheckResult {
    /// The check, or the answer that has rules of its own.
    pub check: &'static RuleSet,
    pub status: Status,
    /// Why it is undetermined or does not apply, or what was accepted.
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
    /// Its errors and warnings were all accepted, by a policy or a baseline: they are still there.
    Accepted,
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
            Self::Accepted => "accepted",
            Self::NotApplicable => "not-applicable",
        }
    }
}

/// The verdict of a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No error, no warning, nothing accepted, nothing unseen.
    Healthy,
    /// An error or a warning.
    Findings,
    /// Neither, but something could not be seen, or was not asked for.
    Incomplete,
    /// None that is new, but errors or warnings that were accepted are still there.
    Accepted,
}

impl Verdict {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Findings => "findings",
            Self::Incomplete => "incomplete",
            Self::Accepted => "accepted",
        }
    }
}

impl<'e> Diagnosis<'e> {
    /// Runs the checks on the evidence.
    pub fn of(evidence: &'e Evidence, checks: &[&'static Check]) -> Self {
        let whole = Self::from_outcomes(evidence, settle::judge(evidence, checks));
        let not_asked =
            catalogue::ALL.iter().filter(|check| !checks.iter().any(|own| own.about == check.about)).count();
        Self { not_asked, ..whole }
    }

    pub fn from_outcomes(evidence: &'e Evidence, mut outcomes: Vec<Outcome>) -> Self {
        severity::confirm(&mut outcomes);
        drains::judge(&mut outcomes, evidence);
        let open = outcomes.iter().filter(|outcome| !outcome.open.is_empty() || !outcome.suspicions.is_empty());
        let answerable = open.map(|outcome| outcome.check).collect();
        let mut findings: Vec<Finding> = outcomes.iter().flat_map(|outcome| outcome.findings.clone()).collect();
        severity::escalate(&mut findings);
        severity::escalate_images(&mut findings, evidence);
        node_problems::corroborate(&mut findings, evidence);
        causes::explain(&mut findings, evidence);
        severity::prove(&mut findings, evidence);
        causes_first(&mut findings);
        take_remediation_of_causes(&mut findings);
        let checks = outcomes.iter().map(|outcome| CheckResult::of(outcome, &findings)).collect();
        Self { evidence, checks, findings, not_asked: 0, answerable }
    }

    /// The same without the findings that were accepted, and these: statuses follow, and a symptom that has another
    /// cause as well is fixed by that one.
    #[must_use]
    pub fn accept(mut self, is_accepted: impl Fn(&Finding) -> bool) -> (Self, Vec<Finding>) {
        let (accepted, mut kept): (Vec<Finding>, Vec<Finding>) = self.findings.into_iter().partition(is_accepted);
        let present: BTreeSet<Fingerprint> = kept.iter().map(Finding::fingerprint).collect();
        for finding in &mut kept {
            finding.caused_by.retain(|cause| present.contains(cause));
        }
        causes_first(&mut kept);
        take_remediation_of_causes(&mut kept);
        self.checks.iter_mut().for_each(|result| result.follow(&kept, &accepted));
        self.findings = kept;
        (self, accepted)
    }

    /// The findings that nothing explains, in the order of the report.
    pub fn roots(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.caused_by.is_empty())
    }

    /// For each root cause what it explains, directly or through other symptoms.
    pub fn symptoms(&self) -> BTreeMap<Fingerprint, Vec<&Finding>> {
        let mut direct: HashMap<&Fingerprint, Vec<&Finding>> = HashMap::new();
        for finding in &self.findings {
            finding.caused_by.iter().for_each(|cause| direct.entry(cause).or_default().push(finding));
        }
        self.roots().map(|root| (root.fingerprint(), explained(&root.fingerprint(), &direct))).collect()
    }

    /// How many findings have the severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// How many checks are undetermined.
    pub fn undetermined(&self) -> usize {
        self.checks.iter().filter(|result| result.status == Status::Undetermined).count()
    }

    /// The checks that found something or could not see everything.
    pub fn unsettled(&self) -> impl Iterator<Item = &'static RuleSet> {
        let unsettled = |result: &&CheckResult| result.status == Status::Failed || !result.gaps.is_empty();
        self.checks.iter().filter(unsettled).map(|result| result.check)
    }

    /// Whether something was not seen because a server asked for patience.
    pub fn throttled(&self) -> bool {
        self.checks.iter().flat_map(|result| &result.gaps).any(|gap| gap.reason == Reason::Throttled)
    }

    /// Whether some check could not see everything.
    pub fn incomplete(&self) -> bool {
        self.checks.iter().any(|result| !result.gaps.is_empty())
    }

    pub fn verdict(&self) -> Verdict {
        if self.findings.iter().any(|finding| finding.severity >= Severity::Warning) {
            Verdict::Findings
        } else if self.incomplete() {
            Verdict::Incomplete
        } else if self.checks.iter().any(|result| result.status == Status::Accepted) {
            Verdict::Accepted
        } else if self.not_asked > 0 {
            Verdict::Incomplete
        } else {
            Verdict::Healthy
        }
    }
}

/// What a cause explains, nearest first, each finding once.
fn explained<'d>(cause: &Fingerprint, direct: &HashMap<&Fingerprint, Vec<&'d Finding>>) -> Vec<&'d Finding> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::from([cause.clone()]));
    let mut open = vec![cause.clone()];
    let mut next = 0;
    while let Some(cause) = open.get(next) {
        let symptoms = direct.get(cause).into_iter().flatten().copied();
        let new: Vec<&Finding> = symptoms.filter(|symptom| seen.insert(symptom.fingerprint())).collect();
        open.extend(new.iter().map(|symptom| symptom.fingerprint()));
        found.extend(new);
        next += 1;
    }
    found
}

/// Findings that nothing explains first, the worst of what they explain deciding.
fn causes_first(findings: &mut Vec<Finding>) {
    let mut worst: HashMap<Fingerprint, Severity> = HashMap::new();
    for symptom in findings.iter() {
        for cause in &symptom.caused_by {
            let known = worst.entry(cause.clone()).or_insert(symptom.severity);
            *known = (*known).max(symptom.severity);
        }
    }
    let rank = |finding: &Finding| {
        let explains = worst.get(&finding.fingerprint()).copied();
        let severity = explains.map_or(finding.severity, |worst| worst.max(finding.severity));
        // Of two that are as bad, what restores comes before what hardens.
        (!finding.caused_by.is_empty(), Reverse(severity), finding.rule.hardens.is_some())
    };
    let mut order: Vec<(_, Finding)> = findings.drain(..).map(|finding| (rank(&finding), finding)).collect();
    order.sort_by_key(|(rank, _)| *rank);
    findings.extend(order.into_iter().map(|(_, finding)| finding));
    let places: HashMap<Fingerprint, usize> =
        findings.iter().enumerate().map(|(place, finding)| (finding.fingerprint(), place)).collect();
    for finding in findings {
        finding.caused_by.sort_by_key(|cause| places.get(cause).copied());
    }
}

/// A symptom that has a cause is fixed by fixing the cause.
fn take_remediation_of_causes(findings: &mut [Finding]) {
    let known: HashMap<Fingerprint, Finding> =
        findings.iter().map(|finding| (finding.fingerprint(), finding.clone())).collect();
    for finding in findings.iter_mut().filter(|finding| !finding.is(&private_endpoint::MISSING)) {
        let mut cause = finding.caused_by.first().and_then(|cause| known.get(cause));
        // The cause's own cause, where there is one; the depth is bounded because the links hold no circle.
        for _ in 0..4 {
            let further = cause.and_then(|cause| known.get(cause.caused_by.first()?));
            cause = further.or(cause);
        }
        if let Some(cause) = cause {
            finding.remediation = cause.remediation.clone();
        }
    }
}

impl CheckResult {
    fn of(outcome: &Outcome, findings: &[Finding]) -> Self {
        let status = if outcome.not_applicable.is_some() { Status::NotApplicable } else { Status::Passed };
        let (reason, gaps) = (outcome.not_applicable.clone(), outcome.gaps.clone());
        let mut result = Self { check: outcome.check, status, reason, gaps };
        result.follow(findings, &[]);
        result
    }

    /// The status that findings give the check: those that count, and those that were accepted.
    fn follow(&mut self, findings: &[Finding], accepted: &[Finding]) {
        let wrong = |finding: &&Finding| finding.check == self.check && finding.severity >= Severity::Warning;
        let accepted: Vec<&Finding> = accepted.iter().filter(wrong).collect();
        (self.status, self.reason) = match self.status {
            Status::NotApplicable => return,
            _ if findings.iter().any(|finding| wrong(&finding)) => (Status::Failed, None),
            _ if !self.gaps.is_empty() => (Status::Undetermined, Some(unseen(&self.gaps))),
            _ if !accepted.is_empty() => (Status::Accepted, Some(named(&accepted))),
            _ => (Status::Passed, None),
        };
    }
}

/// What was accepted of a check, in a few words.
fn named(accepted: &[&Finding]) -> String {
    let names = accepted.iter().map(|finding| format!("{} of {}", finding.rule.id, finding.subject.name));
    format!("accepted: {}", names.collect::<Vec<_>>().join(", "))
}

fn unseen(unseen: &[Gap]) -> String {
    let mut details: Vec<String> = unseen.iter().map(gaps::said).collect();
    details.dedup();
    format!("could not check: {}", details.join("; "))
}
