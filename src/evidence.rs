//! Everything that was gathered, as plain data: what a live run, a snapshot and a fixture share.
//!
//! The types have the shape of ARM's own answers, cut down to the fields that a check reads, so that a finding
//! can name the field it rests on and a reader of a snapshot recognizes it.

pub mod access;
pub mod anonymize;
pub mod api_server;
pub mod calls;
pub mod cloud;
pub mod cluster;
pub mod exit_code;
pub mod fact;
pub mod fleet;
pub mod id;
pub mod image;
pub mod kubernetes;
pub mod lenient;
pub mod locks;
pub mod manifests;
pub mod network;
pub mod pools;
pub mod probe;
pub mod registry;
pub mod resource;
pub mod snapshot;
pub mod workloads;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fact::{Fact, Gap, Reason};

use access::AccessFacts;
use api_server::ApiServerFacts;
use cluster::{ManagedCluster, PoolFacts};
use kubernetes::KubernetesFacts;
use locks::LockFacts;
use network::NetworkFacts;
use registry::RegistryFacts;

use crate::evidence::id::ResourceId;
use crate::evidence::manifests::Manifests;
use crate::evidence::probe::Supplied;
use crate::evidence::workloads::{DesiredImages, StorageFacts};

/// All facts of one run. The cluster itself is always known: without it there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// When collection began; the only clock that a check ever sees.
    pub collected_at: Timestamp,
    pub cluster: ManagedCluster,
    /// Node pools, scale sets and the Activity Log.
    #[serde(default)]
    pub pools: PoolFacts,
    #[serde(default)]
    pub registry: RegistryFacts,
    /// Networks, endpoints and DNS.
    #[serde(default)]
    pub network: NetworkFacts,
    /// The way to the API server of a private cluster.
    #[serde(default, skip_serializing_if = "ApiServerFacts::is_empty")]
    pub api_server: ApiServerFacts,
    #[serde(default)]
    pub access: AccessFacts,
    #[serde(default)]
    pub kubernetes: KubernetesFacts,
    /// Whether the cluster's subscription knows the provider of registries; asked only of a cluster that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_provider: Option<Fact<String>>,
    /// Locks in the subscriptions that printed steps write to; by subscription.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub locks: LockFacts,
    /// Registries besides the bootstrap registry that were asked for by name: what the cluster would see of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_registries: BTreeMap<ResourceId, OtherRegistry>,
    /// What machines inside the network saw, as the operator supplied it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Supplied>,
    /// What one is about to apply; a snapshot never holds it.
    #[serde(skip)]
    pub manifests: Option<Manifests>,
}

impl Evidence {
    /// Evidence that holds nothing but the cluster.
    pub fn new(collected_at: Timestamp, cluster: ManagedCluster) -> Self {
        Self {
            collected_at,
            cluster,
            pools: PoolFacts::default(),
            registry: RegistryFacts::default(),
            network: NetworkFacts::default(),
            api_server: ApiServerFacts::default(),
            access: AccessFacts::default(),
            kubernetes: KubernetesFacts::default(),
            registry_provider: None,
            locks: LockFacts::new(),
            other_registries: BTreeMap::new(),
            probes: Vec::new(),
            manifests: None,
        }
    }
}

impl Evidence {
    /// Adds probe files; one that a snapshot holds already is not added again.
    pub fn add_probes(&mut self, probes: &[Supplied]) {
        for supplied in probes {
            if !self.probes.contains(supplied) {
                self.probes.push(supplied.clone());
            }
        }
    }
}

/// Another registry, with the way to it and the kubelet identity's rights on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OtherRegistry {
    /// The registry and what belongs to it.
    pub registry: RegistryFacts,
    /// Its endpoints and zones.
    pub network: NetworkFacts,
    /// Role assignments on it.
    pub access: AccessFacts,
}

/// A part of the evidence that a check may need. The sections of the chosen checks decide what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    AgentPools,
    /// The newest image of each pool.
    UpgradeProfiles,
    /// Writes of the bootstrap profile in the Activity Log.
    ActivityLog,
    /// Scale sets and machines of the node resource group.
    ScaleSets,
    Registry,
    /// Its cache rules and credential sets.
    CacheRules,
    /// The endpoints that the registry's connections name.
    PrivateEndpoints,
    VirtualNetworks,
    /// Private DNS zones, their links and records.
    PrivateDns,
    /// Role assignments and definitions.
    RoleAssignments,
    Nodes,
    /// Events of failed pulls.
    Events,
    /// Images that pods use and wait for.
    Pods,
    /// What the autoscaler, or node auto-provisioning, could not do.
    Autoscaler,
    /// Instances of scale sets that failed.
    Instances,
    Extensions,
    /// Route tables of the node subnets.
    RouteTables,
    /// Security groups of the node subnets and endpoints.
    SecurityGroups,
    /// Images in the templates of workloads.
    Templates,
    /// Disruption budgets that allow no disruption.
    Budgets,
    /// Storage classes, volumes and claims of Azure Files and Blob.
    Storage,
    /// The API server's private DNS zone and endpoint.
    ApiServer,
}

impl Section {
    pub const ALL: [Self; 22] = [
        Self::AgentPools,
        Self::UpgradeProfiles,
        Self::ActivityLog,
        Self::ScaleSets,
        Self::Registry,
        Self::CacheRules,
        Self::PrivateEndpoints,
        Self::VirtualNetworks,
        Self::PrivateDns,
        Self::RoleAssignments,
        Self::Nodes,
        Self::Events,
        Self::Pods,
        Self::Autoscaler,
        Self::Instances,
        Self::Extensions,
        Self::RouteTables,
        Self::SecurityGroups,
        Self::Templates,
        Self::Budgets,
        Self::Storage,
        Self::ApiServer,
    ];

    /// Forgets the section, as if nobody had asked: how the tests prove that a check says what it needs.
    pub fn blank(self, evidence: &mut Evidence) {
        match self {
            Self::AgentPools => {
                evidence.pools.agent_pools = Fact::default();
                evidence.cluster.properties.agent_pool_profiles = None;
            }
            Self::UpgradeProfiles => evidence.pools.upgrade_profiles.clear(),
            Self::ActivityLog => evidence.pools.bootstrap_writes = Fact::default(),
            Self::ScaleSets => {
                evidence.pools.scale_sets = Fact::default();
                evidence.pools.virtual_machines = Fact::default();
            }
            Self::Registry => {
                evidence.registry.registry = Fact::default();
                evidence.registry.replications = Fact::default();
            }
            Self::CacheRules => {
                evidence.registry.cache_rules = Fact::default();
                evidence.registry.credential_sets = Fact::default();
            }
            Self::PrivateEndpoints => {
                evidence.network.private_endpoints.clear();
                evidence.network.listed_endpoints = Fact::default();
            }
            Self::VirtualNetworks => {
                evidence.network.virtual_networks.clear();
                evidence.network.managed_networks = Fact::default();
                evidence.network.network_managers.clear();
            }
            Self::PrivateDns => {
                evidence.network.dns_zones.clear();
                evidence.network.dns_zone_lists.clear();
                evidence.network.forwarding_links.clear();
            }
            Self::RoleAssignments => evidence.access = AccessFacts::default(),
            Self::Nodes => evidence.kubernetes.nodes = Fact::default(),
            Self::Events => evidence.kubernetes.mirror_failures = Fact::default(),
            Self::Pods => evidence.kubernetes.images = Fact::default(),
            Self::Autoscaler => {
                evidence.kubernetes.autoscaler = Fact::default();
                evidence.kubernetes.node_claims = Fact::default();
            }
            Self::Instances => evidence.pools.instances.clear(),
            Self::Extensions => evidence.pools.extensions = Fact::default(),
            Self::RouteTables => evidence.network.route_tables.clear(),
            Self::SecurityGroups => evidence.network.security_groups.clear(),
            Self::Templates => evidence.kubernetes.desired = Some(DesiredImages::default()),
            Self::Budgets => evidence.kubernetes.budgets = Some(Fact::default()),
            Self::Storage => evidence.kubernetes.storage = Some(StorageFacts::default()),
            Self::ApiServer => evidence.api_server = ApiServerFacts::default(),
        }
    }

    /// Puts what another evidence knows of the section in the place of what is known here.
    pub fn take(self, from: &Evidence, into: &mut Evidence) {
        let (pools, network) = (&from.pools, &from.network);
        match self {
            Self::Templates => into.kubernetes.desired.clone_from(&from.kubernetes.desired),
            Self::Budgets => into.kubernetes.budgets.clone_from(&from.kubernetes.budgets),
            Self::Storage => into.kubernetes.storage.clone_from(&from.kubernetes.storage),
            Self::ApiServer => into.api_server.clone_from(&from.api_server),
            Self::AgentPools => into.pools.agent_pools.clone_from(&pools.agent_pools),
            Self::UpgradeProfiles => into.pools.upgrade_profiles.clone_from(&pools.upgrade_profiles),
            Self::ActivityLog => into.pools.bootstrap_writes.clone_from(&pools.bootstrap_writes),
            Self::ScaleSets => {
                into.pools.scale_sets.clone_from(&pools.scale_sets);
                into.pools.virtual_machines.clone_from(&pools.virtual_machines);
            }
            Self::Registry => {
                into.registry.registry.clone_from(&from.registry.registry);
                into.registry.connections_unread.clone_from(&from.registry.connections_unread);
            }
            Self::CacheRules => {
                into.registry.cache_rules.clone_from(&from.registry.cache_rules);
                into.registry.credential_sets.clone_from(&from.registry.credential_sets);
            }
            Self::PrivateEndpoints => {
                into.network.private_endpoints.clone_from(&network.private_endpoints);
                into.network.listed_endpoints.clone_from(&network.listed_endpoints);
            }
            Self::VirtualNetworks => {
                into.network.virtual_networks.clone_from(&network.virtual_networks);
                into.network.managed_networks.clone_from(&network.managed_networks);
                into.network.network_managers.clone_from(&network.network_managers);
            }
            Self::PrivateDns => {
                into.network.dns_zones.clone_from(&network.dns_zones);
                into.network.dns_zone_lists.clone_from(&network.dns_zone_lists);
                into.network.forwarding_links.clone_from(&network.forwarding_links);
                into.registry.replications.clone_from(&from.registry.replications);
            }
            Self::RoleAssignments => into.access.clone_from(&from.access),
            Self::Nodes => into.kubernetes.nodes.clone_from(&from.kubernetes.nodes),
            Self::Events => into.kubernetes.mirror_failures.clone_from(&from.kubernetes.mirror_failures),
            Self::Pods => into.kubernetes.images.clone_from(&from.kubernetes.images),
            Self::Autoscaler => {
                into.kubernetes.autoscaler.clone_from(&from.kubernetes.autoscaler);
                into.kubernetes.node_claims.clone_from(&from.kubernetes.node_claims);
            }
            Self::Instances => into.pools.instances.clone_from(&pools.instances),
            Self::Extensions => into.pools.extensions.clone_from(&pools.extensions),
            Self::RouteTables => into.network.route_tables.clone_from(&network.route_tables),
            Self::SecurityGroups => into.network.security_groups.clone_from(&network.security_groups),
        }
    }
}
