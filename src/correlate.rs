//! From outcomes to a diagnosis: causes and their symptoms, the verdict, and the exit code.

pub mod causes;
pub mod plan;

use std::collections::BTreeSet;

use crate::check::{self, Check, Outcome};
use crate::evidence::{Evidence, Gap, Reason};
use crate::exit::{Exit, FailOn};
use crate::finding::{Finding, Severity};
use crate::policy::{Baseline, Notice, Policy, SuppressedBy};
use crate::whatif::Effect;

/// Everything that a report says.
#[derive(Debug)]
pub struct Diagnosis<'e> {
    /// What it rests on.
    pub evidence: &'e Evidence,
    /// The checks that were asked for, in their order.
    pub checks: Vec<Judged>,
    /// All findings: root causes first, worst first.
    pub findings: Vec<Finding>,
    /// For each finding, the indices of the findings that explain it.
    pub caused_by: Vec<Vec<usize>>,
    /// Findings that the policy or the baseline takes out, and why; they count nowhere.
    pub suppressed: Vec<(Finding, SuppressedBy)>,
    /// What is wrong with the policy itself.
    pub notices: Vec<Notice>,
    /// What the changes do that one thinks of; none where the evidence is as it was found.
    pub effect: Option<Effect>,
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
        let mut outcomes: Vec<(&'static Check, Outcome)> =
            checks.iter().map(|check| (*check, check.judge(evidence))).collect();
        confirm(&mut outcomes);
        let mut findings: Vec<Finding> = outcomes.iter().flat_map(|(_, outcome)| outcome.findings.clone()).collect();
        escalate(&mut findings);
        let caused_by = explain(&findings, evidence);
        prove(&mut findings, &caused_by, evidence);
        let (findings, caused_by) = causes_first(findings, &caused_by);
        let findings = with_remediation_of_causes(findings, &caused_by);
        let checks = outcomes.iter().map(|(check, outcome)| Judged::of(check, outcome, &findings)).collect();
        Self { evidence, checks, findings, caused_by, suppressed: Vec::new(), notices: Vec::new(), effect: None }
    }

    /// The diagnosis under a policy: severities as it says, and without the findings that it or the baseline accepts.
    #[must_use]
    pub fn under(mut self, policy: &Policy, baseline: Option<&Baseline>) -> Self {
        let today = self.evidence.collected_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        for finding in &mut self.findings {
            finding.severity = policy.severity(finding.rule.id).unwrap_or(finding.severity);
        }
        let complete =
            self.checks.iter().filter(|judged| judged.gaps.is_empty()).map(|judged| judged.check.id).collect();
        self.notices = policy.notices(&self.findings, &complete, today);
        let by: Vec<Option<SuppressedBy>> = self
            .findings
            .iter()
            .map(|finding| {
                policy.suppresses(finding, today).or_else(|| baseline.and_then(|baseline| baseline.knows(finding)))
            })
            .collect();
        // Where each finding that stays comes to stand.
        let places: Vec<usize> = by
            .iter()
            .scan(0, |kept, by| {
                let place = *kept;
                *kept += usize::from(by.is_none());
                Some(place)
            })
            .collect();
        let place = |old: usize| by[old].is_none().then_some(places[old]);
        let kept = |causes: &Vec<usize>| causes.iter().filter_map(|cause| place(*cause)).collect::<Vec<usize>>();
        let caused_by = self.caused_by.iter().zip(&by).filter(|(_, by)| by.is_none()).map(|(causes, _)| kept(causes));
        let caused_by: Vec<Vec<usize>> = caused_by.collect();
        let mut findings = Vec::new();
        for (finding, by) in self.findings.into_iter().zip(by) {
            match by {
                Some(by) => self.suppressed.push((finding, by)),
                None => findings.push(finding),
            }
        }
        (self.findings, self.caused_by) = causes_first(findings, &caused_by);
        self.checks.iter_mut().for_each(|judged| judged.judge_again(&self.findings));
        self
    }

    /// The indices of the findings that nothing explains, in the order of the report.
    pub fn roots(&self) -> impl Iterator<Item = usize> {
        (0..self.findings.len()).filter(|index| self.caused_by[*index].is_empty())
    }

    /// For each finding, the indices of what it explains, directly or through other symptoms.
    pub fn symptoms(&self) -> Vec<Vec<usize>> {
        let mut direct: Vec<Vec<usize>> = vec![Vec::new(); self.findings.len()];
        for (symptom, causes) in self.caused_by.iter().enumerate() {
            causes.iter().for_each(|cause| direct[*cause].push(symptom));
        }
        let all = |cause: usize| {
            let (mut found, mut seen, mut next) = (vec![cause], BTreeSet::from([cause]), 0);
            while let Some(cause) = found.get(next) {
                let more: Vec<usize> = direct[*cause].iter().copied().filter(|symptom| seen.insert(*symptom)).collect();
                found.extend(more);
                next += 1;
            }
            found.split_off(1)
        };
        (0..self.findings.len()).map(all).collect()
    }

    /// How many findings have the severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// How many checks are undetermined.
    pub fn undetermined(&self) -> usize {
        self.checks.iter().filter(|judged| judged.status == Status::Undetermined).count()
    }

    /// The checks that found something or could not see everything.
    pub fn unsettled(&self) -> Vec<&'static Check> {
        let unsettled = |judged: &&Judged| judged.status == Status::Failed || !judged.gaps.is_empty();
        self.checks.iter().filter(unsettled).map(|judged| judged.check).collect()
    }

    /// Whether something was not seen because a server asked for patience.
    pub fn throttled(&self) -> bool {
        self.checks.iter().flat_map(|judged| &judged.gaps).any(|gap| gap.reason == Reason::Throttled)
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

/// A suspicion about the way to the registry is confirmed by a pull or bootstrap that failed on that way.
fn confirm(outcomes: &mut [(&'static Check, Outcome)]) {
    let mut all = outcomes.iter().flat_map(|(_, outcome)| &outcome.findings);
    if !all.any(|finding| finding.rule.id == "pull-network-failure" || causes::exit_code(finding) == Some(211)) {
        return;
    }
    for (_, outcome) in outcomes {
        for suspicion in std::mem::take(&mut outcome.suspicions) {
            outcome.gaps.retain(|gap| *gap != suspicion.gap);
            outcome.findings.push(suspicion.finding);
        }
    }
}

/// Nodes that are only older than the registry are proved stale where, with containerd 2, they ask Microsoft's registry
/// itself: their mirror is not configured.
fn prove(findings: &mut [Finding], caused_by: &[Vec<usize>], evidence: &Evidence) {
    if !evidence.egress_closed() {
        return;
    }
    for (symptom, causes) in caused_by.iter().enumerate() {
        if findings[symptom].rule.id != "pull-bypasses-cache" || !causes::on_modern_nodes(&findings[symptom], evidence)
        {
            continue;
        }
        for cause in causes {
            if findings[*cause].rule.id == "node-not-reimaged" {
                findings[*cause].severity = Severity::Error;
            }
        }
    }
}

/// What other findings say of a finding's severity, and of what a 403 means.
fn escalate(findings: &mut [Finding]) {
    let has = |rule: &str| findings.iter().any(|finding| finding.rule.id == rule);
    let coded = |numbers: &[u32]| {
        findings.iter().any(|finding| causes::exit_code(finding).is_some_and(|code| numbers.contains(&code)))
    };
    let bootstrap = has("node-bootstrap-failed") || has("pool-failed") || has("scale-up-failing");
    let microsoft = findings.iter().any(|finding| {
        let image = finding.subject.id.as_str().split('/').next().unwrap_or_default();
        finding.rule.id.starts_with("pull-") && crate::image::is_microsoft(image)
    });
    let unfilled = microsoft || coded(&[207, 208, 231, 233]);
    let proxied = has("pull-forbidden") || coded(&[211]) || has("pull-network-failure");
    let public = findings.iter().any(|finding| causes::is_cause_of_reach(finding.rule.id));
    for finding in findings {
        let worse = match finding.rule.id {
            "cluster-failed" => bootstrap,
            "registry-trusted-services-disabled" => unfilled,
            "proxy-covers-registry" => proxied,
            _ => false,
        };
        if worse {
            finding.severity = Severity::Error;
        }
        let refused = finding.evidence.iter().any(|seen| seen.value.to_lowercase().contains("403 forbidden"));
        if finding.rule.id == "pull-failed" && refused && public {
            finding.rule = check::pull_forbidden();
        }
    }
}

/// For each finding, what explains it. A finding never explains itself, nor one that explains it.
fn explain(findings: &[Finding], evidence: &Evidence) -> Vec<Vec<usize>> {
    let mut caused_by: Vec<Vec<usize>> = vec![Vec::new(); findings.len()];
    let of_rules = |wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..findings.len()).filter(|at| wanted(findings[*at].rule.id)).collect()
    };
    for explanation in causes::ALL {
        let causes = of_rules(&|rule| explanation.causes.contains(&rule));
        if causes.is_empty() {
            continue;
        }
        let symptoms = of_rules(&|rule| explanation.symptoms.iter().any(|symptom| symptom.rule == rule));
        for cause_at in causes {
            for symptom_at in symptoms.iter().copied() {
                let new = cause_at != symptom_at
                    && !caused_by[symptom_at].contains(&cause_at)
                    && !caused_by[cause_at].contains(&symptom_at);
                if new && causes::explains(explanation, &findings[cause_at], &findings[symptom_at], evidence) {
                    caused_by[symptom_at].push(cause_at);
                }
            }
        }
    }
    for (symptom, causes) in caused_by.iter_mut().enumerate() {
        // Early images gave 211 for a missing role in ABAC mode, but only where the way to the registry is well.
        let reach = causes.iter().any(|cause| causes::is_cause_of_reach(findings[*cause].rule.id));
        if reach && causes::exit_code(&findings[symptom]) == Some(211) {
            causes.retain(|cause| !causes::is_about_access(findings[*cause].rule.id));
        }
    }
    caused_by
}

/// Findings that nothing explains first, the worst of what they explain deciding; indices follow.
fn causes_first(findings: Vec<Finding>, caused_by: &[Vec<usize>]) -> (Vec<Finding>, Vec<Vec<usize>>) {
    let mut worst: Vec<Severity> = findings.iter().map(|finding| finding.severity).collect();
    for (symptom, causes) in caused_by.iter().enumerate() {
        for cause in causes {
            worst[*cause] = worst[*cause].max(findings[symptom].severity);
        }
    }
    let mut order: Vec<usize> = (0..findings.len()).collect();
    order.sort_by_key(|index| (!caused_by[*index].is_empty(), std::cmp::Reverse(worst[*index])));
    let mut places = vec![0; findings.len()];
    order.iter().enumerate().for_each(|(place, old)| places[*old] = place);
    let mut moved: Vec<Vec<usize>> =
        order.iter().map(|old| caused_by[*old].iter().map(|cause| places[*cause]).collect()).collect();
    moved.iter_mut().for_each(|causes: &mut Vec<usize>| causes.sort_unstable());
    let mut slots: Vec<Option<Finding>> = findings.into_iter().map(Some).collect();
    let findings = order.iter().filter_map(|old| slots[*old].take()).collect();
    (findings, moved)
}

/// A symptom that has a cause is mended by mending the cause.
fn with_remediation_of_causes(mut findings: Vec<Finding>, caused_by: &[Vec<usize>]) -> Vec<Finding> {
    const OWN: [&str; 1] = ["private-endpoint-missing"];
    for index in 0..findings.len() {
        let mut cause = caused_by[index].first().copied();
        // The cause's own cause, where there is one; the depth is bounded because the links hold no circle.
        for _ in 0..4 {
            let further = cause.and_then(|cause| caused_by[cause].first().copied());
            cause = further.or(cause);
        }
        if let Some(cause) = cause.filter(|_| !OWN.contains(&findings[index].rule.id)) {
            findings[index].remediation = findings[cause].remediation.clone();
        }
    }
    findings
}

impl Judged {
    fn of(check: &'static Check, outcome: &Outcome, findings: &[Finding]) -> Self {
        let status = if outcome.not_applicable.is_some() { Status::NotApplicable } else { Status::Passed };
        let mut judged = Self { check, status, reason: outcome.not_applicable.clone(), gaps: outcome.gaps.clone() };
        judged.judge_again(findings);
        judged
    }

    /// The status that these findings give the check.
    fn judge_again(&mut self, findings: &[Finding]) {
        let own = |finding: &&Finding| self.check.rules.iter().any(|rule| rule.id == finding.rule.id);
        let wrong = findings.iter().filter(own).any(|finding| finding.severity >= Severity::Warning);
        (self.status, self.reason) = match self.status {
            Status::NotApplicable => return,
            _ if wrong => (Status::Failed, None),
            _ if self.gaps.is_empty() => (Status::Passed, None),
            _ => (Status::Undetermined, Some(unseen(&self.gaps))),
        };
    }
}

fn unseen(gaps: &[Gap]) -> String {
    let mut details: Vec<&str> = gaps.iter().map(|gap| gap.detail.as_str()).collect();
    details.dedup();
    format!("could not be seen: {}", details.join("; "))
}
