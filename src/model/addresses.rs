//! How many addresses of a subnet are free, and how many a surge of a pool needs.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::paths::prefixes;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::network::SubnetProperties;
use crate::evidence::pools::AgentPool;
use crate::model::cluster::is;

/// Addresses that Azure keeps of every subnet
/// (<https://learn.microsoft.com/azure/virtual-network/virtual-networks-faq>).
const RESERVED: u64 = 5;
/// Addresses that a node takes from a pod subnet at a time
/// (<https://learn.microsoft.com/azure/aks/configure-azure-cni-dynamic-ip-allocation>).
const BATCH: u64 = 16;

/// What is known of the addresses of one subnet.
#[derive(Debug, Clone)]
pub struct Room<'e> {
    pub subnet: &'e ResourceId,
    /// No more than this are free.
    pub free: u64,
    /// In use: what Azure lists, or what the pools take at least.
    pub used: u64,
    /// The pool whose surge needs most, and how much that is.
    pub pool: &'e str,
    pub needed: u64,
    /// Its surge, in nodes.
    pub surge: u64,
    /// What the pool says of its surge.
    pub max_surge: Option<&'e str>,
}

impl Room<'_> {
    /// Whether a surge of the pool finds room.
    pub fn suffices(&self) -> bool {
        self.free >= self.needed
    }
}

/// What a pool takes of a subnet.
struct Taking<'e> {
    pool: &'e AgentPool,
    /// For each of its nodes.
    per_node: u64,
}

/// The subnets of nodes and pods, as far as their networks were read.
pub fn rooms(evidence: &Evidence) -> Vec<Room<'_>> {
    let mut takers: BTreeMap<&ResourceId, Vec<Taking<'_>>> = BTreeMap::new();
    for pool in evidence.pools.agent_pools.known().into_iter().flatten() {
        if let Some(subnet) = &pool.vnet_subnet_id {
            takers.entry(subnet).or_default().push(Taking { pool, per_node: per_node(evidence, pool) });
        }
        if let Some(subnet) = &pool.pod_subnet_id {
            takers.entry(subnet).or_default().push(Taking { pool, per_node: BATCH });
        }
    }
    takers.into_iter().filter_map(|(id, pools)| room(id, evidence.subnet(id)?, &pools)).collect()
}

fn room<'e>(subnet: &'e ResourceId, properties: &SubnetProperties, pools: &[Taking<'e>]) -> Option<Room<'e>> {
    let v4: Vec<IpNet> = prefixes(properties).into_iter().filter(|net| net.addr().is_ipv4()).collect();
    let sizes = v4.iter().map(|net| 1_u64 << (32 - net.prefix_len()));
    let total: u64 = sizes.map(|size| size.saturating_sub(RESERVED)).sum();
    let taken: u64 = pools.iter().map(|taking| nodes(taking.pool) * taking.per_node).sum();
    let used = properties.ip_configurations.unwrap_or(taken);
    let needs = pools.iter().filter_map(|taking| Some((taking, surge(taking.pool)?)));
    let (largest, surge) = needs.max_by_key(|(taking, surge)| surge * taking.per_node)?;
    (!v4.is_empty()).then(|| Room {
        subnet,
        free: total.saturating_sub(used),
        used,
        pool: &largest.pool.name,
        needed: surge * largest.per_node,
        surge,
        max_surge: said(largest.pool),
    })
}

/// With addresses of pods in the node subnet a node takes one for each of them too, as far as the pool says how many.
fn per_node(evidence: &Evidence, pool: &AgentPool) -> u64 {
    let profile = evidence.cluster.properties.network_profile.as_ref();
    let flat = profile.is_some_and(|profile| {
        is(profile.network_plugin.as_ref(), "azure") && !is(profile.network_plugin_mode.as_ref(), "overlay")
    });
    let own_cidr = profile.is_some_and(|profile| profile.pod_cidr.is_some());
    let pods = if flat && !own_cidr && pool.pod_subnet_id.is_none() { pool.max_pods } else { None };
    1 + pods.map_or(0, u64::from)
}

fn nodes(pool: &AgentPool) -> u64 {
    if pool.stopped() { 0 } else { pool.count.map_or(0, u64::from) }
}

fn said(pool: &AgentPool) -> Option<&str> {
    pool.upgrade_settings.as_ref()?.max_surge.as_deref()
}

/// The nodes that an upgrade or reimage adds. `None` where it adds none: no nodes, or a surge of zero. Pages disagree
/// about the default (1, 10 %): the smaller one is taken.
fn surge(pool: &AgentPool) -> Option<u64> {
    let nodes = nodes(pool);
    let surge = match said(pool).map(str::trim) {
        None => 1,
        Some(text) => match text.strip_suffix('%') {
            Some(percent) => (nodes * percent.trim().parse::<u64>().unwrap_or_default().min(100)).div_ceil(100),
            None => text.parse().unwrap_or(1),
        },
    };
    Some(surge.min(nodes)).filter(|surge| *surge > 0)
}

/// Whether a message says that a subnet has no addresses left.
pub fn speaks_of_addresses(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "subnetisfull",
        "insufficientsubnetsize",
        "does not have enough capacity for",
        "enough available ip address",
        "exceeds ips available",
        "not enough ip address",
        "no more ip address",
        "insufficient ip address",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(count: u32, max_surge: Option<&str>) -> AgentPool {
        let settings = serde_json::json!({ "name": "p", "count": count, "upgradeSettings": { "maxSurge": max_surge } });
        serde_json::from_value(settings).expect("a pool")
    }

    #[test]
    fn a_surge_is_what_the_pool_says() {
        assert_eq!(surge(&pool(10, Some("33%"))), Some(4));
        assert_eq!(surge(&pool(10, Some("3"))), Some(3));
        assert_eq!(surge(&pool(2, Some("50"))), Some(2));
        assert_eq!(surge(&pool(10, None)), Some(1));
        assert_eq!((surge(&pool(10, Some("0"))), surge(&pool(0, Some("1")))), (None, None));
    }

    #[test]
    fn messages_about_addresses_are_known() {
        assert!(speaks_of_addresses("SubnetIsFull: Subnet nodes with address prefix 10.0.0.0/28 does not have enough"));
        assert!(!speaks_of_addresses("AllocationFailed: no capacity in the zone"));
    }
}
