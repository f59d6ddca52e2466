//! The managed cluster and its node pools, as ARM shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::lenient::{null_is_default, text_or_number};
use super::resource::{Machine, Part, Resource, TrackedResource, filled_id};
use crate::evidence::id::ResourceId;

/// `Microsoft.ContainerService/managedClusters`.
pub type ManagedCluster = TrackedResource<ClusterProperties>;

/// What aksiso reads of a cluster's `properties`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterProperties {
    /// `Succeeded`, `Failed`, `Canceled`, or a transient state.
    pub provisioning_state: Option<String>,
    /// `Running` or `Stopped`.
    pub power_state: Option<PowerState>,
    /// The version that was asked for; may be an alias such as `1.30`.
    pub kubernetes_version: Option<String>,
    /// The version that runs.
    pub current_kubernetes_version: Option<String>,
    /// Public host name of the API server.
    pub fqdn: Option<String>,
    /// Private host name of the API server.
    #[serde(rename = "privateFQDN")]
    pub private_fqdn: Option<String>,
    /// The group that AKS itself manages (`MC_…`).
    pub node_resource_group: Option<String>,
    /// Lock-down of that group.
    pub node_resource_group_profile: Option<NodeResourceGroupProfile>,
    /// Where system artifacts come from.
    pub bootstrap_profile: Option<BootstrapProfile>,
    /// Network plug-in and outbound type.
    pub network_profile: Option<NetworkProfile>,
    /// `clientId` is `msi` unless the cluster signs in with a service principal.
    pub service_principal_profile: Option<ServicePrincipalProfile>,
    /// The kubelet's identity.
    pub identity_profile: Option<IdentityProfile>,
    /// Node OS upgrade channel.
    pub auto_upgrade_profile: Option<AutoUpgradeProfile>,
    /// Private cluster and API server VNet integration.
    pub api_server_access_profile: Option<ApiServerAccessProfile>,
    /// Node auto-provisioning.
    pub node_provisioning_profile: Option<NodeProvisioningProfile>,
    /// The proxy that nodes use.
    pub http_proxy_config: Option<HttpProxyConfig>,
    /// Add-ons by name.
    #[serde(deserialize_with = "null_is_default")]
    pub addon_profiles: BTreeMap<String, Enabled>,
    /// Managed Prometheus and Container Insights.
    pub azure_monitor_profile: Option<AzureMonitorProfile>,
    /// The last failed operation.
    pub status: Option<ResourceStatus>,
    /// The node pools; the evidence holds them in its own place.
    #[serde(skip_serializing)]
    pub agent_pool_profiles: Option<Vec<AgentPool>>,
}

/// `powerState`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PowerState {
    /// `Running` or `Stopped`.
    pub code: Option<String>,
}

/// `nodeResourceGroupProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeResourceGroupProfile {
    /// `ReadOnly` forbids deletions in the node resource group.
    pub restriction_level: Option<String>,
}

/// `bootstrapProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BootstrapProfile {
    /// `Direct` or `Cache`.
    pub artifact_source: Option<String>,
    /// The bootstrap registry.
    #[serde(deserialize_with = "filled_id")]
    pub container_registry_id: Option<ResourceId>,
}

/// `networkProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkProfile {
    /// `azure`, `kubenet`, `none`.
    pub network_plugin: Option<String>,
    /// `none`, `block`, or a type with egress.
    pub outbound_type: Option<String>,
}

/// `servicePrincipalProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePrincipalProfile {
    /// Application id, or `msi`.
    pub client_id: Option<String>,
}

/// `identityProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IdentityProfile {
    /// The identity with which nodes pull.
    pub kubeletidentity: Option<KubeletIdentity>,
}

/// `identityProfile.kubeletidentity`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeletIdentity {
    /// Resource id of the user-assigned identity.
    #[serde(deserialize_with = "filled_id")]
    pub resource_id: Option<ResourceId>,
    /// Object id: what role assignments name.
    pub object_id: Option<String>,
}

/// `autoUpgradeProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AutoUpgradeProfile {
    /// `NodeImage`, `SecurityPatch`, `None`, `Unmanaged`.
    #[serde(rename = "nodeOSUpgradeChannel")]
    pub node_os_upgrade_channel: Option<String>,
}

/// `apiServerAccessProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiServerAccessProfile {
    /// Private link cluster.
    pub enable_private_cluster: Option<bool>,
    /// API server VNet integration.
    pub enable_vnet_integration: Option<bool>,
}

/// `httpProxyConfig`, without what may hold a password.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpProxyConfig {
    /// Whether the proxy is used; absent = it is.
    pub enabled: Option<bool>,
    /// The proxy for HTTPS: its host only, because the address may carry a user and a password.
    #[serde(deserialize_with = "host_only")]
    pub https_proxy: Option<String>,
    /// Names that bypass the proxy.
    #[serde(deserialize_with = "null_is_default")]
    pub no_proxy: Vec<String>,
}

/// Cuts an address down to its host and port.
fn host_only<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?.filter(|text| !text.trim().is_empty());
    Ok(text.map(|text| {
        let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default().to_owned()
    }))
}

/// Something that is on or off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Enabled {
    /// Whether it is on.
    pub enabled: Option<bool>,
}

/// `azureMonitorProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureMonitorProfile {
    /// Managed Prometheus.
    pub metrics: Option<Enabled>,
    /// Container Insights.
    pub container_insights: Option<Enabled>,
}

/// `Microsoft.KubernetesConfiguration/extensions`.
pub type Extension = Resource<ExtensionProperties>;

/// What aksiso reads of a cluster extension.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtensionProperties {
    /// `microsoft.dapr`, `microsoft.flux`, …
    pub extension_type: Option<String>,
}

/// `nodeProvisioningProfile`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NodeProvisioningProfile {
    /// `Auto` = node auto-provisioning.
    pub mode: Option<String>,
}

/// `status` of a cluster or pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceStatus {
    /// The failure of the last operation.
    pub provisioning_error: Option<ErrorDetail>,
}

/// An ARM error as a resource carries it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ErrorDetail {
    /// Error code.
    pub code: Option<String>,
    /// Message for a person; bounded, without what may be a secret.
    #[serde(deserialize_with = "safe_message")]
    pub message: Option<String>,
    /// Inner errors.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
}

/// The message of a failed bootstrap carries its whole output.
fn safe_message<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.map(|text| crate::text::truncated(&crate::text::without_secrets(&text), 4_000)))
}

/// One node pool, from the cluster's `agentPoolProfiles` or from the `agentPools` list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentPool {
    /// Pool name.
    pub name: String,
    /// `VirtualMachineScaleSets`, `VirtualMachines`, `AvailabilitySet`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `Succeeded`, `Failed`, or a transient state.
    pub provisioning_state: Option<String>,
    /// `Running` or `Stopped`.
    pub power_state: Option<PowerState>,
    /// `Linux` or `Windows`.
    pub os_type: Option<String>,
    /// Whether the cluster autoscaler sizes the pool.
    pub enable_auto_scaling: Option<bool>,
    /// `Delete` or `Deallocate`.
    pub scale_down_mode: Option<String>,
    /// The image that new nodes get.
    pub node_image_version: Option<String>,
    /// The operator's own subnet; unset for a managed network.
    #[serde(rename = "vnetSubnetID", deserialize_with = "filled_id")]
    pub vnet_subnet_id: Option<ResourceId>,
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

/// `upgradeSettings`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UpgradeSettings {
    /// Nodes that are added while others are made anew: a number or a percentage.
    #[serde(deserialize_with = "text_or_number")]
    pub max_surge: Option<String>,
}

/// `creationData`.
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
    /// Pool name.
    pub name: String,
    /// The pool.
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

/// One write of the cluster in the Activity Log that says which bootstrap profile it set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootstrapWrite {
    /// When the write began.
    pub at: Timestamp,
    /// The profile that it set.
    pub profile: BootstrapProfile,
    /// The outbound type that it set, where it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_type: Option<String>,
}

/// Everything about the pools that is not in the cluster itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolFacts {
    /// The pools.
    pub agent_pools: Fact<Vec<AgentPool>>,
    /// Upgrade profile by pool name.
    pub upgrade_profiles: BTreeMap<String, Fact<UpgradeProfile>>,
    /// Writes of the bootstrap profile, oldest first, as far back as the Activity Log goes (90 days).
    pub bootstrap_writes: Fact<Vec<BootstrapWrite>>,
    /// Scale sets in the node resource group.
    pub scale_sets: Fact<Vec<Machine>>,
    /// Machines in the node resource group; asked only where a pool is of type `VirtualMachines`.
    pub virtual_machines: Fact<Vec<Machine>>,
    /// Instances by pool name; asked only where the pool, its scale set or the cluster failed.
    pub instances: BTreeMap<String, Fact<Vec<Part<InstanceProperties>>>>,
    /// Cluster extensions.
    pub extensions: Fact<Vec<Extension>>,
}

/// What aksiso reads of a scale set instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceProperties {
    /// The state of the machine and its extensions.
    pub instance_view: Option<InstanceView>,
}

/// `instanceView`.
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
