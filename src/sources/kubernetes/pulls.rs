//! Which images pods use, and what is said of those that were not pulled. Memory grows with distinct images and with
//! failing containers, not with pods.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::raw::{RawEvent, RawPod};
use crate::evidence::kubernetes::{ImageUse, MirrorFailure, Node, PodImages, WaitingPull};
use crate::text;

/// Longest message that is kept.
const MESSAGE: usize = 2_000;
/// Most containers that wait, and most messages, that are kept; the rest would say the same again.
const MOST: usize = 5_000;

/// What one page after the other adds up to, before virtual nodes and events are taken into account.
#[derive(Debug)]
pub enum PodPulls {
    /// A container that waits.
    Waiting(WaitingPull),
    /// An image in use on a node.
    Used {
        /// The node; empty = not scheduled yet.
        node: String,
        usage: ImageUse,
    },
    /// The workloads that use an image.
    Workloads {
        image: String,
        /// The first of them.
        workloads: Vec<String>,
    },
}

/// Gathers the images of pods.
#[derive(Default)]
pub(super) struct ImagesOfPods {
    waiting: Vec<WaitingPull>,
    /// By node, then by image.
    used: HashMap<String, HashMap<String, ImageUse>>,
    workloads: HashMap<String, BTreeSet<String>>,
}

/// Most workloads that are named of one image.
const WORKLOADS: usize = 20;

impl ImagesOfPods {
    pub(super) fn add(&mut self, pod: &RawPod) {
        if pod.has_ended() {
            return;
        }
        for container in pod.spec.all().filter(|container| container.image_pull_policy != "Never") {
            self.note_workload(pod, &container.image);
            let node = match self.used.get_mut(&pod.spec.node_name) {
                Some(node) => node,
                None => self.used.entry(pod.spec.node_name.clone()).or_default(),
            };
            // Most images of a node are known already: nothing is copied for them.
            match node.get_mut(&container.image) {
                Some(usage) => usage.containers += 1,
                None => drop(node.insert(
                    container.image.clone(),
                    ImageUse {
                        image: container.image.clone(),
                        containers: 1,
                        example: format!("{}/{}", pod.metadata.namespace, pod.metadata.name),
                        workloads: Vec::new(),
                    },
                )),
            }
        }
        for status in pod.status.all() {
            let Some(waiting) = &status.state.waiting else { continue };
            if !is_pull_failure(&waiting.reason) || self.waiting.len() >= MOST {
                continue;
            }
            let declared = pod.spec.all().find(|container| container.name == status.name);
            self.waiting.push(WaitingPull {
                namespace: pod.metadata.namespace.clone(),
                pod: pod.metadata.name.clone(),
                container: status.name.clone(),
                node: pod.spec.node_name.clone(),
                image: declared.map_or_else(|| status.image.clone(), |container| container.image.clone()),
                reason: waiting.reason.clone(),
                message: informative(&waiting.message).then(|| kept(&waiting.message)),
                from_event: false,
                last_seen: None,
            });
        }
    }

    /// The first workloads of an image in the order in which they come; once there are enough, nothing is made for
    /// more.
    fn note_workload(&mut self, pod: &RawPod, image: &str) {
        let known = match self.workloads.get_mut(image) {
            Some(known) => known,
            None => self.workloads.entry(image.to_owned()).or_default(),
        };
        if known.len() < WORKLOADS {
            known.insert(workload(pod));
        }
    }

    pub(super) fn finish(self) -> Vec<PodPulls> {
        let workloads = self.workloads.into_iter();
        let workloads =
            workloads.map(|(image, names)| PodPulls::Workloads { image, workloads: names.into_iter().collect() });
        let used = self.used.into_iter();
        let used = used.flat_map(|(node, images)| images.into_values().map(move |usage| (node.clone(), usage)));
        let mut used: Vec<(String, ImageUse)> = used.collect();
        used.sort_by(|one, other| (&one.0, &one.1.image).cmp(&(&other.0, &other.1.image)));
        let used = used.into_iter().map(|(node, usage)| PodPulls::Used { node, usage });
        self.waiting.into_iter().map(PodPulls::Waiting).chain(used).chain(workloads).collect()
    }
}

/// What a person would look for: the owner of a pod, a Deployment for its ReplicaSet, or the pod itself.
fn workload(pod: &RawPod) -> String {
    let namespace = &pod.metadata.namespace;
    let Some(owner) = pod.metadata.owner_references.first() else {
        return format!("Pod {namespace}/{}", pod.metadata.name);
    };
    // A Deployment's ReplicaSets end in a hash, which Kubernetes writes with these characters only.
    let hash =
        |text: &str| (5..=10).contains(&text.len()) && text.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c));
    match owner.name.rsplit_once('-') {
        Some((name, end)) if owner.kind == "ReplicaSet" && hash(end) => format!("Deployment {namespace}/{name}"),
        _ => format!("{} {namespace}/{}", owner.kind, owner.name),
    }
}

fn is_pull_failure(reason: &str) -> bool {
    ["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "InvalidImageName", "ImageInspectError"]
        .contains(&reason)
}

/// A back-off that does not say why is no message.
fn informative(message: &str) -> bool {
    !message.trim().is_empty() && (!message.starts_with("Back-off pulling image") || message.contains("ErrImagePull:"))
}

fn kept(message: &str) -> String {
    text::truncated(&text::without_secrets(message), MESSAGE)
}

/// When an event was last seen, and what it says.
type Message = (Option<Timestamp>, String);

/// What events tell of failed pulls.
#[derive(Debug, Default)]
pub struct FailedPulls {
    /// Mirror hosts by node.
    pub mirrors: Vec<MirrorFailure>,
    /// The newest message by namespace, pod and image.
    messages: BTreeMap<(String, String), Vec<Message>>,
    count: usize,
}

impl FailedPulls {
    pub(super) fn keep(&mut self, event: RawEvent, seen: Option<Timestamp>) {
        let object = event.involved_object;
        let about_pod = object.kind.as_deref().is_none_or(|kind| kind == "Pod");
        if !about_pod || !event.message.starts_with("Failed to pull image") || self.count >= MOST {
            return;
        }
        let (Some(namespace), Some(pod)) = (object.namespace, object.name) else { return };
        self.count += 1;
        self.messages.entry((namespace, pod)).or_default().push((seen, kept(&event.message)));
    }

    /// The newest message about one image of one pod.
    fn newest(&self, pull: &WaitingPull) -> Option<&Message> {
        let messages = self.messages.get(&(pull.namespace.clone(), pull.pod.clone()))?;
        let quoted = format!("\"{}\"", pull.image);
        messages.iter().filter(|(_, message)| message.contains(&quoted)).max_by_key(|(seen, _)| *seen)
    }
}

/// Puts pods, events and nodes together: what virtual nodes run is left out, and a waiting container without a message
/// of its own gets the newest event's.
pub fn images(pods: Vec<PodPulls>, events: Option<&FailedPulls>, nodes: &[Node]) -> PodImages {
    let virtual_nodes: HashSet<&str> =
        nodes.iter().filter(|node| node.is_virtual).map(|node| node.name.as_str()).collect();
    let is_virtual = |name: &str| virtual_nodes.contains(name);
    let mut images = PodImages::default();
    let mut used: BTreeMap<String, ImageUse> = BTreeMap::new();
    let mut named: Vec<(String, Vec<String>)> = Vec::new();
    for pull in pods {
        match pull {
            PodPulls::Waiting(mut waiting) if !is_virtual(&waiting.node) => {
                if let Some((seen, message)) = events.and_then(|events| events.newest(&waiting)) {
                    waiting.last_seen = *seen;
                    if waiting.message.is_none() {
                        (waiting.message, waiting.from_event) = (Some(message.clone()), true);
                    }
                }
                images.waiting.push(waiting);
            }
            PodPulls::Used { node, usage } if !is_virtual(&node) => match used.get_mut(&usage.image) {
                Some(known) => known.containers += usage.containers,
                None => drop(used.insert(usage.image.clone(), usage)),
            },
            PodPulls::Workloads { image, workloads } => named.push((image, workloads)),
            _ => {}
        }
    }
    for (image, workloads) in named {
        if let Some(usage) = used.get_mut(&image) {
            usage.workloads = workloads;
        }
    }
    images.waiting.sort();
    images.used = used.into_values().collect();
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_off_without_a_reason_is_no_message() {
        assert!(!informative("Back-off pulling image \"a\""));
        assert!(informative("Back-off pulling image \"a\": ErrImagePull: not found"));
        assert!(informative("rpc error"));
        assert!(!informative(" "));
    }
}
