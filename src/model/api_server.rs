//! How nodes reach the API server: over a private endpoint, over its subnet, or over a public address.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::endpoints;
use super::names::record_of;
use super::networks::own_servers;
use super::paths::{self, Target};
use super::zones::{Zone, Zones, holds};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{EndpointFacts, VirtualNetwork};
use crate::evidence::{Evidence, Fact};
use crate::model::cluster::is;

/// How nodes reach the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Over a public address.
    Public,
    /// Over AKS' private endpoint, by a private name where a zone keeps one.
    PrivateLink(Option<PrivateName>),
    /// Inside the node network; the id is that of the operator's own subnet for it.
    Integrated(Option<ResourceId>),
}

/// The name by which nodes know the API server of a private link cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateName {
    /// In lower case.
    pub name: String,
    /// The zone that must hold it.
    pub zone: ResourceId,
    /// Whether AKS keeps the zone.
    pub managed: bool,
}

impl PrivateName {
    /// The record that must hold the name in a zone.
    pub fn record(&self, zone: &Zone<'_>) -> Option<String> {
        record_of(&zone.name().to_lowercase(), &self.name)
    }
}

/// How nodes reach the API server, by the cluster's own answer.
pub fn access(evidence: &Evidence) -> Access {
    let profile = evidence.cluster.properties.api_server_access_profile.clone().unwrap_or_default();
    if profile.enable_vnet_integration == Some(true) {
        Access::Integrated(profile.subnet_id)
    } else if profile.enable_private_cluster == Some(true) {
        Access::PrivateLink(private_name(evidence))
    } else {
        Access::Public
    }
}

/// The private name and its zone. Without a zone (`none`) the public name leads to the private address.
fn private_name(evidence: &Evidence) -> Option<PrivateName> {
    let properties = &evidence.cluster.properties;
    let name = properties.private_fqdn.as_deref()?.trim_end_matches('.').to_lowercase();
    let said = said(evidence)?;
    if said.starts_with('/') {
        return Some(PrivateName { name, zone: ResourceId::new(said), managed: false });
    }
    let (_, zone) = name.split_once('.').filter(|_| said.eq_ignore_ascii_case("system"))?;
    let zone = in_node_group(evidence, &format!("Microsoft.Network/privateDnsZones/{zone}"))?;
    Some(PrivateName { name, zone, managed: true })
}

/// Whether the cluster says that a zone keeps its private name.
pub fn names_a_zone(evidence: &Evidence) -> bool {
    said(evidence).is_some_and(|said| said.starts_with('/') || said.eq_ignore_ascii_case("system"))
}

/// Whether the endpoint is asked for although no zone leads to it: something on the way may deny what goes there.
pub fn asks_for_endpoint(evidence: &Evidence) -> bool {
    said(evidence).is_some_and(|said| said.eq_ignore_ascii_case("none")) && may_be_blocked(evidence)
}

/// `system`, `none`, or the id of a zone.
fn said(evidence: &Evidence) -> Option<&str> {
    let properties = &evidence.cluster.properties;
    let own = properties.api_server_access_profile.as_ref()?.private_dns_zone.as_deref();
    // Azure's default is AKS's own zone, which the name tells too.
    let by_name = || properties.private_fqdn.as_deref().filter(|name| name.contains(".privatelink.")).map(|_| "system");
    own.filter(|said| !said.is_empty()).or_else(by_name)
}

/// AKS' endpoint to the API server.
pub fn endpoint_id(evidence: &Evidence) -> Option<ResourceId> {
    in_node_group(evidence, "Microsoft.Network/privateEndpoints/kube-apiserver")
}

fn in_node_group(evidence: &Evidence, tail: &str) -> Option<ResourceId> {
    let group = evidence.cluster.properties.node_resource_group.as_deref()?;
    let subscription = evidence.cluster.id.subscription()?;
    Some(ResourceId::new(format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{tail}")))
}

/// The zones that could answer the private name, as far as they were read.
pub fn zones<'e>(evidence: &'e Evidence, name: &PrivateName) -> Zones<'e> {
    let could_answer = |zone: &str| record_of(&zone.to_lowercase(), &name.name).is_some();
    Zones::among(evidence, &evidence.api_server.dns_zones, could_answer)
}

/// The networks that ask Azure's resolver for the nodes, or hold the servers that do, and that no zone that could answer
/// the name is linked to.
pub fn unlinked(evidence: &Evidence, name: &PrivateName) -> BTreeSet<ResourceId> {
    let zones = zones(evidence, name);
    let (nodes, _) = evidence.node_networks();
    let mut askers: BTreeSet<ResourceId> = BTreeSet::new();
    for node in nodes.iter().filter_map(|id| evidence.network(id).known().copied()) {
        let servers = own_servers(node);
        if servers.is_empty() {
            askers.insert(node.id.clone());
        }
        askers.extend(servers.into_iter().filter_map(|server| network_of_server(evidence, node, server)).cloned());
    }
    askers.retain(|id| zones.linked_to(id).is_empty());
    askers
}

/// What was read of AKS' endpoint.
pub fn endpoint(evidence: &Evidence) -> Option<&EndpointFacts> {
    evidence.api_server.private_endpoints.get(&endpoint_id(evidence)?)
}

/// The endpoint's addresses.
pub fn addresses(evidence: &Evidence) -> BTreeSet<IpAddr> {
    let known = endpoint(evidence).and_then(|facts| Some((facts, facts.endpoint.known()?.as_ref()?)));
    known.map(|(facts, endpoint)| endpoints::addresses_of(endpoint, facts)).unwrap_or_default()
}

/// What nodes must reach, where that is known.
pub fn target(evidence: &Evidence) -> Option<Target> {
    match access(evidence) {
        Access::Public => None,
        Access::Integrated(subnet) => {
            let subnet = evidence.subnet(&subnet?)?;
            let guard = subnet.network_security_group.as_ref().and_then(|group| group.id.clone());
            Some(Target { nets: paths::prefixes(subnet), ports: &[443, 4443], guard: Ok(guard) })
        }
        Access::PrivateLink(_) => {
            let endpoint = endpoint(evidence)?.endpoint.known()?.as_ref()?;
            Some(Target::endpoint(evidence, endpoint, &addresses(evidence)))
        }
    }
}

/// Whether a rule or route of a node subnet could stop what is sent to an address that is not known yet.
fn may_be_blocked(evidence: &Evidence) -> bool {
    evidence.node_subnets().into_iter().any(|(_, subnet)| {
        let group = subnet.network_security_group.as_ref().and_then(|group| group.id.as_ref());
        let rules = match group.map(|id| paths::group(evidence, id)) {
            None => &[],
            Some(Ok(group)) => group.properties.security_rules.as_slice(),
            Some(Err(_)) => return true,
        };
        let denies = rules.iter().map(|rule| &rule.properties).any(|rule| {
            let inside = !is(rule.destination_address_prefix.as_ref(), "Internet");
            is(rule.access.as_ref(), "Deny") && is(rule.direction.as_ref(), "Outbound") && inside
        });
        let drops = match evidence.route_table(subnet) {
            Ok(table) => table.into_iter().flat_map(|table| &table.properties.routes),
            Err(_) => return true,
        };
        denies || drops.into_iter().any(|route| is(route.properties.next_hop_type.as_ref(), "None"))
    })
}

/// The node networks that use DNS servers of the operator's own.
pub fn networks_with_servers(evidence: &Evidence) -> Vec<&VirtualNetwork> {
    let (nodes, _) = evidence.node_networks();
    let networks = nodes.iter().filter_map(|id| evidence.network(id).known().copied());
    networks.filter(|network| !own_servers(network).is_empty()).collect()
}

/// The network that holds a DNS server: the node network or a peer of it that could be read.
pub fn network_of_server<'e>(evidence: &'e Evidence, node: &'e VirtualNetwork, server: &str) -> Option<&'e ResourceId> {
    let near = std::iter::once(&node.id).chain(peers(node));
    near.into_iter().find(|id| {
        let Fact::Known(network) = evidence.network(id) else { return false };
        network.properties.address_space.as_ref().is_some_and(|space| holds(&space.address_prefixes, server))
    })
}

fn peers(node: &VirtualNetwork) -> impl Iterator<Item = &ResourceId> {
    node.properties.virtual_network_peerings.iter().filter_map(|peering| peering.properties.remote_id())
}

/// Networks that may hold the operator's DNS servers and were not read: those that a zone is linked to, and peers whose
/// addresses hold a server.
pub fn unread_networks_of_servers(evidence: &Evidence) -> BTreeSet<ResourceId> {
    let linked = evidence.api_server.dns_zones.values().filter_map(|zone| zone.links.known()).flatten();
    let linked = linked.filter_map(|link| link.properties.network_id());
    let mut wanted: BTreeSet<ResourceId> = BTreeSet::new();
    for node in networks_with_servers(evidence) {
        wanted.extend(linked.clone().cloned());
        for peering in node.properties.virtual_network_peerings.iter().map(|peering| &peering.properties) {
            let space = peering.remote_address_space.as_ref();
            let holding = |server: &str| space.is_some_and(|space| holds(&space.address_prefixes, server));
            if own_servers(node).into_iter().any(holding) {
                wanted.extend(peering.remote_id().cloned());
            }
        }
    }
    wanted.retain(|id| evidence.network(id).gap().is_some());
    wanted
}
