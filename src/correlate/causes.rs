//! What explains what, as data: a symptom stands under its cause, and never disappears.

use crate::bootstrap_code::{self, Fault};
use crate::evidence::Evidence;
use crate::evidence::view::is;
use crate::finding::Finding;

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
}

/// A symptom: a rule, with the kinds of bootstrap faults that count where the rule is about exit codes.
pub(super) struct Symptom {
    pub rule: &'static str,
    /// For rules that carry an exit code: the faults, or single codes, that the cause explains.
    pub faults: &'static [Fault],
    pub codes: &'static [u32],
}

/// Causes and what they explain.
pub(super) struct Explanation {
    pub causes: &'static [&'static str],
    pub symptoms: &'static [Symptom],
    pub link: Link,
}

const fn symptom(rule: &'static str) -> Symptom {
    Symptom { rule, faults: &[], codes: &[] }
}

const fn coded(rule: &'static str, faults: &'static [Fault], codes: &'static [u32]) -> Symptom {
    Symptom { rule, faults, codes }
}

const ENDPOINT: &[&str] = &[
    "private-endpoint-missing",
    "private-endpoint-not-approved",
    "private-endpoint-failed",
    "private-endpoint-other-network",
];
const DNS: &[&str] = &[
    "dns-zone-missing",
    "dns-zone-not-linked",
    "custom-dns-servers",
    "dns-link-incomplete",
    "dns-record-missing",
    "dns-record-mismatch",
];
const CACHE: &[&str] = &[
    "cache-rule-missing",
    "cache-rule-mismatch",
    "cache-rule-legacy-target",
    "cache-rule-conflict",
    "cache-rule-failed",
];
const ACCESS: &[&str] =
    &["acrpull-missing", "acrpull-ignored-by-abac", "repository-role-ignored", "acrpull-conditioned"];
const IDENTITY: &[&str] = &["kubelet-identity-missing", "kubelet-identity-not-on-scale-set"];

const UNREACHABLE: &[Symptom] = &[
    symptom("pull-dns-failure"),
    symptom("pull-forbidden"),
    symptom("pull-network-failure"),
    symptom("pull-tls-failure"),
    coded("node-bootstrap-failed", &[Fault::Network], &[]),
    coded("scale-up-failing", &[Fault::Network], &[]),
];
const ARTIFACTS: &[Symptom] =
    &[coded("node-bootstrap-failed", &[Fault::Artifact], &[]), coded("scale-up-failing", &[Fault::Artifact], &[])];
const FAILED_PULLS: &[Symptom] = &[
    symptom("pull-unauthorized"),
    symptom("pull-forbidden"),
    symptom("pull-not-found"),
    symptom("pull-dns-failure"),
    symptom("pull-network-failure"),
    symptom("pull-tls-failure"),
    symptom("pull-failed"),
];
const REFUSED: &[Symptom] = &[
    symptom("pull-unauthorized"),
    coded("node-bootstrap-failed", &[Fault::Unauthorized], &[]),
    coded("scale-up-failing", &[Fault::Unauthorized], &[]),
];

/// All explanations, the more specific before the more general.
pub(super) const ALL: &[Explanation] = &[
    Explanation { causes: &["bootstrap-registry-not-found"], symptoms: UNREACHABLE, link: Link::RegistryImage },
    Explanation { causes: &["bootstrap-registry-not-found"], symptoms: ARTIFACTS, link: Link::Registry },
    Explanation { causes: &["bootstrap-registry-not-found"], symptoms: REFUSED, link: Link::RegistryImage },
    Explanation {
        causes: &["bootstrap-registry-not-found"],
        symptoms: &[
            symptom("pull-layer-failed"),
            symptom("pull-not-found"),
            symptom("pull-upstream-failed"),
            symptom("pull-bypasses-cache"),
        ],
        link: Link::RegistryImage,
    },
    Explanation {
        causes: &["registry-not-premium"],
        symptoms: &[symptom("private-endpoint-missing")],
        link: Link::Registry,
    },
    Explanation { causes: ENDPOINT, symptoms: UNREACHABLE, link: Link::RegistryImage },
    Explanation { causes: ENDPOINT, symptoms: &[symptom("pull-layer-failed")], link: Link::RegistryImage },
    Explanation {
        causes: &["dns-record-missing", "dns-record-mismatch"],
        symptoms: &[symptom("pull-layer-failed")],
        link: Link::DataRecord,
    },
    Explanation { causes: &["dns-record-missing", "dns-record-mismatch"], symptoms: ARTIFACTS, link: Link::DataRecord },
    Explanation { causes: DNS, symptoms: UNREACHABLE, link: Link::RegistryImage },
    Explanation {
        causes: &["dns-zone-missing", "dns-zone-not-linked"],
        symptoms: &[symptom("pull-layer-failed")],
        link: Link::RegistryImage,
    },
    Explanation { causes: CACHE, symptoms: ARTIFACTS, link: Link::Registry },
    Explanation {
        causes: CACHE,
        symptoms: &[symptom("pull-not-found"), symptom("pull-bypasses-cache")],
        link: Link::MicrosoftImage,
    },
    Explanation { causes: ACCESS, symptoms: REFUSED, link: Link::RegistryImage },
    Explanation { causes: ACCESS, symptoms: ARTIFACTS, link: Link::AbacRegistry },
    Explanation {
        causes: ACCESS,
        symptoms: &[coded("node-bootstrap-failed", &[], &[211]), coded("scale-up-failing", &[], &[211])],
        link: Link::AbacRegistry,
    },
    Explanation { causes: &["kubelet-identity-missing"], symptoms: REFUSED, link: Link::RegistryImage },
    Explanation { causes: &["kubelet-identity-not-on-scale-set"], symptoms: REFUSED, link: Link::Pool },
    Explanation { causes: &["registry-arm-audience-disabled"], symptoms: REFUSED, link: Link::RegistryImage },
    Explanation { causes: &["registry-trusted-services-disabled"], symptoms: ARTIFACTS, link: Link::Registry },
    Explanation {
        causes: &["registry-trusted-services-disabled"],
        symptoms: &[symptom("pull-upstream-failed"), symptom("pull-not-found"), symptom("pull-bypasses-cache")],
        link: Link::MicrosoftImage,
    },
    Explanation {
        causes: &["registry-path-blocked", "proxy-covers-registry"],
        symptoms: UNREACHABLE,
        link: Link::RegistryImage,
    },
    Explanation {
        causes: &["node-not-reimaged"],
        symptoms: &[
            symptom("pull-bypasses-cache"),
            coded("node-bootstrap-failed", &[], &[50]),
            coded("scale-up-failing", &[], &[50]),
        ],
        link: Link::Pool,
    },
    Explanation { causes: &["node-not-reimaged"], symptoms: FAILED_PULLS, link: Link::OtherMirror },
    Explanation {
        causes: &["credential-set-unhealthy"],
        symptoms: &[symptom("pull-upstream-failed")],
        link: Link::Registry,
    },
    Explanation {
        causes: &["isolated-without-cache"],
        symptoms: &[
            symptom("pull-bypasses-cache"),
            coded("node-bootstrap-failed", &[Fault::Egress], &[]),
            coded("scale-up-failing", &[Fault::Egress], &[]),
        ],
        link: Link::Registry,
    },
    Explanation {
        causes: &["node-bootstrap-failed", "scale-up-failing"],
        symptoms: &[symptom("pool-failed"), symptom("node-not-ready")],
        link: Link::Pool,
    },
    Explanation { causes: &["node-bootstrap-failed"], symptoms: &[symptom("scale-up-failing")], link: Link::Pool },
    Explanation {
        causes: &["node-bootstrap-failed", "pool-failed"],
        symptoms: &[symptom("cluster-failed")],
        link: Link::Registry,
    },
];

/// Whether an explanation holds between two findings of this evidence.
pub(super) fn explains(explanation: &Explanation, cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    let named = explanation.causes.contains(&cause.rule.id);
    let Some(known) = explanation.symptoms.iter().find(|known| known.rule == symptom.rule.id).filter(|_| named) else {
        return false;
    };
    code_fits(known, symptom)
        && link_holds(explanation.link, cause, symptom, evidence)
        && redirect_fits(cause, symptom, evidence)
}

/// A missing record: where the zone's link redirects, the public address is tried and its firewall refuses; without
/// that the name does not resolve at all.
fn redirect_fits(cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    let forbidden = symptom.rule.id == "pull-forbidden";
    if cause.rule.id != "dns-record-missing" || !(forbidden || symptom.rule.id == "pull-dns-failure") {
        return true;
    }
    let zone = cause.subject.id.up_to("privateDnsZones");
    let facts = zone.and_then(|zone| evidence.network.dns_zones.get(&zone));
    let (nodes, _) = evidence.node_networks();
    let links = facts.and_then(|facts| facts.links.known()).into_iter().flatten();
    let mut own = links.filter(|link| link.properties.network_id().is_some_and(|network| nodes.contains(network)));
    let redirects = own.any(|link| is(link.properties.resolution_policy.as_ref(), "NxDomainRedirect"));
    redirects == forbidden
}

/// The exit code that a finding rests on.
pub(super) fn exit_code(finding: &Finding) -> Option<u32> {
    finding.evidence.iter().find_map(|seen| bootstrap_code::find(&seen.value))
}

fn code_fits(known: &Symptom, symptom: &Finding) -> bool {
    if known.faults.is_empty() && known.codes.is_empty() {
        return true;
    }
    let Some(number) = exit_code(symptom) else { return false };
    let meaning = bootstrap_code::meaning(number, false).or_else(|| bootstrap_code::meaning(number, true));
    known.codes.contains(&number) || meaning.is_some_and(|code| known.faults.contains(&code.fault))
}

fn link_holds(link: Link, cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    match link {
        Link::Registry => true,
        Link::Pool => same_pool(cause, symptom, evidence),
        Link::OtherMirror => other_mirror(symptom, evidence) && same_pool(cause, symptom, evidence),
        Link::MicrosoftImage => {
            image_of(symptom, evidence).is_some_and(|image| image == Origin::Microsoft)
                && containerd_hides(cause, symptom, evidence)
        }
        Link::RegistryImage => {
            // What fails at another registry's mirror says nothing of this one.
            let elsewhere = image_of(symptom, evidence) == Some(Origin::Elsewhere) || other_mirror(symptom, evidence);
            !elsewhere && data_only(cause) != Some(true)
        }
        Link::AbacRegistry => {
            let mode =
                evidence.known_registry().and_then(|registry| registry.properties.role_assignment_mode.as_deref());
            mode.is_some_and(|mode| mode.eq_ignore_ascii_case("AbacRepositoryPermissions"))
        }
        Link::DataRecord => data_only(cause) == Some(true),
    }
}

/// Whether a message names the mirror of a registry that is not the cluster's.
fn other_mirror(symptom: &Finding, evidence: &Evidence) -> bool {
    let server = evidence.login_server().unwrap_or_default().to_lowercase();
    let mut mirrors = symptom.evidence.iter().filter_map(|seen| {
        let before = seen.value.split_once("/v2/aks-managed-repository/")?.0;
        before.rsplit("https://").next().map(str::to_lowercase)
    });
    !server.is_empty() && mirrors.any(|host| host != server)
}

/// For a finding about a DNS record: whether it is a data endpoint's, which only layers and artifacts need.
fn data_only(cause: &Finding) -> Option<bool> {
    ["dns-record-missing", "dns-record-mismatch"]
        .contains(&cause.rule.id)
        .then(|| cause.subject.name.contains(".data."))
}

/// With containerd 2 a missing rule is "not found"; only 1.7 hides it behind a time-out of Microsoft's registry.
fn containerd_hides(cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    if symptom.rule.id != "pull-bypasses-cache" || cause.rule.id == "isolated-without-cache" {
        return true;
    }
    !on_modern_nodes(symptom, evidence)
}

/// Whether every node that a finding names runs containerd 2 or newer.
pub fn on_modern_nodes(finding: &Finding, evidence: &Evidence) -> bool {
    let nodes = evidence.kubernetes.nodes.known().into_iter().flatten();
    let hit: Vec<_> = nodes.filter(|node| names_node(finding, &node.name)).collect();
    let modern = |runtime: &str| !runtime.contains("://1.");
    !hit.is_empty() && hit.iter().all(|node| node.container_runtime.as_deref().is_some_and(modern))
}

fn names_node(finding: &Finding, node: &str) -> bool {
    finding
        .evidence
        .iter()
        .any(|seen| seen.value.split(", ").any(|name| name == node) || seen.source.ends_with(&format!("/{node}")))
}

/// The same pool by subject, or nodes of the cause's pool in the symptom's evidence.
fn same_pool(cause: &Finding, symptom: &Finding, evidence: &Evidence) -> bool {
    if cause.subject.id == symptom.subject.id {
        return true;
    }
    let pool = cause.subject.id.name();
    let nodes = evidence.kubernetes.nodes.known().into_iter().flatten();
    let own = nodes.filter(|node| {
        [&node.agent_pool, &node.node_pool].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(pool))
    });
    own.into_iter().any(|node| names_node(symptom, &node.name))
}

/// Where a failing image comes from.
#[derive(PartialEq, Eq)]
enum Origin {
    Microsoft,
    Registry,
    Elsewhere,
}

/// The origin of the image that a finding is about; `None` for findings about nodes.
fn image_of(symptom: &Finding, evidence: &Evidence) -> Option<Origin> {
    if symptom.subject.kind != "image" {
        return None;
    }
    let registry = symptom.subject.id.as_str().split('/').next().unwrap_or_default().to_lowercase();
    let own = evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(&registry));
    let named =
        evidence.registry_id().is_some_and(|id| registry.starts_with(&format!("{}.", id.name().to_lowercase())));
    Some(if crate::image::is_microsoft(&registry) {
        Origin::Microsoft
    } else if own || named {
        Origin::Registry
    } else {
        Origin::Elsewhere
    })
}

/// Whether a rule is about the kubelet's right to pull.
pub(super) fn is_about_access(rule: &str) -> bool {
    ACCESS.contains(&rule)
}

/// Whether a rule is about the way to the registry: its endpoint or its DNS.
pub(super) fn is_cause_of_reach(rule: &str) -> bool {
    ENDPOINT.contains(&rule) || DNS.contains(&rule)
}

/// Every rule that can be a cause, for the tests.
pub fn causes() -> impl Iterator<Item = &'static str> {
    ALL.iter().flat_map(|explanation| explanation.causes).copied().chain(IDENTITY.iter().copied())
}

/// Every rule that can be a symptom, for the tests.
pub fn symptoms() -> impl Iterator<Item = &'static str> {
    ALL.iter().flat_map(|explanation| explanation.symptoms).map(|symptom| symptom.rule)
}
