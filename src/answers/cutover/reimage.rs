//! What a reimage needs besides the way to the registry: nodes that can be drained, and machines for the surge.

use super::gates::{Gate, Pass};
use super::names::GateName;
use super::steps::CutoverStep;
use crate::checks::command::Command;
use crate::checks::finding::RemediationKind;
use crate::checks::node_image;
use crate::checks::remedy::{self, DOCS_NODE_IMAGE};
use crate::diagnosis::Diagnosis;
use crate::evidence::{Evidence, Fact};
use crate::model::nodes::{self, Group};

/// What stands in the way of reimaging the nodes that a step rolls: budgets, quarantined nodes, quota for the surge.
pub(super) fn of_reimage(present: &Diagnosis<'_>, step: &CutoverStep) -> Vec<Gate> {
    let evidence = present.evidence;
    let (Fact::Known(pools), Fact::Known(known)) = (&evidence.pools.agent_pools, &evidence.kubernetes.nodes) else {
        // What is not seen of pools and nodes is a gate of its own.
        return Vec::new();
    };
    let groups = nodes::groups(pools, known);
    let rolled: Vec<&Group<'_>> = groups.iter().filter(|group| step.rolls(evidence, group.name)).collect();
    let mut gates = Vec::new();
    for group in &rolled {
        let (finding, gap) = node_image::drains::finding(evidence, group);
        gates.extend(finding.map(|finding| Gate {
            remediation: Some(finding.remediation),
            check: Some(&node_image::CHECK.about),
            ..Gate::new(GateName::Rule(finding.rule), Pass::Closed, finding.detail)
        }));
        gates.extend(gap.map(|gap| Gate {
            check: Some(&node_image::CHECK.about),
            gap: Some(gap.clone()),
            ..Gate::new(
                GateName::Unseen(&node_image::CHECK.about),
                Pass::Unknown,
                format!("Whether {}'s nodes can be drained is not known: {}", group.name, gap.detail),
            )
        }));
        gates.extend(quota(evidence, group));
    }
    if evidence.kubernetes.budgets.is_none() && rolled.iter().any(|group| !group.nodes.is_empty()) {
        let look = vec![Command::new("kubectl get pdb").word("--all-namespaces")];
        let summary = "Look whether a budget of the pods on these nodes has no ALLOWED DISRUPTIONS.";
        let why = "This snapshot is of an earlier version, which did not look at disruption budgets: one that allows no \
                   disruption makes the reimage hang.";
        gates.push(Gate {
            remediation: Some(remedy::remedy(RemediationKind::Investigate, summary, look, DOCS_NODE_IMAGE)),
            ..Gate::new(GateName::BudgetsNotCollected, Pass::Caution, why)
        });
    }
    gates
}

/// Azure does not say how much quota a surge needs; what it refused lately is told by pools and the autoscaler.
fn quota(evidence: &Evidence, group: &Group<'_>) -> Option<Gate> {
    let pool = group.pool?;
    let sets = evidence.pools.scale_sets.known().map(Vec::as_slice).unwrap_or_default();
    let set = sets.iter().find(|set| nodes::belongs(set, pool)).map(|set| set.name().to_lowercase());
    let error = pool.status.as_ref().and_then(|status| status.provisioning_error.as_ref());
    let own = error.map(nodes::messages).unwrap_or_default();
    let backed_off = evidence.kubernetes.autoscaler.known().into_iter().flatten();
    let backed_off = backed_off.filter(|problem| set.as_ref().is_some_and(|set| problem.group.to_lowercase() == *set));
    let backed_off = backed_off.flat_map(|problem| [&problem.code, &problem.message]).flatten().cloned();
    let refused = own.into_iter().chain(backed_off).find(|message| is_refusal(message))?;
    let location = evidence.cluster.location.as_deref().unwrap_or_default();
    let usage = Command::new("az vm list-usage").with("-l", location).with("-o", "table");
    let usage = remedy::in_subscription(usage, &evidence.cluster.id);
    let summary = "Ask for more quota of the family (az quota, or the portal), or reimage without a surge (maxSurge 0 with \
                   maxUnavailable).";
    let why = format!("Azure refused new machines for pool {} lately, and a surge needs some: {refused}", pool.name);
    Some(Gate {
        remediation: Some(remedy::remedy(RemediationKind::Investigate, summary, vec![usage], DOCS_NODE_IMAGE)),
        ..Gate::new(GateName::SurgeQuota, Pass::Closed, why)
    })
}

fn is_refusal(message: &str) -> bool {
    let message = message.to_lowercase();
    let signs = ["quotaexceeded", "exceeding approved", "exceeded quota", "allocationfailed", "skunotavailable"];
    signs.iter().any(|sign| message.contains(sign))
}
