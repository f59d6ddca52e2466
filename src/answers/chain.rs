//! The chain that an image takes: from the nodes over DNS, endpoint and registry to Microsoft's registry, with the state
//! of each link; and the nodes' way to the API server. Every picture is drawn from it.

use std::collections::BTreeMap;

use crate::checks::check::Check;
use crate::checks::finding::{Finding, Fingerprint};
use crate::checks::image_pulls::rules as pulls;
use crate::checks::rule::{Rule, Severity};
use crate::checks::{
    api_server, bootstrap_profile, cache_rules, kubelet_acrpull, node_bootstrap, node_image, node_network, node_view,
    outbound, private_dns, private_endpoint, registry,
};
use crate::diagnosis::{Diagnosis, Status};
use crate::evidence::id::ResourceId;
use crate::evidence::network::ZoneFacts;
use crate::evidence::registry::CacheRule;
use crate::evidence::{Evidence, cloud};
use crate::model::{api_server as way, endpoints};
use crate::text;

/// A link of the chain, in the order of the way; the way to the API server comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    NodePools,
    DnsZone,
    PrivateEndpoint,
    Registry,
    CacheRule,
    /// Microsoft's registry, from which the cache is filled.
    Upstream,
    /// What answers the nodes for the API server's private name.
    ApiServerDns,
    ApiServer,
}

impl Place {
    pub const ALL: [Self; 8] = [
        Self::NodePools,
        Self::DnsZone,
        Self::PrivateEndpoint,
        Self::Registry,
        Self::CacheRule,
        Self::Upstream,
        Self::ApiServerDns,
        Self::ApiServer,
    ];

    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NodePools => "node-pools",
            Self::DnsZone => "dns-zone",
            // These links bear the names of the checks that look at them.
            Self::PrivateEndpoint => private_endpoint::CHECK.about.id,
            Self::Registry => registry::CHECK.about.id,
            Self::CacheRule => "cache-rule",
            Self::Upstream => "upstream",
            Self::ApiServerDns => "api-server-dns",
            Self::ApiServer => api_server::CHECK.about.id,
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::NodePools => "node pools",
            Self::DnsZone => "DNS zone",
            Self::PrivateEndpoint => "private endpoint",
            Self::Registry => "registry",
            Self::CacheRule => "cache rule",
            Self::Upstream => "MCR",
            Self::ApiServerDns => "API server's DNS",
            Self::ApiServer => "API server",
        }
    }

    /// Whether it is on the way to the API server, which no image takes.
    pub fn leads_to_api_server(self) -> bool {
        matches!(self, Self::ApiServerDns | Self::ApiServer)
    }

    /// The link of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.as_str() == word)
    }

    /// The checks that look at it; nothing looks at Microsoft's registry.
    pub fn checks(self) -> impl Iterator<Item = &'static Check> {
        CHECKS.iter().filter(move |(_, place)| *place == self).map(|(check, _)| *check)
    }
}

/// What is known of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Everything was seen, and it is right.
    Ok,
    /// An error.
    Broken,
    /// A warning, or an error that is accepted.
    Warning,
    /// Something of it was not seen.
    Unseen,
    /// This cluster has no such link.
    NotApplicable,
}

impl LinkState {
    pub const ALL: [Self; 5] = [Self::Ok, Self::Broken, Self::Warning, Self::Unseen, Self::NotApplicable];

    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Warning => "warning",
            Self::Unseen => "unseen",
            Self::NotApplicable => "not-applicable",
        }
    }

    /// The state of a word; what a newer version may write was not seen by this one.
    pub fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Unseen)
    }
}

/// A link with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub place: Place,
    /// What stands there, by name.
    pub subject: Option<String>,
    pub state: LinkState,
    /// Errors and warnings of this link, accepted ones too.
    pub findings: Vec<Fingerprint>,
}

/// Which check looks at which link; of two, its findings stand at the first.
const CHECKS: &[(&Check, Place)] = &[
    (&bootstrap_profile::CHECK, Place::NodePools),
    (&node_image::CHECK, Place::NodePools),
    (&node_bootstrap::CHECK, Place::NodePools),
    (&node_network::CHECK, Place::NodePools),
    (&private_dns::CHECK, Place::DnsZone),
    (&node_network::CHECK, Place::DnsZone),
    (&private_endpoint::CHECK, Place::PrivateEndpoint),
    (&registry::CHECK, Place::Registry),
    (&kubelet_acrpull::CHECK, Place::Registry),
    (&cache_rules::CHECK, Place::CacheRule),
    (&api_server::CHECK, Place::ApiServerDns),
    (&api_server::CHECK, Place::ApiServer),
];

/// Rules that are about another link than their check, or whose check is about none.
const RULES: &[(&Rule, Place)] = &[
    (&bootstrap_profile::REGISTRY_UNSET, Place::Registry),
    (&bootstrap_profile::REGISTRY_NOT_FOUND, Place::Registry),
    (&kubelet_acrpull::NOT_ON_SCALE_SET, Place::NodePools),
    (&outbound::PROXY, Place::NodePools),
    (&node_network::DNS_BLOCKED, Place::DnsZone),
    (&api_server::PATH_BLOCKED, Place::ApiServer),
    (&node_view::RESOLVES_PUBLIC, Place::DnsZone),
    (&node_view::RESOLVES_WRONG, Place::DnsZone),
    (&node_view::REGISTRY_UNREACHABLE, Place::PrivateEndpoint),
    (&node_view::DATA_UNREACHABLE, Place::PrivateEndpoint),
    (&node_view::TLS_INTERCEPTED, Place::PrivateEndpoint),
    (&node_view::API_UNREACHABLE, Place::ApiServer),
    (&node_view::MIRROR_STALE, Place::NodePools),
    (&node_view::CONTRADICTS, Place::NodePools),
    (&pulls::BYPASSES_CACHE, Place::NodePools),
    (&pulls::DNS_FAILURE, Place::DnsZone),
    (&pulls::NETWORK_FAILURE, Place::PrivateEndpoint),
    (&pulls::TLS_FAILURE, Place::PrivateEndpoint),
    (&pulls::FORBIDDEN, Place::PrivateEndpoint),
    (&pulls::LAYER_FAILED, Place::PrivateEndpoint),
    (&pulls::UNAUTHORIZED, Place::Registry),
    (&pulls::THROTTLED, Place::Registry),
    (&pulls::UPSTREAM_FAILED, Place::Upstream),
];

/// The chain of a diagnosis, with the findings that were accepted.
pub fn of<'f>(diagnosis: &Diagnosis<'_>, accepted: impl Iterator<Item = &'f Finding>) -> Vec<Link> {
    let accepted: Vec<&Finding> = accepted.collect();
    let symptoms = diagnosis.symptoms();
    // A cause is as bad as the worst of what it explains.
    let weight = |finding: &Finding| {
        let explained = symptoms.get(&finding.fingerprint()).into_iter().flatten();
        explained.map(|symptom| symptom.severity).max().max(Some(finding.severity))
    };
    let link = |place: Place| {
        let own: Vec<&Finding> =
            diagnosis.findings.iter().filter(|finding| is_at(finding, place, diagnosis.evidence)).collect();
        let passed: Vec<&Finding> =
            accepted.iter().copied().filter(|finding| is_at(finding, place, diagnosis.evidence)).collect();
        let state = match own.iter().filter_map(|finding| weight(finding)).max() {
            Some(Severity::Error) => LinkState::Broken,
            Some(Severity::Warning) => LinkState::Warning,
            _ if !passed.is_empty() => LinkState::Warning,
            _ if place == Place::ApiServerDns && !way::names_a_zone(diagnosis.evidence) => LinkState::NotApplicable,
            _ => match seen(place, diagnosis) {
                // Nodes that do not run have nothing to show.
                LinkState::Ok if place == Place::NodePools && diagnosis.evidence.stopped() => LinkState::NotApplicable,
                seen => seen,
            },
        };
        let findings = own.into_iter().chain(passed).map(Finding::fingerprint).collect();
        Link { place, subject: subject(place, diagnosis.evidence), state, findings }
    };
    let mut chain: Vec<Link> = Place::ALL.into_iter().map(link).collect();
    // Where nothing leads to a registry, Microsoft's is not asked through one.
    if chain[3].state == LinkState::NotApplicable && chain[5].state == LinkState::Unseen {
        chain[5].state = LinkState::NotApplicable;
    }
    chain
}

/// Whether a finding says that this link is wrong. What another finding explains shows at the link of that one.
fn is_at(finding: &Finding, place: Place, evidence: &Evidence) -> bool {
    let observed = [&node_bootstrap::CHECK.about, &node_view::CHECK.about].contains(&finding.check);
    if finding.severity < Severity::Warning || (observed && !finding.caused_by.is_empty()) {
        return false;
    }
    let by_rule = RULES.iter().find(|(rule, _)| finding.is(rule)).map(|(_, place)| *place);
    let pull = by_rule.is_some() && finding.subject.reference().is_some();
    if pull && !finding.caused_by.is_empty() {
        return false;
    }
    let by_check = || CHECKS.iter().find(|(check, _)| finding.check == &check.about).map(|(_, place)| *place);
    let own = by_rule.or_else(by_check).map(|own| if of_api_server(finding, evidence) { beside(own) } else { own });
    own == Some(place)
}

/// Whether a node's view is about the API server's name alone.
fn of_api_server(finding: &Finding, evidence: &Evidence) -> bool {
    let own = |host: &String| evidence.cluster.properties.is_api_server(host);
    finding.check == &node_view::CHECK.about && !finding.facts.hosts.is_empty() && finding.facts.hosts.iter().all(own)
}

/// The same question about the API server.
fn beside(place: Place) -> Place {
    match place {
        Place::DnsZone => Place::ApiServerDns,
        Place::PrivateEndpoint => Place::ApiServer,
        place => place,
    }
}

/// What the checks of a link saw where they found nothing.
fn seen(place: Place, diagnosis: &Diagnosis<'_>) -> LinkState {
    let result = |check: &Check| diagnosis.checks.iter().find(|result| result.check == &check.about);
    let results: Vec<_> = place.checks().map(result).collect();
    let unseen = results.iter().any(|result| result.is_none_or(|result| !result.gaps.is_empty()));
    let applies = results.iter().flatten().any(|result| result.status != Status::NotApplicable);
    match (unseen || results.is_empty(), applies) {
        (true, _) => LinkState::Unseen,
        (false, true) => LinkState::Ok,
        (false, false) => LinkState::NotApplicable,
    }
}

/// What stands at a link, as far as it was seen.
fn subject(place: Place, evidence: &Evidence) -> Option<String> {
    let mut names: Vec<&str> = match place {
        Place::NodePools => {
            evidence.pools.agent_pools.known().into_iter().flatten().map(|pool| pool.name.as_str()).collect()
        }
        Place::DnsZone => existing(&evidence.network.dns_zones),
        Place::ApiServerDns => existing(&evidence.api_server.dns_zones),
        Place::ApiServer => {
            // Its own label: the rest of the name is the zone's.
            let name = evidence.cluster.properties.private_fqdn.as_deref();
            name.and_then(|name| name.split('.').next()).into_iter().collect()
        }
        Place::PrivateEndpoint => {
            let registry = evidence.known_registry();
            let there = registry.map(|registry| endpoints::candidates(evidence, registry)).unwrap_or_default();
            there.iter().map(|candidate| candidate.endpoint.name()).collect()
        }
        Place::Registry => return evidence.registry_id().map(|id| text::bounded(id.name(), 200)),
        Place::CacheRule => {
            let rules = evidence.registry.cache_rules.known().into_iter().flatten();
            let source = |source: &String| cloud::is_mcr(source.split('/').next().unwrap_or_default());
            let own = rules.filter(|rule| rule.properties.source_repository.as_ref().is_some_and(source));
            own.map(CacheRule::name).collect()
        }
        Place::Upstream => evidence.mcr_hosts().first().copied().into_iter().collect(),
    };
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| text::bounded(&text::listed(names), 200))
}

/// The names of the zones that exist.
fn existing(zones: &BTreeMap<ResourceId, ZoneFacts>) -> Vec<&str> {
    let there = zones.iter().filter(|(_, facts)| facts.zone.known().is_some_and(Option::is_some));
    there.map(|(id, _)| id.name()).collect()
}
