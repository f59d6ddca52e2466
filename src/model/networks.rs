//! The networks and subnets that hold the nodes.

use std::collections::BTreeSet;

use crate::evidence::id::ResourceId;
use crate::evidence::network::{RouteTable, SubnetProperties, VirtualNetwork};
use crate::evidence::pools::AgentPool;
use crate::evidence::{Evidence, Fact, Gap, Reason};

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

impl Evidence {
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

    /// A subnet by id, where its network was read.
    pub fn subnet(&self, id: &ResourceId) -> Option<&SubnetProperties> {
        let network = self.network(&id.up_to("virtualNetworks")?).known().copied()?;
        let subnets = &network.properties.subnets;
        subnets.iter().find(|subnet| subnet.id.as_ref() == Some(id)).map(|subnet| &subnet.properties)
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

/// Azure's own resolver: naming it is the same as naming no server.
pub const AZURE_DNS: &str = "168.63.129.16";

/// The network's DNS servers, without Azure's own.
pub fn own_servers(network: &VirtualNetwork) -> Vec<&str> {
    let options = network.properties.dhcp_options.iter();
    options.flat_map(|options| &options.dns_servers).map(String::as_str).filter(|server| *server != AZURE_DNS).collect()
}

/// Whether a network is known to have DNS servers of the operator's own.
pub fn has_own_servers(evidence: &Evidence, network: &ResourceId) -> bool {
    evidence.network(network).known().is_some_and(|network| !own_servers(network).is_empty())
}

/// The networks that are peered with these.
pub fn peered<'e>(evidence: &'e Evidence, networks: &BTreeSet<ResourceId>) -> Vec<&'e ResourceId> {
    let known = networks.iter().filter_map(|id| evidence.network(id).known().copied());
    let peerings = known.flat_map(|network| &network.properties.virtual_network_peerings);
    peerings.filter_map(|peering| peering.properties.remote_id()).collect()
}

/// The subscriptions of the registry's endpoints and of the networks that are peered with the nodes'.
pub fn further_subscriptions(evidence: &Evidence) -> BTreeSet<String> {
    let (nodes, _) = evidence.node_networks();
    let remotes = peered(evidence, &nodes).into_iter().filter_map(|remote| remote.subscription());
    let endpoints = evidence.network.private_endpoints.values().filter_map(|facts| facts.endpoint.known()?.as_ref());
    let endpoints = endpoints.filter_map(|endpoint| endpoint.id.subscription());
    remotes.chain(endpoints).map(str::to_lowercase).collect()
}
