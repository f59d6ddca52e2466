//! The managed cluster, as ARM shows it, and what is gathered of its pools.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::lenient::null_is_default;
use super::pools::{AgentPool, InstanceProperties, Machine, UpgradeProfile};
use super::resource::{Part, PowerState, Resource, ResourceStatus, TrackedResource, filled_id};
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
    /// Defender, workload identity, and how pods pull.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_profile: Option<SecurityProfile>,
    /// Cost analysis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_profile: Option<MetricsProfile>,
    /// The last failed operation.
    pub status: Option<ResourceStatus>,
    /// The node pools; the evidence holds them in its own place.
    #[serde(skip_serializing)]
    pub agent_pool_profiles: Option<Vec<AgentPool>>,
}

impl ClusterProperties {
    /// The API server's names, the private one first.
    pub fn api_server_names(&self) -> impl Iterator<Item = &str> {
        [&self.private_fqdn, &self.fqdn].into_iter().flatten().map(String::as_str)
    }

    /// Whether a host is the API server.
    pub fn is_api_server(&self, host: &str) -> bool {
        self.api_server_names().any(|name| name.eq_ignore_ascii_case(host))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ServiceAccountImagePull {
    pub enabled: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeResourceGroupProfile {
    /// `ReadOnly` forbids deletions in the node resource group.
    pub restriction_level: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BootstrapProfile {
    /// `Direct` or `Cache`.
    pub artifact_source: Option<String>,
    #[serde(deserialize_with = "filled_id")]
    pub container_registry_id: Option<ResourceId>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkProfile {
    /// `azure`, `kubenet`, `none`.
    pub network_plugin: Option<String>,
    /// `overlay` = pods have addresses of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_plugin_mode: Option<String>,
    /// The addresses of pods, where they have some of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_cidr: Option<String>,
    /// `none`, `block`, or a type with egress.
    pub outbound_type: Option<String>,
    /// The managed NAT gateway, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat_gateway_profile: Option<NatGatewayProfile>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NatGatewayProfile {
    /// `standard` or `standardV2`.
    pub sku: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePrincipalProfile {
    /// Application id, or `msi`.
    pub client_id: Option<String>,
}

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
    /// Client id: what a node asks its tokens by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AutoUpgradeProfile {
    /// `NodeImage`, `SecurityPatch`, `None`, `Unmanaged`.
    #[serde(rename = "nodeOSUpgradeChannel")]
    pub node_os_upgrade_channel: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiServerAccessProfile {
    /// Private link cluster.
    pub enable_private_cluster: Option<bool>,
    /// API server VNet integration.
    pub enable_vnet_integration: Option<bool>,
    /// `system`, `none`, or the id of a zone of the operator's own.
    #[serde(rename = "privateDNSZone", skip_serializing_if = "Option::is_none")]
    pub private_dns_zone: Option<String>,
    /// The operator's own subnet for the API server, with VNet integration.
    #[serde(deserialize_with = "filled_id", skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<ResourceId>,
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

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureMonitorProfile {
    /// Managed Prometheus.
    pub metrics: Option<Enabled>,
    pub container_insights: Option<Enabled>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityProfile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defender: Option<Defender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<Enabled>,
    /// Pods pull as their service accounts (preview).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_image_pull_profile: Option<ServiceAccountImagePull>,
}

/// Microsoft Defender for Containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Defender {
    pub security_monitoring: Option<Enabled>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricsProfile {
    pub cost_analysis: Option<Enabled>,
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

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NodeProvisioningProfile {
    /// `Auto` = node auto-provisioning.
    pub mode: Option<String>,
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
    pub agent_pools: Fact<Vec<AgentPool>>,
    /// Upgrade profile by pool name.
    pub upgrade_profiles: BTreeMap<String, Fact<UpgradeProfile>>,
    /// Writes of the bootstrap profile, oldest first, as far back as the Activity Log goes (90 days).
    pub bootstrap_writes: Fact<Vec<BootstrapWrite>>,
    /// Scale sets in the node resource group.
    pub scale_sets: Fact<Vec<Machine>>,
    /// Machines in the node resource group; asked only where a pool is of type `VirtualMachines`.
    pub virtual_machines: Fact<Vec<Machine>>,
    /// Instances by pool name; asked only where the pool or its scale set failed, or nodes are not seen.
    pub instances: BTreeMap<String, Fact<Vec<Part<InstanceProperties>>>>,
    pub extensions: Fact<Vec<Extension>>,
}
