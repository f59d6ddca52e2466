//! The judgement of one image: what its reference is, how nodes would pull it, and what the registry says of it.

use super::rules::{ABSENT, BLOCKED, CACHE_RULE, INVALID, NEVER, NOT_RENDERED, PLATFORM, REWRITE, UNKNOWN};
use crate::answers::pull::{Answer, ImageVerdict, Puller};
use crate::checks::rule::Rule;
use crate::evidence::image::{self, Image};
use crate::evidence::manifests::{Artifact, Place};
use crate::evidence::{Evidence, Fact, Gap, Reason};
use crate::model::cache::{self, repository_in_registry};
use crate::text;

pub(super) fn judge(puller: &Puller<'_>, image: &str, places: &[&Place]) -> (Answer, Option<&'static Rule>) {
    if places.iter().all(|place| place.never) {
        return (
            Answer::new(ImageVerdict::NotPulled, "imagePullPolicy is Never: the image must be on the node already."),
            None,
        );
    }
    if places.iter().all(|place| place.injected) {
        let answer = if image::is_template(image) { parameter(image) } else { injected(puller) };
        let rule = rule(answer.verdict);
        return (answer, rule);
    }
    if image::is_template(image) {
        return (
            Answer::new(ImageVerdict::Invalid, "The reference is a template that was not rendered."),
            Some(&NOT_RENDERED),
        );
    }
    if image.trim() != image {
        let why = "It begins or ends with white space: the API server refuses it.";
        return (Answer::new(ImageVerdict::Invalid, why), Some(&INVALID));
    }
    let Some(parsed) = Image::parse(image).filter(|_| !image.contains("://")) else {
        let why = if image.is_empty() {
            "The container names no image: the API server refuses it. A patch is no manifest: build it first."
        } else {
            "The container runtime would refuse the reference: InvalidImageName."
        };
        return (Answer::new(ImageVerdict::Invalid, why), Some(&INVALID));
    };
    if let Some(answer) = puller.failing(image) {
        return (answer, Some(&BLOCKED));
    }
    let mut answer = puller.judge(&parsed, places.iter().all(|place| place.secret));
    if let Some(rule) = as_the_registry_says(puller, &parsed, &mut answer) {
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
fn injected(puller: &Puller<'_>) -> Answer {
    let used = puller.evidence().kubernetes.images.known().into_iter().flat_map(|images| &images.used);
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
fn as_the_registry_says(puller: &Puller<'_>, image: &Image, answer: &mut Answer) -> Option<&'static Rule> {
    let (evidence, asked) = (puller.evidence(), puller.asked()?);
    if ![ImageVerdict::Pullable, ImageVerdict::Rewrite].contains(&answer.verdict) {
        return None;
    }
    let named = answer.reference.as_deref().and_then(Image::parse).unwrap_or_else(|| image.clone());
    let repository = repository_in_registry(evidence, &named)?;
    let version = named.version();
    let filled = cache::filling(evidence, &repository).is_some();
    match asked.artifacts.get(&(repository.clone(), version.to_owned()))? {
        Fact::Known(Some(artifact)) => platforms(evidence, artifact, answer),
        Fact::Known(None) if filled => {
            answer.why.push_str(
                " The registry has not cached this version yet: the first pull asks the upstream, which aksiso does \
                 not.",
            );
            None
        }
        Fact::Known(None) => {
            answer.verdict = ImageVerdict::Never;
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
        answer.verdict = ImageVerdict::Never;
        answer.why = format!("The image is built for {has}, and every node is {}.", wanted.join(" or "));
        return Some(&PLATFORM);
    }
    if !missing.is_empty() {
        answer.why.push_str(&format!(" It is built for {has}: not for the cluster's {} nodes.", missing.join(" and ")));
    }
    None
}

fn rule(verdict: ImageVerdict) -> Option<&'static Rule> {
    match verdict {
        ImageVerdict::Pullable | ImageVerdict::NotPulled => None,
        ImageVerdict::Rewrite => Some(&REWRITE),
        ImageVerdict::CacheRule => Some(&CACHE_RULE),
        ImageVerdict::Blocked => Some(&BLOCKED),
        ImageVerdict::Never => Some(&NEVER),
        ImageVerdict::Unknown => Some(&UNKNOWN),
        ImageVerdict::Invalid => Some(&INVALID),
    }
}
