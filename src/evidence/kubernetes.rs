//! What the Kubernetes API says of nodes and of pulls that failed.

use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
pub use super::workloads::ImageUse;
use super::workloads::{BlockingBudget, DesiredImages, StorageFacts};

/// Conditions of node-problem-detector that tell of the network.
pub const DNS_PROBLEM: &str = "DNSProblem";
/// On a network isolated cluster it is what one wants.
pub const EGRESS_BLOCKED: &str = "EgressBlocked";
pub const PROBLEMS: [&str; 2] = [DNS_PROBLEM, EGRESS_BLOCKED];

/// One node, cut down to what a check reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    pub name: String,
    /// When the node registered; a reimage by AKS registers it again.
    pub created: Option<Timestamp>,
    /// `spec.providerID`.
    pub provider_id: Option<String>,
    /// ARM node pool, from the label `kubernetes.azure.com/agentpool`.
    pub agent_pool: Option<String>,
    /// Node auto-provisioning's pool, from the label `karpenter.sh/nodepool`.
    pub node_pool: Option<String>,
    /// The label `kubernetes.azure.com/node-image-version`.
    pub image_version: Option<String>,
    /// The label `kubernetes.io/arch`, such as `amd64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Whether the node is a virtual node (`type=virtual-kubelet`).
    pub is_virtual: bool,
    /// Whether the `Ready` condition is `True`.
    pub ready: bool,
    /// `containerd://1.7.27-1`.
    pub container_runtime: Option<String>,
    /// The label `kubernetes.azure.com/upgrade-status`: `Quarantined` after a drain that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_status: Option<String>,
    /// The node's own addresses, as `status.addresses` lists them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// What node-problem-detector sees wrong, of what aksiso knows how to read: `DNSProblem`, `EgressBlocked`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Failed pulls of one node that name one mirror host, taken from events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorFailure {
    /// The node that pulled.
    pub node: String,
    /// The host that it was sent to, from `https://<host>/v2/aks-managed-repository/…`.
    pub host: String,
    /// The newest such event.
    pub last_seen: Option<Timestamp>,
}

/// A container that waits because its image was not pulled.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitingPull {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// The container; init and ephemeral ones too.
    pub container: String,
    /// The node that pulls.
    pub node: String,
    /// The image as the pod names it.
    pub image: String,
    /// `ErrImagePull`, `ImagePullBackOff`, …
    pub reason: String,
    /// What the container runtime said, from the container's status or the newest event; bounded, without secrets.
    pub message: Option<String>,
    /// Whether the message is an event's: the container's own status does not say why it waits.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_event: bool,
    /// The newest event.
    pub last_seen: Option<Timestamp>,
}

/// What pods tell about images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PodImages {
    /// Containers that wait for an image.
    pub waiting: Vec<WaitingPull>,
    /// Images in use, without those that are never pulled and those on virtual nodes.
    pub used: Vec<ImageUse>,
}

/// A node group that the autoscaler backed off scaling up, or a NodeClaim that does not become a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScaleUpProblem {
    /// Scale set, or NodePool of node auto-provisioning.
    pub group: String,
    /// Whether it is a NodePool.
    pub is_node_pool: bool,
    /// Error code of the autoscaler.
    pub code: Option<String>,
    /// Its message; bounded, without secrets.
    pub message: Option<String>,
    /// For a NodeClaim: since when it has not registered.
    pub since: Option<Timestamp>,
}

/// Everything read of the cluster itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KubernetesFacts {
    pub nodes: Fact<Vec<Node>>,
    /// Mirror hosts in the messages of failed pulls: what events tell of nodes.
    pub mirror_failures: Fact<Vec<MirrorFailure>>,
    /// What pods tell about images.
    pub images: Fact<PodImages>,
    /// The autoscaler's status; empty where there is none.
    pub autoscaler: Fact<Vec<ScaleUpProblem>>,
    /// NodeClaims that have not registered; asked only with node auto-provisioning.
    pub node_claims: Fact<Vec<ScaleUpProblem>>,
    /// Images in the templates of workloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<DesiredImages>,
    /// Disruption budgets that allow no disruption, with the pods that they cover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budgets: Option<Fact<Vec<BlockingBudget>>>,
    /// Storage classes, volumes and claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageFacts>,
}
