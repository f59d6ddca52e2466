//! The plan: first what restores, then what is to be looked at, then what hardens; duplicates merged.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Diagnosis, gaps};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Remediation, RemediationKind};
use crate::checks::impact::Impact;
use crate::checks::remedy;
use crate::checks::rule::{RuleSet, Severity};
use crate::evidence::Fact;
use crate::evidence::id::ResourceId;
use crate::evidence::locks::{Lock, LockFacts};
use crate::text;

/// The steps that fix what a diagnosis found, in their order.
#[derive(Debug, Clone)]
pub struct Plan {
    pub cluster: ResourceId,
    /// When the facts were gathered.
    pub collected_at: Timestamp,
    pub steps: Vec<PlanStep>,
}

#[derive(Debug, Clone)]
pub struct PlanStep {
    pub phase: Phase,
    /// That of the first finding; its summary holds what those of the others say besides.
    pub remediation: Remediation,
    /// The findings that it fixes.
    pub fixes: Vec<Finding>,
    pub disturbs: &'static str,
    /// The checks that must pass before it is taken.
    pub pass_first: Vec<&'static RuleSet>,
    /// Locks that stand in the way of its commands, and locks that could not be read, in words.
    pub locks: Vec<String>,
    /// The command that shows whether it worked, where that is no check of `diagnose`.
    verified_by: Option<Command>,
    /// The checks that show whether it worked.
    checks: Vec<&'static RuleSet>,
}

/// When a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It lets pulls and bootstraps work again.
    Restore,
    /// It only looks.
    Look,
    /// It takes away what pulls may still rest on.
    Harden,
}

impl Phase {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Look => "look",
            Self::Harden => "harden",
        }
    }
}

/// What a kind of step disturbs.
fn disturbs(kind: RemediationKind) -> &'static str {
    match kind {
        RemediationKind::Reimage | RemediationKind::UpgradeNodeImage => {
            "cordons, drains and replaces nodes; pods move, disruption budgets may hold it up"
        }
        RemediationKind::DeleteRegistryAndReconcile => "no image can be pulled until the reconcile has ended",
        RemediationKind::RecreateCacheRule => "pulls through the rule fail until it exists again; running pods go on",
        RemediationKind::UpdateCluster => {
            "an update of the cluster; nodes keep their configuration until they are reimaged"
        }
        RemediationKind::Reconcile => "nothing running; no node is cordoned",
        RemediationKind::AssignRole => "nothing; it takes minutes to propagate",
        RemediationKind::RewriteImage => "the workload is rolled out again",
        RemediationKind::UpdateRegistry => "clients that relied on the previous setting (CI agents, anonymous pulls)",
        RemediationKind::Investigate => "none",
        _ => "nothing running; new connections take the new path",
    }
}

/// The order of the steps of a phase: the registry, its rule, endpoint, zone, link, record, role, then the cluster,
/// then its nodes.
fn rank(kind: RemediationKind) -> u8 {
    match kind {
        RemediationKind::UpdateRegistry => 0,
        RemediationKind::DeleteRegistryAndReconcile => 1,
        RemediationKind::RecreateCacheRule => 2,
        RemediationKind::FixUpstreamCredentials => 3,
        RemediationKind::ApprovePrivateEndpoint => 4,
        RemediationKind::CreatePrivateEndpoint => 5,
        RemediationKind::CreateDnsZone => 6,
        RemediationKind::LinkDnsZone => 7,
        RemediationKind::CreateDnsRecord => 8,
        RemediationKind::AssignRole => 9,
        RemediationKind::Reconcile => 10,
        RemediationKind::UpdateCluster => 11,
        RemediationKind::Reimage => 12,
        RemediationKind::UpgradeNodeImage => 13,
        RemediationKind::RewriteImage => 14,
        RemediationKind::Investigate => 15,
    }
}

impl Plan {
    /// The plan of a diagnosis: a step for every root cause, and none for what a cause explains.
    pub fn of(diagnosis: &Diagnosis<'_>) -> Self {
        let mut steps: Vec<PlanStep> = Vec::new();
        let mut known: HashMap<Vec<&[String]>, usize> = HashMap::new();
        let symptoms = diagnosis.symptoms();
        for finding in diagnosis.roots() {
            let remediation = &finding.remediation;
            if finding.severity == Severity::Info && remediation.commands.is_empty() {
                continue;
            }
            let explained = symptoms.get(&finding.fingerprint()).into_iter().flatten().copied();
            let step = PlanStep::of(finding, explained);
            let commands: Vec<&[String]> = remediation.commands.iter().map(Command::words).collect();
            if let Some(at) = known.get(&commands).filter(|_| !commands.is_empty()) {
                steps[*at].merge(step);
            } else {
                known.insert(commands, steps.len());
                steps.push(step);
            }
        }
        steps.sort_by_key(|step| (step.phase, rank(step.remediation.kind)));
        let evidence = diagnosis.evidence;
        steps.iter_mut().for_each(|step| step.locks = locks(&step.remediation.commands, &evidence.locks));
        Self { cluster: evidence.cluster.id.clone(), collected_at: evidence.collected_at, steps }
    }

    /// The same plan, whose steps are verified by another command than a check of `diagnose`.
    #[must_use]
    pub fn verified_by(mut self, command: &Command) -> Self {
        self.steps.iter_mut().for_each(|step| step.verified_by = Some(command.clone()));
        self
    }
}

impl PlanStep {
    fn of<'f>(finding: &'f Finding, explained: impl Iterator<Item = &'f Finding>) -> Self {
        let remediation = finding.remediation.clone();
        let phase = match (finding.rule.hardens, remediation.kind) {
            (Some(_), _) => Phase::Harden,
            (None, RemediationKind::Investigate) => Phase::Look,
            _ => Phase::Restore,
        };
        Self {
            phase,
            disturbs: disturbs(remediation.kind),
            remediation,
            fixes: std::iter::once(finding).chain(explained).cloned().collect(),
            pass_first: finding.rule.hardens.unwrap_or_default().to_vec(),
            locks: Vec::new(),
            verified_by: None,
            checks: vec![finding.check],
        }
    }

    /// Takes over what another step with the same commands fixes and says.
    fn merge(&mut self, other: Self) {
        self.phase = self.phase.min(other.phase);
        self.fixes.extend(other.fixes);
        for sentence in other.remediation.summary.split_inclusive(". ") {
            if !self.remediation.summary.contains(sentence.trim()) {
                self.remediation.summary.push(' ');
                self.remediation.summary.push_str(sentence.trim());
            }
        }
        for check in other.checks {
            if !self.checks.contains(&check) {
                self.checks.push(check);
            }
        }
        for check in other.pass_first {
            if !self.pass_first.contains(&check) {
                self.pass_first.push(check);
            }
        }
        if self.phase != Phase::Harden {
            self.pass_first.clear();
        }
    }

    /// The worst that its commands do.
    pub fn impact(&self) -> Impact {
        Command::worst(&self.remediation.commands)
    }

    /// What its commands write to, each once.
    pub fn targets(&self) -> Vec<&ResourceId> {
        let mut targets: Vec<&ResourceId> = Vec::new();
        for change in self.remediation.commands.iter().filter_map(Command::change) {
            if !targets.contains(&&change.target) {
                targets.push(&change.target);
            }
        }
        targets
    }

    /// The command that shows whether it worked: it fails while a finding as bad as those of the step stands.
    pub fn verify(&self, cluster: &ResourceId) -> Command {
        let worst = self.fixes.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Error);
        self.verified_by.clone().unwrap_or_else(|| diagnose(cluster, &self.checks, worst))
    }

    /// The command that must succeed before the step is taken, where it hardens.
    pub fn gate(&self, cluster: &ResourceId) -> Option<Command> {
        // A warning counts: while anybody may pull, a missing role is no more than that.
        (!self.pass_first.is_empty()).then(|| diagnose(cluster, &self.pass_first, Severity::Warning))
    }
}

/// The locks that make Azure refuse these commands, and those that could not be read, each once.
fn locks(commands: &[Command], known: &LockFacts) -> Vec<String> {
    let mut said = Vec::new();
    for change in commands.iter().filter_map(Command::change) {
        let subscription = change.target.subscription().unwrap_or_default().to_lowercase();
        let words: Vec<String> = match known.get(&subscription) {
            None => Vec::new(),
            Some(Fact::Missing(gap)) => {
                vec![format!("Locks of subscription {subscription} could not be read: {}", gaps::line(gap))]
            }
            Some(Fact::Known(locks)) => {
                let deletes = change.impact == Impact::Deletes;
                locks.iter().filter(|lock| lock.refuses(&change.target, deletes)).map(refused).collect()
            }
        };
        for words in words {
            if !said.contains(&words) {
                said.push(words);
            }
        }
    }
    said
}

fn refused(lock: &Lock) -> String {
    let level = text::bounded(lock.properties.level.as_deref().unwrap_or("unknown level"), 40);
    format!(
        "Lock {} ({level}) on {} blocks this step: remove the lock first and restore it afterwards.",
        lock.name(),
        lock.scope()
    )
}

/// Some checks once more; a finding of the severity fails them.
fn diagnose(cluster: &ResourceId, checks: &[&'static RuleSet], severity: Severity) -> Command {
    let checks: Vec<&str> = checks.iter().map(|check| check.id).collect();
    let command = remedy::aksiso_on("diagnose", cluster).with("--check", checks.join(","));
    if severity == Severity::Error { command } else { command.with("--fail-on", severity.as_str()) }
}
