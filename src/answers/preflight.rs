//! The images that one is about to roll out: would the cluster's nodes pull them?

mod judge;
mod rules;

use std::collections::BTreeMap;

use super::pull::{Answer, ImageVerdict, Puller};
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::judge::{Judge, Outcome};
use crate::checks::remedy::{DOCS_CACHE, remedy};
use crate::checks::rule::{Rule, Severity};
use crate::diagnosis::Diagnosis;
use crate::evidence::image::{self, Image};
use crate::evidence::manifests::{Manifests, Place};
use crate::evidence::{Evidence, Gap, Reason};
use crate::model::cache::repository_in_registry;
use crate::text;
pub use rules::RULES;
use rules::{ABSENT, INVALID, NOT_RENDERED, PLATFORM, UNKNOWN};

/// What stands where an image should be named.
pub const NO_IMAGE: &str = "(no image)";

/// Places of one image that a finding lists as evidence.
const LISTED: usize = 20;

/// What to do about a rule whose answer brings no remediation of its own.
const WORDS: [(&Rule, &str); 5] = [
    (&NOT_RENDERED, "Render the manifests first (helm template, kustomize build, envsubst), and check what comes out."),
    (&INVALID, "Write a valid reference: registry/repository:tag or @sha256:digest, in lower case."),
    (&ABSENT, "Push or import the image, or correct its name and tag."),
    (&PLATFORM, "Build the image for the nodes' architecture, or add a pool that fits."),
    (&UNKNOWN, "See what could not be seen, and look there."),
];

/// One image, and what became of it.
#[derive(Debug)]
pub struct ImageResult<'m> {
    /// The image as it is written.
    pub image: &'m str,
    pub answer: Answer,
    /// The rule that reports it, where it is not well.
    pub rule: Option<&'static Rule>,
    pub places: Vec<&'m Place>,
}

/// Manifests beside a cluster.
#[derive(Debug)]
pub struct Preflight<'m> {
    pub manifests: &'m Manifests,
    /// One result an image, in the order of the images' names.
    pub images: Vec<ImageResult<'m>>,
}

impl<'m> Preflight<'m> {
    /// Judges the images of manifests by the whole diagnosis of a cluster.
    pub fn of(diagnosis: &Diagnosis<'_>, manifests: &'m Manifests) -> Self {
        let repositories = manifests.registry.as_ref().and_then(|asked| asked.repositories.known());
        let puller = Puller::new(diagnosis).reaching(&manifests.reachable).knowing(repositories.map(Vec::as_slice));
        let mut images: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for place in &manifests.places {
            images.entry(&place.image).or_default().push(place);
        }
        let judge = |(image, places): (&'m str, Vec<&'m Place>)| {
            let (answer, rule) = judge::judge(diagnosis.evidence, &puller, manifests, image, &places);
            ImageResult { image, answer, rule, places }
        };
        Self { manifests, images: images.into_iter().map(judge).collect() }
    }

    /// The repositories of the bootstrap registry that nodes would pull from, with the tags and digests.
    pub fn wanted(&self, evidence: &Evidence) -> Vec<(String, Vec<String>)> {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ImageResult { image, answer, .. } in &self.images {
            let named = answer.reference.as_deref().and_then(Image::parse).or_else(|| Image::parse(image));
            let named = named.filter(|_| [ImageVerdict::Pullable, ImageVerdict::Rewrite].contains(&answer.verdict));
            let Some(named) = named else { continue };
            if let Some(repository) = repository_in_registry(evidence, &named) {
                let versions = wanted.entry(repository).or_default();
                if !versions.iter().any(|known| known == named.version()) {
                    versions.push(named.version().to_owned());
                }
            }
        }
        wanted.into_iter().collect()
    }

    /// The findings and gaps, as a check would give them.
    pub fn outcome(&self, evidence: &Evidence) -> Outcome {
        let mut judge = Judge::new(&RULES, evidence);
        let findings = self.images.iter().filter_map(|result| Some(finding(result.rule?, result)));
        findings.for_each(|finding| judge.report(finding));
        self.gaps(evidence).into_iter().for_each(|gap| judge.note(gap));
        judge.finish()
    }

    /// What could not be seen, of the cluster and in the manifests.
    fn gaps(&self, evidence: &Evidence) -> Vec<Gap> {
        let manifests = self.manifests;
        let mut gaps: Vec<Gap> = self.images.iter().flat_map(|result| result.answer.gaps.clone()).collect();
        let proposed = self.images.iter().any(|result| result.answer.verdict == ImageVerdict::CacheRule);
        let asked = manifests.registry.as_ref().filter(|_| proposed);
        let unlisted = asked.and_then(|asked| asked.repositories.gap());
        gaps.extend(unlisted.map(|gap| gap.clone().about("the registry's repositories")));
        let collected = |detail: String| Gap::new(Reason::NotCollected, detail);
        gaps.extend(manifests.unrendered.iter().map(|object| {
            collected(format!("what {object} brings: it names manifests that stand elsewhere; render them"))
        }));
        gaps.extend(manifests.unreadable.iter().map(|unreadable| collected(unreadable.message.clone())));
        gaps.extend(
            manifests.unfollowed.iter().map(|link| {
                collected(format!("what is in {link}: the link leads out of the folder; name it to read it"))
            }),
        );
        gaps.extend(manifests.chosen.iter().map(|object| {
            collected(format!("which image the operator of {object} starts: the resource names none; name one"))
        }));
        let unjudged = manifests.unjudged.iter().filter(|place| is_surely_an_image(evidence, &place.image));
        gaps.extend(unjudged.map(|Place { container, object, image, .. }| {
            collected(format!(
                "{container} of {object} names {image}, and no path says that it is an image (--image-path)"
            ))
        }));
        gaps
    }
}

/// Whether a field of a custom resource that is called image can hardly be anything else: it names a registry, or a
/// version.
fn is_surely_an_image(evidence: &Evidence, text: &str) -> bool {
    let own = |host: &str| evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(host));
    image::is_at_known_registry(text)
        || image::has_version(text)
        || text.split_once('/').is_some_and(|(host, _)| own(host))
}

fn finding(rule: &'static Rule, judged: &ImageResult<'_>) -> Finding {
    let ImageResult { image, answer, places, .. } = judged;
    let shown = if image.is_empty() { NO_IMAGE } else { *image };
    let mentioned = places.iter().all(|place| place.mentioned);
    let severity = if mentioned { rule.severity.min(Severity::Warning) } else { rule.severity };
    let mut evidence: Vec<Observation> = places
        .iter()
        .take(LISTED)
        .map(|place| {
            Observation::new(
                format!("{}:{}", place.file, place.line),
                format!("{}, {}", place.object, place.container),
                *image,
            )
        })
        .collect();
    if places.len() > LISTED {
        evidence.push(Observation::new("manifests", "image", format!("and {} more", places.len() - LISTED)));
    }
    let remediation = answer.remediation.clone().unwrap_or_else(|| {
        let known = WORDS.iter().find(|(known, _)| *known == rule);
        let summary = known.map_or("See aksiso diagnose for the cluster itself.", |(_, summary)| *summary);
        remedy(RemediationKind::Investigate, summary, Vec::new(), DOCS_CACHE)
    });
    let more = if places.len() > 1 {
        format!(" ({} in these manifests)", text::count(places.len(), "place"))
    } else {
        String::new()
    };
    Finding::new(rule, Subject::image(image, shown), format!("{shown}{more}: {}", answer.why))
        .with_severity(severity)
        .seen(evidence)
        .with_remediation(remediation)
}
