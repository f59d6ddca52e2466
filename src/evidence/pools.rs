//! Node pools: what ARM says of the pools, their scale sets and their machines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::ResourceId;
use super::lenient::{null_is_default, text_or_number};
use super::resource::{Identity, PowerState, Resource, ResourceStatus, filled_id};

/// One node pool, from the cluster's `agentPoolProfiles` or from the `agentPools` list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentPool {
    pub name: String,
    /// `VirtualMachineScaleSets`, `VirtualMachines`, `AvailabilitySet`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `Succeeded`, `Failed`, or a transient state.
    pub provisioning_state: Option<String>,
    /// `Running` or `Stopped`.
    pub power_state: Option<PowerState>,
    /// How many nodes the pool should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// `Linux` or `Windows`.
    pub os_type: Option<String>,
    /// `Ubuntu`, `AzureLinux`, `Windows2022`, …
    #[serde(rename = "osSKU", skip_serializing_if = "Option::is_none")]
    pub os_sku: Option<String>,
    /// `Standard_NC4as_T4_v3`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vm_size: Option<String>,
    /// How the pool gets its GPU driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_profile: Option<GpuProfile>,
    /// Whether the cluster autoscaler sizes the pool.
    pub enable_auto_scaling: Option<bool>,
    /// `Delete` or `Deallocate`.
    pub scale_down_mode: Option<String>,
    /// The image that new nodes get.
    pub node_image_version: Option<String>,
    /// The operator's own subnet; unset for a managed network.
    #[serde(rename = "vnetSubnetID", deserialize_with = "filled_id")]
    pub vnet_subnet_id: Option<ResourceId>,
    /// The subnet of the pods, where they have one of their own.
    #[serde(rename = "podSubnetID", deserialize_with = "filled_id", skip_serializing_if = "Option::is_none")]
    pub pod_subnet_id: Option<ResourceId>,
    /// How many pods a node holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pods: Option<u32>,
    /// Whether each node has a public address of its own.
    #[serde(rename = "enableNodePublicIP")]
    pub enable_node_public_ip: Option<bool>,
    /// How the pool is upgraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_settings: Option<UpgradeSettings>,
    /// Snapshot that the pool was made from.
    pub creation_data: Option<CreationData>,
    /// The last failed operation.
    pub status: Option<ResourceStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GpuProfile {
    /// `Install`, or `None`: the operator installs it.
    pub driver: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UpgradeSettings {
    /// Nodes that are added while others are reimaged: a number or a percentage.
    #[serde(deserialize_with = "text_or_number")]
    pub max_surge: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CreationData {
    /// The node pool snapshot.
    #[serde(deserialize_with = "filled_id")]
    pub source_resource_id: Option<ResourceId>,
}

/// An item of the `agentPools` list: the same pool with its properties one level down.
#[derive(Debug, Clone, Deserialize)]
pub struct AgentPoolItem {
    pub name: String,
    pub properties: AgentPool,
}

impl From<AgentPoolItem> for AgentPool {
    fn from(item: AgentPoolItem) -> Self {
        Self { name: item.name, ..item.properties }
    }
}

/// `agentPools/…/upgradeProfiles/default`.
pub type UpgradeProfile = Resource<UpgradeProfileProperties>;

/// What aksiso reads of an upgrade profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UpgradeProfileProperties {
    /// The newest image that the pool could have.
    pub latest_node_image_version: Option<String>,
}

/// What aksiso reads of a scale set instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceProperties {
    /// The state of the machine and its extensions.
    pub instance_view: Option<InstanceView>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceView {
    /// The extensions: `vmssCSE` is the bootstrap.
    #[serde(deserialize_with = "null_is_default")]
    pub extensions: Vec<InstanceExtension>,
}

/// One extension of an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceExtension {
    /// `vmssCSE`.
    pub name: Option<String>,
    /// What became of it.
    #[serde(deserialize_with = "null_is_default")]
    pub statuses: Vec<ExtensionStatus>,
}

/// One status of an extension.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtensionStatus {
    /// The output of the bootstrap, which names its exit code; the rest is not kept.
    #[serde(deserialize_with = "exit_code_only")]
    pub message: Option<String>,
}

/// The bootstrap's output may hold anything; only its exit code is kept.
fn exit_code_only<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.and_then(|text| crate::evidence::exit_code::find(&text)).map(|code| format!("exit status={code}")))
}

/// What aksiso reads of a scale set's or machine's `properties`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ComputeProperties {
    /// State of the last operation; tells collection whose instances are worth a look.
    pub provisioning_state: Option<String>,
}

/// A scale set or a machine of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The resource id, in the casing that ARM used.
    pub id: ResourceId,
    /// Managed identities of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The two tags that AKS itself writes on scale sets and machines; others are the operator's and not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<PoolTags>,
    /// What the machine is.
    #[serde(default)]
    pub properties: ComputeProperties,
}

impl Machine {
    /// The resource's name, taken from its id.
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// How a finding names the call that read this resource.
    pub fn source(&self) -> String {
        format!("GET {}", self.id)
    }
}

/// Tags by which AKS marks the pool of a scale set or machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PoolTags {
    /// Current tag.
    #[serde(rename = "aks-managed-poolName", skip_serializing_if = "Option::is_none")]
    pub managed_pool_name: Option<String>,
    /// Older tag.
    #[serde(rename = "poolName", skip_serializing_if = "Option::is_none")]
    pub pool_name: Option<String>,
}
