//! The registry's private endpoint: is there an approved one that the nodes can reach.

mod blocked;
mod create;

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, DOCS_PRIVATE_LINK, remedy};
use super::rule::RuleSet;
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::open::Question;
use crate::checks::rule::Rule;
use crate::evidence::id::ResourceId;
use crate::evidence::registry::{ConnectionProperties, Registry};
use crate::evidence::{Evidence, Fact, Gap, Reason, Section};
use crate::model::cluster::Ownership;
use crate::model::cluster::is;
use crate::model::endpoints::{self, Candidate, Hidden, Reach};

pub const MISSING: Rule =
    Rule::error("private-endpoint-missing", "The registry has no private endpoint").breaking_pulls();
pub const NOT_APPROVED: Rule =
    Rule::error("private-endpoint-not-approved", "No private endpoint connection of the registry is approved")
        .breaking_pulls();
pub const FAILED: Rule =
    Rule::error("private-endpoint-failed", "The registry's private endpoint failed or no longer exists")
        .breaking_pulls();
pub const OTHER_NETWORK: Rule = Rule::error(
    "private-endpoint-other-network",
    "The registry's private endpoint lies in a network that the nodes cannot reach",
)
.breaking_pulls();

pub use blocked::PATH_BLOCKED;
use create::{create, delete_endpoint};

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "private-endpoint",
        title: "The registry's private endpoint",
        doc: include_str!("private-endpoint.md"),
        rules: &[&MISSING, &NOT_APPROVED, &FAILED, &OTHER_NETWORK, &PATH_BLOCKED],
    },
    needs: &[
        Section::AgentPools,
        Section::Registry,
        Section::PrivateEndpoints,
        Section::VirtualNetworks,
        Section::RouteTables,
        Section::SecurityGroups,
    ],
    run,
};

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let Some(registry) = judge.registry()? else {
        return Ok(());
    };
    let connections = &registry.properties.private_endpoint_connections;
    if connections.is_empty() {
        match &judge.evidence.registry.connections_unread {
            Some(gap) => judge.note(gap.clone()),
            None => judge.report(missing(judge.evidence, registry)),
        }
        return Ok(());
    }
    if !connections.iter().any(|connection| connection.properties.status().eq_ignore_ascii_case("Approved")) {
        for finding in not_approved(judge.evidence, registry) {
            judge.report(finding);
        }
        return Ok(());
    }
    serving(judge, registry);
    Ok(())
}

/// Judges the approved endpoints: one that works is enough.
fn serving(judge: &mut Judge<'_>, registry: &Registry) {
    let evidence = judge.evidence;
    let candidates = endpoints::candidates(evidence, registry);
    let works = |candidate: &Candidate<'_>| candidate.reach == Reach::Serves && !failed(candidate);
    let working: Vec<&Candidate<'_>> = candidates.iter().filter(|candidate| works(candidate)).collect();
    if !working.is_empty() {
        return blocked::judge(judge, registry, &working);
    }
    let mut findings = Vec::new();
    let mut gaps = Vec::new();
    let mut hidden = Vec::new();
    let mut suspicions = Vec::new();
    let mut unreadable = Vec::new();
    for id in endpoints::approved(registry) {
        match evidence.network.private_endpoints.get(id).map(|facts| &facts.endpoint) {
            None => gaps.push(Gap::not_collected().about("the registry's private endpoints")),
            Some(Fact::Missing(gap)) => {
                unreadable.push((id, gap.clone().about("the registry's private endpoints")));
            }
            Some(Fact::Known(None)) => findings.push(gone(evidence, registry, id)),
            Some(Fact::Known(Some(_))) => {}
        }
    }
    for candidate in &candidates {
        match &candidate.reach {
            Reach::Serves => findings.push(broken(evidence, registry, candidate)),
            Reach::Unknown(gap) => gaps.push(gap.clone()),
            Reach::Elsewhere => match endpoints::hidden_path(evidence, candidate) {
                Hidden::Nothing => findings.push(elsewhere(evidence, registry, candidate)),
                Hidden::Maybe(what) => {
                    suspicions.push((elsewhere(evidence, registry, candidate), endpoints::not_joined(candidate, what)));
                }
                Hidden::Unknown(gap) => hidden.push(gap),
            },
        }
    }
    // An endpoint of another tenant or of a Microsoft service cannot be read and is ignored, as long as there is
    // another one to judge; one in a subscription of the cluster's own could be the one that serves the nodes.
    let near = endpoints::near_subscriptions(evidence, registry);
    let ours = |id: &ResourceId| id.subscription().is_some_and(|own| near.contains(&own.to_lowercase()));
    let nothing_else = findings.is_empty() && candidates.is_empty();
    let foreign = |gap: &Gap| matches!(gap.reason, Reason::Forbidden | Reason::Unauthorized | Reason::NotFound);
    unreadable.retain(|(id, gap)| nothing_else || !foreign(gap) || ours(id));
    gaps.extend(unreadable.into_iter().map(|(_, gap)| gap));
    if nothing_else && gaps.is_empty() && hidden.is_empty() && suspicions.is_empty() {
        findings.push(missing(evidence, registry));
    }
    // While another endpoint may serve the nodes, nothing is proved against this one.
    if gaps.is_empty() && hidden.is_empty() && suspicions.is_empty() {
        findings.into_iter().for_each(|finding| judge.report(finding));
    }
    suspicions.into_iter().for_each(|(finding, gap)| judge.suspect(finding, gap));
    hidden.into_iter().for_each(|gap| judge.note_until(gap, &[Question::Path]));
    gaps.into_iter().for_each(|gap| judge.note(gap));
}

fn failed(candidate: &Candidate<'_>) -> bool {
    is(candidate.endpoint.properties.provisioning_state.as_ref(), "Failed")
}

fn on_endpoint(
    rule: &'static Rule,
    endpoint: &ResourceId,
    detail: String,
    evidence: Vec<Observation>,
    remediation: Remediation,
) -> Finding {
    let subject = Subject::new("Microsoft.Network/privateEndpoints", endpoint);
    Finding::new(rule, subject, detail).seen(evidence).with_remediation(remediation)
}

fn missing(evidence: &Evidence, registry: &Registry) -> Finding {
    let listed = evidence.network.listed_endpoints.known().into_iter().flatten();
    let dangling: Vec<_> =
        listed.filter(|endpoint| endpoints::names(endpoint, &registry.id) && targets(endpoint, &registry.id)).collect();
    let mut detail = format!(
        "Registry {} has no private endpoint connection that leads to it. Nodes without egress cannot reach it.",
        registry.name()
    );
    let mut seen = vec![Observation::new(registry.source(), "properties.privateEndpointConnections", "[]")];
    let mut stale = Vec::new();
    for endpoint in dangling {
        detail.push_str(&format!(
            " Endpoint {} still names the registry, but the registry does not know it (it was probably recreated): if \
             it is this cluster's, delete it and create it again.",
            endpoint.id
        ));
        let states = endpoint.properties.connections().filter_map(|connection| {
            connection.properties.private_link_service_connection_state.as_ref()?.status.clone()
        });
        let state = states.into_iter().next().unwrap_or_else(|| "unknown".to_owned());
        seen.push(Observation::new(
            endpoint.source(),
            "properties.privateLinkServiceConnections[].properties.privateLinkServiceConnectionState.status",
            state,
        ));
        // One in a network that is not the nodes' own may be anybody's.
        if endpoints::reach(evidence, endpoint) == Reach::Serves {
            stale.push(delete_endpoint(&endpoint.id));
        }
    }
    Finding::new(&MISSING, Subject::new("Microsoft.ContainerRegistry/registries", &registry.id), detail)
        .seen(seen)
        .with_remediation(create(evidence, registry, stale))
}

/// Whether a connection of the endpoint names the registry by its id.
fn targets(endpoint: &crate::evidence::network::PrivateEndpoint, registry: &ResourceId) -> bool {
    endpoint
        .properties
        .connections()
        .any(|connection| connection.properties.private_link_service_id.as_ref() == Some(registry))
}

fn not_approved(evidence: &Evidence, registry: &Registry) -> Vec<Finding> {
    let connections = registry.properties.private_endpoint_connections.iter();
    let readable = |connection: &ConnectionProperties| {
        let facts = connection.endpoint_id().and_then(|id| evidence.network.private_endpoints.get(id));
        facts.is_some_and(|facts| facts.endpoint.known().is_some_and(Option::is_some))
    };
    let any_readable = connections.clone().any(|connection| readable(&connection.properties));
    connections
        .filter(|connection| !any_readable || readable(&connection.properties))
        .map(|connection| {
            let status = connection.properties.status();
            let fallback = connection.id.clone().unwrap_or_else(|| registry.id.child("privateEndpointConnections"));
            let endpoint = connection.properties.endpoint_id().cloned().unwrap_or_else(|| fallback.clone());
            let why = connection
                .properties
                .private_link_service_connection_state
                .as_ref()
                .and_then(|state| state.description.as_deref());
            let why = why
                .filter(|why| !why.trim().is_empty())
                .map(|why| format!(" (\"{}\")", crate::text::bounded(why, 120)))
                .unwrap_or_default();
            let detail = format!(
                "The connection of endpoint {} is {status}{why}, and no other is approved: nothing gets through.",
                endpoint.name()
            );
            let seen = vec![Observation::new(
                registry.source(),
                format!(
                    "properties.privateEndpointConnections[{}].properties.privateLinkServiceConnectionState.status",
                    fallback.name()
                ),
                status,
            )];
            on_endpoint(
                &NOT_APPROVED,
                &endpoint,
                detail,
                seen,
                approve(evidence, registry, status, &fallback, &endpoint),
            )
        })
        .collect()
}

fn approve(
    evidence: &Evidence,
    registry: &Registry,
    status: &str,
    connection: &ResourceId,
    endpoint: &ResourceId,
) -> Remediation {
    if evidence.ownership() == Ownership::Managed {
        return remedy::reconcile(evidence, "AKS owns this endpoint and approves it.");
    }
    // Whoever may read the registry may ask it for a connection: only one that lies where the nodes reach it is ours.
    let facts = evidence.network.private_endpoints.get(endpoint).and_then(|facts| facts.endpoint.known());
    let ours = facts.and_then(Option::as_ref).is_some_and(|own| endpoints::reach(evidence, own) == Reach::Serves);
    if !status.eq_ignore_ascii_case("Pending") {
        let first = if ours { vec![delete_endpoint(endpoint)] } else { Vec::new() };
        let mut remediation = create(evidence, registry, first);
        remediation.summary = format!(
            "A {status} connection cannot be approved: delete endpoint {endpoint}, if it is this cluster's, and create \
             one again. {}",
            remediation.summary
        );
        return remediation;
    }
    let (summary, commands) = if ours {
        ("Approve the connection on the registry.".to_owned(), vec![create::approve(registry, connection)])
    } else {
        let summary = format!(
            "Approve connection {} on the registry, if it is this cluster's. No command is printed, because it cannot \
             be seen that its endpoint, {endpoint}, lies in a network that the nodes reach.",
            connection.name()
        );
        (summary, Vec::new())
    };
    remedy(RemediationKind::ApprovePrivateEndpoint, summary, commands, DOCS_PRIVATE_LINK)
}

fn gone(evidence: &Evidence, registry: &Registry, endpoint: &ResourceId) -> Finding {
    let detail = format!(
        "The registry has an approved connection of endpoint {}, but the endpoint no longer exists, and no other \
         serves the nodes.",
        endpoint.name()
    );
    let seen = vec![Observation::new(format!("GET {endpoint}"), "status", "404")];
    on_endpoint(&FAILED, endpoint, detail, seen, create(evidence, registry, Vec::new()))
}

fn broken(evidence: &Evidence, registry: &Registry, candidate: &Candidate<'_>) -> Finding {
    let id = &candidate.endpoint.id;
    let detail = format!("The provisioningState of endpoint {} is Failed, and no other serves the nodes.", id.name());
    let seen = vec![Observation::new(candidate.endpoint.source(), "properties.provisioningState", "Failed")];
    on_endpoint(&FAILED, id, detail, seen, create(evidence, registry, vec![delete_endpoint(id)]))
}

fn elsewhere(evidence: &Evidence, registry: &Registry, candidate: &Candidate<'_>) -> Finding {
    let id = &candidate.endpoint.id;
    let home = candidate.endpoint.properties.network_id().unwrap_or_default();
    let (nodes, _) = evidence.node_networks();
    let names: Vec<&str> = nodes.iter().map(ResourceId::name).collect();
    let subnet = candidate.endpoint.properties.subnet.as_ref().and_then(|subnet| subnet.id.as_ref());
    let mut seen = vec![Observation::new(
        candidate.endpoint.source(),
        "properties.subnet.id",
        subnet.map_or("(unset)", ResourceId::as_str),
    )];
    for node in &nodes {
        if let Fact::Known(network) = evidence.network(node) {
            let peerings = network.properties.virtual_network_peerings.iter().map(|peering| {
                let remote = peering.properties.remote_id().map_or("?", ResourceId::name);
                format!("{remote} ({})", peering.properties.peering_state.as_deref().unwrap_or("unknown"))
            });
            let peerings = peerings.collect::<Vec<_>>().join(", ");
            seen.push(Observation::new(
                network.source(),
                "properties.virtualNetworkPeerings",
                if peerings.is_empty() { "none".to_owned() } else { peerings },
            ));
        }
    }
    let detail = format!(
        "Endpoint {} is approved, but lies in network {}, which is neither the node network ({}) nor joined with it \
         by a connected peering.",
        id.name(),
        home.name(),
        names.join(", ")
    );
    // The contract names this kind for managed registries too: an endpoint is what the nodes need.
    let remediation =
        Remediation { kind: RemediationKind::CreatePrivateEndpoint, ..create::create(evidence, registry, Vec::new()) };
    on_endpoint(&OTHER_NETWORK, id, detail, seen, remediation)
}
