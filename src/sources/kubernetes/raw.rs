//! Objects of the Kubernetes API, cut down to the fields that are read. Nothing is required, and `null` is empty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::evidence::kubernetes::{Node, PROBLEMS};
use crate::evidence::lenient::{null_is_default, timestamp};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawNode {
    #[serde(deserialize_with = "null_is_default")]
    metadata: RawMetadata,
    #[serde(deserialize_with = "null_is_default")]
    spec: RawNodeSpec,
    #[serde(deserialize_with = "null_is_default")]
    status: RawNodeStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawMetadata {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "timestamp")]
    pub(super) creation_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawNodeSpec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawNodeStatus {
    #[serde(deserialize_with = "null_is_default")]
    conditions: Vec<RawCondition>,
    #[serde(deserialize_with = "null_is_default")]
    node_info: RawNodeInfo,
    #[serde(deserialize_with = "null_is_default")]
    addresses: Vec<RawAddress>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawAddress {
    address: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawCondition {
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    pub(super) message: Option<String>,
}

impl RawCondition {
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    pub(super) fn holds(&self) -> bool {
        self.status.as_deref() == Some("True")
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawNodeInfo {
    container_runtime_version: Option<String>,
}

impl From<RawNode> for Node {
    fn from(raw: RawNode) -> Self {
        let mut labels = raw.metadata.labels;
        let problems =
            PROBLEMS.iter().filter(|kind| raw.status.conditions.iter().any(|own| own.is(kind) && own.holds()));
        let problems = problems.map(|kind| (*kind).to_owned()).collect();
        let ready = raw.status.conditions.iter().any(|condition| condition.is("Ready") && condition.holds());
        Self {
            name: raw.metadata.name,
            created: raw.metadata.creation_timestamp,
            provider_id: raw.spec.provider_id,
            agent_pool: labels.remove("kubernetes.azure.com/agentpool").or_else(|| labels.remove("agentpool")),
            node_pool: labels.remove("karpenter.sh/nodepool"),
            image_version: labels.remove("kubernetes.azure.com/node-image-version"),
            architecture: labels.remove("kubernetes.io/arch"),
            upgrade_status: labels.remove("kubernetes.azure.com/upgrade-status"),
            is_virtual: labels.get("type").is_some_and(|kind| kind == "virtual-kubelet"),
            ready,
            container_runtime: raw.status.node_info.container_runtime_version,
            // Host names stand in the same list.
            addresses: raw.status.addresses.iter().filter_map(|own| own.address.as_ref()?.parse().ok()).collect(),
            problems,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawEvent {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) message: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) involved_object: RawObject,
    #[serde(deserialize_with = "null_is_default")]
    source: RawEventSource,
    #[serde(deserialize_with = "null_is_default")]
    reporting_instance: String,
    #[serde(deserialize_with = "timestamp")]
    last_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "timestamp")]
    event_time: Option<Timestamp>,
    #[serde(deserialize_with = "null_is_default")]
    series: RawSeries,
}

/// How often an event of the newer kind came again.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSeries {
    #[serde(deserialize_with = "timestamp")]
    last_observed_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawEventSource {
    host: Option<String>,
}

impl RawEvent {
    /// The node that the event is about.
    pub(super) fn node(&self) -> Option<String> {
        let named = self.source.host.clone().filter(|host| !host.is_empty());
        named.or_else(|| Some(self.reporting_instance.clone()).filter(|name| !name.is_empty()))
    }

    /// The newest occurrence.
    pub(super) fn seen(&self) -> Option<Timestamp> {
        self.last_timestamp.max(self.event_time).max(self.series.last_observed_time)
    }
}

/// What an event is about.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawObject {
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawPod {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) metadata: RawPodMetadata,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) spec: RawPodSpec,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) status: RawPodStatus,
}

impl RawPod {
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawPodMetadata {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) owner_references: Vec<RawOwner>,
}

/// What a pod belongs to.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawOwner {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) kind: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawPodSpec {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) node_name: String,
    #[serde(deserialize_with = "null_is_default")]
    containers: Vec<RawContainer>,
    #[serde(deserialize_with = "null_is_default")]
    init_containers: Vec<RawContainer>,
    #[serde(deserialize_with = "null_is_default")]
    ephemeral_containers: Vec<RawContainer>,
}

impl RawPodSpec {
    pub(super) fn all(&self) -> impl Iterator<Item = &RawContainer> {
        self.init_containers.iter().chain(&self.containers).chain(&self.ephemeral_containers)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawContainer {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) image: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) image_pull_policy: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawPodStatus {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) phase: String,
    #[serde(deserialize_with = "null_is_default")]
    container_statuses: Vec<RawContainerStatus>,
    #[serde(deserialize_with = "null_is_default")]
    init_container_statuses: Vec<RawContainerStatus>,
    #[serde(deserialize_with = "null_is_default")]
    ephemeral_container_statuses: Vec<RawContainerStatus>,
}

impl RawPodStatus {
    pub(super) fn all(&self) -> impl Iterator<Item = &RawContainerStatus> {
        self.init_container_statuses.iter().chain(&self.container_statuses).chain(&self.ephemeral_container_statuses)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawContainerStatus {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) image: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) state: RawState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawState {
    pub(super) waiting: Option<RawWaiting>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawWaiting {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) reason: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_came_again_is_as_new_as_its_last_time() {
        let seen = |json: &str| serde_json::from_str::<RawEvent>(json).expect("an event").seen();
        let series = r#"{ "eventTime": "2026-01-01T00:00:00.000000Z", "lastTimestamp": null,
            "series": { "count": 9, "lastObservedTime": "2026-01-02T00:00:00.000000Z" } }"#;
        let single = r#"{ "lastTimestamp": "2026-01-01T12:00:00Z", "eventTime": null, "series": null }"#;
        assert!(seen(series) > seen(single), "the one began earlier, and was seen later");
        assert_eq!(seen("{}"), None);
    }

    #[test]
    fn a_node_is_read_from_labels_and_status() {
        let json = r#"{
            "metadata": {
                "name": "n",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": { "agentpool": "np1", "kubernetes.azure.com/node-image-version": "v" }
            },
            "spec": { "providerID": "azure:///x" },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }], "images": [{ "names": ["x"] }] }
        }"#;
        let node: Node = serde_json::from_str::<RawNode>(json).expect("a node").into();
        assert_eq!(
            (node.agent_pool.as_deref(), node.image_version.as_deref(), node.ready),
            (Some("np1"), Some("v"), true)
        );
    }
}
