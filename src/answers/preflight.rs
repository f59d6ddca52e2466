//! The images that one is about to roll out: would the cluster's nodes pull them?

mod judge;
pub mod remedies;
mod rules;
mod unseen;

use std::collections::{BTreeMap, BTreeSet};

use super::pull::{Answer, ImageVerdict, Means, Puller};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::judge::{Judge, Outcome};
use crate::checks::remedy::{DOCS_CACHE, aksiso, remedy};
use crate::checks::rule::{Rule, Severity};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::plan::Plan;
use crate::evidence::image::Image;
use crate::evidence::manifests::{Manifests, Place, Probable};
use crate::evidence::{Evidence, Gap, Reason};
use crate::model::cache::repository_in_registry;
use crate::text;
pub use rules::RULES;
use rules::{ABSENT, INVALID, NOT_RENDERED, PLATFORM, UNKNOWN};
pub use unseen::field;

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
    /// Whether no manifest names it, and an operator or a workflow probably starts it.
    pub probable: bool,
}

/// Manifests beside a cluster.
#[derive(Debug)]
pub struct Preflight<'m> {
    pub manifests: &'m Manifests,
    /// One result an image, in the order of the images' names.
    pub images: Vec<ImageResult<'m>>,
    /// Whether the registry was asked for tags and platforms.
    pub registry_asked: bool,
    /// Why the registry's repositories are not known, where a new rule depends on them.
    unlisted: Option<Gap>,
}

impl<'m> Preflight<'m> {
    /// Judges the images of manifests by how the nodes of a cluster pull.
    pub fn of(puller: &Puller<'_>, manifests: &'m Manifests) -> Self {
        let mut images: BTreeMap<&'m str, (Vec<&'m Place>, Option<&'m str>)> = BTreeMap::new();
        for place in &manifests.places {
            images.entry(&place.image).or_default().0.push(place);
        }
        for Probable { place, why } in &manifests.probable {
            images.entry(&place.image).or_insert_with(|| (Vec::new(), Some(why))).0.push(place);
        }
        let judge = |(image, (places, guess)): (&'m str, (Vec<&'m Place>, Option<&'m str>))| {
            let (mut answer, rule) = judge::judge(puller, image, &places);
            if let Some(guess) = guess {
                answer.why = format!("Probably, as {guess}. {}", answer.why);
            }
            ImageResult { image, answer, rule, probable: guess.is_some(), places }
        };
        let proposes = |result: &ImageResult<'_>| result.answer.verdict == ImageVerdict::CacheRule;
        let mut images: Vec<ImageResult<'m>> = images.into_iter().map(judge).collect();
        keep_imports_apart(&mut images, puller.evidence());
        let unlisted =
            puller.asked().and_then(|asked| asked.repositories.gap()).filter(|_| images.iter().any(proposes));
        Self {
            manifests,
            unlisted: unlisted.map(|gap| gap.clone().about("the registry's repositories")),
            registry_asked: puller.asked().is_some(),
            images,
        }
    }

    /// The repositories of the bootstrap registry that nodes would pull from, with the tags and digests.
    pub fn wanted(&self, evidence: &Evidence) -> Vec<(String, Vec<String>)> {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for result in &self.images {
            let Some(named) = in_question(evidence, result) else { continue };
            if let Some(repository) = repository_in_registry(evidence, &named) {
                let versions = wanted.entry(repository).or_default();
                if !versions.iter().any(|known| known == named.version()) {
                    versions.push(named.version().to_owned());
                }
            }
        }
        wanted.into_iter().collect()
    }

    /// The plan of the findings: the same run shows whether a step worked.
    pub fn plan(&self, diagnosis: &Diagnosis<'_>) -> Plan {
        let run = aksiso("preflight", diagnosis.evidence);
        Plan::of(diagnosis).verified_by(&self.manifests.inputs.iter().fold(run, Command::word))
    }

    /// The findings and gaps, as a check would give them; what the operator `accepts` leaves no gap.
    pub fn outcome(&self, evidence: &Evidence, accepts: &dyn Fn(&Finding) -> bool) -> Outcome {
        let mut judge = Judge::new(&RULES, evidence);
        let mut tell = |finding: Option<Finding>, gaps: Vec<Gap>| {
            if !finding.as_ref().is_some_and(accepts) {
                gaps.into_iter().for_each(|gap| judge.note(gap));
            }
            finding.into_iter().for_each(|finding| judge.report(finding));
        };
        for result in &self.images {
            tell(result.rule.map(|rule| finding(rule, result)), result.answer.gaps.clone());
        }
        for (finding, gap) in unseen::unseen(evidence, self.manifests) {
            tell(Some(finding), vec![gap]);
        }
        let unreadable = self.manifests.unreadable.iter();
        let unreadable = unreadable.map(|own| Gap::new(Reason::NotVisible, own.message.clone()));
        tell(None, unreadable.chain(self.unlisted.clone()).collect());
        judge.finish()
    }
}

/// Two images that share a tag and not their content cannot both be imported under it.
fn keep_imports_apart(images: &mut [ImageResult<'_>], evidence: &Evidence) {
    let Some(registry) = evidence.registry_id() else { return };
    let mut sources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for result in &*images {
        if let Some(Means::Import(copy)) = &result.answer.means {
            sources.entry(copy.target.clone()).or_default().insert(copy.source.clone());
        }
    }
    for result in images {
        let Some(Means::Import(copy)) = &mut result.answer.means else { continue };
        let Some(apart) = copy.apart().filter(|_| sources[&copy.target].len() > 1) else { continue };
        if let Some(remediation) = &mut result.answer.remediation {
            remediation.commands = vec![apart.command(&registry)];
        }
        *copy = apart;
    }
}

/// What the registry can be asked about: the reference that nodes would pull. What names the registry as it is written
/// may stand there, although no rule brings it.
fn in_question(evidence: &Evidence, ImageResult { image, answer, .. }: &ImageResult<'_>) -> Option<Image> {
    let (server, written) = (evidence.login_server()?, Image::parse(image)?);
    let pulls = [ImageVerdict::Pullable, ImageVerdict::Rewrite].contains(&answer.verdict);
    if server.eq_ignore_ascii_case(&written.registry) {
        let open = pulls || [ImageVerdict::CacheRule, ImageVerdict::Unknown].contains(&answer.verdict);
        return open.then_some(written);
    }
    answer.reference.as_deref().and_then(Image::parse).or(Some(written)).filter(|_| pulls)
}

/// What to do about a rule whose answer brings no remediation of its own.
fn words(rule: &'static Rule) -> &'static str {
    let known = WORDS.iter().find(|(known, _)| *known == rule);
    known.map_or("See aksiso diagnose for the cluster itself.", |(_, summary)| *summary)
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
    let remediation = answer
        .remediation
        .clone()
        .unwrap_or_else(|| remedy(RemediationKind::Investigate, words(rule), Vec::new(), DOCS_CACHE));
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
