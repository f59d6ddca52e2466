//! What changes would do to what pods use.

use crate::answers::pull::{Answer, ImageVerdict, Puller};
use crate::checks::finding::{Finding, Fingerprint};
use crate::diagnosis::Diagnosis;
use crate::evidence::image::Image;
use crate::evidence::kubernetes::{ImageUse, Node};
use crate::evidence::{Evidence, Fact, Gap};

/// What changes would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The changes, as they were given.
    pub changes: Vec<String>,
    /// Images in use that could be pulled before, as far as is known, and no longer.
    pub stops: Vec<Moved>,
    /// Images in use that could not be pulled before.
    pub starts: Vec<Moved>,
    /// Images in use of which it is no longer known.
    pub unclear: Vec<Moved>,
    /// How many images are in use.
    pub in_use: usize,
    /// How many of them were not known to be pullable before, and are not after.
    pub still_not_pulled: usize,
    /// Why it is not known which images are in use.
    pub unseen: Option<Gap>,
    /// Fingerprints of the findings that the changes bring.
    pub brings: Vec<Fingerprint>,
}

/// An image whose answer changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub image: String,
    /// How many containers use it.
    pub containers: usize,
    /// The workloads that use it, twenty at most.
    pub workloads: Vec<String>,
    /// Why, after the change.
    pub why: String,
}

impl Effect {
    /// Compares two diagnoses of one cluster: before the changes and after.
    pub fn of(before: &Diagnosis<'_>, after: &Diagnosis<'_>, changes: &[String]) -> Self {
        let known: Vec<Fingerprint> = before.findings.iter().map(Finding::fingerprint).collect();
        let brings = after.findings.iter().map(Finding::fingerprint).filter(|print| !known.contains(print)).collect();
        let images = &after.evidence.kubernetes.images;
        let mut effect = Self {
            changes: changes.to_vec(),
            stops: Vec::new(),
            starts: Vec::new(),
            unclear: Vec::new(),
            in_use: 0,
            still_not_pulled: 0,
            unseen: images.gap().filter(|_| !after.evidence.stopped()).cloned(),
            brings,
        };
        let (old, new) = (Puller::new(before), Puller::new(after));
        let (renewed, all) = renewed(before.evidence, after.evidence);
        let fails = |image: &str| images.known().is_some_and(|now| now.waiting.iter().any(|pull| pull.image == image));
        for usage in images.known().into_iter().flat_map(|images| &images.used) {
            let Some(image) = Image::parse(&usage.image) else { continue };
            effect.in_use += 1;
            let (was, is) = (old.judge(&image, false), new.judge(&image, false));
            let certain = is.gaps.is_empty();
            match (was.pulls(), is.pulls()) {
                (true, true) => {}
                (false, true) => effect.starts.push(Moved::of(usage, is)),
                (true, false) if certain => effect.stops.push(Moved::of(usage, is)),
                (true, false) => effect.unclear.push(Moved::of(usage, is)),
                // An image that runs was pulled once: what was not known to be pullable may have been.
                (false, false) if certain && was.verdict == ImageVerdict::Unknown => {
                    effect.stops.push(Moved::of(usage, is));
                }
                // It runs from the copies that nodes have, until they are replaced.
                (false, false) if renewed && !fails(&usage.image) => {
                    let moved = if certain && all { &mut effect.stops } else { &mut effect.unclear };
                    let why = format!("It runs from copies on the nodes, which a reimage removes. {}", is.why);
                    moved.push(Moved::of(usage, Answer { why, ..is }));
                }
                (false, false) => effect.still_not_pulled += 1,
            }
        }
        effect
    }

    /// Whether what the changes do to running workloads is not known whole.
    pub fn incomplete(&self) -> bool {
        self.unseen.is_some() || !self.unclear.is_empty()
    }
}

/// Whether the changes replace nodes, and whether all of them.
fn renewed(before: &Evidence, after: &Evidence) -> (bool, bool) {
    let (Fact::Known(old), Fact::Known(new)) = (&before.kubernetes.nodes, &after.kubernetes.nodes) else {
        return (false, false);
    };
    let made = |node: &Node| !old.iter().any(|own| own.name == node.name && own.created == node.created);
    let mut real = new.iter().filter(|node| !node.is_virtual);
    (real.clone().any(made), real.all(made))
}

impl Moved {
    fn of(usage: &ImageUse, answer: Answer) -> Self {
        let workloads = if usage.workloads.is_empty() { vec![usage.example.clone()] } else { usage.workloads.clone() };
        Self { image: usage.image.clone(), containers: usage.containers, workloads, why: answer.why }
    }
}
