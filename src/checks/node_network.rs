//! What nodes need of their own network: DNS servers, each other, and addresses for one surge more.

use std::net::IpAddr;

use ipnet::IpNet;

use super::barrier::{Barred, Barrier};
use super::check::Check;
use super::command::Command;
use super::finding::{Finding, Observation, RemediationKind, Subject};
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, remedy};
use super::rule::{GateRole, Rule, RuleSet, Severity};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{SecurityGroup, SubnetProperties, VirtualNetwork};
use crate::evidence::{Evidence, Gap, Section};
use crate::model::addresses::{Room, rooms, speaks_of_addresses};
use crate::model::cluster::is;
use crate::model::networks::own_servers;
use crate::model::nodes::messages;
use crate::model::paths::rules::{End, Flow, Place, Protocol, denied};
use crate::model::paths::{self, Block};

pub const DNS_BLOCKED: Rule =
    Rule::error("dns-path-blocked", "A security group or route blocks the nodes from their DNS servers")
        .breaking_pulls();
pub const NODES_BLOCKED: Rule =
    Rule::error("node-to-node-blocked", "A security group stops traffic between the nodes, or to their pods");
pub const SUBNET_FULL: Rule =
    Rule::warning("subnet-full", "A subnet has no room for one surge of nodes").gate(GateRole::Reimage);

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "node-network",
        title: "What nodes need of their own network",
        doc: include_str!("node-network.md"),
        rules: &[&DNS_BLOCKED, &NODES_BLOCKED, &SUBNET_FULL],
    },
    needs: &[Section::AgentPools, Section::VirtualNetworks, Section::SecurityGroups, Section::RouteTables],
    run,
};

const DOCS: &str = "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress";
const DOCS_DNS: &str =
    "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview#azure-platform-considerations";
const DOCS_FULL: &str =
    "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/subnetisfull-error";

/// Connections that stand for all between nodes and pods: the kubelet, a service, and cluster DNS. Rules that only stop
/// a port such as SSH stop none of them.
const SAMPLES: [(Protocol, u16); 3] = [(Protocol::Tcp, 10_250), (Protocol::Tcp, 443), (Protocol::Udp, 53)];

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    judge.is_isolated_or_cached()?;
    let evidence = judge.evidence;
    judge.know(&evidence.pools.agent_pools, "the node pools");
    judge.node_networks();
    for (id, subnet) in evidence.node_subnets() {
        match dns(evidence, id, subnet) {
            Ok(finding) => finding.into_iter().for_each(|finding| judge.report(finding)),
            Err(gap) => judge.note(gap),
        }
        match node_to_node(evidence, id, subnet) {
            Ok(finding) => finding.into_iter().for_each(|finding| judge.report(finding)),
            Err(gap) => judge.note(gap),
        }
    }
    for room in rooms(evidence).into_iter().filter(|room| !room.suffices()) {
        judge.report(subnet_full(evidence, &room));
    }
    Ok(())
}

fn on_subnet(rule: &'static Rule, id: &ResourceId, barrier: Barrier) -> Finding {
    let Barrier { detail, seen, remediation } = barrier;
    let subject = Subject::new("Microsoft.Network/virtualNetworks/subnets", id);
    Finding::new(rule, subject, detail).seen(vec![seen]).with_remediation(remediation)
}

/// Port 53 to the DNS servers of the network. Azure's own resolver is touched by rules with its tag alone.
fn dns(evidence: &Evidence, id: &ResourceId, subnet: &SubnetProperties) -> Result<Option<Finding>, Gap> {
    let Some(network) = id.up_to("virtualNetworks").and_then(|id| evidence.network(&id).known().copied()) else {
        return Ok(None);
    };
    let from = End { nets: paths::prefixes(subnet), place: Place::Network };
    let flow = |to| Flow { from: from.clone(), to, protocol: Protocol::Udp, port: 53 };
    let servers: Vec<IpAddr> = own_servers(network).into_iter().filter_map(|server| server.parse().ok()).collect();
    if servers.is_empty() {
        let block = paths::outbound(evidence, subnet, &flow(End::platform_dns()))?;
        return Ok(block.map(|block| dns_blocked(id, &block, "Azure's DNS", "AzurePlatformDNS")));
    }
    let mut blocks = Vec::new();
    for server in &servers {
        let flow = flow(End::host(*server, place(network, *server)));
        let block = paths::outbound(evidence, subnet, &flow)?;
        blocks.extend(match block {
            Some(block) => Some((server, block)),
            None => paths::dropped(evidence, id, subnet, &flow)?.map(|block| (server, block)),
        });
    }
    let Some((_, first)) = blocks.first() else { return Ok(None) };
    let stopped = blocks.iter().map(|(server, _)| server.to_string()).collect::<Vec<_>>();
    let some = if stopped.len() < servers.len() { "some of " } else { "" };
    let what = format!("{some}the network's DNS servers ({})", stopped.join(", "));
    let finding = dns_blocked(id, first, &what, &stopped.join(" "));
    // Queries that go to a server that is left alone are answered, late.
    Ok(Some(if blocks.len() < servers.len() { finding.with_severity(Severity::Warning) } else { finding }))
}

/// Where a DNS server stands: whether the tags of the network mean it too.
fn place(network: &VirtualNetwork, server: IpAddr) -> Place {
    let near = paths::system_routes(network).iter().any(|net| net.contains(&server));
    if near { Place::Network } else { Place::Elsewhere }
}

fn dns_blocked(id: &ResourceId, block: &Block, what: &str, to: &str) -> Finding {
    let barred = Barred {
        between: format!("subnet {} and {what}", id.name()),
        from: "VirtualNetwork".to_owned(),
        to: to.to_owned(),
        allow: "port 53 over UDP and TCP".to_owned(),
        docs: DOCS_DNS,
    };
    let mut barrier = barred.by(block);
    barrier.detail.push_str(" What its nodes ask there is not answered.");
    on_subnet(&DNS_BLOCKED, id, barrier)
}

/// Traffic within the subnet, and between it and the pods that have addresses of their own.
fn node_to_node(evidence: &Evidence, id: &ResourceId, subnet: &SubnetProperties) -> Result<Option<Finding>, Gap> {
    let Some(group) = subnet.network_security_group.as_ref().and_then(|group| group.id.as_ref()) else {
        return Ok(None);
    };
    let group = paths::group(evidence, group)?;
    let nodes = paths::prefixes(subnet);
    let named = format!("the nodes of subnet {}", id.name());
    let mut ways = vec![(nodes.clone(), Place::Network, nodes.clone(), Place::Network, named.clone())];
    for (pods, place) in pods(evidence, id) {
        ways.push((nodes.clone(), Place::Network, pods.clone(), place, format!("{named} and their pods")));
        ways.push((pods.clone(), place, nodes.clone(), Place::Network, format!("the pods and {named}")));
        ways.push((pods.clone(), place, pods, place, format!("the pods of {named}")));
    }
    for (from, from_place, to, to_place, between) in &ways {
        for direction in ["Outbound", "Inbound"] {
            let stops = |(protocol, port): (Protocol, u16)| {
                stopped(group, direction, &ends(from, *from_place), &ends(to, *to_place), protocol, port)
            };
            if let Some(block) = SAMPLES.into_iter().find_map(stops) {
                return Ok(Some(nodes_blocked(id, &block, between, from, to)));
            }
        }
    }
    Ok(None)
}

/// The rule that stops a connection between all of these ends; one that only stops some is aimed at something else.
fn stopped(
    group: &SecurityGroup,
    direction: &'static str,
    from: &[End],
    to: &[End],
    protocol: Protocol,
    port: u16,
) -> Option<Block> {
    let mut first = None;
    for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (from, to))) {
        let flow = Flow { from: from.clone(), to: to.clone(), protocol, port };
        let block = denied(group, direction, &flow)?;
        first = first.or(Some(block));
    }
    first
}

/// Some addresses of a range, which stand for all of it: at a quarter, a half and three quarters.
fn ends(nets: &[IpNet], place: Place) -> Vec<End> {
    let inside = |net: &IpNet| match net {
        IpNet::V4(net) => {
            let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
            let quarter = (last - first) / 4;
            [1, 2, 3].map(|part| IpAddr::V4((first + part * quarter).into())).to_vec()
        }
        IpNet::V6(net) => vec![IpAddr::V6(net.network())],
    };
    nets.iter().flat_map(inside).map(|address| End::host(address, place)).collect()
}

/// The addresses that pods have of their own: those of an overlay, and those of a pod subnet of this subnet's pools.
fn pods(evidence: &Evidence, subnet: &ResourceId) -> Vec<(Vec<IpNet>, Place)> {
    let profile = evidence.cluster.properties.network_profile.as_ref();
    let overlay = profile.filter(|profile| is(profile.network_plugin_mode.as_ref(), "overlay"));
    let cidr = overlay.and_then(|profile| profile.pod_cidr.as_deref()?.parse::<IpNet>().ok());
    // Whether the tag VirtualNetwork means an overlay's addresses is documented nowhere.
    let mut all: Vec<(Vec<IpNet>, Place)> = cidr.into_iter().map(|net| (vec![net], Place::Elsewhere)).collect();
    let pools = evidence.pools.agent_pools.known().into_iter().flatten();
    let own = pools.filter(|pool| pool.vnet_subnet_id.as_ref() == Some(subnet));
    let mut subnets: Vec<&ResourceId> = own.filter_map(|pool| pool.pod_subnet_id.as_ref()).collect();
    subnets.sort();
    subnets.dedup();
    let known = subnets.into_iter().filter_map(|id| evidence.subnet(id));
    all.extend(known.map(|subnet| (paths::prefixes(subnet), Place::Network)));
    all
}

fn nodes_blocked(id: &ResourceId, block: &Block, between: &str, from: &[IpNet], to: &[IpNet]) -> Finding {
    let listed = |nets: &[IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let barred = Barred {
        between: format!("{between} ({} to {})", listed(from), listed(to)),
        from: listed(from),
        to: listed(to),
        allow: "any protocol and port".to_owned(),
        docs: DOCS,
    };
    on_subnet(&NODES_BLOCKED, id, barred.by(block))
}

/// A pool that failed because a subnet had no addresses left.
fn failed_for_addresses(evidence: &Evidence, subnet: &ResourceId) -> bool {
    let pools = evidence.pools.agent_pools.known().into_iter().flatten();
    let mut own = pools
        .filter(|pool| [&pool.vnet_subnet_id, &pool.pod_subnet_id].into_iter().any(|id| id.as_ref() == Some(subnet)));
    own.any(|pool| {
        let error = pool.status.as_ref().and_then(|status| status.provisioning_error.as_ref());
        error.is_some_and(|error| messages(error).iter().any(|said| speaks_of_addresses(said)))
    })
}

fn subnet_full(evidence: &Evidence, room: &Room<'_>) -> Finding {
    let Room { subnet, free, used, pool, needed, surge, max_surge } = room;
    let network = subnet.up_to("virtualNetworks").unwrap_or_default();
    let said =
        max_surge.map_or_else(|| "max surge not set: at least 1 node".to_owned(), |said| format!("max surge {said}"));
    let detail = format!(
        "Subnet {} has {free} free addresses; one surge of pool {pool} needs {needed} ({said}): a reimage, an upgrade \
         or a scale-out finds none.",
        subnet.name()
    );
    let show = Command::new("az network vnet subnet show").with("-g", subnet.resource_group().unwrap_or_default());
    let show = show.with("--vnet-name", network.name()).with("-n", subnet.name());
    let show = remedy::in_subscription(show.with("--query", "length(ipConfigurations)"), subnet);
    let summary = format!(
        "Free addresses of subnet {} (remove other resources from it, or scale a pool in), add an address prefix to \
         it, or move pool {pool} to a larger subnet: add a pool there, drain this one, delete it. A surge of 0 with \
         max unavailable 1 needs no address, and takes nodes away while they are reimaged.",
        subnet.name()
    );
    let path = format!("properties.subnets[{}].properties.ipConfigurations", subnet.name());
    let finding = Finding::new(&SUBNET_FULL, Subject::new("Microsoft.Network/virtualNetworks/subnets", subnet), detail)
        .seen(vec![
            Observation::new(format!("GET {network}"), path, format!("{used} in use")),
            Observation::new(
                evidence.cluster.source(),
                format!("properties.agentPoolProfiles[{pool}].upgradeSettings.maxSurge"),
                max_surge.map_or_else(|| format!("(unset); {surge}"), ToString::to_string),
            ),
        ])
        .with_remediation(remedy(RemediationKind::Investigate, summary, vec![show], DOCS_FULL));
    if failed_for_addresses(evidence, subnet) { finding.with_severity(Severity::Error) } else { finding }
}
