//! What changes would do to what pods use.

use crate::answers::pull::{Answer, Puller};
use crate::checks::finding::{Finding, Fingerprint};
use crate::diagnosis::Diagnosis;
use crate::evidence::image::Image;
use crate::evidence::kubernetes::ImageUse;

/// What changes would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The changes, as they were given.
    pub changes: Vec<String>,
    /// Images in use that could be pulled before and no longer.
    pub stops: Vec<Moved>,
    /// Images in use that could not be pulled before.
    pub starts: Vec<Moved>,
    /// Images in use of which it is no longer known.
    pub unclear: Vec<Moved>,
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
        let mut effect =
            Self { changes: changes.to_vec(), stops: Vec::new(), starts: Vec::new(), unclear: Vec::new(), brings };
        let (old, new) = (Puller::new(before), Puller::new(after));
        for usage in after.evidence.kubernetes.images.known().into_iter().flat_map(|images| &images.used) {
            let Some(image) = Image::parse(&usage.image) else { continue };
            let (was, is) = (old.judge(&image, false), new.judge(&image, false));
            match (was.pulls(), is.pulls(), is.gaps.is_empty()) {
                (true, false, true) => effect.stops.push(Moved::of(usage, is)),
                (false, true, _) => effect.starts.push(Moved::of(usage, is)),
                (true, false, false) => effect.unclear.push(Moved::of(usage, is)),
                _ => {}
            }
        }
        effect
    }
}

impl Moved {
    fn of(usage: &ImageUse, answer: Answer) -> Self {
        let workloads = if usage.workloads.is_empty() { vec![usage.example.clone()] } else { usage.workloads.clone() };
        Self { image: usage.image.clone(), containers: usage.containers, workloads, why: answer.why }
    }
}
