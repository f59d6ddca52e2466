//! What would keep the nodes of a pool from being drained.

use super::nodes::Group;
use crate::evidence::kubernetes::Node;
use crate::evidence::workloads::{BlockingBudget, CoveredPod};
use crate::evidence::{Evidence, Fact, Gap};

/// What holds up a drain.
#[derive(Debug, Default)]
pub struct Blocked<'e> {
    /// Budgets that allow no disruption, with the pods that they cover on these nodes.
    pub budgets: Vec<(&'e BlockingBudget, Vec<&'e CoveredPod>)>,
    /// Nodes that an upgrade left behind because they could not be drained.
    pub quarantined: Vec<&'e Node>,
}

impl Blocked<'_> {
    pub fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.quarantined.is_empty()
    }
}

/// Looks at the nodes of a group. The gap is what keeps the budgets from being known; a snapshot of an earlier version
/// has neither.
pub fn blocked<'e>(evidence: &'e Evidence, group: &Group<'e>) -> (Blocked<'e>, Option<&'e Gap>) {
    let quarantined =
        group.nodes.iter().copied().filter(|node| {
            node.upgrade_status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("Quarantined"))
        });
    let mut blocked = Blocked { budgets: Vec::new(), quarantined: quarantined.collect() };
    let budgets = match &evidence.kubernetes.budgets {
        Some(Fact::Known(budgets)) => budgets,
        Some(Fact::Missing(gap)) => return (blocked, (!group.nodes.is_empty()).then_some(gap)),
        None => return (blocked, None),
    };
    for budget in budgets {
        let here = |pod: &&CoveredPod| group.nodes.iter().any(|node| node.name == pod.node);
        let pods: Vec<&CoveredPod> = budget.pods.iter().filter(here).collect();
        if !pods.is_empty() {
            blocked.budgets.push((budget, pods));
        }
    }
    (blocked, None)
}
