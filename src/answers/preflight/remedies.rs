//! What is to be done for all images together: each rule once, however many images it brings.

use std::collections::BTreeMap;

use super::{ImageResult, Preflight, words};
use crate::answers::pull::{ImageVerdict, Means};
use crate::checks::command::Command;
use crate::evidence::Evidence;
use crate::evidence::image::MOST_RULES;
use crate::text::count;

/// The kinds of what is to be done, in the order in which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemedyKind {
    /// The cluster's own chain, or AKS' own rule.
    Repair,
    CacheRule,
    Import,
    /// Other references in the manifests.
    Rewrite,
    /// The manifest or the image is wrong.
    Correct,
    /// What could not be seen.
    Look,
}

impl RemedyKind {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::CacheRule => "cache-rule",
            Self::Import => "import",
            Self::Rewrite => "rewrite",
            Self::Correct => "correct",
            Self::Look => "look",
        }
    }
}

/// One thing to do, and the images that need it.
#[derive(Debug)]
pub struct Remedy<'m> {
    pub kind: RemedyKind,
    pub title: String,
    /// What to mind.
    pub advice: String,
    pub commands: Vec<Command>,
    pub images: Vec<&'m str>,
}

/// A reference that must be written in place of another.
#[derive(Debug, Clone, Copy)]
pub struct Rewrite<'p> {
    /// As it is written.
    pub image: &'p str,
    pub reference: &'p str,
}

impl<'m> Preflight<'m> {
    /// The references to write into the manifests, for the images that are `open`.
    pub fn rewrites(&self, open: &dyn Fn(&str) -> bool) -> Vec<Rewrite<'_>> {
        let open = self.images.iter().filter(|result| open(result.image) && is_rewritten(result));
        open.filter_map(|ImageResult { image, answer, .. }| {
            Some(Rewrite { image, reference: answer.reference.as_ref()? })
        })
        .collect()
    }

    /// What is to be done for the images that are `open`: that nobody accepted as they are.
    pub fn remedies(&self, evidence: &Evidence, open: &dyn Fn(&str) -> bool) -> Vec<Remedy<'m>> {
        let mut groups: BTreeMap<(RemedyKind, String), Vec<&ImageResult<'m>>> = BTreeMap::new();
        for result in self.images.iter().filter(|result| result.rule.is_some() && open(result.image)) {
            let own = key(result);
            // What must be made first must be written, too.
            if is_rewritten(result) && own.0 != RemedyKind::Rewrite {
                groups.entry((RemedyKind::Rewrite, String::new())).or_default().push(result);
            }
            groups.entry(own).or_default().push(result);
        }
        let mut remedies: Vec<Remedy<'m>> =
            groups.into_iter().map(|((kind, _), results)| remedy(kind, &results)).collect();
        self.advise(evidence, &mut remedies);
        remedies
    }

    /// What to mind for all new rules: said once, with the first.
    fn advise(&self, evidence: &Evidence, remedies: &mut [Remedy<'m>]) {
        let new = remedies.iter().filter(|remedy| remedy.kind == RemedyKind::CacheRule).count();
        let Some(first) = remedies.iter_mut().find(|remedy| remedy.kind == RemedyKind::CacheRule) else { return };
        let rule = self.images.iter().find(|result| Some(&result.image) == first.images.first());
        if let Some(Means::Rule(rule)) = rule.and_then(|result| result.answer.means.as_ref()) {
            rule.advice(evidence).trim().clone_into(&mut first.advice);
        }
        let present = evidence.registry.cache_rules.known().map_or(0, Vec::len);
        if present + new > MOST_RULES {
            let words = format!(" The registry has {present} rules and takes at most {MOST_RULES}: not all {new} fit.");
            first.advice.push_str(&words);
        }
    }
}

/// Whether the manifest must name another reference, where it names an image to pull.
fn is_rewritten(ImageResult { image, answer, places, probable, .. }: &ImageResult<'_>) -> bool {
    let works = answer.verdict == ImageVerdict::Rewrite || answer.means.is_some();
    let other = answer.reference.as_deref().is_some_and(|reference| reference != *image);
    works && other && !probable && !places.iter().all(|place| place.mentioned)
}

fn key(result: &ImageResult<'_>) -> (RemedyKind, String) {
    let answer = &result.answer;
    match (&answer.means, answer.verdict) {
        (Some(Means::Rule(rule)), _) => (RemedyKind::CacheRule, rule.source.clone()),
        (Some(Means::Import(_)), _) => (RemedyKind::Import, String::new()),
        (None, ImageVerdict::Rewrite) => (RemedyKind::Rewrite, String::new()),
        (None, ImageVerdict::Unknown) => (RemedyKind::Look, String::new()),
        (None, ImageVerdict::CacheRule | ImageVerdict::Blocked) => {
            let rules: Vec<&str> = answer.rules.iter().map(|rule| rule.id).collect();
            // What no rule names, its remediation tells apart.
            let own = answer.remediation.as_ref().filter(|_| rules.is_empty());
            let own = own.map(|own| own.commands.iter().map(Command::posix).collect::<Vec<_>>().join("\n"));
            (RemedyKind::Repair, own.unwrap_or_else(|| rules.join(", ")))
        }
        _ => (RemedyKind::Correct, result.rule.map_or_else(String::new, |rule| rule.id.to_owned())),
    }
}

fn remedy<'m>(kind: RemedyKind, results: &[&ImageResult<'m>]) -> Remedy<'m> {
    let images = count(results.len(), "image");
    let first = results[0];
    let own = || first.answer.remediation.iter().flat_map(|own| own.commands.clone()).collect::<Vec<_>>();
    let (title, advice, commands) = match (&first.answer.means, kind) {
        (Some(Means::Rule(rule)), RemedyKind::CacheRule) => {
            let title = format!("A cache rule for {} makes {images} pullable", rule.upstream());
            (title, rule.sign_in().trim().to_owned(), own())
        }
        (_, RemedyKind::Import) => {
            let advice = "Import again for each new version.".to_owned();
            let copies = results.iter().flat_map(|result| &result.answer.remediation).flat_map(|own| &own.commands);
            let mut commands: Vec<Command> = Vec::new();
            copies.for_each(|command| {
                if !commands.contains(command) {
                    commands.push(command.clone());
                }
            });
            (format!("Import {images} that no cache rule can bring"), advice, commands)
        }
        (_, RemedyKind::Rewrite) => {
            let advice = "--write-kustomize FILE and --write-helm-values FILE write them.".to_owned();
            (format!("Write the new references of {images} into the manifests"), advice, Vec::new())
        }
        (_, RemedyKind::Repair) => {
            let rules: Vec<&str> = first.answer.rules.iter().map(|rule| rule.id).collect();
            let title = match rules.as_slice() {
                [] if !own().is_empty() => format!("Give a cache rule the credentials of its upstream: {images}"),
                [] => format!("Make room for a cache rule: {images}"),
                rules => format!("Repair the cluster ({}): {images}", rules.join(", ")),
            };
            (title, "aksiso diagnose shows what is wrong there, and why.".to_owned(), own())
        }
        (_, RemedyKind::Look) => {
            let advice = "See below what is missing; accept what you know with [[suppress]] in aksiso.toml.".to_owned();
            (format!("Find out about {images} that could not be judged"), advice, Vec::new())
        }
        _ => (format!("Correct {images}"), first.rule.map(words).unwrap_or_default().to_owned(), Vec::new()),
    };
    Remedy { kind, title, advice, commands, images: results.iter().map(|result| result.image).collect() }
}
