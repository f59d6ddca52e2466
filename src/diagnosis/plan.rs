//! The plan: the steps in the order in which they must be done, duplicates merged.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Diagnosis;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Remediation, RemediationKind};
use crate::checks::remedy;
use crate::checks::rule::Severity;
use crate::evidence::id::ResourceId;

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
    pub remediation: Remediation,
    /// The findings that it fixes.
    pub fixes: Vec<Finding>,
    pub disturbs: &'static str,
    /// How to see that it worked.
    pub verify: Command,
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
        RemediationKind::Reconcile => "nothing that runs; no node is cordoned",
        RemediationKind::AssignRole => "nothing; it takes minutes to spread",
        RemediationKind::RewriteImage => "the workload is rolled out again",
        RemediationKind::UpdateRegistry => "whoever relied on the former setting (CI agents, anonymous pulls)",
        RemediationKind::Investigate => "nothing by itself",
        _ => "nothing that runs; new connections take the new path",
    }
}

/// The order of the steps: the registry, its rule, endpoint, zone, link, record, role, then the cluster, then its
/// nodes.
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
        let mut known: HashMap<&[Command], usize> = HashMap::new();
        let symptoms = diagnosis.symptoms();
        for finding in diagnosis.roots() {
            let remediation = &finding.remediation;
            let commands = remediation.commands.as_slice();
            if finding.severity == Severity::Info && commands.is_empty() {
                continue;
            }
            if let Some(step) = known.get(commands) {
                steps[*step].fixes.push(finding.clone());
                continue;
            }
            if !commands.is_empty() {
                known.insert(commands, steps.len());
            }
            let explained = symptoms.get(&finding.fingerprint()).into_iter().flatten().copied();
            steps.push(PlanStep {
                remediation: remediation.clone(),
                fixes: std::iter::once(finding).chain(explained).cloned().collect(),
                disturbs: disturbs(remediation.kind),
                verify: remedy::aksiso("diagnose", diagnosis.evidence).with("--check", finding.check.id),
            });
        }
        steps.sort_by_key(|step| rank(step.remediation.kind));
        let evidence = diagnosis.evidence;
        Self { cluster: evidence.cluster.id.clone(), collected_at: evidence.collected_at, steps }
    }
}
