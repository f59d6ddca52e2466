//! What the Kubernetes API says of nodes and of pulls that failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fact::Fact;

/// One node, cut down to what a check reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    /// Node name.
    pub name: String,
    /// When the node registered; a reimage by AKS registers it anew.
    pub created: Option<Timestamp>,
    /// `spec.providerID`.
    pub provider_id: Option<String>,
    /// ARM node pool, from the label `kubernetes.azure.com/agentpool`.
    pub agent_pool: Option<String>,
    /// Node auto-provisioning's pool, from the label `karpenter.sh/nodepool`.
    pub node_pool: Option<String>,
    /// The label `kubernetes.azure.com/node-image-version`.
    pub image_version: Option<String>,
    /// Whether the node is a virtual node (`type=virtual-kubelet`).
    pub is_virtual: bool,
    /// Whether the `Ready` condition is `True`.
    pub ready: bool,
    /// `containerd://1.7.27-1`.
    pub container_runtime: Option<String>,
}

/// Failed pulls of one node that name one mirror host, taken from events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorFailure {
    /// The node that pulled.
    pub node: String,
    /// The host that it was sent to, from `https://<host>/v2/aks-managed-repository/…`.
    pub host: String,
    /// The newest such event.
    pub last_seen: Option<Timestamp>,
}

/// Everything read of the cluster itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubernetesFacts {
    /// The nodes.
    pub nodes: Fact<Vec<Node>>,
    /// Mirror hosts in the messages of failed pulls.
    pub mirror_failures: Fact<Vec<MirrorFailure>>,
}
