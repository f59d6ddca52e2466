//! Security groups and routes on the ways that nodes need: to the registry, to the API server, to DNS servers and to
//! each other, evaluated as far as they can be decided.

pub mod rules;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::endpoints::{self, Candidate, Reach};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{PrivateEndpoint, SecurityGroup, SubnetProperties, VirtualNetwork};
use crate::evidence::{Evidence, Fact, Gap, Reason};
use crate::model::cluster::is;
use rules::{End, Flow, Place, Protocol, denied};

/// What stands in the way.
pub struct Block {
    /// The security group or route table.
    pub id: ResourceId,
    /// Its rule or route by name, or what tells it apart where the answer has none.
    pub rule: String,
    /// Whether that is a name.
    pub is_named: bool,
    /// `Outbound` at the nodes, `Inbound` at the other end; none for a route.
    pub direction: Option<&'static str>,
    /// The priority of a rule that could stand before the one that denies: free, and the nearest; none where there is
    /// none.
    pub room: Option<u32>,
    /// The connection that it stops.
    pub protocol: Protocol,
    pub port: u16,
}

/// What nodes must reach, over TCP.
pub struct Target {
    pub nets: Vec<IpNet>,
    pub ports: &'static [u16],
    /// The security group that guards it, or why that is not known.
    pub guard: Result<Option<ResourceId>, Gap>,
}

impl Target {
    /// A private endpoint with its addresses.
    pub fn endpoint(evidence: &Evidence, endpoint: &PrivateEndpoint, addresses: &BTreeSet<IpAddr>) -> Self {
        let nets = addresses.iter().copied().map(IpNet::from).collect();
        Self { nets, ports: &[443], guard: guard(evidence, endpoint) }
    }
}

/// Looks for a denial between any node subnet and addresses of a private endpoint of the registry.
///
/// # Errors
/// The gaps, where a security group or route table could not be read.
pub fn blocked(
    evidence: &Evidence,
    candidate: &Candidate<'_>,
    addresses: &BTreeSet<IpAddr>,
) -> Result<Option<Block>, Vec<Gap>> {
    to_target(evidence, &Target::endpoint(evidence, candidate.endpoint, addresses))
}

/// Looks for a denial between any node subnet and what nodes must reach: each of its addresses is needed.
///
/// # Errors
/// The gaps, where a security group or route table could not be read.
pub fn to_target(evidence: &Evidence, target: &Target) -> Result<Option<Block>, Vec<Gap>> {
    let (nodes, _) = evidence.node_networks();
    let mut gaps: Vec<Gap> = nodes.iter().filter_map(|id| evidence.network(id).gap().cloned()).collect();
    let nets = target.nets.iter().map(|net| vec![*net]);
    let nets: Vec<Vec<IpNet>> = if target.nets.is_empty() { vec![Vec::new()] } else { nets.collect() };
    let ends = || target.ports.iter().flat_map(|port| nets.iter().map(move |nets| (*port, nets)));
    for (id, subnet) in evidence.node_subnets() {
        for (port, nets) in ends() {
            let from = End { nets: prefixes(subnet), place: Place::Network };
            let to = End { nets: nets.clone(), place: Place::Network };
            let flow = Flow { from, to, protocol: Protocol::Tcp, port };
            let guarded = || match target.guard.clone()? {
                Some(id) => Ok(denied(group(evidence, &id)?, "Inbound", &flow)),
                None => Ok(None),
            };
            for check in [outbound(evidence, subnet, &flow), dropped(evidence, id, subnet, &flow), guarded()] {
                match check {
                    Ok(Some(block)) => return Ok(Some(block)),
                    Ok(None) => {}
                    Err(gap) => gaps.push(gap),
                }
            }
        }
    }
    if gaps.is_empty() { Ok(None) } else { Err(gaps) }
}

/// The endpoints over which nodes reach the registry.
fn serving(evidence: &Evidence) -> Vec<&PrivateEndpoint> {
    let Some(registry) = evidence.known_registry() else { return Vec::new() };
    let candidates = endpoints::candidates(evidence, registry);
    candidates.iter().filter(|candidate| candidate.reach == Reach::Serves).map(|candidate| candidate.endpoint).collect()
}

/// The security groups that guard the subnets of serving endpoints, where those enforce them.
pub fn endpoint_security_groups(evidence: &Evidence) -> BTreeSet<ResourceId> {
    serving(evidence).into_iter().filter_map(|endpoint| guard(evidence, endpoint).ok()?).collect()
}

/// The networks of serving endpoints that nobody has read yet: a hub's.
pub fn unread_endpoint_networks(evidence: &Evidence) -> BTreeSet<ResourceId> {
    let networks = serving(evidence).into_iter().filter_map(|endpoint| subnet_of(endpoint)?.up_to("virtualNetworks"));
    networks.filter(|id| evidence.network(id).gap().is_some_and(|gap| gap.reason == Reason::NotCollected)).collect()
}

fn subnet_of(endpoint: &PrivateEndpoint) -> Option<&ResourceId> {
    endpoint.properties.subnet.as_ref()?.id.as_ref()
}

/// The security group that an endpoint's subnet enforces on it.
///
/// # Errors
/// The gap, where the endpoint's network could not be read.
pub fn guard(evidence: &Evidence, endpoint: &PrivateEndpoint) -> Result<Option<ResourceId>, Gap> {
    let Some(id) = subnet_of(endpoint) else { return Ok(None) };
    let Some(subnet) = evidence.subnet(id) else {
        let network = id.up_to("virtualNetworks");
        // Nobody asked, as in an older snapshot; or ARM knows no such network, which then guards nothing.
        let silent = [Reason::NotCollected, Reason::NotFound];
        let gap = network.and_then(|id| evidence.network(&id).gap().cloned());
        let gap = gap.filter(|gap| !silent.contains(&gap.reason));
        return gap.map_or(Ok(None), |gap| Err(gap.about("the network of the registry's private endpoint")));
    };
    let policies = subnet.private_endpoint_network_policies.as_deref().unwrap_or("Disabled");
    let enforced = ["Enabled", "NetworkSecurityGroupEnabled"].iter().any(|word| word.eq_ignore_ascii_case(policies));
    let group = subnet.network_security_group.as_ref().and_then(|group| group.id.clone());
    Ok(group.filter(|_| enforced))
}

/// The addresses of a subnet.
pub fn prefixes(subnet: &SubnetProperties) -> Vec<IpNet> {
    let all = subnet.address_prefix.iter().chain(&subnet.address_prefixes);
    let mut prefixes: Vec<IpNet> = all.filter_map(|prefix| prefix.parse().ok()).collect();
    prefixes.sort();
    prefixes.dedup();
    prefixes
}

/// A security group that was read.
///
/// # Errors
/// The gap, where it could not be.
pub fn group<'e>(evidence: &'e Evidence, id: &ResourceId) -> Result<&'e SecurityGroup, Gap> {
    match evidence.network.security_groups.get(id) {
        Some(Fact::Known(group)) => Ok(group),
        Some(Fact::Missing(gap)) => Err(gap.clone()),
        None => Err(Gap::not_collected().about("a network security group")),
    }
}

/// The outbound rule of a subnet's security group that stops a connection.
///
/// # Errors
/// The gap, where the group could not be read.
pub fn outbound(evidence: &Evidence, subnet: &SubnetProperties, flow: &Flow) -> Result<Option<Block>, Gap> {
    let id = subnet.network_security_group.as_ref().and_then(|group| group.id.as_ref());
    Ok(match id {
        Some(id) => denied(group(evidence, id)?, "Outbound", flow),
        None => None,
    })
}

/// A None route of a subnet that drops a connection: the longest prefix that covers the other end. The network's own
/// addresses and those of its peers are routes too.
///
/// # Errors
/// The gap, where the route table could not be read.
pub fn dropped(
    evidence: &Evidence,
    id: &ResourceId,
    subnet: &SubnetProperties,
    flow: &Flow,
) -> Result<Option<Block>, Gap> {
    let Some(table) = evidence.route_table(subnet)? else { return Ok(None) };
    let network = id.up_to("virtualNetworks").unwrap_or_else(|| id.clone());
    let direct = system_prefixes(evidence, &network, &flow.to.nets);
    let routes = table.properties.routes.iter().filter_map(|route| {
        let prefix = route.properties.address_prefix.as_deref()?.parse::<IpNet>().ok()?;
        Some((prefix, route))
    });
    let routes: Vec<_> = routes.collect();
    let black_hole = flow.to.nets.iter().find_map(|net| {
        let covering = routes.iter().filter(|(prefix, _)| prefix.contains(net));
        let (prefix, route) = covering.max_by_key(|(prefix, _)| prefix.prefix_len())?;
        // Of two routes of one length the operator's own wins.
        let passed = direct.iter().any(|own| own.contains(net) && own.prefix_len() > prefix.prefix_len());
        (!passed && is(route.properties.next_hop_type.as_ref(), "None")).then_some((prefix, route))
    });
    Ok(black_hole.map(|(prefix, route)| Block {
        id: table.id.clone(),
        rule: route.name().map_or_else(|| format!("for {prefix}"), str::to_owned),
        is_named: route.name().is_some(),
        direction: None,
        room: None,
        protocol: flow.protocol,
        port: flow.port,
    }))
}

/// What Azure itself routes from a network: its own addresses, and those of connected peers. Where an address space
/// cannot be read, the subnets' prefixes stand for it: these are at least as long.
fn system_prefixes(evidence: &Evidence, network: &ResourceId, targets: &[IpNet]) -> Vec<IpNet> {
    let Fact::Known(own) = evidence.network(network) else { return Vec::new() };
    let mut prefixes = addresses_of(own);
    for peering in own.properties.virtual_network_peerings.iter().map(|peering| &peering.properties) {
        if !peering.connects() {
            continue;
        }
        match (&peering.remote_address_space, peering.remote_id().map(|remote| evidence.network(remote))) {
            (Some(space), _) => prefixes.extend(parsed(&space.address_prefixes)),
            (None, Some(Fact::Known(remote))) => prefixes.extend(addresses_of(remote)),
            // Whatever it is, it is longer than a default route.
            _ => prefixes.extend(targets.iter().filter_map(|net| IpNet::new(net.addr(), 1).ok())),
        }
    }
    prefixes
}

/// A network's own address space.
fn addresses_of(network: &VirtualNetwork) -> Vec<IpNet> {
    match &network.properties.address_space {
        Some(space) => parsed(&space.address_prefixes),
        None => network.properties.subnets.iter().flat_map(|subnet| prefixes(&subnet.properties)).collect(),
    }
}

fn parsed(prefixes: &[String]) -> Vec<IpNet> {
    prefixes.iter().filter_map(|prefix| prefix.parse().ok()).collect()
}

/// The prefixes that a network reaches without a route of the operator's own.
pub fn system_routes(network: &VirtualNetwork) -> Vec<IpNet> {
    let own = network.properties.address_space.iter();
    let peerings = network.properties.virtual_network_peerings.iter().map(|peering| &peering.properties);
    let peers =
        peerings.filter(|peering| peering.connects()).filter_map(|peering| peering.remote_address_space.as_ref());
    let spaces = own.chain(peers).flat_map(|space| &space.address_prefixes);
    spaces.filter_map(|prefix| prefix.parse().ok()).collect()
}
