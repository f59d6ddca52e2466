//! What manifests hold and preflight cannot judge: charts of others, images that an operator chooses, fields that no
//! path names. Each is a finding of its own, so that the operator can accept it by name.

use std::collections::BTreeSet;

use super::rules::UNKNOWN;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::remedy::{DOCS_CACHE, remedy};
use crate::evidence::image;
use crate::evidence::manifests::{Manifests, Place};
use crate::evidence::{Evidence, Gap, Reason};

/// What could not be judged, each thing once, with what is missing.
pub(super) fn unseen(evidence: &Evidence, manifests: &Manifests) -> Vec<(Finding, Gap)> {
    let unrendered = manifests.unrendered.iter().map(|object| {
        let gap = format!("what {object} brings: it names manifests that stand elsewhere; render them");
        let summary = "Render what it brings (helm template, kustomize build), and check that too.";
        (finding(object, format!("{object} brings manifests that stand elsewhere, with their images."), summary), gap)
    });
    let chosen = manifests.chosen.iter().map(|object| {
        let gap = format!("which image the operator of {object} starts: the resource names none; name one");
        let detail = format!("{object} names no image: its operator starts one of its own choice.");
        (finding(object, detail, "Name the image in the resource, from a registry that the nodes reach."), gap)
    });
    let unfollowed = manifests.unfollowed.iter().map(|link| {
        let gap = format!("what is in {link}: the link leads out of the folder; name it to read it");
        let detail = format!("{link} is a link that leads out of the folder, and was not followed.");
        (finding(link, detail, "Name what it leads to, and check that too."), gap)
    });
    let unjudged = manifests.unjudged.iter().filter(|place| is_surely_an_image(evidence, place));
    let unjudged = unjudged.map(|place| {
        let Place { container, object, image, .. } = place;
        let gap = format!("{container} of {object} names {image}, and no path says that it is an image (--image-path)");
        let detail = format!("{container} of {object} names {image}, and no path says that it is an image.");
        let seen = Observation::new(format!("{}:{}", place.file, place.line), format!("{object}, {container}"), image);
        let finding = finding(&field(place), detail, "Say where its images stand: --image-path, or aksiso.toml.");
        (finding.seen(vec![seen]), gap)
    });
    let mut known = BTreeSet::new();
    let all = unrendered.chain(chosen).chain(unfollowed).chain(unjudged);
    let once = all.filter(|(finding, _)| known.insert(finding.subject.id.as_str().to_owned()));
    once.map(|(finding, gap)| (finding, Gap::new(Reason::NotVisible, gap))).collect()
}

/// A field of an object, as a policy names it.
pub fn field(place: &Place) -> String {
    format!("{} {}", place.object, place.container)
}

fn finding(subject: &str, detail: String, summary: &str) -> Finding {
    Finding::new(&UNKNOWN, Subject::object(subject), detail).with_remediation(remedy(
        RemediationKind::Investigate,
        format!("{summary} Or accept it with [[suppress]] in aksiso.toml: rule, subject, reason, until."),
        Vec::new(),
        DOCS_CACHE,
    ))
}

/// Whether a field of a custom resource that reads like a reference can hardly be anything else: it is called image, or
/// names a registry, or a version.
fn is_surely_an_image(evidence: &Evidence, place: &Place) -> bool {
    let text = &place.image;
    let own = |host: &str| evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(host));
    let key = place.container.rsplit('.').next().unwrap_or_default().trim_end_matches("[]");
    key == "image"
        || key.ends_with("Image")
        || image::is_at_known_registry(text)
        || image::has_version(text)
        || text.split_once('/').is_some_and(|(host, _)| own(host))
}
