//! Images of other Azure registries, to which the nodes' DNS does not lead.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::OTHER_UNREACHABLE;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::{DOCS_PRIVATE_LINK, remedy};
use crate::checks::rule::Severity;
use crate::evidence::id::ResourceId;
use crate::evidence::image::Image;
use crate::evidence::kubernetes::{PodImages, WaitingPull};
use crate::evidence::{Evidence, Gap};
use crate::model::egress::own_egress;
use crate::model::message::{self, Kind};
use crate::model::open;
use crate::model::other_registries::{self, Lead};
use crate::text::count;

/// Judges the images in use and those that wait.
pub(super) fn judge(judge: &mut Judge<'_>, images: &PodImages) {
    let evidence = judge.evidence;
    // Which registry is another one is only known where the cluster's own is, and zones are read for that one.
    let Some(registry) = evidence.known_registry().filter(|_| evidence.egress_closed()) else { return };
    let hosts = other_registries::in_use(evidence);
    if hosts.is_empty() || evidence.login_server().is_none() {
        return;
    }
    if evidence.network.dns_zones.is_empty() && evidence.network.dns_zone_lists.is_empty() {
        return judge.note(Gap::not_collected().about("private DNS zones"));
    }
    // Where no zone answers the nodes for the cluster's own registry, that comes first, and is told already.
    if open::unlinked(evidence, registry) {
        return;
    }
    let (egress, gaps) = own_egress(evidence);
    gaps.into_iter().for_each(|gap| judge.note(gap));
    if egress {
        return;
    }
    for host in hosts {
        match other_registries::lead(evidence, &host) {
            Lead::Private => {}
            Lead::Unseen(gaps) => gaps.into_iter().for_each(|gap| judge.note(gap)),
            Lead::Public(zones) => report(judge, images, &host, &zones),
        }
    }
}

/// One finding an image; none where a failed pull shows that the registry answered.
fn report(judge: &mut Judge<'_>, images: &PodImages, host: &str, zones: &BTreeSet<ResourceId>) {
    let of_host = |image: &str| Image::parse(image).is_some_and(|image| image.registry == host);
    let waiting: Vec<&WaitingPull> = images.waiting.iter().filter(|pull| of_host(&pull.image)).collect();
    if waiting.iter().any(|pull| answered(pull)) {
        return;
    }
    let mut uses: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for usage in images.used.iter().filter(|usage| of_host(&usage.image)) {
        uses.insert(&usage.image, (usage.containers, usage.example.clone()));
    }
    for usage in other_registries::desired(judge.evidence).filter(|usage| of_host(&usage.image)) {
        uses.entry(&usage.image).or_insert_with(|| (usage.containers, usage.example.clone()));
    }
    for pull in &waiting {
        uses.entry(&pull.image).or_insert_with(|| (1, format!("{}/{}", pull.namespace, pull.pod)));
    }
    for (image, (containers, example)) in uses {
        let fails = waiting.iter().any(|pull| pull.image == image);
        let finding = finding(judge.evidence, host, image, containers, &example, zones);
        judge.report(if fails { finding.with_severity(Severity::Error) } else { finding });
    }
}

/// Whether the message of a failed pull is an answer of the registry itself, whatever leads there.
fn answered(pull: &WaitingPull) -> bool {
    let kind = pull.message.as_deref().map(|said| message::read(said, None).kind);
    kind.is_some_and(|kind| {
        [Kind::Upstream, Kind::Platform, Kind::Throttled, Kind::Unauthorized, Kind::NotFound].contains(&kind)
    })
}

fn finding(
    evidence: &Evidence,
    host: &str,
    image: &str,
    containers: usize,
    example: &str,
    zones: &BTreeSet<ResourceId>,
) -> Finding {
    let detail = format!(
        "Image {image} is in use ({}), but no private DNS zone that answers the nodes has a record for {host}: the \
         name resolves to its public address, which this cluster cannot reach. A node without a copy cannot pull it.",
        count(containers, "container"),
    );
    let mut seen = vec![Observation::new("GET /api/v1/pods", format!("spec.containers[].image of {example}"), image)];
    seen.extend(
        zones
            .iter()
            .filter(|id| id.after("privateDnsZones").is_some())
            .map(|zone| Observation::new(format!("GET {zone}/A"), "value[].name", format!("no record for {host}"))),
    );
    let server = evidence.login_server().unwrap_or("the cluster's registry");
    let summary = format!(
        "Give the registry a private endpoint that the nodes reach and a record in the zone that answers them; or copy \
         the image into {server} (az acr import) and name it there; or let a cache rule of {server} fill it from \
         {host}. Let the kubelet identity pull from it, too."
    );
    Finding::new(&OTHER_UNREACHABLE, Subject::image(image, image), detail).seen(seen).with_remediation(remedy(
        RemediationKind::Investigate,
        summary,
        Vec::new(),
        DOCS_PRIVATE_LINK,
    ))
}
