//! The nodes: were they made anew since the bootstrap configuration changed, and how old are their images.

pub mod stale;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};

use super::image_version::ImageVersion;
use super::remedy::{self, DOCS_ISOLATED, DOCS_NODE_IMAGE, remedy};
use super::{Check, Judge, NotApplicable};
use crate::azure::id::ResourceId;
use crate::evidence::cluster::AgentPool;
use crate::evidence::kubernetes::Node;
use crate::evidence::view::is;
use crate::evidence::{Evidence, Fact, PoolState, Section};
use crate::finding::{Finding, Observation, Remediation, RemediationKind, Rule, Severity, Subject};
use crate::text;

const NOT_REIMAGED: Rule = Rule {
    id: "node-not-reimaged",
    severity: Severity::Warning,
    title: "Nodes were not reimaged since the bootstrap configuration changed",
};
const OUTDATED: Rule = Rule { id: "node-image-outdated", severity: Severity::Info, title: "A newer node image exists" };
const DRIFT: Rule =
    Rule { id: "node-image-drift", severity: Severity::Warning, title: "Nodes of one pool run different images" };
const PREDATES_FIXES: Rule = Rule {
    id: "node-image-predates-fixes",
    severity: Severity::Warning,
    title: "The node image is older than the fixes for network isolated bootstrap",
};

/// The check.
pub const CHECK: Check = Check {
    id: "node-image",
    title: "Whether nodes were reimaged, and how old their images are",
    doc: include_str!("node-image.md"),
    needs: &[
        Section::AgentPools,
        Section::UpgradeProfiles,
        Section::ActivityLog,
        Section::Registry,
        Section::CacheRules,
        Section::Nodes,
        Section::Events,
    ],
    rules: &[&NOT_REIMAGED, &OUTDATED, &DRIFT, &PREDATES_FIXES],
    run,
};

/// Images from before this day lack the fixes (AgentBaker's change of 2025-08-14 ships with the images of August).
pub const FIXED: Date = date(2025, 8, 1);
/// An image that is further behind than this is a warning.
const FAR_BEHIND_DAYS: i32 = 60;

/// Nodes that are made and remade together.
#[derive(Debug)]
pub struct Group<'e> {
    /// Pool name.
    pub name: &'e str,
    /// The ARM pool; none for a NodePool of node auto-provisioning.
    pub pool: Option<&'e AgentPool>,
    /// Its nodes.
    pub nodes: Vec<&'e Node>,
}

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let evidence = judge.evidence;
    if !evidence.uses_cache() && !evidence.egress_closed() {
        judge.cache_is_used()?;
    }
    let Some(pools) = judge.know(&evidence.pools.agent_pools, "the node pools") else {
        return Ok(());
    };
    let nodes: &[Node] = if evidence.stopped() {
        &[]
    } else {
        judge.know(&evidence.kubernetes.nodes, "the nodes").map(Vec::as_slice).unwrap_or_default()
    };
    let groups = groups(pools, nodes);
    if evidence.uses_cache() && !evidence.stopped() {
        stale::judge(judge, &groups);
    }
    for group in &groups {
        if group.pool.is_some_and(|pool| pool.stopped() || pool.state() == PoolState::Transient) {
            continue;
        }
        outdated(judge, group);
        drift(judge, group);
        predates_fixes(judge, group);
    }
    Ok(())
}

/// ARM pools with their nodes, and NodePools. Virtual nodes, and hosted system nodes that no pool of ours makes, belong
/// to neither; deallocated nodes of a pool that scales down so are no nodes until they start.
pub fn groups<'e>(pools: &'e [AgentPool], nodes: &'e [Node]) -> Vec<Group<'e>> {
    let deallocates = |pool: &AgentPool| is(pool.scale_down_mode.as_ref(), "Deallocate");
    let mut groups: Vec<Group<'e>> = pools
        .iter()
        .map(|pool| {
            let own = nodes.iter().filter(|node| !node.is_virtual && node.node_pool.is_none());
            let own = own.filter(|node| is(node.agent_pool.as_ref(), &pool.name));
            Group {
                name: &pool.name,
                pool: Some(pool),
                nodes: own.filter(|node| node.ready || !deallocates(pool)).collect(),
            }
        })
        .collect();
    let mut provisioned: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| !node.is_virtual) {
        if let Some(name) = &node.node_pool {
            provisioned.entry(name).or_default().push(node);
        }
    }
    groups.extend(provisioned.into_iter().map(|(name, nodes)| Group { name, pool: None, nodes }));
    groups
}

impl Group<'_> {
    fn subject(&self, evidence: &Evidence) -> Subject {
        let (kind, folder) = match self.pool {
            Some(_) => ("Microsoft.ContainerService/managedClusters/agentPools", "agentPools"),
            None => ("NodePool", "nodePools"),
        };
        Subject::new(kind, &evidence.cluster.id.child(folder).child(self.name))
    }

    /// `Pool NAME` or `NodePool NAME`.
    pub fn title(&self) -> String {
        if self.pool.is_some() { format!("Pool {}", self.name) } else { format!("NodePool {}", self.name) }
    }

    /// How the nodes are made anew: an ARM pool by a node image upgrade, a NodePool by replacing its NodeClaims.
    fn renew(&self, evidence: &Evidence, kind: RemediationKind, why: &str, docs: &'static str) -> Remediation {
        if self.pool.is_some() {
            let summary = format!(
                "{why} Upgrade the pool's node image: nodes are cordoned, drained and made anew one surge at a time, so mind disruption budgets and quota. Verify by the nodes' creation times: if they stay old, add a pool and drain this one."
            );
            return remedy(kind, summary, vec![remedy::upgrade_pool(evidence, self.name)], docs);
        }
        let summary = format!(
            "{why} Node auto-provisioning makes these nodes and a node image upgrade does not touch them: delete the NodePool's NodeClaims, and new nodes take their place (their pods are drained first)."
        );
        let selector = format!("karpenter.sh/nodepool={}", self.name);
        let command = crate::command::Command::new("kubectl delete nodeclaims").with("-l", selector);
        remedy(kind, summary, vec![command], docs)
    }

    fn finding(
        &self,
        evidence: &Evidence,
        rule: &'static Rule,
        severity: Severity,
        detail: String,
        seen: Vec<Observation>,
        remediation: Remediation,
    ) -> Finding {
        Finding { rule, severity, detail, subject: self.subject(evidence), evidence: seen, remediation }
    }

    /// The images that the group's nodes run; the pool's own where no node is seen.
    fn images(&self) -> BTreeSet<&str> {
        let images: BTreeSet<&str> = self.nodes.iter().filter_map(|node| node.image_version.as_deref()).collect();
        if images.is_empty() {
            self.pool.and_then(|pool| pool.node_image_version.as_deref()).into_iter().collect()
        } else {
            images
        }
    }
}

/// The first twenty, and how many more there are.
pub(super) fn observe_nodes<'n>(
    nodes: impl IntoIterator<Item = &'n Node>,
    path: &str,
    value: impl Fn(&Node) -> String,
) -> Vec<Observation> {
    let nodes: Vec<&Node> = nodes.into_iter().collect();
    let shown = nodes
        .iter()
        .take(20)
        .map(|node| Observation::new(format!("GET /api/v1/nodes/{}", node.name), path, value(node)));
    let mut seen: Vec<Observation> = shown.collect();
    if nodes.len() > 20 {
        seen.push(Observation::new("GET /api/v1/nodes", "items", format!("and {} more", nodes.len() - 20)));
    }
    seen
}

fn outdated(judge: &mut Judge<'_>, group: &Group<'_>) {
    let evidence = judge.evidence;
    let Some(pool) =
        group.pool.filter(|pool| pool.creation_data.as_ref().is_none_or(|data| data.source_resource_id.is_none()))
    else {
        return;
    };
    let missing = Fact::default();
    let profile = match evidence.pools.upgrade_profiles.get(&pool.name).unwrap_or(&missing) {
        Fact::Known(profile) => profile,
        Fact::Missing(gap) => return judge.note(gap.clone().about("the pools' upgrade profiles")),
    };
    let Some(latest) = profile.properties.latest_node_image_version.as_deref() else {
        return;
    };
    let Some(newest) = ImageVersion::parse(latest) else {
        return;
    };
    let images = group.images().into_iter().chain(pool.node_image_version.as_deref());
    let oldest = images
        .filter_map(|image| Some((ImageVersion::parse(image)?, image)))
        .filter(|(version, _)| version.older_than(&newest));
    let Some((oldest, image)) = oldest.min_by(|a, b| a.0.numbers.cmp(&b.0.numbers)) else {
        return;
    };
    let behind =
        oldest.date().zip(newest.date()).and_then(|(old, new)| old.until(new).ok()).map_or(0, |span| span.get_days());
    let severity = if behind > FAR_BEHIND_DAYS { Severity::Warning } else { Severity::Info };
    let detail = format!(
        "{} runs image {image}, {} behind the newest, {latest}.",
        group.title(),
        text::count(usize::try_from(behind).unwrap_or(0), "day")
    );
    let seen = vec![
        Observation::new(profile.source(), "properties.latestNodeImageVersion", latest),
        Observation::new(
            evidence.cluster.source(),
            format!("properties.agentPoolProfiles[{}].nodeImageVersion", pool.name),
            image,
        ),
    ];
    let remediation = group.renew(evidence, RemediationKind::UpgradeNodeImage, "", DOCS_NODE_IMAGE);
    judge.report(group.finding(evidence, &OUTDATED, severity, detail, seen, trimmed(remediation)));
}

fn trimmed(mut remediation: Remediation) -> Remediation {
    remediation.summary = remediation.summary.trim_start().to_owned();
    remediation
}

fn drift(judge: &mut Judge<'_>, group: &Group<'_>) {
    let evidence = judge.evidence;
    // Karpenter mixes images in a NodePool by design, and replaces drifted ones by itself.
    let Some(pool) = group.pool.filter(|_| !group.nodes.is_empty()) else {
        return;
    };
    let versions: BTreeMap<&str, Option<ImageVersion>> = group
        .nodes
        .iter()
        .filter_map(|node| node.image_version.as_deref())
        .map(|image| (image, ImageVersion::parse(image)))
        .collect();
    let Some(expected) = pool.node_image_version.as_deref() else {
        return;
    };
    let base = ImageVersion::parse(expected);
    let differs = |image: &str, version: &Option<ImageVersion>| match (version, &base) {
        (Some(version), Some(base)) => version != base,
        _ => !image.eq_ignore_ascii_case(expected),
    };
    let others: Vec<&str> =
        versions.iter().filter(|(image, version)| differs(image, version)).map(|(image, _)| *image).collect();
    if others.is_empty() {
        return;
    }
    let odd: Vec<&Node> = group
        .nodes
        .iter()
        .copied()
        .filter(|node| node.image_version.as_deref().is_some_and(|image| others.contains(&image)))
        .collect();
    let detail = format!(
        "{} is set to image {expected}, but {} of {} run {}: an upgrade did not reach every node.",
        group.title(),
        odd.len(),
        text::count(group.nodes.len(), "node"),
        others.join(", ")
    );
    let mut seen = vec![Observation::new(
        evidence.cluster.source(),
        format!("properties.agentPoolProfiles[{}].nodeImageVersion", pool.name),
        expected,
    )];
    seen.extend(observe_nodes(odd, "metadata.labels[kubernetes.azure.com/node-image-version]", |node| {
        node.image_version.clone().unwrap_or_default()
    }));
    let remediation = group.renew(evidence, RemediationKind::UpgradeNodeImage, "", DOCS_NODE_IMAGE);
    judge.report(group.finding(evidence, &DRIFT, DRIFT.severity, detail, seen, trimmed(remediation)));
}

fn predates_fixes(judge: &mut Judge<'_>, group: &Group<'_>) {
    let evidence = judge.evidence;
    if !evidence.egress_closed() {
        return;
    }
    let dated = group.images().into_iter().filter_map(|image| Some((ImageVersion::parse(image)?.date()?, image)));
    let Some((day, image)) = dated.min().filter(|(day, _)| *day < FIXED) else {
        return;
    };
    let detail = format!(
        "{} runs image {image} of {day}. Images from before August 2025 keep checking for egress and have known bootstrap bugs on isolated clusters, so a reimage after outboundType {} is advised.",
        group.title(),
        evidence.outbound_type()
    );
    let seen = match group.pool {
        Some(pool) if group.nodes.is_empty() => vec![Observation::new(
            evidence.cluster.source(),
            format!("properties.agentPoolProfiles[{}].nodeImageVersion", pool.name),
            image,
        )],
        _ => {
            let old = group.nodes.iter().copied().filter(|node| node.image_version.as_deref() == Some(image));
            observe_nodes(old, "metadata.labels[kubernetes.azure.com/node-image-version]", |node| {
                node.image_version.clone().unwrap_or_default()
            })
        }
    };
    let remediation = group.renew(evidence, RemediationKind::UpgradeNodeImage, "", DOCS_ISOLATED);
    judge.report(group.finding(evidence, &PREDATES_FIXES, PREDATES_FIXES.severity, detail, seen, trimmed(remediation)));
}

/// The registry's id, for messages.
fn registry_name(evidence: &Evidence) -> String {
    evidence.registry_id().as_ref().map(ResourceId::name).unwrap_or_default().to_owned()
}
