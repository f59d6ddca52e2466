//! How the registry gets an endpoint that the nodes reach, and a zone its addresses.

use crate::checks::command::Command;
use crate::checks::finding::{Remediation, RemediationKind};
use crate::checks::impact::Impact;
use crate::checks::remedy::{self, DOCS_PRIVATE_LINK, remedy};
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::registry::Registry;
use crate::model::cluster::Ownership;
use crate::model::endpoints::{self, Reach};
use crate::model::names::RegistryNames;
use crate::model::networks::own_servers;
use crate::model::zones::choice::Chain;
use crate::model::zones::{Zone, Zones};

/// Deletes an endpoint.
pub(super) fn delete_endpoint(id: &ResourceId) -> Command {
    let delete = remedy::addressed(Command::new("az network private-endpoint delete"), id);
    let undo = "create it again: its addresses may be others then";
    remedy::in_subscription(delete, id).changing(Impact::Deletes, id, undo)
}

/// Approves a connection of the registry.
pub(super) fn approve(registry: &Registry, connection: &ResourceId) -> Command {
    let words = |verb: &str| {
        let command = Command::new("az acr private-endpoint-connection").word(verb).with("-r", registry.id.name());
        let command = command.with("-g", registry.id.resource_group().unwrap_or_default());
        remedy::in_subscription(command.with("-n", connection.name()), &registry.id)
    };
    words("approve").changing(Impact::Access, &registry.id, words("reject"))
}

/// Managed: reconcile. BYO: create an endpoint in the node network, after deleting what is in the way.
pub(super) fn create(evidence: &Evidence, registry: &Registry, first: Vec<Command>) -> Remediation {
    if evidence.ownership() == Ownership::Managed {
        return remedy::reconcile(evidence, "AKS creates the endpoint of its registry again.");
    }
    endpoint(evidence, registry, first)
}

/// An endpoint in the node network, with a zone group where it is known which zone it belongs in.
pub(super) fn endpoint(evidence: &Evidence, registry: &Registry, mut commands: Vec<Command>) -> Remediation {
    let place = Place::of(evidence, &commands);
    let id = place.endpoint(evidence, registry, &commands);
    commands.push(create_endpoint(evidence, registry, &id, place.subnet.as_ref()));
    let mut summary = "Create an endpoint in the node network (in its subnet or another one). Without the right to \
                       approve on the registry add --manual-request true and have it approved."
        .to_owned();
    match zones(evidence, registry, place.network.as_ref()) {
        Ok(Some(zone)) => {
            commands.push(create_group(&id, zone, overwrites(evidence, registry, zone)));
            summary.push_str(
                " The zone group writes its addresses into the zone and overwrites those of another endpoint that \
                 shares it; leave it out where a policy adds it.",
            );
        }
        Ok(None) => summary.push_str(" Then see to its private DNS zone (check private-dns)."),
        Err(candidates) => summary.push_str(&format!(
            " Then give it a DNS zone group for the zone that the nodes ask. No command is printed for that, because \
             it cannot be seen which one that is: {candidates}."
        )),
    }
    remedy(RemediationKind::CreatePrivateEndpoint, summary, commands, DOCS_PRIVATE_LINK)
}

/// Where the endpoint is put: beside the nodes.
struct Place {
    network: Option<ResourceId>,
    subnet: Option<ResourceId>,
}

impl Place {
    /// The subnet of an endpoint that is deleted first, where that was in a node network, else the subnet of the first
    /// pool that names one.
    fn of(evidence: &Evidence, deleted: &[Command]) -> Self {
        let mut pools = evidence.pools.agent_pools.known().into_iter().flatten();
        let (nodes, _) = evidence.node_networks();
        let former = deleted.iter().filter_map(Command::change).find_map(|change| {
            let facts = evidence.network.private_endpoints.get(&change.target)?;
            facts.endpoint.known()?.as_ref()?.properties.subnet.as_ref()?.id.clone()
        });
        let network_of = |subnet: &ResourceId| subnet.up_to("virtualNetworks");
        let former = former.filter(|subnet| network_of(subnet).is_some_and(|network| nodes.contains(&network)));
        let subnet = former.or_else(|| pools.find_map(|pool| pool.vnet_subnet_id.clone()));
        let network = subnet.as_ref().and_then(network_of);
        Self { network: network.or_else(|| nodes.into_iter().next()), subnet }
    }

    /// The id to be: beside the network, under a name that nobody else has there.
    fn endpoint(&self, evidence: &Evidence, registry: &Registry, deleted: &[Command]) -> ResourceId {
        let home = self.network.as_ref().unwrap_or(&registry.id);
        let group = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/privateEndpoints",
            home.subscription().unwrap_or_default(),
            home.resource_group().unwrap_or_default()
        );
        let id = ResourceId::new(format!("{group}/{}-pe", registry.name()));
        let mut listed = evidence.network.listed_endpoints.known().into_iter().flatten();
        let exists = evidence.network.private_endpoints.contains_key(&id) || listed.any(|own| own.id == id);
        let goes = deleted.iter().filter_map(Command::change).any(|change| change.target == id);
        if exists && !goes { ResourceId::new(format!("{group}/{}-nodes-pe", registry.name())) } else { id }
    }
}

fn create_endpoint(evidence: &Evidence, registry: &Registry, id: &ResourceId, subnet: Option<&ResourceId>) -> Command {
    let location = evidence.cluster.location.clone().unwrap_or_else(|| "<LOCATION>".to_owned());
    let subnet = subnet.map_or_else(|| "<SUBNET_ID>".to_owned(), ToString::to_string);
    let create = remedy::addressed(Command::new("az network private-endpoint create"), id).with("-l", location);
    let create = create.with("--subnet", subnet).with("--private-connection-resource-id", registry.id.as_str());
    let create = create.with("--group-id", "registry").with("--connection-name", format!("{}-connection", id.name()));
    let delete = remedy::addressed(Command::new("az network private-endpoint delete"), id);
    remedy::in_subscription(create, id).changing(Impact::Access, id, remedy::in_subscription(delete, id))
}

fn create_group(endpoint: &ResourceId, zone: Zone<'_>, impact: Impact) -> Command {
    let words = |verb: &str| {
        let group = Command::new("az network private-endpoint dns-zone-group").word(verb);
        let group = group.with("-g", endpoint.resource_group().unwrap_or_default());
        group.with("--endpoint-name", endpoint.name()).with("-n", "default")
    };
    let create = words("create").with("--private-dns-zone", zone.id.as_str()).with("--zone-name", "azurecr");
    let delete = remedy::in_subscription(words("delete"), endpoint);
    remedy::in_subscription(create, endpoint).changing(impact, zone.id, delete)
}

/// The zone of a new endpoint: the one that the nodes' network asks; where it asks none, the one that the cluster's
/// chain leads to. An error lists the zones of which none can be told to be it.
fn zones<'e>(
    evidence: &'e Evidence,
    registry: &'e Registry,
    network: Option<&ResourceId>,
) -> Result<Option<Zone<'e>>, String> {
    let Some(names) = RegistryNames::of(registry) else { return Ok(None) };
    let zones = Zones::of(evidence, &names);
    let wanted = format!("privatelink.{}", names.suffix);
    let fits = |zone: &Zone<'e>| zone.name().eq_ignore_ascii_case(&wanted);
    let existing: Vec<Zone<'e>> = zones.existing().into_iter().filter(fits).collect();
    if existing.is_empty() {
        return Ok(None);
    }
    let read = network.and_then(|id| evidence.network(id).known().copied());
    let own = read.map(own_servers).unwrap_or_default();
    let asked: Vec<Zone<'e>> = match (network, read) {
        (Some(_), Some(read)) if !own.is_empty() => {
            let sites = zones.networks_of(&own, read, evidence);
            if sites.unplaced.is_empty() && sites.near { sites.zones } else { Vec::new() }
        }
        (Some(id), _) => zones.linked_to(id),
        (None, _) => Vec::new(),
    };
    let asked: Vec<Zone<'e>> = asked.into_iter().filter(fits).collect();
    if let [zone] = asked[..] {
        return Ok(Some(zone));
    }
    let among = if asked.is_empty() { existing } else { asked };
    Chain::of(evidence, registry, &names).zone(&among).map(Some).ok_or_else(|| listed(&among))
}

/// Zones by their whole ids, which tell them apart.
fn listed(zones: &[Zone<'_>]) -> String {
    let mut ids: Vec<&str> = zones.iter().map(|zone| zone.id.as_str()).take(8).collect();
    ids.sort_unstable();
    ids.join(", ")
}

/// Whether the zone leads somebody else to another endpoint of the registry, who would lose it.
fn overwrites(evidence: &Evidence, registry: &Registry, zone: Zone<'_>) -> Impact {
    let Some(names) = RegistryNames::of(registry) else { return Impact::Access };
    let held = zone.addresses(&names, &names.server);
    let others = endpoints::candidates(evidence, registry);
    let mut elsewhere = others.iter().filter(|candidate| candidate.reach != Reach::Serves);
    let used = elsewhere.any(|candidate| !endpoints::addresses(candidate).is_disjoint(&held));
    if used { Impact::CutsTraffic } else { Impact::Access }
}
