//! The way to a private API server: do the nodes resolve its name, and does anything on the way stop them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::barrier::{Barred, Barrier};
use super::check::Check;
use super::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use super::judge::{Judge, NotApplicable};
use super::open::Question;
use super::remedy::dns::LOCAL_DNS;
use super::remedy::{self, remedy};
use super::rule::{Rule, RuleSet, Severity};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{VirtualNetwork, ZoneFacts};
use crate::evidence::{Evidence, Gap, Reason, Section};
use crate::model::api_server::{self, Access, PrivateName};
use crate::model::networks::own_servers;
use crate::model::paths::{self, Block, Target};
use crate::model::zones::{Zone, Zones};

pub const ZONE_MISSING: Rule =
    Rule::error("api-server-zone-missing", "The API server's private DNS zone does not exist");
pub const NOT_LINKED: Rule =
    Rule::error("api-server-zone-not-linked", "The API server's private DNS zone does not answer the nodes");
pub const RECORD_MISSING: Rule =
    Rule::error("api-server-record-missing", "The API server's private name has no address in its zone");
pub const RECORD_MISMATCH: Rule = Rule::error(
    "api-server-record-mismatch",
    "The API server's private name points to an address that is not its endpoint's",
);
pub const PATH_BLOCKED: Rule = Rule::error(
    "api-server-path-blocked",
    "A security group or route blocks the path from the nodes to the API server",
);

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "api-server",
        title: "The path to the API server",
        doc: include_str!("api-server.md"),
        rules: &[&ZONE_MISSING, &NOT_LINKED, &RECORD_MISSING, &RECORD_MISMATCH, &PATH_BLOCKED],
    },
    needs: &[
        Section::AgentPools,
        Section::ApiServer,
        Section::VirtualNetworks,
        Section::PrivateDns,
        Section::SecurityGroups,
        Section::RouteTables,
    ],
    run,
};

const DOCS: &str = "https://learn.microsoft.com/azure/aks/private-clusters";
const DOCS_INTEGRATION: &str = "https://learn.microsoft.com/azure/aks/api-server-vnet-integration";

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    judge.is_isolated_or_cached()?;
    let evidence = judge.evidence;
    if evidence.stopped() {
        return Err(NotApplicable("the cluster is stopped".to_owned()));
    }
    let access = api_server::access(evidence);
    if access == Access::Public {
        return Err(NotApplicable("the nodes reach the API server over a public address".to_owned()));
    }
    judge.know(&evidence.pools.agent_pools, "the node pools");
    judge.node_networks();
    match &access {
        Access::PrivateLink(Some(name)) => private_name(judge, name),
        Access::PrivateLink(None) if api_server::names_a_zone(evidence) => {
            judge.note(Gap::new(Reason::Malformed, "the cluster names no private host name of its API server"));
        }
        _ => {}
    }
    path(judge, &access);
    Ok(())
}

/// The zone, its links and the record of the private name.
fn private_name(judge: &mut Judge<'_>, name: &PrivateName) {
    let evidence = judge.evidence;
    let Some((id, facts)) = evidence.api_server.dns_zones.get_key_value(&name.zone) else {
        judge.note(Gap::not_collected().about("the API server's private DNS zone"));
        return;
    };
    let (networks, _) = evidence.node_networks();
    let all: Vec<Question> = networks.iter().cloned().map(Question::ApiServerName).collect();
    match judge.know_until(&facts.zone, "the API server's private DNS zone", &all) {
        Some(Some(_)) => {}
        Some(None) => return judge.report(zone_missing(evidence, name)),
        None => return,
    }
    if judge.know_until(&facts.links, "the links of the API server's zone", &all).is_none() {
        return record(judge, name, id, facts, &all);
    }
    let zones = api_server::zones(evidence, name);
    let mut unlinked = BTreeSet::new();
    for node in networks.iter().filter_map(|id| evidence.network(id).known().copied()) {
        match answered(evidence, &zones, node) {
            Ok(wanting) => unlinked.extend(wanting),
            Err(gaps) => {
                let question = Question::ApiServerName(node.id.clone());
                gaps.into_iter().for_each(|gap| judge.note_until(gap, std::slice::from_ref(&question)));
            }
        }
    }
    if unlinked.is_empty() {
        record(judge, name, id, facts, &all);
    } else {
        judge.report(not_linked(evidence, name, Zone { id, facts }, &unlinked));
    }
}

/// The networks that the zone should be linked to, for the nodes of this one to be answered, and is not.
fn answered(evidence: &Evidence, zones: &Zones<'_>, node: &VirtualNetwork) -> Result<Vec<ResourceId>, Vec<Gap>> {
    let servers = own_servers(node);
    let askers: Vec<ResourceId> = if servers.is_empty() {
        if !zones.linked_to(&node.id).is_empty() {
            return Ok(Vec::new());
        }
        vec![node.id.clone()]
    } else {
        let sites = zones.networks_of(&servers, node, evidence);
        let homes = servers.iter().map(|server| api_server::network_of_server(evidence, node, server));
        let homes: Vec<Option<&ResourceId>> = homes.collect();
        if sites.unplaced.len() < servers.len() || homes.contains(&None) {
            let sure = sites.unplaced.is_empty() && sites.near;
            return if sure { Ok(Vec::new()) } else { Err(unplaced(node, &servers, sites.gaps)) };
        }
        homes.into_iter().flatten().cloned().collect()
    };
    let gaps: Vec<Gap> = askers.iter().flat_map(|network| zones.forwarded_surely(network)).collect();
    if gaps.is_empty() { Ok(askers) } else { Err(gaps) }
}

fn unplaced(node: &VirtualNetwork, servers: &[&str], unread: Vec<Gap>) -> Vec<Gap> {
    if !unread.is_empty() {
        return unread;
    }
    let detail = format!(
        "network {} sends its queries to {}: whether they answer for the API server's zone cannot be seen",
        node.id.name(),
        servers.join(", ")
    );
    vec![Gap::new(Reason::NotVisible, detail)]
}

/// The record of the private name, and whether it leads to AKS' endpoint.
fn record(judge: &mut Judge<'_>, name: &PrivateName, id: &ResourceId, facts: &ZoneFacts, all: &[Question]) {
    let evidence = judge.evidence;
    let zone = Zone { id, facts };
    let Some(label) = name.record(&zone) else {
        let detail = format!("zone {} cannot hold the API server's private name {}", id.name(), name.name);
        return judge.note(Gap::new(Reason::Malformed, detail));
    };
    if let Some(gap) = facts.records.gap() {
        return judge.note_until(gap.clone().about("the A records of the API server's zone"), all);
    }
    let found = zone.addresses_at(&label);
    if found.is_empty() {
        return judge.report(record_missing(evidence, name, &label));
    }
    let wanted = endpoint_addresses(judge);
    let wrong: Vec<IpAddr> = found.difference(&wanted).copied().collect();
    if wanted.is_empty() || wrong.is_empty() {
        return;
    }
    let finding = record_mismatch(evidence, name, &label, &wrong, &wanted);
    judge.report(if wrong.len() < found.len() { finding.with_severity(Severity::Warning) } else { finding });
}

/// The addresses of AKS' endpoint; empty where a gap was noted.
pub(super) fn endpoint_addresses(judge: &mut Judge<'_>) -> BTreeSet<IpAddr> {
    let evidence = judge.evidence;
    let Some(facts) = api_server::endpoint(evidence) else {
        judge.note(Gap::not_collected().about("the API server's private endpoint"));
        return BTreeSet::new();
    };
    if let Some(None) = judge.know(&facts.endpoint, "the API server's private endpoint") {
        let detail = "the node resource group holds no private endpoint kube-apiserver";
        judge.note(Gap::new(Reason::NotFound, detail));
    }
    let addresses = api_server::addresses(evidence);
    if addresses.is_empty() {
        for interface in facts.interfaces.values() {
            judge.know(interface, "the interface of the API server's endpoint");
        }
    }
    addresses
}

/// What on the way stops the nodes.
fn path(judge: &mut Judge<'_>, access: &Access) {
    let evidence = judge.evidence;
    let Some(target) = target(judge, access) else { return };
    match paths::to_target(evidence, &target) {
        Ok(Some(block)) => judge.report(path_blocked(evidence, access, &target, &block)),
        Ok(None) => {}
        Err(gaps) => gaps.into_iter().for_each(|gap| judge.note_until(gap, &[Question::ApiServerPath])),
    }
}

/// What nodes must reach; where that is not known but matters, a gap is noted.
fn target(judge: &mut Judge<'_>, access: &Access) -> Option<Target> {
    let evidence = judge.evidence;
    match access {
        Access::Public | Access::Integrated(None) => return None,
        Access::PrivateLink(None) if !api_server::asks_for_endpoint(evidence) => return None,
        Access::Integrated(Some(subnet)) => {
            if evidence.subnet(subnet).is_none() {
                let detail = format!("the API server's subnet {} is in no network that was read", subnet.name());
                judge.note(Gap::new(Reason::NotVisible, detail));
            }
        }
        Access::PrivateLink(_) => {
            endpoint_addresses(judge);
        }
    }
    api_server::target(evidence).filter(|target| !target.nets.is_empty())
}

fn on_zone(rule: &'static Rule, name: &PrivateName, detail: String) -> Finding {
    Finding::new(rule, Subject::new("Microsoft.Network/privateDnsZones", &name.zone), detail)
}

fn zone_missing(evidence: &Evidence, name: &PrivateName) -> Finding {
    let detail = format!(
        "The cluster keeps its API server's name {} in zone {}, which does not exist: new nodes cannot find the API \
         server, and running ones lose it with their next look-up.",
        name.name,
        name.zone.name()
    );
    let remediation = if name.managed {
        remedy::reconcile(evidence, "AKS creates the zone of its API server again.")
    } else {
        let (nodes, _) = evidence.node_networks();
        let links = nodes.iter().map(|network| remedy::dns::link_zone(&name.zone, network));
        let commands = std::iter::once(remedy::dns::create_zone(&name.zone)).chain(links).collect();
        let summary = format!(
            "Create the zone again and link it to the node network (with DNS servers of your own: to theirs), then \
             reconcile the cluster, so that AKS writes its record. {LOCAL_DNS}"
        );
        remedy(RemediationKind::CreateDnsZone, summary, commands, DOCS)
    };
    let seen = vec![
        Observation::new(format!("GET {}", name.zone), "status", "404"),
        Observation::new(evidence.cluster.source(), "properties.privateFQDN", name.name.as_str()),
    ];
    on_zone(&ZONE_MISSING, name, detail).seen(seen).with_remediation(remediation)
}

fn not_linked(evidence: &Evidence, name: &PrivateName, zone: Zone<'_>, wanting: &BTreeSet<ResourceId>) -> Finding {
    let (nodes, _) = evidence.node_networks();
    let names = wanting.iter().map(ResourceId::name).collect::<Vec<_>>().join(", ");
    let whose =
        if wanting.is_subset(&nodes) { "whose resolver the nodes use" } else { "where the nodes' DNS servers are" };
    let detail = format!(
        "Zone {} is not linked to network {names}, {whose}: new nodes cannot find the API server by its name {}.",
        name.zone.name(),
        name.name
    );
    let links = zone.linked_networks().map(ResourceId::name).collect::<Vec<_>>().join(", ");
    let links = if links.is_empty() { "none".to_owned() } else { links };
    let path = "value[].properties.virtualNetwork.id";
    let seen = vec![Observation::new(format!("GET {}/virtualNetworkLinks", name.zone), path, links)];
    // AKS links its zone to the node network only: the servers' network is the operator's own affair.
    let remediation = if name.managed && wanting.is_subset(&nodes) {
        remedy::reconcile(evidence, "AKS links the zone of its API server to the node network again.")
    } else {
        link(evidence, name, wanting, &names)
    };
    on_zone(&NOT_LINKED, name, detail).seen(seen).with_remediation(remediation)
}

fn link(evidence: &Evidence, name: &PrivateName, wanting: &BTreeSet<ResourceId>, names: &str) -> Remediation {
    let mut summary = format!("Link zone {} to network {names}. {LOCAL_DNS}", name.zone.name());
    if name.managed && evidence.node_group_locked() {
        summary.push_str(" The node resource group is locked (ReadOnly), and the zone with it: unlock it first.");
    }
    let commands = wanting.iter().map(|network| remedy::dns::link_zone(&name.zone, network)).collect();
    remedy(RemediationKind::LinkDnsZone, summary, commands, DOCS)
}

fn record_missing(evidence: &Evidence, name: &PrivateName, label: &str) -> Finding {
    let zone = name.zone.name();
    let detail = format!("Zone {zone} has no address for {}: new nodes cannot find the API server.", name.name);
    let path = format!("value[{label}].properties.aRecords");
    on_zone(&RECORD_MISSING, name, detail)
        .seen(vec![Observation::new(format!("GET {}/A", name.zone), path, "none")])
        .with_remediation(remedy::reconcile(evidence, "AKS writes the record of its API server again."))
}

fn record_mismatch(
    evidence: &Evidence,
    name: &PrivateName,
    label: &str,
    wrong: &[IpAddr],
    wanted: &BTreeSet<IpAddr>,
) -> Finding {
    let (wrong, wanted) = (listed(wrong), listed(wanted));
    let detail = format!(
        "{} resolves to {wrong}, but the API server's endpoint has {wanted}: nodes connect to an address where no API \
         server answers.",
        name.name
    );
    let endpoint = api_server::endpoint_id(evidence).unwrap_or_default();
    let path = format!("value[{label}].properties.aRecords");
    on_zone(&RECORD_MISMATCH, name, detail)
        .seen(vec![
            Observation::new(format!("GET {}/A", name.zone), path, wrong),
            Observation::new(format!("GET {endpoint}"), "properties.networkInterfaces", wanted),
        ])
        .with_remediation(remedy::reconcile(evidence, "AKS writes the record of its API server again."))
}

fn path_blocked(evidence: &Evidence, access: &Access, target: &Target, block: &Block) -> Finding {
    let to = target
        .nets
        .iter()
        .map(|net| if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() });
    let to = to.collect::<Vec<_>>().join(" ");
    let endpoint = api_server::endpoint_id(evidence).filter(|_| matches!(access, Access::PrivateLink(_)));
    let (subject, what, docs) = if let Some(endpoint) = endpoint {
        let what = format!("endpoint {} of the API server ({to})", endpoint.name());
        (Subject::new("Microsoft.Network/privateEndpoints", &endpoint), what, DOCS)
    } else {
        let cluster = Subject::new("Microsoft.ContainerService/managedClusters", &evidence.cluster.id);
        (cluster, format!("the API server's subnet ({to})"), DOCS_INTEGRATION)
    };
    let ports = target.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" and ");
    let barred = Barred {
        between: format!("the nodes and {what}"),
        from: "VirtualNetwork".to_owned(),
        to,
        allow: format!("TCP {ports}"),
        docs,
    };
    let Barrier { detail, seen, remediation } = barred.by(block);
    Finding::new(&PATH_BLOCKED, subject, detail).seen(vec![seen]).with_remediation(remediation)
}

fn listed<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
