//! `drain-blocked`: what would hold up a reimage that is recommended.

use super::{DRAIN_BLOCKED, subject};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind};
use crate::checks::observe::observe_nodes;
use crate::checks::remedy::remedy;
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::workloads::{BlockingBudget, CoveredPod};
use crate::evidence::{Evidence, Gap};
use crate::model::drains::{Blocked, blocked};
use crate::model::nodes::Group;
use crate::text::{count, listed};

const DOCS_UPGRADE: &str = "https://learn.microsoft.com/azure/aks/upgrade-options";
/// Most budgets whose commands are printed.
const COMMANDS: usize = 5;

/// What would hold up a reimage of the group, and what of it could not be seen: for whoever reimages. Which groups a
/// finding of any check wants reimaged, the diagnosis knows.
pub fn finding(evidence: &Evidence, group: &Group<'_>) -> (Option<Finding>, Option<Gap>) {
    let (blocked, gap) = blocked(evidence, group);
    let gap = gap.map(|gap| gap.clone().about("disruption budgets"));
    ((!blocked.is_empty()).then(|| told(evidence, group, &blocked)), gap)
}

fn told(evidence: &Evidence, group: &Group<'_>, blocked: &Blocked<'_>) -> Finding {
    let mut detail = format!("{}: a reimage would hang and fail, because its nodes cannot be drained.", group.title());
    let mut seen = Vec::new();
    for (budget, pods) in &blocked.budgets {
        detail.push_str(&format!(
            " Budget {}/{} allows no disruption ({} healthy, {} must stay) and covers {}: {}.",
            budget.namespace,
            budget.name,
            count(usize::try_from(budget.current_healthy).unwrap_or(0), "pod"),
            budget.desired_healthy,
            count(pods.len(), "pod"),
            listed(pods.iter().map(|pod| pod.pod.as_str()))
        ));
        seen.extend(observe(budget, pods));
    }
    if !blocked.quarantined.is_empty() {
        let names = listed(blocked.quarantined.iter().map(|node| node.name.as_str()));
        detail.push_str(&format!(
            " {} {} quarantined after a drain that failed: {names}.",
            count(blocked.quarantined.len(), "node"),
            if blocked.quarantined.len() == 1 { "is" } else { "are" }
        ));
        let path = "metadata.labels[kubernetes.azure.com/upgrade-status]";
        seen.extend(observe_nodes(&blocked.quarantined, path, |node| node.upgrade_status.clone().unwrap_or_default()));
    }
    let budgets = blocked.budgets.iter().take(COMMANDS).map(|(budget, _)| {
        Command::new("kubectl describe pdb").with("-n", budget.namespace.as_str()).word(budget.name.as_str())
    });
    let mut commands: Vec<Command> = budgets.collect();
    if !blocked.quarantined.is_empty() {
        commands.push(Command::new("kubectl get nodes").with("-l", "kubernetes.azure.com/upgrade-status=Quarantined"));
    }
    let mut summary = Vec::new();
    if !blocked.budgets.is_empty() {
        summary.push(
            "Before the reimage let each of these budgets allow one disruption: run one more replica, raise maxUnavailable \
             or lower minAvailable, or see to the pods that are not healthy.",
        );
    }
    if !blocked.quarantined.is_empty() {
        summary.push("Drain a quarantined node by hand, or delete it once nothing holds its pods any more.");
    }
    let nodes = group.nodes.iter().copied().filter(|node| {
        let covered = blocked.budgets.iter().flat_map(|(_, pods)| pods).any(|pod| pod.node == node.name);
        covered || blocked.quarantined.iter().any(|own| own.name == node.name)
    });
    Finding::new(&DRAIN_BLOCKED, subject(group, evidence), detail)
        .about_nodes(nodes)
        .seen(seen)
        .with_remediation(remedy(RemediationKind::Investigate, summary.join(" "), commands, DOCS_UPGRADE))
}

/// The budget's status and the pods that it holds on these nodes.
fn observe(budget: &BlockingBudget, pods: &[&CoveredPod]) -> [Observation; 2] {
    let source = format!("GET {}", KubernetesCall::BUDGETS.path());
    let allowed = format!("status.disruptionsAllowed of {}/{}", budget.namespace, budget.name);
    let covered = format!("spec.nodeName of pods in {} that {} selects", budget.namespace, budget.name);
    let places = listed(pods.iter().map(|pod| format!("{} on {}", pod.pod, pod.node)));
    [
        Observation::new(source, allowed, "0"),
        Observation::new(format!("GET {}", KubernetesCall::PODS.path()), covered, places),
    ]
}
