//! Disruption budgets that allow no disruption, and the pods that a drain would wait for because of them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::raw::{RawMetadata, RawPod};
use crate::evidence::lenient::null_is_default;
use crate::evidence::workloads::{BlockingBudget, CoveredPod};

/// Most pods that are kept of one budget; the rest would say the same again.
const PODS: usize = 5_000;

/// `policy/v1` PodDisruptionBudget.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawBudget {
    #[serde(deserialize_with = "null_is_default")]
    metadata: RawMetadata,
    #[serde(deserialize_with = "null_is_default")]
    spec: RawBudgetSpec,
    #[serde(deserialize_with = "null_is_default")]
    status: RawBudgetStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawBudgetSpec {
    selector: Option<Selector>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawBudgetStatus {
    disruptions_allowed: Option<i64>,
    expected_pods: Option<i64>,
    current_healthy: Option<i64>,
    desired_healthy: Option<i64>,
}

/// A label selector; an empty one selects everything.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    #[serde(deserialize_with = "null_is_default")]
    match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_default")]
    match_expressions: Vec<Requirement>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Requirement {
    key: String,
    operator: String,
    #[serde(deserialize_with = "null_is_default")]
    values: Vec<String>,
}

impl Selector {
    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

/// Budgets that allow no disruption, and the pods that they cover, as far as those were listed.
#[derive(Default)]
pub struct Budgets(Vec<(BlockingBudget, Selector)>);

impl Budgets {
    /// Keeps a budget that allows nothing now; one whose status was not written yet says nothing.
    pub(super) fn add(&mut self, raw: RawBudget) {
        let status = raw.status;
        let blocks = status.disruptions_allowed == Some(0) && status.expected_pods.is_some_and(|pods| pods > 0);
        if let Some(selector) = raw.spec.selector.filter(|_| blocks) {
            let budget = BlockingBudget {
                namespace: raw.metadata.namespace,
                name: raw.metadata.name,
                current_healthy: status.current_healthy.unwrap_or_default(),
                desired_healthy: status.desired_healthy.unwrap_or_default(),
                pods: Vec::new(),
            };
            self.0.push((budget, selector));
        }
    }

    /// Whether no budget blocks, so that no pod needs to be looked at.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the pod under each budget that covers it. A drain leaves pods of DaemonSets, and those that have ended.
    pub(super) fn cover(&mut self, pod: &RawPod) {
        let stays = pod.metadata.owner_references.iter().any(|owner| owner.kind == "DaemonSet");
        if self.0.is_empty() || stays || pod.has_ended() || pod.spec.node_name.is_empty() {
            return;
        }
        let own = self.0.iter_mut().filter(|(budget, selector)| {
            budget.namespace == pod.metadata.namespace && selector.selects(&pod.metadata.labels)
        });
        let covered = CoveredPod { pod: pod.metadata.name.clone(), node: pod.spec.node_name.clone() };
        for (budget, _) in own.filter(|(budget, _)| budget.pods.len() < PODS) {
            // A list that is read again from its start brings its pods again.
            if !budget.pods.contains(&covered) {
                budget.pods.push(covered.clone());
            }
        }
    }

    /// The budgets in order, each with its pods.
    pub fn finish(self) -> Vec<BlockingBudget> {
        let mut budgets: Vec<BlockingBudget> = self.0.into_iter().map(|(budget, _)| budget).collect();
        budgets.iter_mut().for_each(|budget| budget.pods.sort());
        budgets.sort();
        budgets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(allowed: i64, selector: &serde_json::Value) -> Budgets {
        let status = serde_json::json!({ "disruptionsAllowed": allowed, "expectedPods": 2, "currentHealthy": 2 });
        let metadata = serde_json::json!({ "namespace": "shop", "name": "web" });
        let raw = serde_json::json!({ "metadata": metadata, "spec": { "selector": selector }, "status": status });
        let mut budgets = Budgets::default();
        budgets.add(serde_json::from_value(raw).expect("a budget"));
        budgets
    }

    fn covered(mut budgets: Budgets, pod: serde_json::Value) -> usize {
        budgets.cover(&serde_json::from_value(pod).expect("a pod"));
        budgets.finish().iter().map(|budget| budget.pods.len()).sum()
    }

    fn pod(namespace: &str, owner: &str, phase: &str) -> serde_json::Value {
        let metadata = serde_json::json!({
            "namespace": namespace, "name": "web-1", "labels": { "app": "web", "tier": "front" },
            "ownerReferences": [{ "kind": owner, "name": "web" }],
        });
        serde_json::json!({ "metadata": metadata, "spec": { "nodeName": "n1" }, "status": { "phase": phase } })
    }

    #[test]
    fn a_budget_covers_what_its_selector_selects_and_a_drain_evicts() {
        let app = serde_json::json!({ "matchLabels": { "app": "web" } });
        assert_eq!(covered(budgets(0, &app), pod("shop", "ReplicaSet", "Running")), 1);
        assert_eq!(covered(budgets(1, &app), pod("shop", "ReplicaSet", "Running")), 0);
        assert_eq!(covered(budgets(0, &app), pod("other", "ReplicaSet", "Running")), 0);
        assert_eq!(covered(budgets(0, &app), pod("shop", "DaemonSet", "Running")), 0);
        assert_eq!(covered(budgets(0, &app), pod("shop", "Job", "Succeeded")), 0);
        assert_eq!(covered(budgets(0, &serde_json::Value::Null), pod("shop", "ReplicaSet", "Running")), 0);
    }

    #[test]
    fn a_pod_that_is_listed_twice_is_covered_once() {
        let mut budgets = budgets(0, &serde_json::json!({ "matchLabels": { "app": "web" } }));
        budgets.cover(&serde_json::from_value(pod("shop", "ReplicaSet", "Running")).expect("a pod"));
        assert_eq!(covered(budgets, pod("shop", "ReplicaSet", "Running")), 1);
    }

    #[test]
    fn expressions_select_as_kubernetes_does() {
        let one = |operator: &str, key: &str, values: &[&str]| {
            let expression = serde_json::json!({ "key": key, "operator": operator, "values": values });
            let selector = serde_json::json!({ "matchExpressions": [expression] });
            covered(budgets(0, &selector), pod("shop", "ReplicaSet", "Running"))
        };
        assert_eq!((one("In", "tier", &["front", "back"]), one("In", "tier", &["back"])), (1, 0));
        assert_eq!((one("NotIn", "tier", &["back"]), one("NotIn", "none", &["x"])), (1, 1));
        assert_eq!((one("Exists", "app", &[]), one("DoesNotExist", "app", &[])), (1, 0));
        assert_eq!(one("Newer", "app", &[]), 0);
    }
}
