//! What several checks derive from the evidence in the same way.

use std::collections::BTreeSet;

use super::Evidence;
use super::cluster::{AgentPool, BootstrapProfile};
use super::fact::{Fact, Gap, Reason};
use super::network::{RouteTable, SubnetProperties, VirtualNetwork};
use super::registry::Registry;
use crate::azure::id::ResourceId;

/// Whose registry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// AKS created it in the node resource group and repairs it by a reconcile.
    Managed,
    /// The operator brought it.
    Byo,
    /// The cluster names no registry.
    None,
}

impl Ownership {
    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Byo => "byo",
            Self::None => "none",
        }
    }
}

/// What a `provisioningState` means for whoever judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolState {
    /// The last operation ended well.
    Settled,
    /// The last operation failed or was canceled.
    Failed,
    /// An operation is running.
    Transient,
}

impl PoolState {
    /// Reads a `provisioningState`; an absent one is settled, an unknown word is an operation.
    pub fn of(state: Option<&str>) -> Self {
        match state.map(str::to_lowercase).as_deref() {
            None | Some("" | "succeeded") => Self::Settled,
            Some("failed" | "canceled") => Self::Failed,
            Some(_) => Self::Transient,
        }
    }
}

/// The node subnets of networks: those that pools name, or all of a network that no pool names a subnet of.
pub fn node_subnets<'n>(
    pools: &[AgentPool],
    networks: impl Iterator<Item = &'n VirtualNetwork>,
) -> impl Iterator<Item = (&'n ResourceId, &'n SubnetProperties)> {
    let named: BTreeSet<ResourceId> = pools.iter().filter_map(|pool| pool.vnet_subnet_id.clone()).collect();
    let subnets = networks.flat_map(|network| &network.properties.subnets);
    let subnets = subnets.filter_map(|subnet| Some((subnet.id.as_ref()?, &subnet.properties)));
    subnets.filter(move |(id, _)| named.is_empty() || named.contains(id))
}

impl AgentPool {
    /// Whether the pool is stopped.
    pub fn stopped(&self) -> bool {
        self.power_state.as_ref().is_some_and(|state| is(state.code.as_ref(), "Stopped"))
    }

    /// What the pool is doing.
    pub fn state(&self) -> PoolState {
        PoolState::of(self.provisioning_state.as_deref())
    }
}

/// Whether an optional text is the word, in any casing.
pub(crate) fn is(text: Option<&String>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

impl Evidence {
    /// The bootstrap profile; an absent one is all unset.
    pub fn bootstrap(&self) -> BootstrapProfile {
        self.cluster.properties.bootstrap_profile.clone().unwrap_or_default()
    }

    /// Whether system artifacts come from the registry.
    pub fn uses_cache(&self) -> bool {
        is(self.bootstrap().artifact_source.as_ref(), "Cache")
    }

    /// The outbound type; ARM's default is `loadBalancer`.
    pub fn outbound_type(&self) -> &str {
        let profile = self.cluster.properties.network_profile.as_ref();
        profile.and_then(|profile| profile.outbound_type.as_deref()).unwrap_or("loadBalancer")
    }

    /// Whether AKS gives the nodes no way out (`none`, `block`).
    pub fn egress_closed(&self) -> bool {
        ["none", "block"].iter().any(|kind| self.outbound_type().eq_ignore_ascii_case(kind))
    }

    /// The registry that the cluster names.
    pub fn registry_id(&self) -> Option<ResourceId> {
        self.bootstrap().container_registry_id
    }

    /// Managed = in the node resource group, decided by the group and never by the registry's name.
    pub fn ownership(&self) -> Ownership {
        let Some(id) = self.registry_id() else {
            return Ownership::None;
        };
        let same = |left: Option<&str>, right: Option<&str>| match (left, right) {
            (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
            _ => false,
        };
        let group = self.cluster.properties.node_resource_group.as_deref();
        if same(id.resource_group(), group) && same(id.subscription(), self.cluster.id.subscription()) {
            Ownership::Managed
        } else {
            Ownership::Byo
        }
    }

    /// The registry, where it is known to exist.
    pub fn known_registry(&self) -> Option<&Registry> {
        self.registry.registry.known()?.as_ref()
    }

    /// The login server, where the registry is known.
    pub fn login_server(&self) -> Option<&str> {
        self.known_registry()?.properties.login_server.as_deref()
    }

    /// Host names of Microsoft's registry in this cluster's cloud; the first is what a new rule is made for.
    pub fn mcr_hosts(&self) -> &'static [&'static str] {
        let location = self.cluster.location.as_deref().unwrap_or_default().to_lowercase();
        let china = location.starts_with("china")
            || self.login_server().is_some_and(|server| server.to_lowercase().rsplit('.').next() == Some("cn"));
        if china { &["mcr.azure.cn", "mcr.microsoft.com"] } else { &["mcr.microsoft.com"] }
    }

    /// Whether the cluster is stopped; then there are no nodes to look at.
    pub fn stopped(&self) -> bool {
        self.cluster.properties.power_state.as_ref().is_some_and(|state| is(state.code.as_ref(), "Stopped"))
    }

    /// Whether node auto-provisioning makes the nodes.
    pub fn auto_provisioning(&self) -> bool {
        let profile = self.cluster.properties.node_provisioning_profile.as_ref();
        profile.is_some_and(|profile| is(profile.mode.as_ref(), "Auto"))
    }

    /// The ids of the networks that hold the nodes: those of the pools' subnets, and the managed one.
    /// The gap says why a pool's network is not known.
    pub fn node_networks(&self) -> (BTreeSet<ResourceId>, Option<&Gap>) {
        let Fact::Known(pools) = &self.pools.agent_pools else {
            return (BTreeSet::new(), self.pools.agent_pools.gap());
        };
        let own = pools.iter().filter_map(|pool| pool.vnet_subnet_id.as_ref()?.up_to("virtualNetworks"));
        let mut networks: BTreeSet<ResourceId> = own.collect();
        if !pools.iter().any(|pool| pool.vnet_subnet_id.is_none()) {
            return (networks, None);
        }
        if let Fact::Known(managed) = &self.network.managed_networks {
            networks.extend(managed.iter().map(|network| network.id.clone()));
        }
        (networks, self.network.managed_networks.gap())
    }

    /// The node subnets that could be read.
    pub fn node_subnets(&self) -> Vec<(&ResourceId, &SubnetProperties)> {
        let own = self.network.virtual_networks.values().filter_map(Fact::known);
        let managed = self.network.managed_networks.known().into_iter().flatten();
        let (nodes, _) = self.node_networks();
        let networks = own.chain(managed).filter(|network| nodes.contains(&network.id));
        let pools = self.pools.agent_pools.known().map_or(&[] as &[AgentPool], Vec::as_slice);
        node_subnets(pools, networks).collect()
    }

    /// A node subnet's route table; `None` where it has none.
    ///
    /// # Errors
    /// The gap, where the route table could not be read.
    pub fn route_table(&self, subnet: &SubnetProperties) -> Result<Option<&RouteTable>, Gap> {
        let Some(id) = subnet.route_table.as_ref().and_then(|table| table.id.as_ref()) else { return Ok(None) };
        match self.network.route_tables.get(id) {
            Some(Fact::Known(table)) => Ok(Some(table)),
            Some(Fact::Missing(gap)) => Err(gap.clone()),
            None => Err(Gap::not_collected().about("the node subnet's route table")),
        }
    }

    /// A node network by id, from wherever it was read.
    pub fn network(&self, id: &ResourceId) -> Fact<&VirtualNetwork> {
        let managed = self.network.managed_networks.known().into_iter().flatten();
        if let Some(network) = managed.into_iter().find(|network| network.id == *id) {
            return Fact::Known(network);
        }
        match self.network.virtual_networks.get(id) {
            Some(Fact::Known(network)) => Fact::Known(network),
            Some(Fact::Missing(gap)) => Fact::Missing(gap.clone()),
            None => {
                Fact::Missing(Gap::new(Reason::NotCollected, format!("virtual network {}: not collected", id.name())))
            }
        }
    }
}
