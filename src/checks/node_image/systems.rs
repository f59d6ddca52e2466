//! `node-image-known-bad` and `node-os-retired`: images and systems of which Microsoft says that they fail.

use super::{KNOWN_BAD, OS_RETIRED, images, observe_images, renew, subject};
use crate::checks::finding::{Finding, Observation, RemediationKind};
use crate::checks::judge::Judge;
use crate::checks::remedy::{DOCS_NODE_IMAGE, remedy};
use crate::evidence::Evidence;
use crate::evidence::kubernetes::Node;
use crate::model::node_systems::{System, known_bad};
use crate::model::nodes::Group;

const DOCS_SYSTEMS: &str = "https://learn.microsoft.com/azure/aks/upgrade-os-version";

/// The images of a group's nodes and the one that its next nodes get.
fn all_images<'g>(group: &Group<'g>) -> impl Iterator<Item = &'g str> {
    let next = group.pool.and_then(|pool| pool.node_image_version.as_deref());
    images(group).into_iter().chain(next)
}

/// What the pool, and those of its nodes that run such an image, say.
fn observe(group: &Group<'_>, evidence: &Evidence, odd: &[&Node], fits: impl Fn(&str) -> bool) -> Vec<Observation> {
    let own = group.pool.and_then(|pool| Some((pool, pool.node_image_version.as_deref()?)));
    let path = |name: &str| format!("properties.agentPoolProfiles[{name}].nodeImageVersion");
    let own = own.filter(|(_, image)| fits(image));
    let mut seen: Vec<Observation> = own
        .map(|(pool, image)| Observation::new(evidence.cluster.source(), path(&pool.name), image))
        .into_iter()
        .collect();
    seen.extend(observe_images(odd));
    seen
}

pub(super) fn bad_image(judge: &mut Judge<'_>, group: &Group<'_>) {
    let evidence = judge.evidence;
    let Some((image, bad)) = all_images(group).find_map(|image| Some((image, known_bad(image)?))) else { return };
    let is_bad = |image: &str| known_bad(image).is_some();
    let nodes = group.nodes.iter().copied().filter(|node| node.image_version.as_deref().is_some_and(is_bad));
    let nodes: Vec<&Node> = nodes.collect();
    let detail = format!(
        "{} has image {image}, which is known to break network isolated clusters: {} ({}).",
        group.title(),
        bad.why,
        bad.source
    );
    let remediation = renew(group, evidence, RemediationKind::UpgradeNodeImage, "", DOCS_NODE_IMAGE);
    let finding = Finding::new(&KNOWN_BAD, subject(group, evidence), detail);
    let seen = observe(group, evidence, &nodes, is_bad);
    judge.report(finding.about_nodes(nodes).seen(seen).with_remediation(remediation));
}

pub(super) fn retired_system(judge: &mut Judge<'_>, group: &Group<'_>) {
    let evidence = judge.evidence;
    let now = evidence.collected_at;
    // What a pool makes next is what counts; a NodePool shows it by its nodes alone.
    let system = match group.pool {
        Some(pool) => System::of_pool(pool),
        None => images(group).into_iter().find_map(System::of_image),
    };
    let Some(system) = system.filter(|system| system.ends(now)) else { return };
    let ends = if system.is_retired(now) { "was retired" } else { "retires" };
    let removed = if system.is_removed(now) {
        format!("its images were removed on {}: scaling out and reimaging fail", system.removed)
    } else {
        format!("there are no new images from then on, and scaling out or reimaging fails from {} on", system.removed)
    };
    let detail = format!(
        "{} runs {}, which {ends} on {}; {removed} ({}).",
        group.title(),
        system.title,
        system.retired,
        system.source
    );
    let of_system = |image: &str| System::of_image(image).is_some_and(|own| own.title == system.title);
    let nodes = group.nodes.iter().copied().filter(|node| node.image_version.as_deref().is_some_and(of_system));
    let nodes: Vec<&Node> = nodes.collect();
    let mut seen = observe(group, evidence, &nodes, of_system);
    if let Some((pool, sku)) = group.pool.and_then(|pool| Some((pool, pool.os_sku.as_deref()?))) {
        let path = format!("properties.agentPoolProfiles[{}].osSKU", pool.name);
        seen.push(Observation::new(evidence.cluster.source(), path, sku));
    }
    let summary = format!(
        "Move the workloads to {}: most often by a new pool and a drain of this one. Do it before a node of this pool \
         has to be replaced.",
        system.successor
    );
    let finding = Finding::new(&OS_RETIRED, subject(group, evidence), detail).about_nodes(nodes);
    let remediation = remedy(RemediationKind::Investigate, summary, Vec::new(), DOCS_SYSTEMS);
    judge.report(finding.seen(seen).with_remediation(remediation));
}
