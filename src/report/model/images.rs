//! The images of manifests, and of pods under a change, in a report.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GapEntry, gap_entry, lines};
use crate::answers::preflight::remedies::Remedy;
use crate::answers::preflight::{ImageResult, Preflight};
use crate::answers::whatif::{Effect, Moved};
use crate::checks::command::Shell;
use crate::checks::rule::Severity;
use crate::diagnosis::Diagnosis;
use crate::evidence::manifests::{Place, Unreadable};
use crate::text;

/// What changes would do that one thinks of. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhatIfEntry {
    pub changes: Vec<String>,
    /// Images in use that could be pulled before, as far as is known, and no longer.
    pub stops_pulling: Vec<MovedEntry>,
    /// Images in use that could not be pulled before and could then.
    pub starts_pulling: Vec<MovedEntry>,
    /// Images in use of which it would no longer be known.
    pub unclear: Vec<MovedEntry>,
    /// How many images are in use.
    #[serde(default)]
    pub images_in_use: usize,
    /// How many of them were not known to be pullable before the changes, and are not after.
    #[serde(default)]
    pub still_not_pulled: usize,
    /// Why it is not known which images are in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<GapEntry>,
    /// Fingerprints of the findings that the changes bring.
    pub brings: Vec<String>,
}

/// An image in use, and the workloads that use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedEntry {
    pub image: String,
    /// How many containers use it.
    pub containers: usize,
    /// The first workloads that use it.
    pub workloads: Vec<String>,
    /// Why.
    pub detail: String,
}

/// What `preflight` looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreflightEntry {
    /// How many files were read.
    pub files: usize,
    /// How many objects of Kubernetes were in them.
    pub objects: usize,
    /// How many documents were no objects of Kubernetes.
    #[serde(default)]
    pub other_documents: usize,
    /// Files and folders that could not be read: the report is about the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableEntry>,
    /// Whether the registry was asked for tags and platforms.
    pub registry_asked: bool,
    /// What is to be done, for all images together.
    #[serde(default)]
    pub remedies: Vec<RemedyEntry>,
    /// One verdict an image.
    pub images: Vec<ImageEntry>,
    /// Images in fields of custom resources that no path names, and that were not judged.
    pub unjudged: Vec<LocationEntry>,
}

/// A file or folder that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnreadableEntry {
    /// The file; `-` is standard input.
    pub file: String,
    /// The line, from 1, where one is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// The verdict on one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageEntry {
    /// The image as it is written.
    pub image: String,
    /// `pullable`, `pullable-after-rewrite`, `needs-cache-rule`, `blocked`, `never`, `unknown`, `invalid` or
    /// `not-pulled`.
    pub verdict: String,
    /// The severity of its finding; absent where it has none or the finding is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Whether manifests only mention it (in an argument, a variable, an annotation, a ConfigMap, a test): something
    /// may pull it, or not.
    #[serde(default)]
    pub mentioned: bool,
    /// Whether no manifest names it, and an operator or a workflow probably starts it.
    #[serde(default)]
    pub probable: bool,
    /// Why.
    pub detail: String,
    /// The reference to write instead, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What makes it pullable.
    pub commands: Vec<String>,
    /// The rules of `diagnose` that explain it.
    pub rules: Vec<String>,
    /// Where it stands.
    pub locations: Vec<LocationEntry>,
}

/// One thing to do, and the images that need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemedyEntry {
    /// `repair`, `cache-rule`, `import`, `rewrite`, `correct` or `look`, in the order in which they are done.
    pub kind: String,
    /// What to do.
    pub title: String,
    /// What to mind.
    pub advice: String,
    /// Each command once.
    pub commands: Vec<String>,
    /// The images that need it, as they are written.
    pub images: Vec<String>,
}

/// A place in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocationEntry {
    /// The file; `-` is standard input.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The template that Helm rendered it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Kind, namespace and name.
    pub object: String,
    /// The container, or the path in a custom resource.
    pub container: String,
    /// What stands there.
    pub image: String,
}

/// Most places of one finding that a report lists.
pub(super) const LOCATIONS: usize = 100;

pub(super) fn preflight_entry(preflight: &Preflight<'_>, diagnosis: &Diagnosis<'_>, shell: Shell) -> PreflightEntry {
    let open: HashMap<&str, Severity> = diagnosis
        .findings
        .iter()
        .filter_map(|finding| Some((finding.subject.reference()?, finding.severity)))
        .collect();
    let image = |result: &ImageResult<'_>| ImageEntry {
        severity: open.get(result.image).map(|severity| severity.as_str().to_owned()),
        mentioned: result.places.iter().all(|place| place.mentioned),
        probable: result.probable,
        image: text::bounded(result.image, 2_000),
        verdict: result.answer.verdict.as_str().to_owned(),
        detail: text::bounded(&result.answer.why, 2_000),
        reference: result.answer.reference.clone(),
        commands: result.answer.remediation.as_ref().map(|own| lines(&own.commands, shell)).unwrap_or_default(),
        rules: result.answer.rules.iter().map(|rule| rule.id.to_owned()).collect(),
        locations: result.places.iter().map(|place| location_entry(place)).collect(),
    };
    let manifests = preflight.manifests;
    PreflightEntry {
        files: manifests.files,
        objects: manifests.objects,
        other_documents: manifests.others,
        unreadable: manifests.unreadable.iter().map(unreadable_entry).collect(),
        registry_asked: preflight.registry_asked,
        remedies: preflight
            .remedies(diagnosis.evidence, &|image| open.contains_key(image))
            .into_iter()
            .map(|remedy| remedy_entry(remedy, shell))
            .collect(),
        images: preflight.images.iter().map(image).collect(),
        unjudged: manifests.unjudged.iter().map(location_entry).collect(),
    }
}

fn unreadable_entry(unreadable: &Unreadable) -> UnreadableEntry {
    UnreadableEntry {
        file: unreadable.file.clone(),
        line: unreadable.line,
        message: text::bounded(&unreadable.message, 2_000),
    }
}

fn remedy_entry(remedy: Remedy<'_>, shell: Shell) -> RemedyEntry {
    RemedyEntry {
        kind: remedy.kind.as_str().to_owned(),
        title: remedy.title,
        advice: remedy.advice,
        commands: lines(&remedy.commands, shell),
        images: remedy.images.into_iter().map(|image| text::bounded(image, 2_000)).collect(),
    }
}

fn location_entry(place: &Place) -> LocationEntry {
    LocationEntry {
        file: place.file.to_string(),
        line: place.line,
        source: place.source.as_deref().map(|source| text::bounded(source, 500)),
        object: text::bounded(&place.object, 500),
        container: text::bounded(&place.container, 500),
        image: text::bounded(&place.image, 2_000),
    }
}

pub(super) fn what_if_entry(effect: &Effect) -> WhatIfEntry {
    let moved = |moved: &Moved| MovedEntry {
        image: text::bounded(&moved.image, 2_000),
        containers: moved.containers,
        workloads: moved.workloads.clone(),
        detail: text::bounded(&moved.why, 2_000),
    };
    WhatIfEntry {
        changes: effect.changes.clone(),
        stops_pulling: effect.stops.iter().map(moved).collect(),
        starts_pulling: effect.starts.iter().map(moved).collect(),
        unclear: effect.unclear.iter().map(moved).collect(),
        images_in_use: effect.in_use,
        still_not_pulled: effect.still_not_pulled,
        unseen: effect.unseen.as_ref().map(gap_entry),
        brings: effect.brings.iter().map(ToString::to_string).collect(),
    }
}
