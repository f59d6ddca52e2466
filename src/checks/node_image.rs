//! The nodes: were they reimaged since the bootstrap configuration changed, and how old are their images.

pub mod drains;
mod stale;
mod systems;

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use super::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use super::judge::{Judge, NotApplicable};
use super::observe::observe_nodes;
use super::remedy::{self, DOCS_ISOLATED, DOCS_NODE_IMAGE, remedy};
use super::rule::{GateRole, Rule, RuleSet, Severity};
use crate::evidence::kubernetes::Node;
use crate::evidence::{Evidence, Fact, Section};
use crate::model::image_version::ImageVersion;
use crate::model::nodes::{FIXED, Group, groups};
use crate::text;

pub const NOT_REIMAGED: Rule =
    Rule::warning("node-not-reimaged", "Nodes were not reimaged since the bootstrap configuration changed")
        .gate(GateRole::Standing);
pub const OUTDATED: Rule = Rule::info("node-image-outdated", "A newer node image exists").gate(GateRole::Aside);
pub const DRIFT: Rule =
    Rule::warning("node-image-drift", "Nodes of one pool run different images").gate(GateRole::Aside);
pub const PREDATES_FIXES: Rule =
    Rule::warning("node-image-predates-fixes", "The node image is older than the fixes for network isolated bootstrap");
pub const KNOWN_BAD: Rule =
    Rule::warning("node-image-known-bad", "The node image is known to break network isolated clusters")
        .gate(GateRole::Closing);
pub const OS_RETIRED: Rule =
    Rule::warning("node-os-retired", "The nodes' operating system is retired").gate(GateRole::Aside);
/// Whoever reimages asks for it by himself: closing egress drains nothing.
pub const DRAIN_BLOCKED: Rule =
    Rule::warning("drain-blocked", "Nodes cannot be drained for a reimage").gate(GateRole::Aside);

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "node-image",
        title: "Whether nodes were reimaged, and how old their images are",
        doc: include_str!("node-image.md"),
        rules: &[&NOT_REIMAGED, &OUTDATED, &DRIFT, &KNOWN_BAD, &OS_RETIRED, &DRAIN_BLOCKED, &PREDATES_FIXES],
    },
    needs: &[
        Section::AgentPools,
        Section::UpgradeProfiles,
        Section::ActivityLog,
        Section::Registry,
        Section::CacheRules,
        Section::Nodes,
        Section::Events,
        Section::Budgets,
    ],
    run,
};

/// An image that is further behind than this is a warning.
const FAR_BEHIND_DAYS: i32 = 60;

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
        if group.pool.is_some_and(|pool| !pool.is_settled()) {
            continue;
        }
        outdated(judge, group);
        drift(judge, group);
        predates_fixes(judge, group);
        systems::bad_image(judge, group);
        systems::retired_system(judge, group);
    }
    Ok(())
}

/// The pool or NodePool.
pub fn subject(group: &Group<'_>, evidence: &Evidence) -> Subject {
    let cluster = &evidence.cluster.id;
    if group.pool.is_some() { Subject::pool(cluster, group.name) } else { Subject::node_pool(cluster, group.name) }
}

/// How the nodes are reimaged: an ARM pool by a node image upgrade, a NodePool by replacing its NodeClaims.
fn renew(group: &Group<'_>, evidence: &Evidence, kind: RemediationKind, why: &str, docs: &'static str) -> Remediation {
    let (how, command) = if group.pool.is_some() {
        let how = "Upgrade the pool's node image: nodes are cordoned, drained and reimaged one surge at a time, so \
                   mind disruption budgets and quota. Verify by the nodes' creation times: if they stay old, add a \
                   pool and drain this one.";
        (how, remedy::upgrade_pool(evidence, group.name))
    } else {
        let how = "Node auto-provisioning makes these nodes and a node image upgrade does not touch them: delete the \
                   NodePool's NodeClaims, and new nodes take their place (their pods are drained first).";
        (how, remedy::delete_node_claims(evidence, group.name))
    };
    remedy(kind, format!("{why} {how}").trim_start(), vec![command], docs)
}

/// The images that a group's nodes run; the pool's own where no node is seen.
fn images<'g>(group: &Group<'g>) -> BTreeSet<&'g str> {
    let images: BTreeSet<&str> = group.nodes.iter().filter_map(|node| node.image_version.as_deref()).collect();
    if images.is_empty() {
        group.pool.and_then(|pool| pool.node_image_version.as_deref()).into_iter().collect()
    } else {
        images
    }
}

/// The images of nodes, as their labels name them.
fn observe_images(nodes: &[&Node]) -> Vec<Observation> {
    observe_nodes(nodes, "metadata.labels[kubernetes.azure.com/node-image-version]", |node| {
        node.image_version.clone().unwrap_or_default()
    })
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
    let images = images(group).into_iter().chain(pool.node_image_version.as_deref());
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
    let remediation = renew(group, evidence, RemediationKind::UpgradeNodeImage, "", DOCS_NODE_IMAGE);
    let finding = Finding::new(&OUTDATED, subject(group, evidence), detail).with_severity(severity);
    judge.report(finding.seen(seen).with_remediation(remediation));
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
    seen.extend(observe_images(&odd));
    let remediation = renew(group, evidence, RemediationKind::UpgradeNodeImage, "", DOCS_NODE_IMAGE);
    let finding = Finding::new(&DRIFT, subject(group, evidence), detail).about_nodes(odd);
    judge.report(finding.seen(seen).with_remediation(remediation));
}

fn predates_fixes(judge: &mut Judge<'_>, group: &Group<'_>) {
    let evidence = judge.evidence;
    if !evidence.egress_closed() {
        return;
    }
    let day_of = |image: &str| ImageVersion::parse(image)?.date();
    let dated = images(group).into_iter().filter_map(|image| Some((day_of(image)?, image)));
    let Some((day, image)) = dated.min().filter(|(day, _)| *day < FIXED) else {
        return;
    };
    let detail = format!(
        "{} runs image {image} of {day}. Images from before {FIXED} keep checking for egress and have known \
         bootstrap bugs on isolated clusters, so a reimage after outboundType {} is advised.",
        group.title(),
        evidence.outbound_type()
    );
    let old = group.nodes.iter().copied();
    let old = old.filter(|node| node.image_version.as_deref().and_then(day_of).is_some_and(|day| day < FIXED));
    let old: Vec<&Node> = old.collect();
    let seen = match group.pool {
        Some(pool) if group.nodes.is_empty() => vec![Observation::new(
            evidence.cluster.source(),
            format!("properties.agentPoolProfiles[{}].nodeImageVersion", pool.name),
            image,
        )],
        _ => observe_images(&old),
    };
    let remediation = renew(group, evidence, RemediationKind::UpgradeNodeImage, "", DOCS_ISOLATED);
    let finding = Finding::new(&PREDATES_FIXES, subject(group, evidence), detail).about_nodes(old);
    judge.report(finding.seen(seen).with_remediation(remediation));
}
