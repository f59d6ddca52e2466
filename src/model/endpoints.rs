//! Which private endpoints of the registry the nodes can reach: shared by the endpoint and the DNS check.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::egress::behind_virtual_wan;
use super::networks;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{EndpointFacts, PrivateEndpoint, RouteTable, VirtualNetwork};
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Gap, Reason};

/// How an endpoint lies to the nodes.
#[derive(Debug, Clone, PartialEq)]
pub enum Reach {
    /// In a node network or in one that is peered with it.
    Serves,
    /// In neither.
    Elsewhere,
    /// A network could not be read.
    Unknown(Gap),
}

/// An approved endpoint that could be read.
#[derive(Debug, Clone)]
pub struct Candidate<'e> {
    pub endpoint: &'e PrivateEndpoint,
    /// What was read of it.
    pub facts: &'e EndpointFacts,
    /// How it lies to the nodes.
    pub reach: Reach,
}

/// The ids of the endpoints whose connection the registry has approved.
pub fn approved(registry: &Registry) -> impl Iterator<Item = &ResourceId> {
    let connections = registry.properties.private_endpoint_connections.iter();
    let approved = connections.filter(|connection| connection.properties.status().eq_ignore_ascii_case("Approved"));
    approved.filter_map(|connection| connection.properties.endpoint_id())
}

/// The approved endpoints that could be read and that name the registry's one group, `registry`.
pub fn candidates<'e>(evidence: &'e Evidence, registry: &'e Registry) -> Vec<Candidate<'e>> {
    approved(registry)
        .filter_map(|id| {
            let facts = evidence.network.private_endpoints.get(id)?;
            let endpoint = facts.endpoint.known()?.as_ref().filter(|endpoint| names(endpoint, &registry.id))?;
            Some(Candidate { endpoint, facts, reach: reach(evidence, endpoint) })
        })
        .collect()
}

/// Why approved endpoints could not be read.
pub fn unreadable(evidence: &Evidence, registry: &Registry) -> Vec<Gap> {
    let facts = approved(registry).map(|id| evidence.network.private_endpoints.get(id).map(|facts| &facts.endpoint));
    let gaps = facts.filter_map(|fact| match fact {
        Some(fact) => fact.gap().cloned(),
        None => Some(Gap::not_collected()),
    });
    let unread = evidence.registry.connections_unread.iter().cloned();
    gaps.map(|gap| gap.about("the registry's private endpoints")).chain(unread).collect()
}

/// The subscriptions in which an endpoint may be the one that serves the nodes: the cluster's, the registry's, those of
/// the nodes' networks and of networks that are joined with them.
pub fn near_subscriptions(evidence: &Evidence, registry: &Registry) -> BTreeSet<String> {
    let (nodes, _) = evidence.node_networks();
    let own = [&evidence.cluster.id, &registry.id].into_iter();
    let own = own.chain(nodes.iter()).chain(networks::peered(evidence, &nodes));
    own.filter_map(|id| id.subscription().map(str::to_lowercase)).collect()
}

/// Why addresses that may be right ones are not known: of approved endpoints nearby that could not be read, and of
/// interfaces of those that serve the nodes.
pub fn unread_addresses(evidence: &Evidence, registry: &Registry, candidates: &[Candidate<'_>]) -> Vec<Gap> {
    let near = near_subscriptions(evidence, registry);
    let own = |id: &&ResourceId| id.subscription().is_some_and(|own| near.contains(&own.to_lowercase()));
    let endpoints = approved(registry).filter(own).filter_map(|id| {
        let gap = evidence.network.private_endpoints.get(id)?.endpoint.gap()?;
        Some(gap.clone().about("the registry's private endpoints"))
    });
    let serving = candidates.iter().filter(|candidate| candidate.reach == Reach::Serves);
    let silent = serving.filter(|candidate| candidate.endpoint.properties.custom_dns_configs.is_empty());
    let interfaces = silent.flat_map(|candidate| candidate.facts.interfaces.values()).filter_map(Fact::gap);
    endpoints.chain(interfaces.map(|gap| gap.clone().about("the endpoint's interface"))).collect()
}

/// Whether the endpoint connects to the registry itself.
pub fn names(endpoint: &PrivateEndpoint, registry: &ResourceId) -> bool {
    endpoint.properties.connections().any(|connection| {
        let groups = &connection.properties.group_ids;
        let target = connection.properties.private_link_service_id.as_ref();
        target.is_none_or(|target| target == registry)
            && (groups.is_empty() || groups.iter().any(|group| group.eq_ignore_ascii_case("registry")))
    })
}

/// How an endpoint lies to the nodes, whatever became of its connection.
pub fn reach(evidence: &Evidence, endpoint: &PrivateEndpoint) -> Reach {
    let unknown = |detail: &str| Reach::Unknown(Gap::new(Reason::Malformed, detail));
    let Some(home) = endpoint.properties.network_id() else {
        return unknown("the private endpoint names no subnet");
    };
    let (nodes, gap) = evidence.node_networks();
    if nodes.contains(&home) {
        return Reach::Serves;
    }
    let mut missing = gap.cloned();
    for node in &nodes {
        match evidence.network(node) {
            Fact::Known(network) if peered(network, &home) => return Reach::Serves,
            Fact::Known(_) => {}
            Fact::Missing(gap) => missing = Some(gap),
        }
    }
    match missing {
        Some(gap) => Reach::Unknown(gap.about("the node network")),
        None if nodes.is_empty() => unknown("the node resource group holds no virtual network"),
        None => Reach::Elsewhere,
    }
}

fn peered(network: &VirtualNetwork, other: &ResourceId) -> bool {
    let peerings = network.properties.virtual_network_peerings.iter();
    peerings.map(|peering| &peering.properties).any(|peering| peering.remote_id() == Some(other) && peering.connects())
}

/// What may connect the node networks with an endpoint although no peering shows it.
pub enum Hidden {
    /// Nothing that can be seen.
    Nothing,
    /// Something that a peering does not show.
    Maybe(&'static str),
    /// It could not be read.
    Unknown(Gap),
}

/// The subscriptions whose network managers may join the nodes' networks with an endpoint's: those of either network.
pub fn manager_subscriptions(evidence: &Evidence, candidate: &Candidate<'_>) -> BTreeSet<String> {
    let (nodes, _) = evidence.node_networks();
    let networks = nodes.into_iter().chain(candidate.endpoint.properties.network_id());
    networks.filter_map(|id| id.subscription().map(str::to_lowercase)).collect()
}

/// What would have to be seen of a candidate that no peering joins with the nodes' network.
pub fn not_joined(candidate: &Candidate<'_>, what: &str) -> Gap {
    let detail = format!(
        "endpoint {} lies in a network that no peering joins with the nodes' own, but {what} may: that cannot be seen",
        candidate.endpoint.name()
    );
    Gap::new(Reason::NotVisible, detail)
}

/// Looks for gateways, virtual WAN hubs, appliance routes and network managers.
pub fn hidden_path(evidence: &Evidence, candidate: &Candidate<'_>) -> Hidden {
    let (nodes, _) = evidence.node_networks();
    let mut gap = None;
    for node in &nodes {
        if let Fact::Known(network) = evidence.network(node)
            && let Some(why) = beyond_peerings(network)
        {
            return Hidden::Maybe(why);
        }
    }
    for subscription in manager_subscriptions(evidence, candidate) {
        match evidence.network.network_managers.get(&subscription) {
            Some(Fact::Known(managers)) if !managers.is_empty() => return Hidden::Maybe("a Virtual Network Manager"),
            Some(Fact::Known(_)) => {}
            Some(Fact::Missing(missing)) => gap = Some(missing.clone()),
            None => gap = Some(Gap::not_collected().about("the network managers of the subscriptions")),
        }
    }
    let addresses = addresses(candidate);
    for (_, subnet) in evidence.node_subnets() {
        match evidence.route_table(subnet) {
            Ok(Some(table)) if leads_away(table, &addresses) => {
                return Hidden::Maybe("a route to an appliance or gateway");
            }
            Ok(_) => {}
            Err(missing) => gap = Some(missing),
        }
    }
    gap.map_or(Hidden::Nothing, Hidden::Unknown)
}

/// Whether a route to an appliance or gateway covers one of the addresses.
fn leads_away(table: &RouteTable, addresses: &BTreeSet<IpAddr>) -> bool {
    table.properties.routes.iter().map(|route| &route.properties).any(|route| {
        let hop = route.next_hop_type.as_deref().unwrap_or_default();
        let away = ["VirtualAppliance", "VirtualNetworkGateway"].iter().any(|kind| kind.eq_ignore_ascii_case(hop));
        away && route.address_prefix.as_deref().is_none_or(|prefix| covers(prefix, addresses))
    })
}

fn beyond_peerings(network: &VirtualNetwork) -> Option<&'static str> {
    let gateway = network.properties.subnets.iter().filter_map(|subnet| subnet.id.as_ref());
    if gateway.into_iter().any(|id| id.name().eq_ignore_ascii_case("GatewaySubnet")) {
        return Some("a gateway in the node network");
    }
    if behind_virtual_wan(network) {
        return Some("a virtual WAN hub");
    }
    let mut peerings = network.properties.virtual_network_peerings.iter();
    let gateway = peerings.any(|peering| peering.properties.use_remote_gateways == Some(true));
    gateway.then_some("a gateway in a peered network")
}

/// The endpoint's addresses, from its interfaces or from its own DNS configuration.
pub fn addresses(candidate: &Candidate<'_>) -> BTreeSet<IpAddr> {
    addresses_of(candidate.endpoint, candidate.facts)
}

/// The endpoint's addresses by the names that they serve; those of which no name is known are kept.
pub fn addresses_for(candidate: &Candidate<'_>, wanted: impl Fn(&str) -> bool) -> BTreeSet<IpAddr> {
    let wanted = |name: &String| wanted(&name.trim_end_matches('.').to_lowercase());
    let mut unwanted = BTreeSet::new();
    for interface in candidate.facts.interfaces.values().filter_map(Fact::known) {
        for properties in interface.properties.ip_configurations.iter().map(|configuration| &configuration.properties) {
            let names = properties.private_link_connection_properties.iter().flat_map(|link| &link.fqdns);
            let names: Vec<&String> = names.collect();
            if !names.is_empty() && !names.into_iter().any(wanted) {
                unwanted.extend(
                    properties.private_ip_address.as_deref().and_then(|address| address.parse::<IpAddr>().ok()),
                );
            }
        }
    }
    for config in &candidate.endpoint.properties.custom_dns_configs {
        if config.fqdn.as_ref().is_some_and(|name| !wanted(name)) {
            unwanted.extend(config.ip_addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok()));
        }
    }
    addresses(candidate).difference(&unwanted).copied().collect()
}

/// The same of any endpoint.
pub fn addresses_of(endpoint: &PrivateEndpoint, facts: &EndpointFacts) -> BTreeSet<IpAddr> {
    let interfaces = facts.interfaces.values().filter_map(Fact::known);
    let from_interfaces = interfaces
        .flat_map(|interface| &interface.properties.ip_configurations)
        .filter_map(|configuration| configuration.properties.private_ip_address.as_deref());
    let configs = endpoint.properties.custom_dns_configs.iter();
    let from_configs = configs.flat_map(|config| config.ip_addresses.iter().map(String::as_str));
    from_interfaces.chain(from_configs).filter_map(|address| address.parse().ok()).collect()
}

/// Whether a route's prefix covers one of the addresses; unknown addresses could be any.
fn covers(prefix: &str, addresses: &BTreeSet<IpAddr>) -> bool {
    let Ok(net) = prefix.parse::<IpNet>() else { return true };
    addresses.is_empty() || addresses.iter().any(|address| net.contains(address))
}
