//! Images of public registries: nodes mirror Microsoft's registry only, so each needs a cache rule of its own and a
//! reference that names the registry.

use std::collections::BTreeSet;

use oci_spec::distribution::Reference;

use super::{is_public, message, outside_rule, own_egress, parse};
use crate::azure::id::ResourceId;
use crate::check::Judge;
use crate::check::remedy::{self, DOCS_CACHE, remedy};
use crate::command::Command;
use crate::evidence::Evidence;
use crate::evidence::kubernetes::ImageUse;
use crate::finding::{Finding, Observation, Remediation, RemediationKind, Severity, Subject};
use crate::text::count;

/// Judges the images in use; those that already fail as not cached are not told twice. Says whether there were any.
pub(super) fn judge(judge: &mut Judge<'_>, used: &[ImageUse], failing: &BTreeSet<String>) -> bool {
    let evidence = judge.evidence;
    if !evidence.egress_closed() {
        return false;
    }
    let outside = used.iter().filter(|usage| !failing.contains(&usage.image));
    let outside: Vec<&ImageUse> =
        outside.filter(|usage| parse(&usage.image).is_some_and(|image| is_outside(&image))).collect();
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

fn is_outside(image: &Reference) -> bool {
    is_public(image.registry()) && !message::is_microsoft(image.registry())
}

fn finding(evidence: &Evidence, usage: &ImageUse) -> Finding {
    let rewrite = rewrite(evidence, &usage.image).unwrap_or_default();
    Finding {
        rule: outside_rule(),
        severity: outside_rule().severity,
        detail: format!(
            "{} use image {}, which this cluster could not pull again: at the next reschedule on another node it is missing. {rewrite}",
            count(usage.containers, "container"),
            usage.image
        ),
        subject: Subject { kind: "image", id: ResourceId::new(usage.image.as_str()), name: usage.image.clone() },
        evidence: vec![Observation::new(
            "GET /api/v1/pods",
            format!("spec.containers[].image of {}", usage.example),
            usage.image.as_str(),
        )],
        remediation: remediation(evidence, &usage.image),
    }
}

/// The cache rule and the reference that would make an image pullable.
struct Rewrite {
    source: String,
    target: String,
    reference: String,
    /// The rule that the registry already has for it.
    existing: Option<String>,
}

fn plan(evidence: &Evidence, image: &str) -> Option<Rewrite> {
    let parsed = parse(image)?;
    let server = evidence.login_server()?;
    let registry = if parsed.registry() == "index.docker.io" { "docker.io" } else { parsed.registry() };
    let repository = format!("{registry}/{}", parsed.repository());
    let tail = match (parsed.tag(), parsed.digest()) {
        (_, Some(digest)) => format!("@{digest}"),
        (Some(tag), None) => format!(":{tag}"),
        (None, None) => String::new(),
    };
    let rules = evidence.registry.cache_rules.known().into_iter().flatten();
    let existing = rules.filter_map(|rule| {
        let source = rule.properties.source_repository.as_deref()?;
        let target = rule.properties.target_repository.as_deref()?;
        let rest = match source.strip_suffix('*') {
            Some(prefix) => repository.strip_prefix(prefix)?,
            None => (source == repository).then_some("")?,
        };
        Some((rule.name().to_owned(), format!("{}{rest}", target.trim_end_matches('*'))))
    });
    let prefix = registry.split('.').next().unwrap_or(registry).to_owned();
    let (existing, path) = match existing.into_iter().next() {
        Some((name, path)) => (Some(name), path),
        None => (None, format!("{prefix}/{}", parsed.repository())),
    };
    Some(Rewrite {
        source: format!("{registry}/*"),
        target: format!("{prefix}/*"),
        reference: format!("{server}/{path}{tail}"),
        existing,
    })
}

/// What would make the image pullable, in a sentence.
pub(super) fn rewrite(evidence: &Evidence, image: &str) -> Option<String> {
    let plan = plan(evidence, image)?;
    Some(match plan.existing {
        Some(rule) => format!(
            "Nodes mirror Microsoft's registry only; cache rule {rule} covers the image under {}.",
            plan.reference
        ),
        None => format!(
            "Nodes mirror Microsoft's registry only; with a cache rule \"{}\" -> \"{}\" it can be pulled as {}.",
            plan.source, plan.target, plan.reference
        ),
    })
}

/// The rule, where there is none, and the reference to write into the workload.
pub(super) fn remediation(evidence: &Evidence, image: &str) -> Remediation {
    let (Some(plan), Some(registry)) = (plan(evidence, image), evidence.registry_id()) else {
        return remedy(
            RemediationKind::RewriteImage,
            "Cache the image in a registry that the nodes can reach, and name it there.",
            Vec::new(),
            DOCS_CACHE,
        );
    };
    let mut summary = format!("Write {} into the workload.", plan.reference);
    let mut commands: Vec<Command> = Vec::new();
    if plan.existing.is_none() {
        let name = plan.target.trim_end_matches("/*").to_owned();
        let create = remedy::acr("az acr cache create", &registry).with("-n", name);
        let mut create = create.with("-s", plan.source.as_str()).with("-t", plan.target.as_str());
        if plan.source.starts_with("docker.io") {
            create = create.with("-c", "<CREDENTIAL_SET>");
            summary.push_str(" Docker Hub demands credentials: create a credential set first (az acr credential-set create) and put its name into the command.");
        }
        summary.push_str(" Create the cache rule before; a registry that AKS manages keeps rules that you add.");
        commands.push(remedy::in_subscription(create, &registry));
    }
    remedy(RemediationKind::RewriteImage, summary, commands, DOCS_CACHE)
}
