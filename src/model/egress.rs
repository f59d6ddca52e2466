//! Egress paths of the operator's own, which the outbound type does not show: a proxy, a NAT gateway, a default route, a
//! virtual WAN.

use ipnet::IpNet;

use crate::evidence::id::ResourceId;
use crate::evidence::network::{RouteTable, SubnetProperties, VirtualNetwork};
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
        match own_default_route(evidence, subnet) {
            Ok(routed) => found |= routed,
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
    Ok(evidence.route_table(subnet)?.is_some_and(has_default_route))
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
    let to_internet = table.properties.routes.iter().find(|route| {
        let prefix = route.properties.address_prefix.as_deref().and_then(|prefix| prefix.parse::<IpNet>().ok());
        let open = is(route.properties.next_hop_type.as_ref(), "Internet");
        open && prefix.is_some_and(|net| net.prefix_len() == 0)
    });
    Ok(to_internet.map(|route| {
        let name = route.id.as_ref().map_or("?", ResourceId::name).to_owned();
        OwnWay::InternetRoute(table, name)
    }))
}

fn has_default_route(table: &RouteTable) -> bool {
    let prefixes = table.properties.routes.iter().filter_map(|route| route.properties.address_prefix.as_deref());
    prefixes.filter_map(|prefix| prefix.parse::<IpNet>().ok()).any(|net| net.prefix_len() == 0)
}

/// A spoke of a virtual WAN shows a peering to a network that Microsoft hides.
pub fn behind_virtual_wan(network: &VirtualNetwork) -> bool {
    network.properties.virtual_network_peerings.iter().any(|peering| {
        peering.properties.remote_id().is_some_and(|remote| remote.name().starts_with("HV_"))
            || peering.id.as_ref().is_some_and(|id| id.name().starts_with("RemoteVnetToHubPeering"))
    })
}
