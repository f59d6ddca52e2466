//! Where a probe was run: the node of its name, or the node subnet that holds its address.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::kubernetes::Node;
use crate::evidence::network::SubnetProperties;
use crate::evidence::pools::AgentPool;
use crate::evidence::probe::{Probe, Vantage};
use crate::model::cluster::is;
use crate::model::nodes::is_named_after;

/// Where a probe was run.
#[derive(Debug, Default)]
pub struct Place<'e> {
    /// What people call it: the node's name, else what the file says, else its address.
    pub name: String,
    /// The node, where Kubernetes knows one of that name.
    pub node: Option<&'e Node>,
    /// The node subnet.
    pub subnet: Option<&'e ResourceId>,
    /// The pools, or NodePools, that it may belong to.
    pub pools: Vec<String>,
    /// Why its name and its address do not go together.
    pub contradiction: Option<String>,
}

impl Place<'_> {
    /// Whether it is a place that nodes have.
    pub fn is_known(&self) -> bool {
        self.node.is_some() || self.subnet.is_some()
    }

    /// What tells it from other places.
    pub(super) fn key(&self) -> String {
        self.name.to_lowercase()
    }
}

/// The place that a file's name and addresses stand for.
pub(super) fn of<'e>(evidence: &'e Evidence, probe: &Probe) -> Place<'e> {
    let said = probe.host.name.trim();
    let own_view = probe.vantage == Vantage::Node;
    let by_name = if own_view { named(evidence, said) } else { None };
    let owner = if own_view { owner(evidence, &probe.host.addresses) } else { None };
    let node = by_name.or_else(|| owner.filter(|_| said.is_empty()));
    let by_address = holding(evidence, &probe.host.addresses);
    let first = probe.host.addresses.first().map(ToString::to_string);
    let name = node.map(|node| node.name.clone()).or_else(|| Some(said.to_owned()).filter(|name| !name.is_empty()));
    let name = crate::text::bounded(&name.or(first).unwrap_or_else(|| "an unnamed machine".to_owned()), 100);
    let pool = node.and_then(|node| pool_of(evidence, node));
    let of_pool = pool.and_then(|pool| subnet_of(evidence, pool));
    let contradiction = node.and_then(|node| {
        contradicts(evidence, node, of_pool, by_address, &probe.host.addresses).map(|why| format!("node {name}: {why}"))
    });
    let foreign = owner
        .filter(|_| node.is_none())
        .map(|owner| format!("no node is called {name}, and the file gives it the address of node {}", owner.name));
    let contradiction = contradiction.or(foreign);
    let subnet = of_pool.or(by_address);
    let pools = match node {
        Some(node) => [&node.agent_pool, &node.node_pool].into_iter().flatten().cloned().collect(),
        None => pools_in(evidence, subnet, said),
    };
    Place { name, node, subnet, pools, contradiction }
}

/// The node of a name, which may be given with its domain.
fn named<'e>(evidence: &'e Evidence, said: &str) -> Option<&'e Node> {
    let short = said.split('.').next().unwrap_or_default();
    let nodes = evidence.kubernetes.nodes.known()?;
    let real = || nodes.iter().filter(|node| !node.is_virtual);
    real()
        .find(|node| node.name.eq_ignore_ascii_case(said))
        .or_else(|| real().find(|node| !short.is_empty() && node.name.eq_ignore_ascii_case(short)))
}

/// The node that has one of the addresses.
fn owner<'e>(evidence: &'e Evidence, addresses: &[IpAddr]) -> Option<&'e Node> {
    let nodes = evidence.kubernetes.nodes.known()?;
    let has = |node: &&Node| node.addresses.iter().any(|own| addresses.contains(own));
    nodes.iter().filter(|node| !node.is_virtual).find(has)
}

fn pool_of<'e>(evidence: &'e Evidence, node: &Node) -> Option<&'e AgentPool> {
    evidence.pools.agent_pools.known()?.iter().find(|pool| is(node.agent_pool.as_ref(), &pool.name))
}

/// The subnet of a pool: its own, or the only one of the managed network.
fn subnet_of<'e>(evidence: &'e Evidence, pool: &AgentPool) -> Option<&'e ResourceId> {
    let subnets = evidence.node_subnets();
    match &pool.vnet_subnet_id {
        Some(wanted) => subnets.iter().find(|(id, _)| *id == wanted).map(|(id, _)| *id),
        None => match subnets.as_slice() {
            [(only, _)] => Some(only),
            _ => None,
        },
    }
}

/// The node subnet that holds one of the addresses.
fn holding<'e>(evidence: &'e Evidence, addresses: &[IpAddr]) -> Option<&'e ResourceId> {
    let subnets = evidence.node_subnets();
    subnets.into_iter().find(|(_, subnet)| addresses.iter().any(|own| holds(subnet, own))).map(|(id, _)| id)
}

fn holds(subnet: &SubnetProperties, address: &IpAddr) -> bool {
    let prefixes = subnet.address_prefix.iter().chain(&subnet.address_prefixes);
    prefixes.filter_map(|prefix| prefix.parse::<IpNet>().ok()).any(|net| net.contains(address))
}

/// Why the addresses cannot be those of the node.
fn contradicts(
    evidence: &Evidence,
    node: &Node,
    of_pool: Option<&ResourceId>,
    by_address: Option<&ResourceId>,
    addresses: &[IpAddr],
) -> Option<String> {
    let nodes = evidence.kubernetes.nodes.known().into_iter().flatten();
    let other = nodes.filter(|other| other.name != node.name);
    let other = other.into_iter().find(|other| other.addresses.iter().any(|own| addresses.contains(own)));
    if let Some(other) = other {
        return Some(format!("the file gives it the address of node {}", other.name));
    }
    if !node.addresses.is_empty() && !addresses.is_empty() {
        let own = node.addresses.iter().any(|own| addresses.contains(own));
        return (!own).then(|| "none of the addresses in the file is the node's".to_owned());
    }
    match (of_pool, by_address) {
        (Some(pool), Some(other)) if pool != other => {
            Some(format!("its addresses lie in subnet {}, its pool's is {}", other.name(), pool.name()))
        }
        (Some(pool), None) if !addresses.is_empty() => {
            Some(format!("none of its addresses lies in subnet {} of its pool", pool.name()))
        }
        _ => None,
    }
}

/// The pools whose nodes stand in the subnet; of these the one that the name says, where it says one.
fn pools_in(evidence: &Evidence, subnet: Option<&ResourceId>, said: &str) -> Vec<String> {
    let Some(subnet) = subnet else { return Vec::new() };
    let all = evidence.pools.agent_pools.known().into_iter().flatten();
    let own: Vec<&AgentPool> = all.filter(|pool| subnet_of(evidence, pool) == Some(subnet)).collect();
    let named = own.iter().find(|pool| is_named_after(said, pool));
    match named {
        Some(pool) => vec![pool.name.clone()],
        None => own.iter().map(|pool| pool.name.clone()).collect(),
    }
}
