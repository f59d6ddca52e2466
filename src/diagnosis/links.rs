//! Whether an explanation holds between two findings: what must be true of both, besides their rules.

use crate::checks::finding::Finding;
use crate::checks::image_pulls::rules as pulls;
use crate::checks::rule::{Rule, Severity};
use crate::checks::{bootstrap_profile, cache_rules, node_view, private_dns};
use crate::evidence::Evidence;
use crate::evidence::cloud;
use crate::evidence::id::ResourceId;
use crate::evidence::image::Image;
use crate::evidence::pools::AgentPool;
use crate::model::bootstrap_code::Fault;
use crate::model::cluster::is;
use crate::model::names::RegistryNames;
use crate::model::networks::has_own_servers;

/// What must hold between a cause and a symptom: never the name alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// The one bootstrap registry that both are about.
    Registry,
    /// The same pool or NodePool, or nodes of it.
    Pool,
    /// An image that comes through the cache of Microsoft's registry.
    MicrosoftImage,
    /// An image that comes from the bootstrap registry, by the mirror or by name.
    RegistryImage,
    /// As above, and the registry is in ABAC mode.
    AbacRegistry,
    /// A data endpoint's record.
    DataRecord,
    /// The same pool, and the message names the mirror of another registry.
    OtherMirror,
    /// The pools of the subnet that the cause is about, or nodes of them; what names neither is in every subnet.
    Subnet,
    /// As above, and a message says that addresses are missing.
    Addresses,
    /// The cache rule that a message names; what names none, or is about no rule in particular, fits.
    CacheRule,
    /// Images of the same registry.
    SameRegistry,
    /// What a node sees of the registry's names.
    RegistryHost,
    /// What a node sees of the API server's name.
    ApiServerHost,
    /// What a node sees, and a pull from the registry, or a bootstrap, on that node or of its pool.
    NodePull,
    /// The same for layers and artifacts, which come from a data endpoint.
    NodeData,
    /// What a node sees of the API server, and its own or its pool's bootstrap.
    NodeApi,
    /// The same node.
    Node,
}

/// A symptom: a rule, with the kinds of bootstrap faults that count where the rule is about exit codes.
pub(super) struct Symptom {
    pub rule: &'static Rule,
    /// For rules that carry an exit code: the faults, or single codes, that the cause explains.
    pub faults: &'static [Fault],
    pub codes: &'static [u32],
}

/// Causes and what they explain.
pub(super) struct Explanation {
    pub causes: &'static [&'static Rule],
    pub symptoms: &'static [Symptom],
    pub link: Link,
}

/// Whether an explanation holds between two findings of this evidence.
pub(super) fn explains(explanation: &Explanation, cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    let Some(known) = explanation.symptoms.iter().find(|known| symptom.is(known.rule)) else { return false };
    code_fits(known, symptom)
        && link_holds(explanation.link, cause, symptom, evidence)
        && redirect_fits(cause, symptom, evidence)
        && repository_fits(cause, symptom)
}

/// A cache rule beside the right one explains what its own repositories suffer, and nothing else.
fn repository_fits(cause: &Finding, symptom: &Finding) -> bool {
    let beside = cause.rule.is_one_of(&[&cache_rules::FAILED, &cache_rules::CONFLICT]);
    if !beside || cause.severity > Severity::Warning {
        return true;
    }
    let Some(image) = symptom.subject.reference().and_then(Image::parse) else { return false };
    let own = cause.facts.repository.as_deref().and_then(|target| target.strip_prefix(cache_rules::TARGET_PREFIX));
    own.is_some_and(|own| match own.strip_suffix('*') {
        Some(prefix) => image.repository.starts_with(prefix),
        None => image.repository == own,
    })
}

/// A missing record: where the zone's link redirects, the public address is tried and its firewall refuses; without
/// that the name does not resolve at all.
fn redirect_fits(cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    let forbidden = symptom.is(&pulls::FORBIDDEN);
    if !cause.is(&private_dns::RECORD_MISSING) || !(forbidden || symptom.is(&pulls::DNS_FAILURE)) {
        return true;
    }
    let zone = cause.subject.resource().and_then(|id| id.up_to("privateDnsZones"));
    let facts = zone.and_then(|zone| evidence.network.dns_zones.get(&zone));
    let (nodes, _) = evidence.node_networks();
    let links = facts.and_then(|facts| facts.links.known()).into_iter().flatten();
    // Servers of the operator's own ask for the nodes, from the networks that the zone is linked to.
    let by_servers = nodes.iter().any(|node| has_own_servers(evidence, node));
    let mut own =
        links.filter(|link| by_servers || link.properties.network_id().is_some_and(|network| nodes.contains(network)));
    let redirects = own.any(|link| is(link.properties.resolution_policy.as_ref(), "NxDomainRedirect"));
    redirects == forbidden
}

fn code_fits(known: &Symptom, symptom: &Finding) -> bool {
    if known.faults.is_empty() && known.codes.is_empty() {
        return true;
    }
    let Some(number) = symptom.facts.exit_code else { return false };
    known.codes.contains(&number) || symptom.facts.fault.is_some_and(|fault| known.faults.contains(&fault))
}

fn link_holds(link: Link, cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    match link {
        Link::Registry => true,
        Link::Pool => same_pool(cause, symptom, evidence),
        Link::OtherMirror => other_mirror(symptom, evidence) && same_pool(cause, symptom, evidence),
        Link::MicrosoftImage => {
            origin(symptom, evidence) == Some(Origin::Microsoft) && containerd_hides(cause, symptom, evidence)
        }
        Link::RegistryImage => {
            // What fails at another registry's mirror says nothing of this one.
            let elsewhere = origin(symptom, evidence) == Some(Origin::Elsewhere) || other_mirror(symptom, evidence);
            !elsewhere && cause.facts.data_endpoint != Some(true)
        }
        Link::AbacRegistry => {
            let mode =
                evidence.known_registry().and_then(|registry| registry.properties.role_assignment_mode.as_deref());
            mode.is_some_and(|mode| mode.eq_ignore_ascii_case("AbacRepositoryPermissions"))
        }
        Link::DataRecord => cause.facts.data_endpoint == Some(true),
        Link::Subnet => in_subnet(cause, symptom, evidence),
        Link::Addresses => symptom.facts.no_addresses && in_subnet(cause, symptom, evidence),
        Link::CacheRule => {
            let named = symptom.facts.message.as_ref().and_then(|message| message.cache_rule.as_ref());
            let own = &cause.facts.cache_rules;
            named.is_none_or(|named| own.is_empty() || own.iter().any(|rule| rule.eq_ignore_ascii_case(named)))
        }
        Link::SameRegistry => {
            let registry = |finding: &Finding| Some(Image::parse(finding.subject.reference()?)?.registry);
            registry(cause).is_some() && registry(cause) == registry(symptom)
        }
        Link::RegistryHost => {
            let own = |host: &String| match cause.facts.data_endpoint {
                Some(_) => host.eq_ignore_ascii_case(&cause.subject.name),
                None => registry_host(host, evidence).is_some(),
            };
            symptom.facts.hosts.iter().any(own)
        }
        Link::ApiServerHost => symptom.facts.hosts.iter().any(|host| evidence.cluster.properties.is_api_server(host)),
        Link::NodePull => {
            let elsewhere = origin(symptom, evidence) == Some(Origin::Elsewhere) || other_mirror(symptom, evidence);
            !elsewhere && sees(cause, Some(HostKind::Server), evidence) && same_node(cause, symptom)
        }
        Link::NodeData => sees(cause, Some(HostKind::Data), evidence) && same_node(cause, symptom),
        Link::NodeApi => sees(cause, None, evidence) && same_node(cause, symptom),
        Link::Node => same_node(cause, symptom),
    }
}

/// What a host of the registry is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HostKind {
    Server,
    Data,
}

/// What a host is to the registry; `None` = it is not the registry's.
fn registry_host(host: &str, evidence: &Evidence) -> Option<HostKind> {
    let names = RegistryNames::of(evidence.known_registry()?)?;
    if names.server.eq_ignore_ascii_case(host) {
        Some(HostKind::Server)
    } else {
        names.region_of(host).map(|_| HostKind::Data)
    }
}

/// Whether a finding of a node's view is about a host of a kind; `None` stands for the API server.
fn sees(cause: &Finding, kind: Option<HostKind>, evidence: &Evidence) -> bool {
    cause.facts.hosts.iter().any(|host| registry_host(host, evidence) == kind)
}

/// Whether both are about the same node, or the symptom about its pool.
fn same_node(cause: &Finding, symptom: &Finding) -> bool {
    let pool = symptom.subject.resource().filter(|_| symptom.subject.kind != cause.subject.kind).map(ResourceId::name);
    let of_pool = pool.is_some_and(|pool| cause.facts.pools.iter().any(|own| own.eq_ignore_ascii_case(pool)));
    of_pool || !cause.facts.nodes.is_disjoint(&symptom.facts.nodes)
}

/// Whether a message names the mirror of a registry that is not the cluster's.
fn other_mirror(symptom: &Finding, evidence: &Evidence) -> bool {
    let server = evidence.login_server();
    symptom.facts.mirror.as_ref().is_some_and(|host| server.is_some_and(|server| !server.eq_ignore_ascii_case(host)))
}

/// With containerd 2 a missing rule is "not found"; only 1.7 hides it behind a time-out of Microsoft's registry.
fn containerd_hides(cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    !symptom.is(&pulls::BYPASSES_CACHE)
        || cause.is(&bootstrap_profile::WITHOUT_CACHE)
        || !on_modern_nodes(symptom, evidence)
}

/// Whether every node that a finding is about runs containerd 2 or newer.
fn on_modern_nodes(finding: &Finding, evidence: &Evidence) -> bool {
    let nodes = evidence.kubernetes.nodes.known().into_iter().flatten();
    let mut hit = nodes.filter(|node| finding.facts.nodes.contains(&node.name)).peekable();
    let modern = |runtime: &str| !runtime.contains("://1.");
    hit.peek().is_some() && hit.all(|node| node.container_runtime.as_deref().is_some_and(modern))
}

/// Findings that prove that nodes were not reimaged: by their pulls (with containerd 2, a node that asks Microsoft's
/// registry itself has no mirror), or by the mirror that a probe read on the node.
pub fn proving_stale<'f>(findings: &'f [Finding], evidence: &'f Evidence) -> impl Iterator<Item = &'f Finding> {
    let by_pull = |finding: &Finding| finding.is(&pulls::BYPASSES_CACHE) && on_modern_nodes(finding, evidence);
    findings.iter().filter(move |finding| finding.is(&node_view::MIRROR_STALE) || by_pull(finding))
}

/// The same pool by subject, or nodes of the cause's pool among the symptom's.
pub(super) fn same_pool(cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    if cause.subject.id == symptom.subject.id {
        return true;
    }
    let Some(pool) = cause.subject.resource().map(ResourceId::name) else { return false };
    let nodes = evidence.kubernetes.nodes.known().into_iter().flatten();
    let mut own = nodes.filter(|node| {
        [&node.agent_pool, &node.node_pool].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(pool))
    });
    own.any(|node| symptom.facts.nodes.contains(&node.name))
}

/// Whether a symptom is about a pool of the cause's subnet, or about nodes of one.
fn in_subnet(cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    let Some(subnet) = cause.subject.resource() else { return false };
    let pools = evidence.pools.agent_pools.known().map_or(&[] as &[_], Vec::as_slice);
    let of_pool = |name: &str| pools.iter().find(|pool| pool.name.eq_ignore_ascii_case(name));
    // A pool without a subnet of its own is in the managed network, whose subnets are all judged.
    let inside = |pool: &AgentPool| match (&pool.vnet_subnet_id, &pool.pod_subnet_id) {
        (Some(nodes), pods) => nodes == subnet || pods.as_ref() == Some(subnet),
        (None, _) => true,
    };
    if let Some(pool) = symptom.subject.resource().and_then(|id| of_pool(id.name())) {
        return inside(pool);
    }
    let nodes = evidence.kubernetes.nodes.known().into_iter().flatten();
    let mut hit = nodes.filter(|node| symptom.facts.nodes.contains(&node.name)).peekable();
    hit.peek().is_none() || hit.any(|node| node.agent_pool.as_deref().and_then(of_pool).is_none_or(inside))
}

/// Where a failing image comes from.
#[derive(PartialEq, Eq)]
enum Origin {
    Microsoft,
    Registry,
    Elsewhere,
}

/// The origin of the image that a finding is about; `None` for findings about nodes.
fn origin(symptom: &Finding, evidence: &Evidence) -> Option<Origin> {
    let reference = symptom.subject.reference()?;
    let registry = Image::parse(reference).map_or_else(String::new, |image| image.registry);
    let own = evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(&registry));
    let named =
        evidence.registry_id().is_some_and(|id| registry.starts_with(&format!("{}.", id.name().to_lowercase())));
    Some(if cloud::is_mcr(&registry) {
        Origin::Microsoft
    } else if own || named {
        Origin::Registry
    } else {
        Origin::Elsewhere
    })
}
