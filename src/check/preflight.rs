//! The images that one is about to roll out: would the cluster's nodes pull them? Judged only where manifests are given.

use std::collections::BTreeMap;

use super::remedy::{DOCS_CACHE, remedy};
use super::{Check, Judge, NotApplicable};
use crate::azure::id::ResourceId;
use crate::evidence::{Evidence, Fact, Gap, Reason, Section};
use crate::finding::{Finding, Observation, RemediationKind, Rule, Severity, Subject};
use crate::image::{self, Image};
use crate::manifest::{Artifact, Manifests, Place};
use crate::pull::{Answer, Puller, Verdict};
use crate::text;

const fn error(id: &'static str, title: &'static str) -> Rule {
    Rule { id, severity: Severity::Error, title }
}

const REWRITE: Rule =
    error("image-needs-rewrite", "A cache rule covers the image, but the reference does not name the registry");
const CACHE_RULE: Rule = error("image-needs-cache-rule", "No cache rule covers the image");
const NEVER: Rule = error("image-not-cacheable", "The image cannot come through the registry's cache");
const BLOCKED: Rule = error("image-blocked", "The cluster's own chain is broken, so the image cannot be pulled");
const ABSENT: Rule = error("image-not-in-registry", "The registry does not have the image");
const PLATFORM: Rule = error("image-platform-missing", "The image is not built for the nodes' architecture");
const INVALID: Rule = error("image-reference-invalid", "The reference names no image");
const NOT_RENDERED: Rule = error("image-not-rendered", "The reference is a template that was not rendered");
const UNKNOWN: Rule = Rule {
    id: "image-pull-unknown",
    severity: Severity::Warning,
    title: "Whether the image can be pulled could not be seen",
};

/// The check.
pub const CHECK: Check = Check {
    id: "preflight",
    title: "Whether the images of manifests could be pulled",
    doc: include_str!("preflight.md"),
    needs: &Section::ALL,
    rules: &[&REWRITE, &CACHE_RULE, &NEVER, &BLOCKED, &ABSENT, &PLATFORM, &INVALID, &NOT_RENDERED, &UNKNOWN],
    run,
};

/// What stands where an image should be named.
pub const NO_IMAGE: &str = "(no image)";

/// Places of one image that a finding lists as evidence.
const LISTED: usize = 20;

/// One image, and what became of it.
#[derive(Debug)]
pub struct Judged<'m> {
    /// The image as it is written.
    pub image: &'m str,
    /// The answer.
    pub answer: Answer,
    /// The rule that reports it, where it is not well.
    pub rule: Option<&'static Rule>,
    /// Where it stands.
    pub places: Vec<&'m Place>,
}

/// One verdict an image, in the order of the images' names.
pub fn verdicts<'m>(evidence: &Evidence, manifests: &'m Manifests) -> Vec<Judged<'m>> {
    let puller = Puller::new(evidence).reaching(&manifests.reachable);
    let mut images: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
    for place in &manifests.places {
        images.entry(&place.image).or_default().push(place);
    }
    let judge = |(image, places): (&'m str, Vec<&'m Place>)| {
        let (answer, rule) = judge(evidence, &puller, manifests, image, &places);
        Judged { image, answer, rule, places }
    };
    images.into_iter().map(judge).collect()
}

/// The repositories of the bootstrap registry that nodes would pull from, with the tags and digests.
pub fn in_registry(evidence: &Evidence, manifests: &Manifests) -> Vec<(String, Vec<String>)> {
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for judged in verdicts(evidence, manifests) {
        let named = judged.answer.reference.as_deref().and_then(Image::parse).or_else(|| Image::parse(judged.image));
        let named = named.filter(|_| [Verdict::Pullable, Verdict::Rewrite].contains(&judged.answer.verdict));
        let Some(named) = named else { continue };
        if let Some(repository) = crate::pull::repository_in_registry(evidence, &named) {
            let versions = wanted.entry(repository).or_default();
            if !versions.iter().any(|known| known == named.version()) {
                versions.push(named.version().to_owned());
            }
        }
    }
    wanted.into_iter().collect()
}

fn judge(
    evidence: &Evidence,
    puller: &Puller<'_>,
    manifests: &Manifests,
    image: &str,
    places: &[&Place],
) -> (Answer, Option<&'static Rule>) {
    if places.iter().all(|place| place.never) {
        return (
            Answer::new(Verdict::NotPulled, "imagePullPolicy is Never: the image must be on the node already."),
            None,
        );
    }
    if places.iter().all(|place| place.injected) {
        let answer = if image::is_template(image) { parameter(image) } else { injected(evidence, puller) };
        let rule = rule(answer.verdict);
        return (answer, rule);
    }
    if image::is_template(image) {
        return (
            Answer::new(Verdict::Invalid, "The reference is a template that was not rendered."),
            Some(&NOT_RENDERED),
        );
    }
    let Some(parsed) = Image::parse(image) else {
        let why = if image.is_empty() {
            "The container names no image: the API server refuses it. A patch is no manifest: build it first."
        } else {
            "The container runtime would refuse the reference: InvalidImageName."
        };
        return (Answer::new(Verdict::Invalid, why), Some(&INVALID));
    };
    if let Some(answer) = puller.failing(image) {
        return (answer, Some(&BLOCKED));
    }
    let mut answer = puller.judge(&parsed, places.iter().all(|place| place.secret));
    if let Some(rule) = as_the_registry_says(evidence, manifests, &parsed, &mut answer) {
        return (answer, Some(rule));
    }
    let rule = rule(answer.verdict);
    (answer, rule)
}

/// An image that a workflow's parameter names when it runs.
fn parameter(image: &str) -> Answer {
    let gap = Gap::new(Reason::NotVisible, format!("which image {} names when it runs", text::bounded(image, 300)));
    Answer::unknown(vec![gap], "A parameter, which is filled in when it runs: which image it names stands elsewhere.")
}

/// The image that Istio's injector writes: probably the one that the cluster's proxies have.
fn injected(evidence: &Evidence, puller: &Puller<'_>) -> Answer {
    let used = evidence.kubernetes.images.known().into_iter().flat_map(|images| &images.used);
    let proxies = used.filter_map(|usage| Image::parse(&usage.image));
    let mut proxies: Vec<Image> =
        proxies.filter(|image| image.repository.rsplit('/').next() == Some("proxyv2")).collect();
    // A mesh under upgrade has two tags of one repository.
    proxies.sort_by_cached_key(Image::source);
    proxies.dedup_by_key(|proxy| proxy.source());
    let [proxy] = proxies.as_slice() else {
        let gap = Gap::new(Reason::NotVisible, "which image Istio's injector writes in place of auto");
        let why = "Istio's injector writes the image when the pod is made (its hub and tag, as istiod is set).";
        return Answer::unknown(vec![gap], why);
    };
    let name = format!("{}{}", proxy.source(), proxy.tail);
    let mut answer = puller.failing(&name).unwrap_or_else(|| puller.judge(proxy, false));
    answer.why = format!(
        "Istio's injector writes the image when the pod is made, probably that of the cluster's proxies, {name}. {}",
        answer.why
    );
    if let Some(remediation) = &mut answer.remediation {
        remediation.summary.push_str(" The manifest keeps auto: it is istiod's hub and tag that must be set.");
    }
    answer
}

/// What the registry itself said of the image, where it was asked.
fn as_the_registry_says(
    evidence: &Evidence,
    manifests: &Manifests,
    image: &Image,
    answer: &mut Answer,
) -> Option<&'static Rule> {
    let asked = manifests.registry.as_ref()?;
    if ![Verdict::Pullable, Verdict::Rewrite].contains(&answer.verdict) {
        return None;
    }
    let named = answer.reference.as_deref().and_then(Image::parse).unwrap_or_else(|| image.clone());
    let repository = crate::pull::repository_in_registry(evidence, &named)?;
    let version = named.version();
    let filled = crate::pull::rewrite::filling(evidence, &repository).is_some();
    match asked.artifacts.get(&(repository.clone(), version.to_owned()))? {
        Fact::Known(Some(artifact)) => platforms(evidence, artifact, answer),
        Fact::Known(None) if filled => {
            answer.why.push_str(" The registry has not cached this version yet: the first pull asks the upstream, which aksiso does not.");
            None
        }
        Fact::Known(None) => {
            answer.verdict = Verdict::Never;
            answer.why = format!("The registry has no {repository} with {version}, and no cache rule would bring it.");
            Some(&ABSENT)
        }
        Fact::Missing(gap) => {
            answer.gaps.push(gap.clone());
            None
        }
    }
}

/// Compares the platforms of an image with those of the nodes.
fn platforms(evidence: &Evidence, artifact: &Artifact, answer: &mut Answer) -> Option<&'static Rule> {
    answer.why.push_str(" The registry has it.");
    if artifact.platforms.is_empty() {
        return None;
    }
    let nodes = evidence.kubernetes.nodes.known()?.iter().filter(|node| !node.is_virtual);
    let mut wanted: Vec<&str> = nodes.filter_map(|node| node.architecture.as_deref()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let built = |architecture: &&str| {
        artifact.platforms.iter().any(|platform| platform.rsplit('/').next() == Some(architecture))
    };
    let missing: Vec<&str> = wanted.iter().copied().filter(|architecture| !built(architecture)).collect();
    let has = artifact.platforms.join(", ");
    if !wanted.is_empty() && missing.len() == wanted.len() {
        answer.verdict = Verdict::Never;
        answer.why = format!("The image is built for {has}, and every node is {}.", wanted.join(" or "));
        return Some(&PLATFORM);
    }
    if !missing.is_empty() {
        answer.why.push_str(&format!(" It is built for {has}: not for the cluster's {} nodes.", missing.join(" and ")));
    }
    None
}

fn rule(verdict: Verdict) -> Option<&'static Rule> {
    match verdict {
        Verdict::Pullable | Verdict::NotPulled => None,
        Verdict::Rewrite => Some(&REWRITE),
        Verdict::CacheRule => Some(&CACHE_RULE),
        Verdict::Blocked => Some(&BLOCKED),
        Verdict::Never => Some(&NEVER),
        Verdict::Unknown => Some(&UNKNOWN),
        Verdict::Invalid => Some(&INVALID),
    }
}

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let evidence = judge.evidence;
    let Some(manifests) = &evidence.manifests else {
        return Err(NotApplicable("no manifests were given".to_owned()));
    };
    let mut cache_rules = false;
    for judged in verdicts(evidence, manifests) {
        cache_rules |= judged.answer.verdict == Verdict::CacheRule;
        let gaps: Vec<Gap> = judged.answer.gaps.clone();
        if let Some(rule) = judged.rule {
            judge.report(finding(rule, judged));
        }
        gaps.into_iter().for_each(|gap| judge.note(gap));
    }
    let proposed = manifests.registry.as_ref().filter(|_| cache_rules);
    if let Some(gap) = proposed.and_then(|asked| asked.repositories.gap()) {
        judge.note(gap.clone().about("the registry's repositories"));
    }
    for object in &manifests.unrendered {
        let detail = format!("what {object} brings: it names manifests that stand elsewhere; render them");
        judge.note(Gap::new(Reason::NotCollected, detail));
    }
    for object in &manifests.chosen {
        let detail = format!("which image the operator of {object} starts: the resource names none; name one");
        judge.note(Gap::new(Reason::NotCollected, detail));
    }
    for place in manifests.unjudged.iter().filter(|place| is_surely_an_image(evidence, &place.image)) {
        let detail = format!(
            "{} of {} names {}, and no path says that it is an image (--image-path)",
            place.container, place.object, place.image
        );
        judge.note(Gap::new(Reason::NotCollected, detail));
    }
    Ok(())
}

/// Whether a field of a custom resource that is called image can hardly be anything else: it names a registry, or a version.
fn is_surely_an_image(evidence: &Evidence, text: &str) -> bool {
    let own = |host: &str| evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(host));
    image::is_at_known_registry(text)
        || image::has_version(text)
        || text.split_once('/').is_some_and(|(host, _)| own(host))
}

fn finding(rule: &'static Rule, judged: Judged<'_>) -> Finding {
    let Judged { image, answer, places, .. } = judged;
    let shown = if image.is_empty() { NO_IMAGE } else { image };
    let mentioned = places.iter().all(|place| place.mentioned);
    let severity = if mentioned { rule.severity.min(Severity::Warning) } else { rule.severity };
    let mut evidence: Vec<Observation> = places
        .iter()
        .take(LISTED)
        .map(|place| {
            Observation::new(
                format!("{}:{}", place.file, place.line),
                format!("{}, {}", place.object, place.container),
                image,
            )
        })
        .collect();
    if places.len() > LISTED {
        evidence.push(Observation::new("manifests", "image", format!("and {} more", places.len() - LISTED)));
    }
    let remediation = answer.remediation.unwrap_or_else(|| {
        let summary = match rule.id {
            id if id == NOT_RENDERED.id => {
                "Render the manifests first (helm template, kustomize build, envsubst), and check what comes out."
            }
            id if id == INVALID.id => {
                "Write a valid reference: registry/repository:tag or @sha256:digest, in lower case."
            }
            id if id == ABSENT.id => "Push or import the image, or correct its name and tag.",
            id if id == PLATFORM.id => "Build the image for the nodes' architecture, or add a pool that fits.",
            id if id == UNKNOWN.id => "See what could not be seen, and look there.",
            _ => "See aksiso diagnose for the cluster itself.",
        };
        remedy(RemediationKind::Investigate, summary, Vec::new(), DOCS_CACHE)
    });
    let more = if places.len() > 1 {
        format!(" ({} in these manifests)", text::count(places.len(), "place"))
    } else {
        String::new()
    };
    Finding {
        rule,
        severity,
        detail: format!("{shown}{more}: {}", answer.why),
        subject: Subject { kind: "image", id: ResourceId::new(image), name: shown.to_owned() },
        evidence,
        remediation,
    }
}
