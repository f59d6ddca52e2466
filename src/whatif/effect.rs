//! What changes would do to what pods use.

use crate::evidence::Evidence;
use crate::image::Image;
use crate::pull::Puller;

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
    pub brings: Vec<String>,
}

/// An image whose answer changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The image.
    pub image: String,
    /// How many containers use it.
    pub containers: usize,
    /// The workloads that use it, twenty at most.
    pub workloads: Vec<String>,
    /// Why, after the change.
    pub why: String,
}

/// Compares what pods use before and after.
pub fn effect(before: &Evidence, after: &Evidence, changes: &[String]) -> Effect {
    let (old, new) = (Puller::new(before), Puller::new(after));
    let mut effect =
        Effect { changes: changes.to_vec(), stops: vec![], starts: vec![], unclear: vec![], brings: vec![] };
    for usage in after.kubernetes.images.known().into_iter().flat_map(|images| &images.used) {
        let Some(image) = Image::parse(&usage.image) else { continue };
        let (was, is) = (old.judge(&image, false), new.judge(&image, false));
        let workloads = if usage.workloads.is_empty() { vec![usage.example.clone()] } else { usage.workloads.clone() };
        let moved = Moved { image: usage.image.clone(), containers: usage.containers, workloads, why: is.why.clone() };
        match (was.pulls(), is.pulls(), is.gaps.is_empty()) {
            (true, false, true) => effect.stops.push(moved),
            (false, true, _) => effect.starts.push(moved),
            (true, false, false) => effect.unclear.push(moved),
            _ => {}
        }
    }
    effect
}
