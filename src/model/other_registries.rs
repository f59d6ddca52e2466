//! Where the nodes' DNS leads for an Azure registry that is not the cluster's own.

use std::collections::BTreeSet;

use super::names::RegistryNames;
use super::networks::own_servers;
use super::zones::{Zone, Zones};
use crate::evidence::id::ResourceId;
use crate::evidence::image::Image;
use crate::evidence::network::VirtualNetwork;
use crate::evidence::workloads::{DesiredImages, ImageUse};
use crate::evidence::{Evidence, Fact, Gap, Reason};

/// Where a login server's name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lead {
    /// A zone that answers the nodes has a record for it.
    Private,
    /// No zone that answers the nodes has one: its public address is what they get. The zones that were looked at.
    Public(BTreeSet<ResourceId>),
    /// It could not be seen.
    Unseen(Vec<Gap>),
}

/// The images that workloads are to run, also those that have no pod now.
pub fn desired(evidence: &Evidence) -> impl Iterator<Item = &ImageUse> {
    let lists = evidence.kubernetes.desired.iter().flat_map(DesiredImages::lists);
    lists.filter_map(|(_, list)| list.known()).flatten()
}

/// The Azure registries that images in use or desired name, without the cluster's own.
pub fn in_use(evidence: &Evidence) -> BTreeSet<String> {
    let images = evidence.kubernetes.images.known();
    let used = images.into_iter().flat_map(|images| &images.used).map(|usage| &usage.image);
    let waiting = images.into_iter().flat_map(|images| &images.waiting).map(|pull| &pull.image);
    let hosts = used
        .chain(waiting)
        .chain(desired(evidence).map(|usage| &usage.image))
        .filter_map(|image| Image::parse(image))
        .filter(Image::is_azure);
    hosts.map(|image| image.registry).filter(|host| !evidence.is_bootstrap_registry(host)).collect()
}

/// Where the name of a registry leads on the nodes.
pub fn lead(evidence: &Evidence, server: &str) -> Lead {
    let Some(names) = RegistryNames::of_server(server) else { return Lead::Unseen(Vec::new()) };
    let could_answer = |zone: &str| names.record(zone, &names.server).is_some();
    let zones = Zones::among(evidence, &evidence.network.dns_zones, could_answer);
    let (nodes, gap) = evidence.node_networks();
    let (mut public, mut gaps) = (BTreeSet::new(), Vec::from_iter(gap.cloned()));
    for network in &nodes {
        match on_network(evidence, &names, &zones, network) {
            Lead::Private => {}
            Lead::Public(zones) => public.extend(zones),
            Lead::Unseen(unseen) => gaps.extend(unseen),
        }
    }
    match (gaps.is_empty(), public.is_empty()) {
        (false, _) => Lead::Unseen(gaps.into_iter().map(|gap| gap.about("the node network")).collect()),
        (true, false) => Lead::Public(public),
        (true, true) => Lead::Private,
    }
}

fn on_network(evidence: &Evidence, names: &RegistryNames, zones: &Zones<'_>, id: &ResourceId) -> Lead {
    let network = match evidence.network(id) {
        Fact::Known(network) => network,
        Fact::Missing(gap) => return Lead::Unseen(vec![gap]),
    };
    let servers = own_servers(network);
    if !servers.is_empty() {
        return behind_servers(evidence, names, zones, network, &servers);
    }
    let linked = zones.linked_to(id);
    let Some(answering) = linked.first() else {
        let unseen = zones.unseen(id);
        let looked = || zones.existing().iter().map(|zone| zone.id.clone()).chain([id.clone()]).collect();
        return if unseen.is_empty() { Lead::Public(looked()) } else { Lead::Unseen(unseen) };
    };
    match holds(answering, names) {
        Ok(true) => Lead::Private,
        Ok(false) => {
            let rulesets = zones.forwarded_surely(id);
            if rulesets.is_empty() { Lead::Public([answering.id.clone()].into()) } else { Lead::Unseen(rulesets) }
        }
        Err(gap) => Lead::Unseen(vec![gap]),
    }
}

/// What servers of the operator's own answer is seen only where they ask a zone that has the record.
fn behind_servers(
    evidence: &Evidence,
    names: &RegistryNames,
    zones: &Zones<'_>,
    network: &VirtualNetwork,
    servers: &[&str],
) -> Lead {
    let sites = zones.networks_of(servers, network, evidence);
    let placed = sites.unplaced.is_empty() && sites.near;
    if placed && sites.zones.iter().any(|zone| holds(zone, names) == Ok(true)) {
        return Lead::Private;
    }
    let detail = format!("what the DNS servers of network {} answer for {}", network.id.name(), names.server);
    Lead::Unseen(vec![Gap::new(Reason::NotVisible, detail)])
}

/// Whether a zone has an address for the login server.
fn holds(zone: &Zone<'_>, names: &RegistryNames) -> Result<bool, Gap> {
    let Some(label) = names.record(zone.name(), &names.server) else { return Ok(false) };
    if !zone.addresses_at(&label).is_empty() || !zone.addresses_at("*").is_empty() {
        return Ok(true);
    }
    match &zone.facts.other_names {
        Fact::Known(others) => Ok(others.contains(&label)),
        Fact::Missing(gap) => Err(gap.clone().about("the other A records of the zone")),
    }
}

/// Zones that are named after single registries in use and of which nothing was read, from lists of zones.
pub fn unread_zones<'l>(evidence: &Evidence, listed: impl Iterator<Item = &'l ResourceId>) -> BTreeSet<&'l ResourceId> {
    let names = in_use(evidence);
    let names: Vec<RegistryNames> = names.iter().filter_map(|server| RegistryNames::of_server(server)).collect();
    let wanted = |zone: &&ResourceId| {
        !evidence.network.dns_zones.contains_key(*zone)
            && names.iter().any(|names| names.record(zone.name(), &names.server).is_some())
    };
    listed.filter(wanted).collect()
}
