//! Images that pods wait for, and running images that cannot be re-pulled.

mod other_registry;
mod outside;
pub mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use super::finding::{Facts, Finding, Observation, Remediation, RemediationKind, Subject};
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, DOCS_TROUBLESHOOT, remedy};
use super::rule::{Rule, RuleSet};
use crate::evidence::cloud;
use crate::evidence::image::{self, Image};
use crate::evidence::kubernetes::{Node, WaitingPull};
use crate::evidence::{Evidence, Section};
use crate::model::cluster::is;
use crate::model::message::{self, Host, Kind, Reading, mirror_host};
use crate::text::{self, count, listed};
use rules::{
    About, Advice, BYPASSES_CACHE, DNS_FAILURE, FAILED, FORBIDDEN, LAYER_FAILED, NETWORK_FAILURE, NOT_CACHED,
    NOT_FOUND, PLATFORM_MISMATCH, THROTTLED, TLS_FAILURE, UNAUTHORIZED, UNKNOWN, UPSTREAM_FAILED,
};

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "image-pulls",
        title: "Images that pods wait for or could not re-pull",
        doc: include_str!("image-pulls.md"),
        rules: rules::ALL,
    },
    needs: &[
        Section::AgentPools,
        Section::Registry,
        Section::CacheRules,
        Section::VirtualNetworks,
        Section::RouteTables,
        Section::PrivateDns,
        Section::Nodes,
        Section::Events,
        Section::Pods,
        Section::Templates,
    ],
    run,
};

/// Longest message of a container runtime that is shown, in characters.
const MESSAGE: usize = 700;

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
    for group in case.groups(&images.waiting) {
        if group.rule == &NOT_CACHED {
            not_cached.insert(group.image.to_owned());
        }
        judge.report(case.finding(&group));
    }
    other_registry::judge(judge, images);
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

/// Waiting containers whose pulls fail in the same way for the same image; there is at least one.
struct Group<'e> {
    rule: &'static Rule,
    image: &'e str,
    pulls: Vec<Pull<'e>>,
}

impl<'e> Group<'e> {
    /// The pull that was last seen, of those that say why they wait.
    fn newest(&self) -> &Pull<'e> {
        let said = |pull: &&Pull<'e>| (pull.waiting.message.is_some(), pull.waiting.last_seen);
        self.pulls.iter().max_by_key(said).expect("a group has a pull")
    }

    fn pods(&self) -> BTreeSet<String> {
        self.pulls.iter().map(|pull| format!("{}/{}", pull.waiting.namespace, pull.waiting.pod)).collect()
    }

    /// The nodes that pull; a pod that is not scheduled yet has none.
    fn nodes(&self) -> BTreeSet<String> {
        let nodes = self.pulls.iter().map(|pull| &pull.waiting.node);
        nodes.filter(|node| !node.is_empty()).cloned().collect()
    }
}

impl<'e> Case<'e> {
    /// Waiting containers by rule and image.
    fn groups(&self, waiting: &'e [WaitingPull]) -> Vec<Group<'e>> {
        let mut groups: BTreeMap<(&'static str, &'e str), Group<'e>> = BTreeMap::new();
        for waiting in waiting {
            let message = waiting.message.as_deref().unwrap_or_default();
            let reading = message::read(message, self.evidence.login_server());
            let rule = self.rule(waiting, &reading);
            let image = waiting.image.as_str();
            let group = groups.entry((rule.id, image)).or_insert_with(|| Group { rule, image, pulls: Vec::new() });
            group.pulls.push(Pull { waiting, reading });
        }
        groups.into_values().collect()
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
            _ if layers => &LAYER_FAILED,
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
            Host::Other(host) => cloud::is_registry(host),
            Host::Unnamed => {
                let own = self.evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(registry));
                own || message::is_microsoft(registry) || cloud::is_registry(registry)
            }
            _ => false,
        }
    }

    fn finding(&self, group: &Group<'e>) -> Finding {
        let newest = group.newest();
        let (pods, nodes) = (group.pods(), group.nodes());
        let detail = format!(
            "{} of {} on {} cannot pull image {}. {}",
            count(group.pulls.len(), "container"),
            count(pods.len(), "pod"),
            count(nodes.len(), "node"),
            group.image,
            self.why(group, &nodes)
        );
        let remediation = self.remediation(group, &nodes);
        Finding::new(group.rule, Subject::image(group.image, group.image), detail)
            .seen(self.seen(newest, &pods, &nodes))
            .with_remediation(remediation)
            .with_facts(Facts {
                nodes,
                message: Some(newest.reading.clone()),
                mirror: newest.waiting.message.as_deref().and_then(mirror_host),
                ..Facts::default()
            })
    }

    /// The newest message with where it stands, the pods and the nodes.
    fn seen(&self, newest: &Pull<'_>, pods: &BTreeSet<String>, nodes: &BTreeSet<String>) -> Vec<Observation> {
        const PODS: &str = "GET /api/v1/pods";
        const WAITING: &str = "status.containerStatuses[].state.waiting";
        let said = match &newest.waiting.message {
            Some(message) if newest.waiting.from_event => {
                Observation::new("GET /api/v1/events", "message", text::bounded(message, MESSAGE))
            }
            Some(message) => Observation::new(PODS, format!("{WAITING}.message"), text::bounded(message, MESSAGE)),
            None => Observation::new(
                PODS,
                format!("{WAITING}.reason"),
                format!("{} ({})", newest.waiting.reason, self.silence()),
            ),
        };
        let mut seen = vec![said, Observation::new(PODS, "metadata.name", listed(pods))];
        if !nodes.is_empty() {
            seen.push(Observation::new(PODS, "spec.nodeName", listed(nodes)));
        }
        seen
    }

    /// Whether every one of the nodes runs containerd 2 or newer, which never hides the mirror's 404.
    fn modern(&self, nodes: &BTreeSet<String>) -> Option<bool> {
        let versions = self.nodes.iter().filter(|node| nodes.contains(&node.name));
        let majors: Vec<u32> = versions.filter_map(|node| major(node.container_runtime.as_deref()?)).collect();
        (!majors.is_empty()).then(|| majors.iter().all(|major| *major >= 2))
    }

    fn why(&self, group: &Group<'e>, nodes: &BTreeSet<String>) -> String {
        if group.rule == &BYPASSES_CACHE {
            return bypassed(self.modern(nodes)).to_owned();
        }
        if group.rule == &NOT_CACHED {
            return outside::rewrite(self.evidence, group.image)
                .unwrap_or_else(|| "Nodes mirror Microsoft's registry only.".to_owned());
        }
        let known = rules::FAILURES.iter().find(|known| known.rule == group.rule);
        match (known, &group.newest().reading.host) {
            (Some(known), _) if group.rule == &UNAUTHORIZED && self.evidence.pulls_as_service_accounts() => {
                format!(
                    "{} Service account image pull (preview) is on: the identity may be that of the pod's service \
                     account, and not the kubelet's.",
                    known.meaning
                )
            }
            (Some(known), _) => known.meaning.to_owned(),
            (None, Host::Other(host)) => {
                format!("The message is about {host}; aksiso does not recognize it.")
            }
            (None, _) if group.newest().waiting.message.is_some() => {
                "aksiso does not recognize the message.".to_owned()
            }
            (None, _) => format!("No message says why: {}.", self.silence()),
        }
    }

    /// Why a container that waits has no message.
    fn silence(&self) -> &'static str {
        if self.evidence.kubernetes.mirror_failures.known().is_some() {
            "the container only waits, and there is no event of its pull"
        } else {
            "the container only waits, and the events, which would say it, could not be read"
        }
    }

    /// What to do where nothing else explains the failure; a cause brings its own remediation.
    fn remediation(&self, group: &Group<'e>, nodes: &BTreeSet<String>) -> Remediation {
        if group.rule == &BYPASSES_CACHE {
            return self.bypass(nodes);
        }
        if group.rule == &NOT_CACHED {
            return outside::remediation(self.evidence, group.image);
        }
        let known = rules::FAILURES.iter().find(|known| known.rule == group.rule);
        let advice = known.map_or(&UNKNOWN, |known| match &known.unless {
            Some((about, other)) if !self.is_about(*about, group) => other,
            _ => &known.advice,
        });
        let Advice { kind, summary, docs } = advice;
        remedy(*kind, *summary, Vec::new(), docs)
    }

    fn is_about(&self, about: About, group: &Group<'e>) -> bool {
        let named = Image::parse(group.image);
        let cached = named.as_ref().is_some_and(Image::is_microsoft);
        match about {
            About::Cache => cached,
            About::RegistryName => group.newest().reading.host == Host::Registry,
            About::BootstrapRegistry => {
                let server = self.evidence.login_server();
                let own = |image: &Image| server.is_some_and(|server| server.eq_ignore_ascii_case(&image.registry));
                cached || named.as_ref().is_some_and(own)
            }
        }
    }

    /// Reimage, unless Azure says that the rule is what is missing.
    fn bypass(&self, nodes: &BTreeSet<String>) -> Remediation {
        let pools = self.evidence.pools.agent_pools.known().into_iter().flatten();
        let hit =
            |pool: &str| self.nodes.iter().any(|node| nodes.contains(&node.name) && is(node.agent_pool.as_ref(), pool));
        let commands =
            pools.filter(|pool| hit(&pool.name)).map(|pool| remedy::upgrade_pool(self.evidence, &pool.name)).collect();
        let summary = "Reimage the nodes, unless check cache-rules has a finding: then fix the rule.";
        remedy(RemediationKind::Reimage, summary, commands, DOCS_TROUBLESHOOT)
    }
}

/// What it means that a node asks Microsoft's registry itself, by whether its containerd is 2 or newer.
fn bypassed(modern: Option<bool>) -> &'static str {
    if modern == Some(true) {
        "The node asked Microsoft's registry itself. With containerd 2 that means that its mirror is not configured: \
         the node was not reimaged."
    } else {
        "The node asked Microsoft's registry itself. With containerd 1.7 that means that its mirror is not \
         configured, or that the mirror answered 404 (no matching cache rule), which containerd 1.7 hides."
    }
}

/// `containerd://1.7.34-1` is 1.
fn major(runtime: &str) -> Option<u32> {
    runtime.rsplit("://").next()?.split('.').next()?.parse().ok()
}
