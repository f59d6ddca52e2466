//! The plan: first what restores, then what is to be looked at, then what hardens; duplicates merged.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Diagnosis, gaps};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Remediation, RemediationKind};
use crate::checks::impact::Impact;
use crate::checks::remedy;
use crate::checks::rule::{RuleSet, Severity};
use crate::checks::{image_pulls, node_bootstrap, node_view};
use crate::evidence::id::ResourceId;
use crate::evidence::locks::{Lock, LockFacts};
use crate::evidence::{Evidence, Fact, Gap};
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
    /// The checks that must pass before it is taken: those that it rests on.
    pub pass_first: Vec<&'static RuleSet>,
    /// Locks that stand in the way of its commands, and locks that could not be read, in words.
    pub locks: Vec<String>,
    /// `aksiso diagnose` of the cluster.
    diagnose: Command,
    /// The command that shows whether it worked, where that is no check of `diagnose`.
    verified_by: Option<Command>,
    /// The checks that show whether it worked.
    checks: Vec<&'static RuleSet>,
    /// What its summary says.
    sentences: HashSet<String>,
    /// The worst that a later step fixes of the same checks: until then it still stands.
    goes_on: Option<Severity>,
}

/// When a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It lets pulls and bootstraps work again.
    Restore,
    /// It only looks.
    Look,
    /// It replaces nodes, which need everything that comes before.
    Renew,
    /// It takes away what pulls may still rest on.
    Harden,
}

impl Phase {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Look => "look",
            Self::Renew => "renew",
            Self::Harden => "harden",
        }
    }
}

const NODES_ROLL: &str = "cordons, drains and replaces nodes; pods move, disruption budgets may hold it up";

/// What a step disturbs: by its kind, and where its commands do worse than the kind says, by these.
fn disturbs(kind: RemediationKind, impact: Impact) -> &'static str {
    match kind {
        RemediationKind::Reimage
        | RemediationKind::UpgradeNodeImage
        | RemediationKind::DeleteRegistryAndReconcile
        | RemediationKind::RecreateCacheRule
        | RemediationKind::UpdateRegistry
        | RemediationKind::RewriteImage => {}
        _ => match impact {
            Impact::RollsNodes => return NODES_ROLL,
            Impact::Deletes => return "what it deletes is gone until it is created again",
            Impact::CutsTraffic => return "connections over what it changes end",
            Impact::Restarts => return "what it changes restarts",
            Impact::None | Impact::Access => {}
        },
    }
    match kind {
        RemediationKind::Reimage | RemediationKind::UpgradeNodeImage => NODES_ROLL,
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
            let step = PlanStep::of(finding, explained, diagnosis.evidence);
            let commands: Vec<&[String]> = remediation.commands.iter().map(Command::words).collect();
            if let Some(at) = known.get(&commands).filter(|_| !commands.is_empty()) {
                steps[*at].merge(step);
            } else {
                known.insert(commands, steps.len());
                steps.push(step);
            }
        }
        steps.sort_by_key(|step| (step.phase, rank(step.remediation.kind)));
        let mut later: HashMap<&str, Severity> = HashMap::new();
        for step in steps.iter_mut().rev() {
            step.goes_on = step.checks.iter().filter_map(|check| later.get(check.id)).copied().max();
            for check in &step.checks {
                let known = later.entry(check.id).or_insert(Severity::Info);
                *known = step.fixes.iter().map(|finding| finding.severity).fold(*known, Severity::max);
            }
        }
        let evidence = diagnosis.evidence;
        renew_last(&mut steps);
        for step in &mut steps {
            step.locks = locks(&step.remediation.commands, &evidence.locks).iter().map(Refusal::words).collect();
        }
        Self { cluster: evidence.cluster.id.clone(), collected_at: evidence.collected_at, steps }
    }

    /// The same plan, beside findings that are accepted: what is broken for good keeps nodes from being replaced.
    #[must_use]
    pub fn beside<'f>(mut self, accepted: impl Iterator<Item = &'f Finding>) -> Self {
        let broken = accepted.filter(|finding| finding.severity == Severity::Error && finding.caused_by.is_empty());
        for check in broken.map(|finding| finding.check).filter(|check| !EFFECTS.contains(check)) {
            for step in self.steps.iter_mut().filter(|step| step.phase == Phase::Renew) {
                if !step.pass_first.contains(&check) && !step.checks.contains(&check) {
                    step.pass_first.push(check);
                }
            }
        }
        self
    }

    /// The same plan, whose steps are verified by another command than a check of `diagnose`.
    #[must_use]
    pub fn verified_by(mut self, command: &Command) -> Self {
        self.steps.iter_mut().for_each(|step| step.verified_by = Some(command.clone()));
        self
    }
}

impl PlanStep {
    fn of<'f>(finding: &'f Finding, explained: impl Iterator<Item = &'f Finding>, evidence: &Evidence) -> Self {
        let remediation = finding.remediation.clone();
        let phase = match (finding.rule.hardens, remediation.kind) {
            (Some(_), _) => Phase::Harden,
            (None, RemediationKind::Investigate) => Phase::Look,
            (None, RemediationKind::Reimage | RemediationKind::UpgradeNodeImage) => Phase::Renew,
            _ => Phase::Restore,
        };
        Self {
            phase,
            disturbs: disturbs(remediation.kind, Command::worst(&remediation.commands)),
            sentences: sentences(&remediation.summary).map(str::to_owned).collect(),
            goes_on: None,
            remediation,
            fixes: std::iter::once(finding).chain(explained).cloned().collect(),
            pass_first: finding.rule.hardens.unwrap_or_default().to_vec(),
            locks: Vec::new(),
            diagnose: remedy::aksiso("diagnose", evidence),
            verified_by: None,
            checks: vec![finding.check],
        }
    }

    /// Takes over what another step with the same commands fixes and says.
    fn merge(&mut self, other: Self) {
        self.phase = self.phase.min(other.phase);
        self.fixes.extend(other.fixes);
        for sentence in sentences(&other.remediation.summary) {
            if self.sentences.len() < SENTENCES && self.sentences.insert(sentence.to_owned()) {
                self.remediation.summary.push(' ');
                self.remediation.summary.push_str(sentence);
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

    /// The command that shows whether it worked: it fails while a finding as bad as those of the step stands, unless one
    /// is left for a later step.
    pub fn verify(&self) -> Command {
        let worst = self.fixes.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Error);
        let alone = self.goes_on.is_none_or(|later| later < worst);
        self.verified_by.clone().unwrap_or_else(|| self.once_more(&self.checks, alone.then_some(worst)))
    }

    /// The command that must succeed before the step is taken, where others rest on what it takes away or renews. What
    /// a policy accepts is no reason to go on.
    pub fn gate(&self) -> Option<Command> {
        // Before something is taken away, a warning counts: while anybody may pull, a missing role is no more than that.
        let least = if self.phase == Phase::Harden { Severity::Warning } else { Severity::Error };
        let gate = || self.once_more(&self.pass_first, Some(least)).word("--no-config");
        // What could not be seen before the fix cannot be seen after it either: it keeps nobody from going on.
        let open = |gate: Command| if self.phase == Phase::Renew { gate.word("--allow-incomplete") } else { gate };
        (!self.pass_first.is_empty()).then(|| open(gate()))
    }

    /// Some checks once more, which fail while a finding of the severity stands; without one they only show.
    fn once_more(&self, checks: &[&'static RuleSet], severity: Option<Severity>) -> Command {
        let checks: Vec<&str> = checks.iter().map(|check| check.id).collect();
        let command = self.diagnose.clone().with("--check", checks.join(","));
        match severity {
            Some(Severity::Error) => command,
            Some(severity) => command.with("--fail-on", severity.as_str()),
            None => command.with("--fail-on", "never"),
        }
    }
}

/// Checks that show what a fault does, which may go on until nodes are replaced.
const EFFECTS: [&RuleSet; 3] = [&image_pulls::CHECK.about, &node_bootstrap::CHECK.about, &node_view::CHECK.about];

/// Nodes that are replaced need everything that an earlier step restores: whoever skipped it is kept from rolling them.
fn renew_last(steps: &mut [PlanStep]) {
    let sees = |check: &&'static RuleSet| !EFFECTS.contains(check);
    let mut restored: Vec<&'static RuleSet> = Vec::new();
    for step in steps {
        match step.phase {
            Phase::Restore if step.fixes.iter().any(|finding| finding.severity == Severity::Error) => {
                let new = step.checks.iter().filter(|check| sees(check) && !restored.contains(check));
                restored.extend(new.copied().collect::<Vec<_>>());
            }
            Phase::Renew => {
                step.pass_first = restored.iter().filter(|check| !step.checks.contains(check)).copied().collect();
            }
            _ => {}
        }
    }
}

/// Why Azure may refuse a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal<'e> {
    /// A lock on what it writes to.
    Lock(&'e Lock),
    /// The locks of a subscription could not be read.
    Unread(&'e str, &'e Gap),
}

impl Refusal<'_> {
    /// What is said beside the step.
    pub fn words(&self) -> String {
        match self {
            Self::Lock(lock) => {
                let level = text::bounded(lock.properties.level.as_deref().unwrap_or("unknown level"), 40);
                let (name, scope) = (lock.name(), lock.scope());
                format!("Lock {name} ({level}) on {scope} blocks this step: remove it first and restore it afterwards.")
            }
            Self::Unread(subscription, gap) => {
                format!("Locks of subscription {subscription} could not be read: {}", gaps::line(gap))
            }
        }
    }
}

/// The locks that make Azure refuse these commands, and those that could not be read, each once.
pub fn locks<'e>(commands: &[Command], known: &'e LockFacts) -> Vec<Refusal<'e>> {
    let mut found = Vec::new();
    for change in commands.iter().filter_map(Command::change) {
        let subscription = change.target.subscription().unwrap_or_default().to_lowercase();
        let refusals: Vec<Refusal<'e>> = match known.get_key_value(&subscription) {
            None => Vec::new(),
            Some((subscription, Fact::Missing(gap))) => vec![Refusal::Unread(subscription, gap)],
            Some((_, Fact::Known(locks))) => {
                let deletes = change.impact == Impact::Deletes;
                locks.iter().filter(|lock| lock.refuses(&change.target, deletes)).map(Refusal::Lock).collect()
            }
        };
        for refusal in refusals {
            if !found.contains(&refusal) {
                found.push(refusal);
            }
        }
    }
    found
}

/// Most sentences of a step's summary.
const SENTENCES: usize = 12;

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(". ").map(str::trim)
}
