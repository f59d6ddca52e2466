//! Images of public registries: nodes mirror Microsoft's registry only, so each needs a cache rule of its own and a
//! reference that names the registry.

use std::collections::BTreeSet;

use super::rules::OUTSIDE_CACHE;
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::{DOCS_CACHE, remedy};
use crate::checks::rule::Severity;
use crate::evidence::Evidence;
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::image::{Caching, Image, caching, is_public};
use crate::evidence::kubernetes::ImageUse;
use crate::evidence::workloads::DesiredImages;
use crate::model::cache;
use crate::model::cluster::Ownership;
use crate::model::egress::own_egress;
use crate::text::{count, listed};

/// An image that is in use, or that a template of a workload names.
struct Named<'e> {
    usage: &'e ImageUse,
    /// The list that names it.
    list: KubernetesCall,
    /// Whether a container uses it now.
    running: bool,
}

/// Images in use, and those of templates that no container uses now; one that several lists name comes once.
fn named<'e>(judge: &mut Judge<'e>, used: &'e [ImageUse]) -> Vec<Named<'e>> {
    let mut named: Vec<Named<'e>> =
        used.iter().map(|usage| Named { usage, list: KubernetesCall::PODS, running: true }).collect();
    let mut seen: BTreeSet<&str> = used.iter().map(|usage| usage.image.as_str()).collect();
    for (call, list) in judge.evidence.kubernetes.desired.iter().flat_map(DesiredImages::lists) {
        for usage in judge.know(list, &format!("images of {}", call.resource)).into_iter().flatten() {
            if seen.insert(&usage.image) {
                named.push(Named { usage, list: call, running: false });
            }
        }
    }
    named
}

/// Judges the images in use and those that templates name; those that already fail as not cached are not told twice.
/// Says whether there were any.
pub(super) fn judge<'e>(judge: &mut Judge<'e>, used: &'e [ImageUse], failing: &BTreeSet<String>) -> bool {
    let evidence = judge.evidence;
    if !evidence.egress_closed() {
        return false;
    }
    let named = named(judge, used);
    let outside = named.iter().filter(|named| !failing.contains(&named.usage.image));
    let public = |named: &&Named<'_>| Image::parse(&named.usage.image).is_some_and(|image| is_public(&image.registry));
    let outside: Vec<&Named<'_>> = outside.filter(public).collect();
    if outside.is_empty() {
        return false;
    }
    let (egress, gaps) = own_egress(evidence);
    gaps.into_iter().for_each(|gap| judge.note(gap));
    for named in outside {
        let mut finding = finding(evidence, named);
        if egress {
            finding.severity = Severity::Info;
            finding.detail.push_str(
                " It may come over your own egress path (a default route, NAT gateway, virtual WAN or proxy).",
            );
        }
        judge.report(finding);
    }
    true
}

fn finding(evidence: &Evidence, named: &Named<'_>) -> Finding {
    let usage = named.usage;
    let rewrite = rewrite(evidence, &usage.image).unwrap_or_default();
    let detail = if named.running {
        format!(
            "{} could not re-pull image {} on this cluster: at the next reschedule on another node it is \
             missing. {rewrite}",
            count(usage.containers, "container"),
            usage.image
        )
    } else {
        format!(
            "{} would run image {}, which this cluster could not pull: no pod uses it now, and the next one does not \
             start. {rewrite}",
            listed(usage.workloads.iter().cloned()),
            usage.image
        )
    };
    Finding::new(&OUTSIDE_CACHE, Subject::image(&usage.image, &usage.image), detail)
        .seen(vec![Observation::new(
            source(named),
            format!(
                "spec.{}containers[].image of {}",
                if named.running { "" } else { "template.spec." },
                usage.example
            ),
            usage.image.as_str(),
        )])
        .with_remediation(remediation(evidence, &usage.image))
}

/// The call that names the image.
fn source(named: &Named<'_>) -> String {
    format!("GET {}", named.list.path())
}

/// What would make the image pullable, in a sentence.
pub(super) fn rewrite(evidence: &Evidence, image: &str) -> Option<String> {
    let image = Image::parse(image)?;
    evidence.login_server()?;
    if let Some(covering) = cache::covering(evidence, &image) {
        return Some(format!(
            "Nodes mirror Microsoft's registry only; cache rule {} covers the image under {}.",
            covering.rule.name(),
            covering.reference
        ));
    }
    if evidence.ownership() == Ownership::Managed {
        return Some("Nodes mirror Microsoft's registry only, and the bootstrap registry is AKS' own.".to_owned());
    }
    let proposal =
        cache::proposal(evidence, &image, None).ok().filter(|_| caching(&image.registry) != Caching::Never)?;
    Some(format!(
        "Nodes mirror Microsoft's registry only; with a cache rule \"{}\" -> \"{}\" it can be pulled as {}.",
        proposal.source,
        proposal.target,
        proposal.reference(evidence, &image)
    ))
}

/// The rule, where there is none, and the reference to write into the workload.
pub(super) fn remediation(evidence: &Evidence, image: &str) -> Remediation {
    let rewritten = |summary: String, commands| remedy(RemediationKind::RewriteImage, summary, commands, DOCS_CACHE);
    let elsewhere = || {
        let summary = "Copy the image to a registry that the nodes can reach (az acr import), and name it there.";
        rewritten(summary.to_owned(), Vec::new())
    };
    let (Some(image), Some(registry)) = (Image::parse(image), evidence.registry_id()) else { return elsewhere() };
    if evidence.login_server().is_none() || caching(&image.registry) == Caching::Never {
        return elsewhere();
    }
    if let Some(covering) = cache::covering(evidence, &image) {
        return rewritten(format!("Write {} into the workload.", covering.reference), Vec::new());
    }
    // A rule in a registry that AKS manages is AKS' own to make.
    if evidence.ownership() == Ownership::Managed {
        return elsewhere();
    }
    let Ok(proposal) = cache::proposal(evidence, &image, None) else { return elsewhere() };
    let advice = proposal.advice(evidence);
    let reference = proposal.reference(evidence, &image);
    let summary = format!("Create the cache rule, then write {reference} into the workload.{advice}");
    rewritten(summary, proposal.commands(&registry))
}
