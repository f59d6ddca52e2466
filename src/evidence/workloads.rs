//! What workloads would run, what keeps their pods where they are, and where they store data.
//!
//! Snapshots of earlier versions hold none of it. There each part is `None`, which no check takes for a gap: what such
//! a snapshot says is what it said when it was taken.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calls::kubernetes::KubernetesCall;
use super::fact::Fact;

/// An image that pods use, or that templates name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageUse {
    /// The image as pods name it.
    pub image: String,
    /// How many containers use it.
    pub containers: usize,
    /// One of them: `namespace/pod`.
    pub example: String,
    /// The workloads that own their pods, such as `Deployment shop/web`; twenty at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
}

/// Images in the templates of workloads, whether or not a pod of them runs; without those that are never pulled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DesiredImages {
    pub deployments: Fact<Vec<ImageUse>>,
    pub stateful_sets: Fact<Vec<ImageUse>>,
    pub daemon_sets: Fact<Vec<ImageUse>>,
    pub cron_jobs: Fact<Vec<ImageUse>>,
}

impl DesiredImages {
    /// Every list with the call that reads it.
    pub fn lists(&self) -> [(KubernetesCall, &Fact<Vec<ImageUse>>); 4] {
        [
            (KubernetesCall::DEPLOYMENTS, &self.deployments),
            (KubernetesCall::STATEFUL_SETS, &self.stateful_sets),
            (KubernetesCall::DAEMON_SETS, &self.daemon_sets),
            (KubernetesCall::CRON_JOBS, &self.cron_jobs),
        ]
    }
}

/// A PodDisruptionBudget that allows no disruption now; others are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockingBudget {
    pub namespace: String,
    pub name: String,
    /// `status.currentHealthy`: pods that count.
    pub current_healthy: i64,
    /// `status.desiredHealthy`: how many must stay.
    pub desired_healthy: i64,
    /// The pods that a drain would have to evict.
    pub pods: Vec<CoveredPod>,
}

/// A pod that a budget covers.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CoveredPod {
    /// Its name; the namespace is the budget's.
    pub pod: String,
    /// The node that it runs on.
    pub node: String,
}

/// Storage that the drivers of Azure Files and Azure Blob serve; other drivers' is not kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageFacts {
    pub classes: Fact<Vec<StorageClass>>,
    pub volumes: Fact<Vec<Volume>>,
    /// Claims by the class that they name, of any driver.
    pub claims: Fact<Vec<ClaimedClass>>,
    /// Events of mounts and provisioning that failed; asked only where a volume or claimed class uses the public way.
    pub failures: Fact<Vec<StorageFailure>>,
}

/// A storage class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageClass {
    pub name: String,
    /// `file.csi.azure.com` or `blob.csi.azure.com`.
    pub provisioner: String,
    /// `parameters.networkEndpointType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_endpoint_type: Option<String>,
}

/// A persistent volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    pub name: String,
    /// `spec.csi.driver`.
    pub driver: String,
    /// The class that it was made by; none for a volume that the operator wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// `spec.csi.volumeAttributes.networkEndpointType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_endpoint_type: Option<String>,
    /// `spec.csi.volumeAttributes.server`: the host that an operator's own volume names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// A class and its claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClaimedClass {
    /// The class by name.
    pub class: String,
    /// How many claims name it.
    pub claims: usize,
    /// One of them: `namespace/claim`.
    pub example: String,
}

/// A mount or provisioning that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageFailure {
    /// `FailedMount` or `ProvisioningFailed`.
    pub reason: String,
    /// The pod or claim: `namespace/name`.
    pub object: String,
    /// The volume that the message names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The class that the message names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The newest such event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}
