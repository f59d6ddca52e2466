//! The node's own view: what probes saw from inside the network, and what follows from it.

mod contradicts;
mod files;
mod network;

use super::api_server::endpoint_addresses;
use super::check::Check;
use super::finding::{Facts, Finding, Observation, Subject};
use super::judge::{Judge, NotApplicable};
use super::open::Question;
use super::rule::{GateRole, Rule, RuleSet};
use crate::evidence::id::ResourceId;
use crate::evidence::probe::{HostFile, Outcome, RegistryAnswer};
use crate::evidence::{Evidence, Gap, Reason, Section};
use crate::model::api_server::{self, Access};
use crate::model::endpoints;
use crate::model::node_view::{self, Role, Standing, Tcp, View, Wanted};
use crate::text;

pub const RESOLVES_PUBLIC: Rule =
    Rule::error("node-resolves-public-address", "A node resolves a private name to a public address").breaking_pulls();
pub const RESOLVES_WRONG: Rule = Rule::error(
    "node-resolves-wrong-address",
    "A node resolves a private name to an address that is not its private endpoint's",
)
.breaking_pulls();
pub const REGISTRY_UNREACHABLE: Rule =
    Rule::error("registry-unreachable-from-node", "A node cannot reach the registry").breaking_pulls();
pub const DATA_UNREACHABLE: Rule =
    Rule::error("data-endpoint-unreachable-from-node", "A node cannot reach the registry's data endpoint")
        .breaking_pulls();
pub const TLS_INTERCEPTED: Rule =
    Rule::error("tls-intercepted", "A node is shown a certificate that is not the host's own").breaking_pulls();
pub const EGRESS_OPEN: Rule = Rule::info("egress-open-from-node", "A node reaches the internet").gate(GateRole::Aside);
pub const MIRROR_STALE: Rule =
    Rule::warning("node-mirror-missing-or-stale", "A node's mirror is missing or names another registry")
        .gate(GateRole::Standing);
pub const API_UNREACHABLE: Rule = Rule::error("api-server-unreachable-from-node", "A node cannot reach the API server");
pub const CONTRADICTS: Rule =
    Rule::warning("probe-contradicts-configuration", "A probe and Azure's configuration contradict each other")
        .gate(GateRole::Open);

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "node-view",
        title: "What nodes see (probe files)",
        doc: include_str!("node-view.md"),
        rules: &[
            &RESOLVES_PUBLIC,
            &RESOLVES_WRONG,
            &REGISTRY_UNREACHABLE,
            &DATA_UNREACHABLE,
            &TLS_INTERCEPTED,
            &EGRESS_OPEN,
            &MIRROR_STALE,
            &API_UNREACHABLE,
            &CONTRADICTS,
        ],
    },
    needs: &[
        Section::AgentPools,
        Section::Registry,
        Section::CacheRules,
        Section::PrivateEndpoints,
        Section::ApiServer,
        Section::VirtualNetworks,
        Section::Nodes,
        Section::ActivityLog,
    ],
    run,
};

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let evidence = judge.evidence;
    if evidence.probes.is_empty() {
        return Err(NotApplicable("no probe file was supplied (--probe FILE)".to_owned()));
    }
    judge.is_isolated_or_cached()?;
    let views = node_view::views(evidence);
    if !views.iter().any(View::counts) {
        return Err(NotApplicable(format!("no probe file counts: {}", reasons(&views))));
    }
    premises(judge);
    let names = node_view::wanted(evidence);
    for view in views.iter().filter(|view| view.counts()) {
        let case = Case { evidence, view, names: &names };
        network::judge(judge, &case);
        if view.is_node() {
            files::judge(judge, &case);
            contradicts::judge(judge, &case);
            untried(judge, view);
        }
    }
    settle(judge, &views, &names);
    Ok(())
}

/// Why files do not count.
fn reasons(views: &[View<'_>]) -> String {
    let each = views.iter().filter_map(|view| match &view.standing {
        Standing::Shown(why) => Some(format!("{}: {why}", view.supplied.file)),
        _ => None,
    });
    text::bounded(&each.collect::<Vec<_>>().join("; "), 1_000)
}

/// What the judgement of a probe rests on besides the probe.
fn premises(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    judge.know(&evidence.pools.agent_pools, "the node pools");
    if !evidence.stopped() {
        judge.know(&evidence.kubernetes.nodes, "the nodes");
    }
    judge.know(&evidence.pools.bootstrap_writes, "the Activity Log");
    judge.node_networks();
    if matches!(api_server::access(evidence), Access::PrivateLink(Some(_))) {
        endpoint_addresses(judge);
    }
    if !evidence.uses_cache() || evidence.registry_id().is_none() {
        return;
    }
    judge.know(&evidence.registry.cache_rules, "the cache rules");
    if let Some(Some(registry)) = judge.know(&evidence.registry.registry, "the bootstrap registry")
        && endpoints::candidates(evidence, registry).is_empty()
    {
        endpoints::unreadable(evidence, registry).into_iter().for_each(|gap| judge.note(gap));
    }
}

/// What time or permission kept a node from trying.
fn untried(judge: &mut Judge<'_>, view: &View<'_>) {
    for result in &view.supplied.probe.results {
        let why = match (&result.outcome, result.outcome.not_tried()) {
            (_, Some(reason)) => format!("was not tried: {reason}"),
            (Outcome::HostFile(HostFile::Refused { reason }), _) => format!("could not be read: {reason}"),
            (Outcome::HostFile(HostFile::Malformed), _) => "could not be understood".to_owned(),
            (Outcome::Registry(RegistryAnswer::Other { status }), _) if node_view::is_busy(*status) => {
                format!("was answered with {status}: the registry had too much to do")
            }
            _ => continue,
        };
        let what = format!("{} {}", result.outcome.probe(), text::bounded(&result.target, 200));
        let why = text::bounded(&why, 200);
        judge.note(Gap::new(Reason::NotVisible, format!("{}: {what} {why}", view.supplied.file)));
    }
}

/// What the views settle of the questions that Azure's answers leave open.
fn settle(judge: &mut Judge<'_>, views: &[View<'_>], names: &[Wanted]) {
    let evidence = judge.evidence;
    let (networks, _) = evidence.node_networks();
    let resolve = |network: &ResourceId, names| node_view::resolves_everywhere(evidence, views, network, names);
    for network in networks {
        if resolve(&network, Wanted::needed_for_pulls) {
            judge.answers.settled.push(Question::Resolution(network.clone()));
        }
        if resolve(&network, |wanted| wanted.role == Role::ApiServer) {
            judge.answers.settled.push(Question::ApiServerName(network));
        }
    }
    for (role, question) in [(Role::Registry, Question::Path), (Role::ApiServer, Question::ApiServerPath)] {
        if node_view::reaches_everywhere(evidence, views, role) {
            judge.answers.settled.push(question);
        }
    }
    let server = names.iter().find(|wanted| wanted.role == Role::Registry);
    let closed = |view: &View<'_>| {
        server.is_some_and(|server| !view.connects_to_endpoint(server) && matches!(view.tcp(server), Tcp::Closed(_)))
    };
    if views.iter().any(|view| view.counts() && closed(view)) {
        judge.answers.confirmed.push(Question::Path);
    }
}

/// One probe that counts, with what it is held against.
struct Case<'a, 'e> {
    evidence: &'e Evidence,
    view: &'a View<'e>,
    names: &'a [Wanted],
}

impl Case<'_, '_> {
    /// Where the probe was run, for sentences.
    fn place(&self) -> String {
        let name = &self.view.place.name;
        if self.view.is_node() { format!("Node {name}") } else { format!("{name}, a machine in the node subnet,") }
    }

    fn finding(&self, rule: &'static Rule, detail: String, seen: Vec<Observation>, hosts: &[&Wanted]) -> Finding {
        let place = &self.view.place;
        let facts = Facts {
            nodes: std::iter::once(place.name.clone()).collect(),
            pools: place.pools.iter().cloned().collect(),
            hosts: hosts.iter().map(|wanted| wanted.host.clone()).collect(),
            ..Facts::default()
        };
        Finding::new(rule, Subject::node(&self.evidence.cluster.id, &place.name), detail).seen(seen).with_facts(facts)
    }

    fn seen(&self, path: impl Into<String>, value: impl Into<String>) -> Observation {
        let supplied = self.view.supplied;
        let source = format!("probe {} of {}", text::bounded(&supplied.file, 200), supplied.probe.taken_at);
        Observation::new(source, path, text::bounded(&value.into(), 500))
    }
}
