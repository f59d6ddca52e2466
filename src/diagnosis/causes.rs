//! What explains what, as data: a symptom stands under its cause, and never disappears.

use super::links::{self, Explanation, Link, Symptom};
use crate::checks::finding::Finding;
use crate::checks::image_pulls::rules as pulls;
use crate::checks::rule::Rule;
use crate::checks::{
    api_server, bootstrap_profile, cache_rules, kubelet_acrpull, node_bootstrap, node_image, node_network, node_view,
    outbound, private_dns, private_endpoint, registry,
};
use crate::evidence::Evidence;
use crate::model::bootstrap_code::Fault;

const fn symptom(rule: &'static Rule) -> Symptom {
    Symptom { rule, faults: &[], codes: &[] }
}

const fn coded(rule: &'static Rule, faults: &'static [Fault], codes: &'static [u32]) -> Symptom {
    Symptom { rule, faults, codes }
}

const ENDPOINT: &[&Rule] = &[
    &private_endpoint::MISSING,
    &private_endpoint::NOT_APPROVED,
    &private_endpoint::FAILED,
    &private_endpoint::OTHER_NETWORK,
];
pub(super) const DNS: &[&Rule] = &[
    &private_dns::ZONE_MISSING,
    &private_dns::NOT_LINKED,
    &private_dns::CUSTOM_SERVERS,
    &private_dns::LINK_INCOMPLETE,
    &private_dns::RECORD_MISSING,
    &private_dns::RECORD_MISMATCH,
];
const CACHE: &[&Rule] = &[
    &cache_rules::MISSING,
    &cache_rules::MISMATCH,
    &cache_rules::LEGACY,
    &cache_rules::CONFLICT,
    &cache_rules::FAILED,
];
const ACCESS: &[&Rule] = &[
    &kubelet_acrpull::MISSING,
    &kubelet_acrpull::IGNORED_BY_ABAC,
    &kubelet_acrpull::REPOSITORY_IGNORED,
    &kubelet_acrpull::CONDITIONED,
];

const UNREACHABLE: &[Symptom] = &[
    symptom(&pulls::DNS_FAILURE),
    symptom(&pulls::FORBIDDEN),
    symptom(&pulls::NETWORK_FAILURE),
    symptom(&pulls::TLS_FAILURE),
    coded(&node_bootstrap::BOOTSTRAP_FAILED, &[Fault::Network, Fault::Hung], &[]),
    coded(&node_bootstrap::SCALE_UP, &[Fault::Network, Fault::Hung], &[]),
];
const ARTIFACTS: &[Symptom] = &[
    coded(&node_bootstrap::BOOTSTRAP_FAILED, &[Fault::Artifact], &[]),
    coded(&node_bootstrap::SCALE_UP, &[Fault::Artifact], &[]),
];
const FAILED_PULLS: &[Symptom] = &[
    symptom(&pulls::UNAUTHORIZED),
    symptom(&pulls::FORBIDDEN),
    symptom(&pulls::NOT_FOUND),
    symptom(&pulls::DNS_FAILURE),
    symptom(&pulls::NETWORK_FAILURE),
    symptom(&pulls::TLS_FAILURE),
    symptom(&pulls::FAILED),
];
const REFUSED: &[Symptom] = &[
    symptom(&pulls::UNAUTHORIZED),
    coded(&node_bootstrap::BOOTSTRAP_FAILED, &[Fault::Unauthorized], &[]),
    coded(&node_bootstrap::SCALE_UP, &[Fault::Unauthorized], &[]),
];

const API_SERVER: &[&Rule] = &[
    &api_server::ZONE_MISSING,
    &api_server::NOT_LINKED,
    &api_server::RECORD_MISSING,
    &api_server::RECORD_MISMATCH,
    &api_server::PATH_BLOCKED,
];
/// Bootstraps that did not find the API server.
const NO_API_SERVER: &[u32] = &[51, 52, 53];
const WITHOUT_API_SERVER: &[Symptom] = &[
    coded(&node_bootstrap::BOOTSTRAP_FAILED, &[], NO_API_SERVER),
    coded(&node_bootstrap::SCALE_UP, &[], NO_API_SERVER),
    symptom(&node_bootstrap::NOT_READY),
];
/// What a node without DNS cannot reach besides; 215 is its own test of DNS.
const NO_NAMES: &[u32] = &[211, 215];
const WITHOUT_NAMES: &[Symptom] = &[
    coded(&node_bootstrap::BOOTSTRAP_FAILED, &[], NO_NAMES),
    coded(&node_bootstrap::SCALE_UP, &[], NO_NAMES),
    symptom(&pulls::DNS_FAILURE),
];
const OTHER_REGISTRY_PULLS: &[Symptom] = &[
    symptom(&pulls::DNS_FAILURE),
    symptom(&pulls::FORBIDDEN),
    symptom(&pulls::NETWORK_FAILURE),
    symptom(&pulls::TLS_FAILURE),
    symptom(&pulls::LAYER_FAILED),
    symptom(&pulls::FAILED),
];
const NO_ADDRESSES: &[Symptom] = &[symptom(&node_bootstrap::POOL_FAILED), symptom(&node_bootstrap::SCALE_UP)];
/// What a node sees of names, and of what stands behind them.
const SEEN_NAMES: &[&Rule] = &[&node_view::RESOLVES_PUBLIC, &node_view::RESOLVES_WRONG];
const SEEN_REGISTRY: &[&Rule] = &[
    &node_view::RESOLVES_PUBLIC,
    &node_view::RESOLVES_WRONG,
    &node_view::REGISTRY_UNREACHABLE,
    &node_view::TLS_INTERCEPTED,
];
const SEEN_DATA: &[&Rule] = &[
    &node_view::RESOLVES_PUBLIC,
    &node_view::RESOLVES_WRONG,
    &node_view::DATA_UNREACHABLE,
    &node_view::TLS_INTERCEPTED,
];
const SEEN_API: &[&Rule] = &[
    &node_view::RESOLVES_PUBLIC,
    &node_view::RESOLVES_WRONG,
    &node_view::API_UNREACHABLE,
    &node_view::TLS_INTERCEPTED,
];
/// What a node sees where the way to the registry is broken.
const SEEN_FROM_NODES: &[Symptom] = &[
    symptom(&node_view::RESOLVES_PUBLIC),
    symptom(&node_view::RESOLVES_WRONG),
    symptom(&node_view::REGISTRY_UNREACHABLE),
    symptom(&node_view::DATA_UNREACHABLE),
];

const SEEN_OF_API_SERVER: &[Symptom] =
    &[symptom(&node_view::RESOLVES_PUBLIC), symptom(&node_view::RESOLVES_WRONG), symptom(&node_view::API_UNREACHABLE)];
/// What a node sees whose queries are not answered.
const SEEN_WITHOUT_DNS: &[Symptom] = &[
    symptom(&node_view::REGISTRY_UNREACHABLE),
    symptom(&node_view::DATA_UNREACHABLE),
    symptom(&node_view::API_UNREACHABLE),
];

/// All explanations, the more specific before the more general.
pub(super) const ALL: &[Explanation] = &[
    Explanation { causes: &[&bootstrap_profile::REGISTRY_NOT_FOUND], symptoms: UNREACHABLE, link: Link::RegistryImage },
    Explanation { causes: &[&bootstrap_profile::REGISTRY_NOT_FOUND], symptoms: ARTIFACTS, link: Link::Registry },
    Explanation { causes: &[&bootstrap_profile::REGISTRY_NOT_FOUND], symptoms: REFUSED, link: Link::RegistryImage },
    Explanation {
        causes: &[&bootstrap_profile::REGISTRY_NOT_FOUND],
        symptoms: &[
            symptom(&pulls::LAYER_FAILED),
            symptom(&pulls::NOT_FOUND),
            symptom(&pulls::UPSTREAM_FAILED),
            symptom(&pulls::BYPASSES_CACHE),
        ],
        link: Link::RegistryImage,
    },
    Explanation {
        causes: &[&registry::NOT_PREMIUM],
        symptoms: &[symptom(&private_endpoint::MISSING)],
        link: Link::Registry,
    },
    Explanation {
        causes: &[&private_endpoint::MISSING],
        symptoms: &[symptom(&private_dns::RECORD_MISSING), symptom(&private_dns::RECORD_MISMATCH)],
        link: Link::Registry,
    },
    Explanation { causes: ENDPOINT, symptoms: UNREACHABLE, link: Link::RegistryImage },
    Explanation { causes: ENDPOINT, symptoms: &[symptom(&pulls::LAYER_FAILED)], link: Link::RegistryImage },
    Explanation {
        causes: &[&private_dns::RECORD_MISSING, &private_dns::RECORD_MISMATCH],
        symptoms: &[symptom(&pulls::LAYER_FAILED)],
        link: Link::DataRecord,
    },
    Explanation {
        causes: &[&private_dns::RECORD_MISSING, &private_dns::RECORD_MISMATCH],
        symptoms: ARTIFACTS,
        link: Link::DataRecord,
    },
    Explanation { causes: DNS, symptoms: UNREACHABLE, link: Link::RegistryImage },
    Explanation {
        causes: &[&private_dns::ZONE_MISSING, &private_dns::NOT_LINKED],
        symptoms: &[symptom(&pulls::LAYER_FAILED)],
        link: Link::RegistryImage,
    },
    Explanation { causes: CACHE, symptoms: ARTIFACTS, link: Link::Registry },
    Explanation {
        causes: CACHE,
        symptoms: &[symptom(&pulls::NOT_FOUND), symptom(&pulls::BYPASSES_CACHE)],
        link: Link::MicrosoftImage,
    },
    Explanation { causes: ACCESS, symptoms: REFUSED, link: Link::RegistryImage },
    Explanation { causes: ACCESS, symptoms: ARTIFACTS, link: Link::AbacRegistry },
    Explanation {
        causes: ACCESS,
        symptoms: &[
            coded(&node_bootstrap::BOOTSTRAP_FAILED, &[], &[211]),
            coded(&node_bootstrap::SCALE_UP, &[], &[211]),
        ],
        link: Link::AbacRegistry,
    },
    Explanation { causes: &[&kubelet_acrpull::NO_IDENTITY], symptoms: REFUSED, link: Link::RegistryImage },
    Explanation { causes: &[&kubelet_acrpull::NOT_ON_SCALE_SET], symptoms: REFUSED, link: Link::Pool },
    Explanation { causes: &[&registry::ARM_AUDIENCE], symptoms: REFUSED, link: Link::RegistryImage },
    Explanation { causes: &[&registry::TRUSTED_SERVICES], symptoms: ARTIFACTS, link: Link::Registry },
    Explanation {
        causes: &[&registry::TRUSTED_SERVICES],
        symptoms: &[symptom(&pulls::NOT_FOUND), symptom(&pulls::BYPASSES_CACHE)],
        link: Link::MicrosoftImage,
    },
    Explanation {
        causes: &[&registry::TRUSTED_SERVICES],
        symptoms: &[symptom(&pulls::UPSTREAM_FAILED)],
        link: Link::RegistryImage,
    },
    Explanation {
        causes: &[&private_endpoint::PATH_BLOCKED, &outbound::PROXY],
        symptoms: UNREACHABLE,
        link: Link::RegistryImage,
    },
    Explanation {
        causes: &[&node_image::NOT_REIMAGED],
        symptoms: &[
            symptom(&pulls::BYPASSES_CACHE),
            coded(&node_bootstrap::BOOTSTRAP_FAILED, &[], &[50]),
            coded(&node_bootstrap::SCALE_UP, &[], &[50]),
        ],
        link: Link::Pool,
    },
    Explanation { causes: &[&node_image::NOT_REIMAGED], symptoms: FAILED_PULLS, link: Link::OtherMirror },
    Explanation {
        causes: &[&node_image::KNOWN_BAD],
        symptoms: &[
            coded(&node_bootstrap::BOOTSTRAP_FAILED, &[], &[211]),
            coded(&node_bootstrap::SCALE_UP, &[], &[211]),
        ],
        link: Link::Pool,
    },
    Explanation {
        causes: &[&cache_rules::CREDENTIALS],
        symptoms: &[symptom(&pulls::UPSTREAM_FAILED)],
        link: Link::CacheRule,
    },
    Explanation {
        causes: &[&bootstrap_profile::WITHOUT_CACHE],
        symptoms: &[
            symptom(&pulls::BYPASSES_CACHE),
            coded(&node_bootstrap::BOOTSTRAP_FAILED, &[Fault::Egress], &[]),
            coded(&node_bootstrap::SCALE_UP, &[Fault::Egress], &[]),
        ],
        link: Link::Registry,
    },
    Explanation { causes: API_SERVER, symptoms: WITHOUT_API_SERVER, link: Link::Registry },
    Explanation { causes: &[&node_network::DNS_BLOCKED], symptoms: WITHOUT_API_SERVER, link: Link::Subnet },
    Explanation { causes: &[&node_network::DNS_BLOCKED], symptoms: WITHOUT_NAMES, link: Link::Subnet },
    Explanation {
        causes: &[&node_network::NODES_BLOCKED],
        symptoms: &[symptom(&node_bootstrap::NOT_READY)],
        link: Link::Subnet,
    },
    Explanation { causes: &[&node_network::SUBNET_FULL], symptoms: NO_ADDRESSES, link: Link::Addresses },
    Explanation { causes: &[&pulls::OTHER_UNREACHABLE], symptoms: OTHER_REGISTRY_PULLS, link: Link::SameRegistry },
    Explanation {
        causes: &[&node_bootstrap::BOOTSTRAP_FAILED, &node_bootstrap::SCALE_UP],
        symptoms: &[symptom(&node_bootstrap::POOL_FAILED), symptom(&node_bootstrap::NOT_READY)],
        link: Link::Pool,
    },
    Explanation {
        causes: &[&node_bootstrap::BOOTSTRAP_FAILED],
        symptoms: &[symptom(&node_bootstrap::SCALE_UP)],
        link: Link::Pool,
    },
    Explanation {
        causes: &[&node_bootstrap::BOOTSTRAP_FAILED, &node_bootstrap::POOL_FAILED],
        symptoms: &[symptom(&bootstrap_profile::FAILED)],
        link: Link::Registry,
    },
    Explanation {
        causes: &[&bootstrap_profile::REGISTRY_NOT_FOUND],
        symptoms: SEEN_FROM_NODES,
        link: Link::RegistryHost,
    },
    Explanation { causes: ENDPOINT, symptoms: SEEN_FROM_NODES, link: Link::RegistryHost },
    Explanation { causes: DNS, symptoms: SEEN_FROM_NODES, link: Link::RegistryHost },
    Explanation {
        causes: &[&private_endpoint::PATH_BLOCKED],
        symptoms: &[symptom(&node_view::REGISTRY_UNREACHABLE), symptom(&node_view::DATA_UNREACHABLE)],
        link: Link::RegistryHost,
    },
    Explanation { causes: API_SERVER, symptoms: SEEN_OF_API_SERVER, link: Link::ApiServerHost },
    Explanation { causes: &[&node_network::DNS_BLOCKED], symptoms: SEEN_WITHOUT_DNS, link: Link::Subnet },
    Explanation {
        causes: SEEN_NAMES,
        symptoms: &[
            symptom(&node_view::REGISTRY_UNREACHABLE),
            symptom(&node_view::DATA_UNREACHABLE),
            symptom(&node_view::API_UNREACHABLE),
            symptom(&node_view::TLS_INTERCEPTED),
        ],
        link: Link::Node,
    },
    Explanation { causes: SEEN_REGISTRY, symptoms: UNREACHABLE, link: Link::NodePull },
    Explanation { causes: SEEN_DATA, symptoms: &[symptom(&pulls::LAYER_FAILED)], link: Link::NodeData },
    Explanation { causes: SEEN_DATA, symptoms: ARTIFACTS, link: Link::NodeData },
    Explanation { causes: SEEN_API, symptoms: WITHOUT_API_SERVER, link: Link::NodeApi },
    Explanation {
        causes: &[&node_image::NOT_REIMAGED],
        symptoms: &[symptom(&node_view::MIRROR_STALE)],
        link: Link::Pool,
    },
    Explanation { causes: &[&node_view::MIRROR_STALE], symptoms: &[symptom(&pulls::BYPASSES_CACHE)], link: Link::Node },
];

/// Rules about the way to the registry: its endpoint and its DNS.
pub(super) const ENDPOINT_AND_DNS: &[&Rule] =
    &[ENDPOINT[0], ENDPOINT[1], ENDPOINT[2], ENDPOINT[3], DNS[0], DNS[1], DNS[2], DNS[3], DNS[4], DNS[5]];

/// Rules about what on the way stops nodes.
const ON_THE_WAY: &[&Rule] = &[&private_endpoint::PATH_BLOCKED, &outbound::PROXY, &node_network::DNS_BLOCKED];

/// Notes in each finding what explains it. A finding never explains itself, nor one that explains it.
pub(super) fn explain(findings: &mut [Finding], evidence: &Evidence) {
    let mut caused_by: Vec<Vec<usize>> = vec![Vec::new(); findings.len()];
    let of = |wanted: &dyn Fn(&Rule) -> bool| -> Vec<usize> {
        (0..findings.len()).filter(|at| wanted(findings[*at].rule)).collect()
    };
    for explanation in ALL {
        let causes = of(&|rule| rule.is_one_of(explanation.causes));
        let symptoms = of(&|rule| explanation.symptoms.iter().any(|symptom| symptom.rule == rule));
        for (cause, symptom) in causes.iter().flat_map(|cause| symptoms.iter().map(|symptom| (*cause, *symptom))) {
            let new = cause != symptom && !caused_by[symptom].contains(&cause) && !caused_by[cause].contains(&symptom);
            if new && links::explains(explanation, &findings[cause], &findings[symptom], evidence) {
                caused_by[symptom].push(cause);
            }
        }
    }
    for (symptom, causes) in caused_by.iter_mut().enumerate() {
        // Early images gave 211 for a missing role in ABAC mode, but only where the way to the registry is well.
        let reach = causes.iter().any(|cause| {
            findings[*cause].rule.is_one_of(ENDPOINT_AND_DNS) || findings[*cause].rule.is_one_of(ON_THE_WAY)
        });
        if reach && findings[symptom].facts.exit_code == Some(211) {
            causes.retain(|cause| !findings[*cause].rule.is_one_of(ACCESS));
        }
    }
    let prints: Vec<_> = findings.iter().map(Finding::fingerprint).collect();
    for (finding, causes) in findings.iter_mut().zip(caused_by) {
        finding.caused_by = causes.into_iter().map(|cause| prints[cause].clone()).collect();
    }
}
