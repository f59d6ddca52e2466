//! `node-not-reimaged`: what proves that a node is older than the configuration it should have, and what only hints.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{NOT_REIMAGED, renew, subject};
use crate::checks::finding::{Finding, Observation, RemediationKind};
use crate::checks::judge::Judge;
use crate::checks::observe::observe_nodes;
use crate::checks::remedy::DOCS_TROUBLESHOOT;
use crate::checks::rule::Severity;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::kubernetes::{MirrorFailure, Node};
use crate::evidence::pools::AgentPool;
use crate::model::age::newest_pull;
use crate::model::history;
use crate::model::nodes::Group;
use crate::text;

/// What is known of the configuration's age.
struct Configuration<'e> {
    evidence: &'e Evidence,
    /// The last change that the Activity Log shows.
    changed: Option<Timestamp>,
    /// The log shows the present profile from here on, without a change since.
    unchanged_since: Option<Timestamp>,
    /// The younger of the registry's and its rule's creation.
    created: Option<(Timestamp, &'static str)>,
    mirror_failures: &'e [MirrorFailure],
}

/// Judges every group of nodes.
pub(super) fn judge(judge: &mut Judge<'_>, groups: &[Group<'_>]) {
    let evidence = judge.evidence;
    if groups.iter().all(|group| group.nodes.is_empty()) {
        return;
    }
    let writes =
        judge.know(&evidence.pools.bootstrap_writes, "the Activity Log").map(Vec::as_slice).unwrap_or_default();
    let failures = judge
        .know(&evidence.kubernetes.mirror_failures, "events of failed pulls")
        .map(Vec::as_slice)
        .unwrap_or_default();
    if evidence.registry_id().is_some()
        && let Some(Some(_)) = judge.know(&evidence.registry.registry, "the bootstrap registry")
    {
        judge.know(&evidence.registry.cache_rules, "the registry's cache rules");
    }
    let (changed, unchanged_since) = history::changes(writes, &evidence.bootstrap(), evidence.ownership());
    let configuration = Configuration {
        evidence,
        changed,
        unchanged_since,
        created: history::created(evidence),
        mirror_failures: failures,
    };
    // A stopped pool has no nodes that run; the cut-over says what becomes of it.
    for group in groups.iter().filter(|group| group.pool.is_none_or(AgentPool::is_settled)) {
        configuration.judge(judge, group);
    }
}

impl Configuration<'_> {
    /// Reports the strongest of the three signs, and what the others show beyond it.
    fn judge(&self, judge: &mut Judge<'_>, group: &Group<'_>) {
        let signs = [self.by_log(group), self.by_mirror(group), self.by_creation(group)];
        let stale = signs.into_iter().flatten().reduce(|mut stale, weaker| {
            stale.add(weaker);
            stale
        });
        if let Some(stale) = stale {
            judge.report(self.finding(group, stale));
        }
    }

    /// Nodes that are older than the last change of the profile.
    fn by_log<'n>(&self, group: &Group<'n>) -> Option<Stale<'n>> {
        let changed = self.changed?;
        let nodes = self.older(group, changed)?;
        let detail = format!(
            "{} of {} registered before {changed}, when the cluster's bootstrap profile was changed. They still have \
             the former configuration.",
            nodes.len(),
            text::count(group.nodes.len(), "node")
        );
        let sign = Observation::new(
            "GET the Activity Log of the cluster",
            "properties.requestbody: bootstrapProfile",
            format!("changed at {changed}"),
        );
        Some(Stale { nodes, proved: true, detail, signs: vec![sign] })
    }

    /// Nodes whose pulls were sent to another registry.
    fn by_mirror<'n>(&self, group: &Group<'n>) -> Option<Stale<'n>> {
        let misled: Vec<(&'n Node, &MirrorFailure)> =
            group.nodes.iter().filter_map(|node| Some((*node, self.misled(node)?))).collect();
        if misled.is_empty() {
            return None;
        }
        let hosts: BTreeSet<&str> = misled.iter().map(|(_, failure)| failure.host.as_str()).collect();
        let hosts = hosts.into_iter().collect::<Vec<_>>().join(", ");
        let detail = format!(
            "{} of {} pull through {hosts}, but the registry is {}. They were made before the registry was changed.",
            misled.len(),
            text::count(group.nodes.len(), "node"),
            self.evidence.login_server().unwrap_or_default()
        );
        let said = format!("https://{hosts}/v2/aks-managed-repository/…");
        let sign = Observation::new("GET /api/v1/events", "message", said);
        let nodes = misled.into_iter().map(|(node, _)| node).collect();
        Some(Stale { nodes, proved: true, detail, signs: vec![sign] })
    }

    /// Nodes that are older than what they should bootstrap from: a hint, no proof.
    fn by_creation<'n>(&self, group: &Group<'n>) -> Option<Stale<'n>> {
        let (created, what) = self.created?;
        let nodes = self.older(group, created.min(self.unchanged_since.unwrap_or(created)))?;
        let detail = format!(
            "{} of {} registered before {what} ({}) was created on {created}, so they probably still have the former \
             configuration. (If it was created again under the same name, they need no reimage: a node's \
             configuration holds nothing but the login server.)",
            nodes.len(),
            text::count(group.nodes.len(), "node"),
            self.evidence.registry_id().as_ref().map(ResourceId::name).unwrap_or_default()
        );
        let sign =
            Observation::new("GET the registry and its cache rules", "properties.creationDate", created.to_string());
        Some(Stale { nodes, proved: false, detail, signs: vec![sign] })
    }

    /// The nodes that registered before a time, but for those of which a pull proves that they use the registry.
    fn older<'n>(&self, group: &Group<'n>, limit: Timestamp) -> Option<Vec<&'n Node>> {
        let server = self.evidence.login_server();
        let led = |node: &Node| newest_pull(self.mirror_failures, node).map(|failure| failure.host.as_str());
        let fresh =
            |node: &&Node| led(node).zip(server).is_some_and(|(host, server)| host.eq_ignore_ascii_case(server));
        let nodes: Vec<&Node> = older(group, limit)?.into_iter().filter(|node| !fresh(node)).collect();
        (!nodes.is_empty()).then_some(nodes)
    }

    /// The newest failed pull of the node, where it was sent to another registry than the present one.
    fn misled(&self, node: &Node) -> Option<&MirrorFailure> {
        let server = self.evidence.login_server()?;
        newest_pull(self.mirror_failures, node).filter(|failure| !failure.host.eq_ignore_ascii_case(server))
    }

    fn finding(&self, group: &Group<'_>, stale: Stale<'_>) -> Finding {
        let closed = self.evidence.egress_closed();
        let severity = if stale.proved && closed { Severity::Error } else { Severity::Warning };
        let why = if closed {
            "These nodes cannot pull what they do not have yet."
        } else {
            "Do it while egress is still open."
        };
        let mut seen = stale.signs;
        seen.extend(observe_nodes(&stale.nodes, "metadata.creationTimestamp", |node| {
            node.created.map_or_else(|| "unknown".to_owned(), |created| created.to_string())
        }));
        Finding::new(&NOT_REIMAGED, subject(group, self.evidence), format!("{}: {}", group.title(), stale.detail))
            .with_severity(severity)
            .seen(seen)
            .about_nodes(stale.nodes)
            .with_remediation(renew(group, self.evidence, RemediationKind::Reimage, why, DOCS_TROUBLESHOOT))
    }
}

/// Nodes of a group that were not reimaged.
struct Stale<'n> {
    nodes: Vec<&'n Node>,
    /// Whether it is proved of any of them, and not only likely.
    proved: bool,
    /// How many of the group show it, and by what.
    detail: String,
    /// What it shows by.
    signs: Vec<Observation>,
}

impl Stale<'_> {
    /// Takes in what a weaker sign shows of other nodes.
    fn add(&mut self, weaker: Self) {
        let known: BTreeSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let more: Vec<&Node> = weaker.nodes.into_iter().filter(|node| !known.contains(node.name.as_str())).collect();
        if more.is_empty() {
            return;
        }
        self.nodes.extend(more);
        self.detail = format!("{} Besides, {}", self.detail, weaker.detail);
        self.signs.extend(weaker.signs);
    }
}

/// The nodes of a group that registered before a moment; none where there are none.
fn older<'n>(group: &Group<'n>, limit: Timestamp) -> Option<Vec<&'n Node>> {
    let older = |node: &&&Node| node.created.is_some_and(|created| created < limit);
    let nodes: Vec<&Node> = group.nodes.iter().filter(older).copied().collect();
    (!nodes.is_empty()).then_some(nodes)
}
