//! Egress paths of the operator's own, which the outbound type does not show: a proxy, a NAT gateway, a default route, a
//! virtual WAN.

use ipnet::IpNet;

use crate::evidence::id::ResourceId;
use crate::evidence::network::{RouteProperties, RouteTable, SubnetProperties, VirtualNetwork};
use crate::evidence::resource::Part;
use crate::evidence::{Evidence, Fact, Gap};
use crate::model::cluster::is;

/// Whether the operator may have a way out of his own, and what keeps that from being known.
pub fn own_egress(evidence: &Evidence) -> (bool, Vec<Gap>) {
    let proxy = evidence.cluster.properties.http_proxy_config.as_ref();
    let proxy = proxy.is_some_and(|config| config.enabled != Some(false) && config.https_proxy.is_some());
    let (nodes, gap) = evidence.node_networks();
    let mut gaps: Vec<Gap> = gap.cloned().map(|gap| gap.about("the node network")).into_iter().collect();
    let mut found = proxy;
    for id in &nodes {
        match evidence.network(id) {
            Fact::Known(network) => found |= behind_virtual_wan(network),
            Fact::Missing(gap) => gaps.push(gap),
        }
    }
    for (_, subnet) in evidence.node_subnets() {
        found |= subnet.nat_gateway.as_ref().is_some_and(|gateway| gateway.id.is_some());
        match evidence.route_table(subnet) {
            Ok(table) => found |= table.is_some_and(|table| default_routes(table).any(leads_somewhere)),
            Err(gap) => gaps.push(gap),
        }
    }
    // Once a way is found, what else could not be read does not matter.
    if found { (true, Vec::new()) } else { (!gaps.is_empty(), gaps) }
}

/// Whether the subnet's route table has a route for everything.
///
/// # Errors
/// The gap, where the route table could not be read.
pub fn own_default_route(evidence: &Evidence, subnet: &SubnetProperties) -> Result<bool, Gap> {
    Ok(evidence.route_table(subnet)?.is_some_and(|table| default_routes(table).next().is_some()))
}

/// A way out of a node subnet that AKS did not make.
pub enum OwnWay<'e> {
    NatGateway(&'e ResourceId),
    /// The route and its table.
    InternetRoute(&'e RouteTable, String),
}

/// A way to the Internet that the subnet has although the cluster has none.
///
/// # Errors
/// The gap, where the route table could not be read.
pub fn own_way<'e>(evidence: &'e Evidence, subnet: &'e SubnetProperties) -> Result<Option<OwnWay<'e>>, Gap> {
    if let Some(gateway) = subnet.nat_gateway.as_ref().and_then(|gateway| gateway.id.as_ref()) {
        return Ok(Some(OwnWay::NatGateway(gateway)));
    }
    let Some(table) = evidence.route_table(subnet)? else { return Ok(None) };
    let to_internet = default_routes(table).find(|route| is(route.properties.next_hop_type.as_ref(), "Internet"));
    Ok(to_internet.map(|route| {
        let name = route.id.as_ref().map_or("?", ResourceId::name).to_owned();
        OwnWay::InternetRoute(table, name)
    }))
}

/// The routes for everything.
fn default_routes(table: &RouteTable) -> impl Iterator<Item = &Part<RouteProperties>> {
    table.properties.routes.iter().filter(|route| {
        let prefix = route.properties.address_prefix.as_deref().and_then(|prefix| prefix.parse::<IpNet>().ok());
        prefix.is_some_and(|net| net.prefix_len() == 0)
    })
}

/// Whether what takes a route leaves the network: a route to nowhere is no egress.
fn leads_somewhere(route: &Part<RouteProperties>) -> bool {
    let next = route.properties.next_hop_type.as_ref();
    !is(next, "None") && !is(next, "VnetLocal")
}

/// A spoke of a virtual WAN shows a peering to a network that Microsoft hides.
pub fn behind_virtual_wan(network: &VirtualNetwork) -> bool {
    network.properties.virtual_network_peerings.iter().any(|peering| {
        peering.properties.remote_id().is_some_and(|remote| remote.name().starts_with("HV_"))
            || peering.id.as_ref().is_some_and(|id| id.name().starts_with("RemoteVnetToHubPeering"))
    })
}
