//! Images of public registries: nodes mirror Microsoft's registry only, so each needs a cache rule of its own and a
//! reference that names the registry.

use std::collections::BTreeSet;

use super::rules::OUTSIDE_CACHE;
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::{DOCS_CACHE, remedy};
use crate::checks::rule::Severity;
use crate::evidence::Evidence;
use crate::evidence::image::{Caching, Image, caching, is_public};
use crate::evidence::kubernetes::ImageUse;
use crate::model::cache;
use crate::model::egress::own_egress;
use crate::text::count;

/// Judges the images in use; those that already fail as not cached are not told twice. Says whether there were any.
pub(super) fn judge(judge: &mut Judge<'_>, used: &[ImageUse], failing: &BTreeSet<String>) -> bool {
    let evidence = judge.evidence;
    if !evidence.egress_closed() {
        return false;
    }
    let outside = used.iter().filter(|usage| !failing.contains(&usage.image));
    let outside: Vec<&ImageUse> =
        outside.filter(|usage| Image::parse(&usage.image).is_some_and(|image| is_public(&image.registry))).collect();
    if outside.is_empty() {
        return false;
    }
    let (egress, gaps) = own_egress(evidence);
    gaps.into_iter().for_each(|gap| judge.note(gap));
    for usage in outside {
        let mut finding = finding(evidence, usage);
        if egress {
            finding.severity = Severity::Info;
            finding.detail.push_str(
                " It may come over a way out of your own (a default route, NAT gateway, virtual WAN or proxy).",
            );
        }
        judge.report(finding);
    }
    true
}

fn finding(evidence: &Evidence, usage: &ImageUse) -> Finding {
    let rewrite = rewrite(evidence, &usage.image).unwrap_or_default();
    let detail = format!(
        "{} use image {}, which this cluster could not pull again: at the next reschedule on another node it is \
         missing. {rewrite}",
        count(usage.containers, "container"),
        usage.image
    );
    Finding::new(&OUTSIDE_CACHE, Subject::image(&usage.image, &usage.image), detail)
        .seen(vec![Observation::new(
            "GET /api/v1/pods",
            format!("spec.containers[].image of {}", usage.example),
            usage.image.as_str(),
        )])
        .with_remediation(remediation(evidence, &usage.image))
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
    let Ok(proposal) = cache::proposal(evidence, &image, None) else { return elsewhere() };
    let advice = proposal.advice(evidence);
    let reference = proposal.reference(evidence, &image);
    let summary = format!("Create the cache rule, then write {reference} into the workload.{advice}");
    rewritten(summary, proposal.commands(&registry))
}
