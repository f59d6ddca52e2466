//! `node-not-reimaged`: what proves that a node is older than the configuration it should have, and what only hints.

use jiff::Timestamp;

use super::{Group, NOT_REIMAGED, observe_nodes, registry_name};
use crate::check::Judge;
use crate::check::remedy::DOCS_TROUBLESHOOT;
use crate::evidence::cluster::{BootstrapProfile, BootstrapWrite};
use crate::evidence::kubernetes::{MirrorFailure, Node};
use crate::evidence::{Evidence, PoolState};
use crate::finding::{Observation, RemediationKind, Severity};
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
    let (changed, unchanged_since) = history(writes, &evidence.bootstrap());
    let configuration =
        Configuration { evidence, changed, unchanged_since, created: created(evidence), mirror_failures: failures };
    for group in groups.iter().filter(|group| group.pool.is_none_or(|pool| pool.state() != PoolState::Transient)) {
        configuration.judge(judge, group);
    }
}

/// The last change to the present profile, and since when the log shows the present profile unchanged.
///
/// A full write that repeats the profile is no change, and the oldest write in the log has none before it to differ
/// from. A last write that set something else than the cluster has now did not take effect, and proves nothing.
pub fn history(writes: &[BootstrapWrite], present: &BootstrapProfile) -> (Option<Timestamp>, Option<Timestamp>) {
    let tail = writes.iter().rposition(|write| !same(&write.profile, present)).map_or(0, |at| at + 1);
    let Some(first) = writes.get(tail) else {
        return (None, None);
    };
    (if tail > 0 { Some(first.at) } else { None }, Some(first.at))
}

/// Whether two profiles name the same source and, as far as both name one, the same registry.
pub fn same(left: &BootstrapProfile, right: &BootstrapProfile) -> bool {
    let source = |profile: &BootstrapProfile| profile.artifact_source.as_deref().unwrap_or("Direct").to_lowercase();
    // A managed registry's id is not in the operator's own write.
    let registries = left.container_registry_id.as_ref().zip(right.container_registry_id.as_ref());
    source(left) == source(right) && registries.is_none_or(|(left, right)| left == right)
}

/// The younger of the two things that a node's bootstrap needs.
pub fn created(evidence: &Evidence) -> Option<(Timestamp, &'static str)> {
    let registry = evidence.known_registry().and_then(|registry| registry.properties.creation_date);
    let hosts = evidence.mcr_hosts();
    let rules = evidence.registry.cache_rules.known().into_iter().flatten();
    let rule = rules.filter(|rule| {
        let source = rule.properties.source_repository.as_deref().unwrap_or_default();
        hosts.iter().any(|host| source.eq_ignore_ascii_case(&format!("{host}/*")))
    });
    let rule = rule.filter_map(|rule| rule.properties.creation_date).min();
    let registry = registry.map(|at| (at, "the registry"));
    registry.into_iter().chain(rule.map(|at| (at, "its cache rule"))).max_by_key(|(at, _)| *at)
}

impl Configuration<'_> {
    fn judge(&self, judge: &mut Judge<'_>, group: &Group<'_>) {
        let older = |limit: Timestamp| move |node: &&&Node| node.created.is_some_and(|created| created < limit);
        let proved: Vec<&Node> = self
            .changed
            .map(|changed| group.nodes.iter().filter(older(changed)).copied().collect())
            .unwrap_or_default();
        let misled: Vec<(&Node, &MirrorFailure)> =
            group.nodes.iter().filter_map(|node| Some((*node, self.misled(node)?))).collect();
        if let Some(changed) = self.changed.filter(|_| !proved.is_empty()) {
            let detail = format!(
                "{}: {} of {} registered before {changed}, when the cluster's bootstrap profile was changed. They still have the former configuration.",
                group.title(),
                proved.len(),
                text::count(group.nodes.len(), "node")
            );
            let source = "GET the Activity Log of the cluster".to_owned();
            let mut seen = vec![Observation::new(
                source,
                "properties.requestbody: bootstrapProfile",
                format!("changed at {changed}"),
            )];
            seen.extend(ages(proved));
            self.report(judge, group, true, detail, seen);
        } else if !misled.is_empty() {
            let hosts: std::collections::BTreeSet<&str> =
                misled.iter().map(|(_, failure)| failure.host.as_str()).collect();
            let hosts = hosts.into_iter().collect::<Vec<_>>().join(", ");
            let server = self.evidence.login_server().unwrap_or_default();
            let detail = format!(
                "{}: {} of {} pull through {hosts}, but the registry is {server}. They were made before the registry was changed.",
                group.title(),
                misled.len(),
                text::count(group.nodes.len(), "node")
            );
            let mut seen = vec![Observation::new(
                "GET /api/v1/events",
                "message",
                format!("https://{hosts}/v2/aks-managed-repository/…"),
            )];
            seen.extend(ages(misled.into_iter().map(|(node, _)| node)));
            self.report(judge, group, true, detail, seen);
        } else if let Some((created, what)) = self.created {
            let limit = created.min(self.unchanged_since.unwrap_or(created));
            let old: Vec<&Node> = group.nodes.iter().filter(older(limit)).copied().collect();
            if !old.is_empty() {
                let detail = format!(
                    "{}: {} of {} registered before {what} ({}) was created on {created}, so they probably still have the former configuration. (If it was created again under the same name, they need no reimage: a node's configuration holds nothing but the login server.)",
                    group.title(),
                    old.len(),
                    text::count(group.nodes.len(), "node"),
                    registry_name(self.evidence)
                );
                let mut seen = vec![Observation::new(
                    "GET the registry and its cache rules",
                    "properties.creationDate",
                    created.to_string(),
                )];
                seen.extend(ages(old));
                self.report(judge, group, false, detail, seen);
            }
        }
    }

    /// A failed pull of the node that was sent to another registry than the present one.
    fn misled(&self, node: &Node) -> Option<&MirrorFailure> {
        let server = self.evidence.login_server()?;
        self.mirror_failures.iter().find(|failure| {
            // An event from before the node was made is about its predecessor of the same name.
            let own = node.created.zip(failure.last_seen).is_none_or(|(created, seen)| seen >= created);
            failure.node == node.name && own && !failure.host.eq_ignore_ascii_case(server)
        })
    }

    fn report(&self, judge: &mut Judge<'_>, group: &Group<'_>, proved: bool, detail: String, seen: Vec<Observation>) {
        let severity = if proved && self.evidence.egress_closed() { Severity::Error } else { Severity::Warning };
        let why = if self.evidence.egress_closed() {
            "These nodes cannot pull what they do not have yet."
        } else {
            "Do it while egress is still open."
        };
        let remediation = group.renew(self.evidence, RemediationKind::Reimage, why, DOCS_TROUBLESHOOT);
        judge.report(group.finding(self.evidence, &NOT_REIMAGED, severity, detail, seen, remediation));
    }
}

fn ages<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> Vec<Observation> {
    observe_nodes(nodes, "metadata.creationTimestamp", |node| {
        node.created.map_or_else(|| "unknown".to_owned(), |created| created.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::id::ResourceId;

    fn write(at: &str, source: &str, registry: Option<&str>) -> BootstrapWrite {
        BootstrapWrite { at: at.parse().expect("a date"), profile: profile(source, registry), outbound_type: None }
    }

    fn profile(source: &str, registry: Option<&str>) -> BootstrapProfile {
        BootstrapProfile {
            artifact_source: Some(source.to_owned()),
            container_registry_id: registry.map(ResourceId::new),
        }
    }

    const DAYS: [&str; 4] =
        ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"];

    #[test]
    fn only_a_write_that_differs_from_the_one_before_is_a_change() {
        let cache = profile("Cache", Some("/R"));
        let at = |day: usize| Some(DAYS[day].parse().expect("a date"));
        let repeated = [write(DAYS[0], "Cache", Some("/r")), write(DAYS[1], "cache", Some("/R"))];
        assert_eq!(history(&repeated, &cache), (None, at(0)));
        let switched =
            [write(DAYS[0], "Direct", None), write(DAYS[1], "Cache", Some("/r")), write(DAYS[2], "Cache", Some("/r"))];
        assert_eq!(history(&switched, &cache), (at(1), at(1)));
        let other = [write(DAYS[0], "Cache", Some("/old")), write(DAYS[1], "Cache", Some("/r"))];
        assert_eq!(history(&other, &cache), (at(1), at(1)));
        let undone = [write(DAYS[0], "Cache", Some("/r")), write(DAYS[1], "Direct", None)];
        assert_eq!(history(&undone, &cache), (None, None));
        assert_eq!(history(&[], &cache), (None, None));
    }
}
