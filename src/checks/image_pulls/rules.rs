//! The rules of failed pulls: what each means, and what to do where nothing else explains it.

use crate::checks::finding::RemediationKind;
use crate::checks::remedy::{DOCS_CACHE, DOCS_PRIVATE_LINK, DOCS_ROLES, DOCS_TROUBLESHOOT};
use crate::checks::rule::{GateRole, Rule};

pub const UNAUTHORIZED: Rule = Rule::error("pull-unauthorized", "The registry refuses the node's sign-in");
pub const FORBIDDEN: Rule =
    Rule::error("pull-forbidden", "The registry was reached over its public address, and its firewall refused");
pub const NOT_FOUND: Rule = Rule::error("pull-not-found", "The registry does not have the image");
pub const DNS_FAILURE: Rule = Rule::error("pull-dns-failure", "The registry's name does not resolve on the node");
pub const NETWORK_FAILURE: Rule = Rule::error("pull-network-failure", "The registry cannot be reached from the node");
pub const BYPASSES_CACHE: Rule =
    Rule::error("pull-bypasses-cache", "A node contacts Microsoft's registry instead of the cache");
pub const NOT_CACHED: Rule =
    Rule::error("pull-not-cached", "The image is from a public registry that the nodes have no cache for");
pub const UPSTREAM_FAILED: Rule = Rule::error("pull-upstream-failed", "A cache rule matched, and its upstream refused");
pub const LAYER_FAILED: Rule = Rule::error("pull-layer-failed", "Manifest pulled; layer download failed");
pub const PLATFORM_MISMATCH: Rule =
    Rule::error("pull-platform-mismatch", "The image is not built for the node's platform");
pub const THROTTLED: Rule = Rule::warning("pull-throttled", "Pulls are throttled");
pub const TLS_FAILURE: Rule = Rule::error("pull-tls-failure", "The registry's certificate is wrong");
pub const FAILED: Rule = Rule::error("pull-failed", "An image cannot be pulled");
pub const OUTSIDE_CACHE: Rule =
    Rule::warning("image-outside-cache", "A running image cannot be re-pulled").gate(GateRole::Strict);
pub const OTHER_UNREACHABLE: Rule = Rule::warning(
    "other-registry-unreachable",
    "The nodes cannot resolve another Azure registry in use to a private address",
)
.gate(GateRole::Strict);

/// All of them.
pub const ALL: &[&Rule] = &[
    &UNAUTHORIZED,
    &FORBIDDEN,
    &NOT_FOUND,
    &DNS_FAILURE,
    &NETWORK_FAILURE,
    &BYPASSES_CACHE,
    &NOT_CACHED,
    &UPSTREAM_FAILED,
    &LAYER_FAILED,
    &PLATFORM_MISMATCH,
    &THROTTLED,
    &TLS_FAILURE,
    &FAILED,
    &OUTSIDE_CACHE,
    &OTHER_UNREACHABLE,
];

/// What to do, in a fixed sentence.
pub(super) struct Advice {
    pub(super) kind: RemediationKind,
    pub(super) summary: &'static str,
    pub(super) docs: &'static str,
}

/// What a failed pull is about, as far as advice depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// An image of the bootstrap registry, or one that comes through its cache.
    BootstrapRegistry,
    /// An image that comes through the cache.
    Cache,
    /// The name of the bootstrap registry itself.
    RegistryName,
}

/// A rule whose meaning and advice are the same in every case, or differ only by what the pull is about.
pub(super) struct PullFailure {
    pub(super) rule: &'static Rule,
    pub(super) meaning: &'static str,
    pub(super) advice: Advice,
    /// The advice where the pull is not about this.
    pub(super) unless: Option<(About, Advice)>,
}

const fn advice(kind: RemediationKind, summary: &'static str, docs: &'static str) -> Advice {
    Advice { kind, summary, docs }
}

/// What to do where no rule below fits.
pub(super) const UNKNOWN: Advice = advice(
    RemediationKind::Investigate,
    "Read the message; repeat the pull on the node to see more (crictl pull IMAGE).",
    DOCS_TROUBLESHOOT,
);

/// The rules with fixed words; the others are put into words case by case.
pub(super) const FAILURES: &[PullFailure] = &[
    PullFailure {
        rule: &UNAUTHORIZED,
        meaning: "The registry answered 401: the identity has no role that lets it pull, or no sign-in was sent.",
        advice: advice(
            RemediationKind::AssignRole,
            "See check kubelet-acrpull. Where it passes, wait: a role takes minutes to propagate, and the kubelet \
             keeps a refused sign-in for up to ten.",
            DOCS_ROLES,
        ),
        unless: Some((
            About::BootstrapRegistry,
            advice(
                RemediationKind::AssignRole,
                "Let the kubelet identity pull from the image's registry, or give the pod an imagePullSecret for it.",
                DOCS_ROLES,
            ),
        )),
    },
    PullFailure {
        rule: &FORBIDDEN,
        meaning: "The registry saw a public address: the node does not use the private endpoint.",
        advice: advice(
            RemediationKind::LinkDnsZone,
            "The registry was reached over its public address. See checks private-dns and private-endpoint; where \
             both pass, ask the node's DNS servers what they answer for the login server.",
            DOCS_PRIVATE_LINK,
        ),
        unless: None,
    },
    PullFailure {
        rule: &NOT_FOUND,
        meaning: "For an image of Microsoft's registry that means that no cache rule matches, or that the image does \
                  not exist there.",
        advice: advice(
            RemediationKind::RecreateCacheRule,
            "See check cache-rules. Where it passes, the image or tag does not exist in Microsoft's registry.",
            DOCS_CACHE,
        ),
        unless: Some((
            About::Cache,
            advice(RemediationKind::Investigate, "Check the image's name and tag in its registry.", DOCS_CACHE),
        )),
    },
    PullFailure {
        rule: &DNS_FAILURE,
        meaning: "The node's DNS has no answer for the name.",
        advice: advice(
            RemediationKind::LinkDnsZone,
            "See check private-dns. Where it passes, ask the node's DNS servers for the name.",
            DOCS_PRIVATE_LINK,
        ),
        unless: Some((
            About::RegistryName,
            advice(
                RemediationKind::CreateDnsRecord,
                "The name does not resolve on the node: give it a record in a zone that the node network is linked \
                 to, or correct the image's name.",
                DOCS_PRIVATE_LINK,
            ),
        )),
    },
    PullFailure {
        rule: &NETWORK_FAILURE,
        meaning: "The name resolves, but the connection fails.",
        advice: advice(
            RemediationKind::Investigate,
            "See checks private-endpoint and outbound. Where both pass, look at firewalls on the way from the node \
             subnet to the endpoint.",
            DOCS_PRIVATE_LINK,
        ),
        unless: None,
    },
    PullFailure {
        rule: &UPSTREAM_FAILED,
        meaning: "The registry's message names the cache rule, so the rule is right; its upstream refused.",
        advice: advice(
            RemediationKind::FixUpstreamCredentials,
            "The cache rule matched, and its upstream refused: see its credential set (az acr credential-set list), \
             and the upstream's own limits.",
            DOCS_CACHE,
        ),
        unless: None,
    },
    PullFailure {
        rule: &LAYER_FAILED,
        meaning: "Layers come from the registry's data endpoint, which has a name and address of its own.",
        advice: advice(
            RemediationKind::CreateDnsRecord,
            "See check private-dns: the registry's data endpoint must resolve to the private endpoint. An address of \
             blob storage means that no private endpoint is used.",
            DOCS_PRIVATE_LINK,
        ),
        unless: None,
    },
    PullFailure {
        rule: &PLATFORM_MISMATCH,
        meaning: "The image has no manifest for the node's architecture, even where a 401 is wrapped around that.",
        advice: advice(
            RemediationKind::Investigate,
            "Use an image that is built for the node's architecture, or schedule the pod elsewhere.",
            DOCS_TROUBLESHOOT,
        ),
        unless: None,
    },
    PullFailure {
        rule: &THROTTLED,
        meaning: "The registry or the kubelet limits pulls.",
        advice: advice(
            RemediationKind::Investigate,
            "Wait; if it stays, spread the pulls, or raise the registry's tier.",
            DOCS_TROUBLESHOOT,
        ),
        unless: None,
    },
    PullFailure {
        rule: &TLS_FAILURE,
        meaning: "Something intercepts TLS, or the name leads to another host.",
        advice: advice(
            RemediationKind::Investigate,
            "Something between node and registry shows another certificate: exempt the registry's names from TLS \
             inspection, and see that they resolve to the private endpoint.",
            DOCS_TROUBLESHOOT,
        ),
        unless: None,
    },
];
