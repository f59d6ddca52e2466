//! Images that pods wait for, and images in use that could not be pulled again.

pub mod message;
mod outside;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::remedy::{self, DOCS_CACHE, DOCS_PRIVATE_LINK, DOCS_ROLES, DOCS_TROUBLESHOOT, remedy};
use super::{Check, Judge, NotApplicable};
use crate::azure::id::ResourceId;
use crate::evidence::kubernetes::{Node, WaitingPull};
use crate::evidence::view::is;
use crate::evidence::{Evidence, Fact, Gap, Section};
use crate::finding::{Finding, Observation, Remediation, RemediationKind, Rule, Subject};
use crate::image::{self, Image};
use crate::text::{self, count};
use message::{Host, Kind, Reading};
use rules::{
    BYPASSES_CACHE, DNS_FAILURE, FAILED, FORBIDDEN, LAYER_FAILED, NETWORK_FAILURE, NOT_CACHED, NOT_FOUND,
    OUTSIDE_CACHE, PLATFORM_MISMATCH, THROTTLED, TLS_FAILURE, UNAUTHORIZED, UPSTREAM_FAILED,
};

/// The check.
pub const CHECK: Check = Check {
    id: "image-pulls",
    title: "Images that pods wait for or could not pull again",
    doc: include_str!("image-pulls.md"),
    needs: &[
        Section::AgentPools,
        Section::Registry,
        Section::CacheRules,
        Section::VirtualNetworks,
        Section::RouteTables,
        Section::Nodes,
        Section::Events,
        Section::Pods,
    ],
    rules: rules::ALL,
    run,
};

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    judge.is_isolated_or_cached()?;
    let evidence = judge.evidence;
    if evidence.stopped() {
        return Err(NotApplicable("the cluster is stopped".to_owned()));
    }
    if evidence.registry_id().is_some() {
        judge.know(&evidence.registry.registry, "the bootstrap registry");
    }
    let Some(images) = judge.know(&evidence.kubernetes.images, "the pods") else { return Ok(()) };
    let nodes = judge.know(&evidence.kubernetes.nodes, "the nodes").map(Vec::as_slice).unwrap_or_default();
    // Events are needed only where a container waits without saying why.
    if images.waiting.iter().any(|pull| pull.message.is_none()) {
        judge.know(&evidence.kubernetes.mirror_failures, "events of failed pulls");
    }
    let case = Case { evidence, nodes };
    let mut not_cached = BTreeSet::new();
    for ((rule, image), pulls) in case.groups(&images.waiting) {
        if rule == NOT_CACHED.id {
            not_cached.insert(image.clone());
        }
        judge.report(case.finding(rule, &image, &pulls));
    }
    let outside = outside::judge(judge, &images.used, &not_cached);
    // The registry may already have a rule for an image that is not Microsoft's: then only the reference is wrong.
    if (outside || !not_cached.is_empty()) && evidence.known_registry().is_some() {
        judge.know(&evidence.registry.cache_rules, "the registry's cache rules");
    }
    Ok(())
}

struct Case<'e> {
    evidence: &'e Evidence,
    nodes: &'e [Node],
}

/// One waiting container and what its message says.
struct Pull<'e> {
    waiting: &'e WaitingPull,
    reading: Reading,
}

impl<'e> Case<'e> {
    /// Waiting containers by rule and image.
    fn groups(&self, waiting: &'e [WaitingPull]) -> BTreeMap<(&'static str, String), Vec<Pull<'e>>> {
        let mut groups: BTreeMap<(&'static str, String), Vec<Pull<'e>>> = BTreeMap::new();
        for waiting in waiting {
            let message = waiting.message.as_deref().unwrap_or_default();
            let reading = message::read(message, self.evidence.login_server());
            let rule = self.rule(waiting, &reading);
            groups.entry((rule.id, waiting.image.clone())).or_default().push(Pull { waiting, reading });
        }
        groups
    }

    fn rule(&self, waiting: &WaitingPull, reading: &Reading) -> &'static Rule {
        let registry = Image::parse(&waiting.image).map(|image| image.registry).unwrap_or_default();
        let layers = matches!(reading.host, Host::Data | Host::Blob);
        let unreachable = matches!(reading.kind, Kind::Dns | Kind::Network);
        match reading.kind {
            Kind::Upstream => &UPSTREAM_FAILED,
            Kind::Platform => &PLATFORM_MISMATCH,
            Kind::Throttled => &THROTTLED,
            Kind::Tls => &TLS_FAILURE,
            Kind::FirewallDenied => &FORBIDDEN,
            _ if layers && reading.kind != Kind::Other => &LAYER_FAILED,
            _ if unreachable && image::is_public(&registry) => &NOT_CACHED,
            _ if unreachable && reading.host == Host::Microsoft => &BYPASSES_CACHE,
            Kind::Unauthorized => &UNAUTHORIZED,
            Kind::NotFound => &NOT_FOUND,
            Kind::Dns => &DNS_FAILURE,
            Kind::Network if self.is_registry_path(&registry, reading) => &NETWORK_FAILURE,
            _ => &FAILED,
        }
    }

    /// Whether a time-out was on the way to the bootstrap registry, or to another private registry of Azure.
    fn is_registry_path(&self, registry: &str, reading: &Reading) -> bool {
        match &reading.host {
            Host::Registry => true,
            Host::Other(host) => host.contains(".azurecr."),
            Host::Unnamed => {
                let own = self.evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(registry));
                own || message::is_microsoft(registry) || registry.contains(".azurecr.")
            }
            _ => false,
        }
    }

    fn finding(&self, rule: &str, image: &str, pulls: &[Pull<'e>]) -> Finding {
        let rule = rules::ALL.iter().find(|known| known.id == rule).expect("the group was made from one of these");
        let newest = pulls.iter().max_by_key(|pull| pull.waiting.last_seen).expect("a group has a pull");
        let said = newest.waiting.message.as_deref().unwrap_or("no message (it only waits, and events say nothing)");
        let said = text::bounded(said, 700);
        let pods: BTreeSet<String> =
            pulls.iter().map(|pull| format!("{}/{}", pull.waiting.namespace, pull.waiting.pod)).collect();
        let nodes: BTreeSet<&str> =
            pulls.iter().map(|pull| pull.waiting.node.as_str()).filter(|node| !node.is_empty()).collect();
        let mut evidence =
            vec![Observation::new("GET /api/v1/pods", "status.containerStatuses[].state.waiting.message", said)];
        evidence.push(Observation::new("GET /api/v1/pods", "metadata.name", listed(pods.iter().map(String::as_str))));
        if !nodes.is_empty() {
            evidence.push(Observation::new("GET /api/v1/pods", "spec.nodeName", listed(nodes.iter().copied())));
        }
        let why = self.why(rule, image, newest, &nodes);
        let detail = format!(
            "{} of {} on {} wait for image {image}. {why}",
            count(pulls.len(), "container"),
            count(pods.len(), "pod"),
            count(nodes.len(), "node")
        );
        Finding {
            rule,
            severity: rule.severity,
            detail,
            subject: Subject { kind: "image", id: ResourceId::new(image), name: image.to_owned() },
            evidence,
            remediation: self.remediation(rule, image, newest, &nodes),
        }
    }

    /// Whether every one of the nodes runs containerd 2 or newer, which never hides the mirror's 404.
    fn modern(&self, nodes: &BTreeSet<&str>) -> Option<bool> {
        let versions = self.nodes.iter().filter(|node| nodes.contains(node.name.as_str()));
        let majors: Vec<u32> = versions.filter_map(|node| major(node.container_runtime.as_deref()?)).collect();
        (!majors.is_empty()).then(|| majors.iter().all(|major| *major >= 2))
    }

    fn why(&self, rule: &Rule, image: &str, pull: &Pull<'_>, nodes: &BTreeSet<&str>) -> String {
        match rule.id {
            id if id == BYPASSES_CACHE.id => match self.modern(nodes) {
                Some(true) => "The node asked Microsoft's registry itself. With containerd 2 that means that its mirror is not configured: the node was not reimaged.".to_owned(),
                _ => "The node asked Microsoft's registry itself. With containerd 1.7 that means that its mirror is not configured, or that the mirror answered 404 (no matching cache rule), which containerd 1.7 hides.".to_owned(),
            },
            id if id == NOT_CACHED.id => outside::rewrite(self.evidence, image).unwrap_or_else(|| "Nodes mirror Microsoft's registry only.".to_owned()),
            id if id == FAILED.id => match &pull.reading.host {
                Host::Other(host) => format!("The message is about {host}; nothing that aksiso knows of fits it."),
                _ => "Nothing that aksiso knows of fits the message.".to_owned(),
            },
            _ => rules::meaning(rule).to_owned(),
        }
    }

    /// What to do where nothing else explains the failure; a cause brings its own remediation.
    fn remediation(&self, rule: &Rule, image: &str, pull: &Pull<'_>, nodes: &BTreeSet<&str>) -> Remediation {
        let named = Image::parse(image);
        let own = named.as_ref().is_some_and(|named| {
            self.evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(&named.registry))
        });
        let microsoft = named.is_some_and(|named| named.is_microsoft());
        let investigate =
            |summary: &str, docs: &'static str| remedy(RemediationKind::Investigate, summary, Vec::new(), docs);
        match rule.id {
            id if id == UNAUTHORIZED.id && (own || microsoft) => remedy(
                RemediationKind::AssignRole,
                "See check kubelet-acrpull. Where it passes, wait: a role takes minutes to spread, and the kubelet keeps a refused sign-in for up to ten.",
                Vec::new(),
                DOCS_ROLES,
            ),
            id if id == UNAUTHORIZED.id => remedy(
                RemediationKind::AssignRole,
                "Let the kubelet identity pull from the image's registry, or give the pod an imagePullSecret for it.",
                Vec::new(),
                DOCS_ROLES,
            ),
            id if id == FORBIDDEN.id => remedy(
                RemediationKind::LinkDnsZone,
                "The registry was reached over its public address. See checks private-dns and private-endpoint; where both pass, ask the node's DNS servers what they answer for the login server.",
                Vec::new(),
                DOCS_PRIVATE_LINK,
            ),
            id if id == NOT_FOUND.id && microsoft => remedy(
                RemediationKind::RecreateCacheRule,
                "See check cache-rules. Where it passes, the image or tag does not exist in Microsoft's registry.",
                Vec::new(),
                DOCS_CACHE,
            ),
            id if id == NOT_FOUND.id => investigate("Check the image's name and tag in its registry.", DOCS_CACHE),
            id if id == DNS_FAILURE.id && matches!(pull.reading.host, Host::Registry) => remedy(
                RemediationKind::LinkDnsZone,
                "See check private-dns. Where it passes, ask the node's DNS servers for the name.",
                Vec::new(),
                DOCS_PRIVATE_LINK,
            ),
            id if id == DNS_FAILURE.id => remedy(
                RemediationKind::CreateDnsRecord,
                "The name does not resolve on the node: give it a record in a zone that the node network is linked to, or correct the image's name.",
                Vec::new(),
                DOCS_PRIVATE_LINK,
            ),
            id if id == NETWORK_FAILURE.id => investigate(
                "See checks private-endpoint and outbound. Where both pass, look at firewalls on the way from the node subnet to the endpoint.",
                DOCS_PRIVATE_LINK,
            ),
            id if id == BYPASSES_CACHE.id => self.bypass(nodes),
            id if id == NOT_CACHED.id => outside::remediation(self.evidence, image),
            id if id == UPSTREAM_FAILED.id => remedy(
                RemediationKind::FixUpstreamCredentials,
                "The cache rule matched, and its upstream refused: see its credential set (az acr credential-set list), and the upstream's own limits.",
                Vec::new(),
                DOCS_CACHE,
            ),
            id if id == LAYER_FAILED.id => remedy(
                RemediationKind::CreateDnsRecord,
                "See check private-dns: the registry's data endpoint must resolve to the private endpoint. An address of blob storage means that no private endpoint is used.",
                Vec::new(),
                DOCS_PRIVATE_LINK,
            ),
            id if id == PLATFORM_MISMATCH.id => investigate(
                "Use an image that is built for the node's architecture, or schedule the pod elsewhere.",
                DOCS_TROUBLESHOOT,
            ),
            id if id == THROTTLED.id => {
                investigate("Wait; if it stays, spread the pulls, or raise the registry's tier.", DOCS_TROUBLESHOOT)
            }
            id if id == TLS_FAILURE.id => investigate(
                "Something between node and registry shows another certificate: exempt the registry's names from TLS inspection, and see that they resolve to the private endpoint.",
                DOCS_TROUBLESHOOT,
            ),
            _ => investigate(
                "Read the message; repeat the pull on the node to see more (crictl pull IMAGE).",
                DOCS_TROUBLESHOOT,
            ),
        }
    }

    /// Reimage, unless Azure says that the rule is what is missing.
    fn bypass(&self, nodes: &BTreeSet<&str>) -> Remediation {
        let pools = self.evidence.pools.agent_pools.known().into_iter().flatten();
        let hit = |pool: &str| {
            self.nodes.iter().any(|node| nodes.contains(node.name.as_str()) && is(node.agent_pool.as_ref(), pool))
        };
        let commands =
            pools.filter(|pool| hit(&pool.name)).map(|pool| remedy::upgrade_pool(self.evidence, &pool.name)).collect();
        remedy(
            RemediationKind::Reimage,
            "Reimage the nodes, unless check cache-rules has a finding: then mend the rule.",
            commands,
            DOCS_TROUBLESHOOT,
        )
    }
}

/// The first twenty, and how many more there are.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(20);
    let shown = names.iter().take(20).copied().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// `containerd://1.7.34-1` is 1.
fn major(runtime: &str) -> Option<u32> {
    runtime.rsplit("://").next()?.split('.').next()?.parse().ok()
}

/// Whether the operator may have a way out of his own, and what keeps that from being known.
pub(super) fn own_egress(evidence: &Evidence) -> (bool, Vec<Gap>) {
    let proxy = evidence.cluster.properties.http_proxy_config.as_ref();
    let proxy = proxy.is_some_and(|config| config.enabled != Some(false) && config.https_proxy.is_some());
    let (nodes, gap) = evidence.node_networks();
    let mut gaps: Vec<Gap> = gap.cloned().map(|gap| gap.about("the node network")).into_iter().collect();
    let mut found = proxy;
    for id in &nodes {
        match evidence.network(id) {
            Fact::Known(network) => found |= super::reach::behind_virtual_wan(network),
            Fact::Missing(gap) => gaps.push(gap),
        }
    }
    for (_, subnet) in evidence.node_subnets() {
        found |= subnet.nat_gateway.as_ref().is_some_and(|gateway| gateway.id.is_some());
        match super::outbound::own_default_route(evidence, subnet) {
            Ok(routed) => found |= routed,
            Err(gap) => gaps.push(gap),
        }
    }
    // Once a way is found, what else could not be read does not matter.
    if found { (true, Vec::new()) } else { (!gaps.is_empty(), gaps) }
}

/// The rule for a registry that was reached over its public address.
pub(super) fn forbidden_rule() -> &'static Rule {
    &FORBIDDEN
}

/// The rule for images in use.
fn outside_rule() -> &'static Rule {
    &OUTSIDE_CACHE
}
