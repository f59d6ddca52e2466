//! Every kind of thing that aksiso asks ARM for: the API version, the permission, the smallest role, and which parts of
//! the evidence it is asked for.
//!
//! The versions are stable ones that hold every field we read; `roleAssignmentMode` of a registry, for example,
//! needs 2025-04-01, and `status.provisioningError` of a cluster 2025-10-01.

use crate::evidence::Section;

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// The `api-version` parameter.
    pub version: &'static str,
    /// The permission that the request needs.
    pub action: &'static str,
    /// The smallest built-in role that grants it.
    pub role: &'static str,
    /// The parts of the evidence that it is asked for: whoever needs one of them loses by its refusal.
    pub sections: &'static [Section],
}

const fn reader(version: &'static str, action: &'static str, sections: &'static [Section]) -> Api {
    Api { version, action, role: "Reader", sections }
}

const COMPUTE: &str = "2024-07-01";
const CONTAINER_REGISTRY: &str = "2025-04-01";
const CONTAINER_SERVICE: &str = "2025-10-01";
const NETWORK: &str = "2024-05-01";
const PRIVATE_DNS: &str = "2024-06-01";
const AUTHORIZATION: &str = "2022-04-01";

/// A cluster, and the list of a subscription's clusters.
pub const MANAGED_CLUSTERS: Api = Api {
    version: CONTAINER_SERVICE,
    action: "Microsoft.ContainerService/managedClusters/read",
    role: "Azure Kubernetes Service Cluster User Role",
    sections: &Section::ALL,
};
/// The credential that a user of the cluster gets; a POST that reads. (Signing in to a registry is two more.)
pub const CLUSTER_USER_CREDENTIAL: Api = Api {
    version: CONTAINER_SERVICE,
    action: "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
    role: "Azure Kubernetes Service Cluster User Role",
    sections: &[
        Section::Nodes,
        Section::Events,
        Section::Pods,
        Section::Autoscaler,
        Section::Templates,
        Section::Budgets,
        Section::Storage,
    ],
};
/// Node pools; asked only where the cluster's own answer lists none.
pub const AGENT_POOLS: Api =
    reader(CONTAINER_SERVICE, "Microsoft.ContainerService/managedClusters/agentPools/read", &[Section::AgentPools]);
/// The newest node image of a pool.
pub const UPGRADE_PROFILES: Api = reader(
    CONTAINER_SERVICE,
    "Microsoft.ContainerService/managedClusters/agentPools/upgradeProfiles/read",
    &[Section::UpgradeProfiles],
);
pub const ACTIVITY_LOG: Api =
    reader("2015-04-01", "Microsoft.Insights/eventtypes/values/read", &[Section::ActivityLog]);
pub const REGISTRIES: Api =
    reader(CONTAINER_REGISTRY, "Microsoft.ContainerRegistry/registries/read", &[Section::Registry]);
/// Private endpoint connections of a registry; asked only where the registry's own answer lists none.
pub const ENDPOINT_CONNECTIONS: Api = reader(
    CONTAINER_REGISTRY,
    "Microsoft.ContainerRegistry/registries/privateEndpointConnections/read",
    &[Section::PrivateEndpoints],
);
/// Cache rules of a registry.
pub const CACHE_RULES: Api =
    reader(CONTAINER_REGISTRY, "Microsoft.ContainerRegistry/registries/cacheRules/read", &[Section::CacheRules]);
/// Credential sets of a registry.
pub const CREDENTIAL_SETS: Api =
    reader(CONTAINER_REGISTRY, "Microsoft.ContainerRegistry/registries/credentialSets/read", &[Section::CacheRules]);
/// Geo-replicas of a registry.
pub const REPLICATIONS: Api =
    reader(CONTAINER_REGISTRY, "Microsoft.ContainerRegistry/registries/replications/read", &[Section::PrivateDns]);
pub const PRIVATE_ENDPOINTS: Api =
    reader(NETWORK, "Microsoft.Network/privateEndpoints/read", &[Section::PrivateEndpoints, Section::ApiServer]);
/// Zone groups of a private endpoint.
pub const ZONE_GROUPS: Api =
    reader(NETWORK, "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read", &[Section::PrivateDns]);
/// Interfaces of a private endpoint.
pub const NETWORK_INTERFACES: Api =
    reader(NETWORK, "Microsoft.Network/networkInterfaces/read", &[Section::PrivateDns, Section::ApiServer]);
pub const SECURITY_GROUPS: Api =
    reader(NETWORK, "Microsoft.Network/networkSecurityGroups/read", &[Section::SecurityGroups]);
/// Virtual networks with their subnets and peerings.
pub const VIRTUAL_NETWORKS: Api =
    reader(NETWORK, "Microsoft.Network/virtualNetworks/read", &[Section::VirtualNetworks]);
/// Route tables of node subnets.
pub const ROUTE_TABLES: Api = reader(NETWORK, "Microsoft.Network/routeTables/read", &[Section::RouteTables]);
/// Network managers, which connect networks without peerings.
pub const NETWORK_MANAGERS: Api =
    reader(NETWORK, "Microsoft.Network/networkManagers/read", &[Section::PrivateEndpoints]);
pub const DNS_ZONES: Api =
    reader(PRIVATE_DNS, "Microsoft.Network/privateDnsZones/read", &[Section::PrivateDns, Section::ApiServer]);
/// Links of a private DNS zone.
pub const DNS_LINKS: Api = reader(
    PRIVATE_DNS,
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
    &[Section::PrivateDns, Section::ApiServer],
);
/// A records of a private DNS zone.
pub const DNS_RECORDS: Api =
    reader(PRIVATE_DNS, "Microsoft.Network/privateDnsZones/A/read", &[Section::PrivateDns, Section::ApiServer]);
pub const FORWARDING_RULESETS: Api =
    reader("2022-07-01", "Microsoft.Network/dnsForwardingRulesets/read", &[Section::PrivateDns]);
/// Links of a DNS forwarding ruleset.
pub const FORWARDING_LINKS: Api =
    reader("2022-07-01", "Microsoft.Network/dnsForwardingRulesets/virtualNetworkLinks/read", &[Section::PrivateDns]);
/// Role assignments at or above a scope.
pub const ROLE_ASSIGNMENTS: Api =
    reader(AUTHORIZATION, "Microsoft.Authorization/roleAssignments/read", &[Section::RoleAssignments]);
pub const ROLE_DEFINITIONS: Api =
    reader(AUTHORIZATION, "Microsoft.Authorization/roleDefinitions/read", &[Section::RoleAssignments]);
/// What the reader may do at a scope: tells a complete list from one that ARM filtered.
pub const OWN_PERMISSIONS: Api =
    reader(AUTHORIZATION, "Microsoft.Authorization/permissions/read", &[Section::PrivateDns]);
/// The subscriptions that the reader may see, with their names; asked only where a name has to be looked up, or where no
/// cluster is named.
pub const SUBSCRIPTIONS: Api = reader("2022-12-01", "Microsoft.Resources/subscriptions/read", &[]);
/// Locks of a subscription, its groups and its resources; asked only where a step of the plan writes there. No check
/// rests on them: they are said beside the step.
pub const LOCKS: Api = reader("2020-05-01", "Microsoft.Authorization/locks/read", &[]);
/// Whether a subscription knows a provider; asked only of a cluster that names no registry, for the cut-over to one that
/// AKS makes. No check rests on it.
pub const PROVIDERS: Api = reader("2022-12-01", "Microsoft.Resources/subscriptions/providers/read", &[]);
/// Scale sets of the node resource group.
pub const SCALE_SETS: Api = reader(COMPUTE, "Microsoft.Compute/virtualMachineScaleSets/read", &[Section::ScaleSets]);
/// Instances of a scale set; asked only where something failed or nodes are not seen.
pub const INSTANCES: Api =
    reader(COMPUTE, "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read", &[Section::Instances]);
pub const EXTENSIONS: Api =
    reader("2023-05-01", "Microsoft.KubernetesConfiguration/extensions/read", &[Section::Extensions]);
/// Machines of the node resource group.
pub const VIRTUAL_MACHINES: Api = reader(COMPUTE, "Microsoft.Compute/virtualMachines/read", &[Section::ScaleSets]);

/// Everything that aksiso may ask for.
pub const ALL: &[Api] = &[
    MANAGED_CLUSTERS,
    CLUSTER_USER_CREDENTIAL,
    AGENT_POOLS,
    UPGRADE_PROFILES,
    ACTIVITY_LOG,
    REGISTRIES,
    ENDPOINT_CONNECTIONS,
    CACHE_RULES,
    CREDENTIAL_SETS,
    REPLICATIONS,
    PRIVATE_ENDPOINTS,
    ZONE_GROUPS,
    NETWORK_INTERFACES,
    SECURITY_GROUPS,
    VIRTUAL_NETWORKS,
    ROUTE_TABLES,
    NETWORK_MANAGERS,
    DNS_ZONES,
    DNS_LINKS,
    DNS_RECORDS,
    FORWARDING_RULESETS,
    FORWARDING_LINKS,
    ROLE_ASSIGNMENTS,
    ROLE_DEFINITIONS,
    OWN_PERMISSIONS,
    SUBSCRIPTIONS,
    LOCKS,
    PROVIDERS,
    SCALE_SETS,
    INSTANCES,
    EXTENSIONS,
    VIRTUAL_MACHINES,
];
