//! Images of registries that nodes do not mirror: what must be written, created or copied so that they can be pulled.

use super::answer::{Import, Means};
use super::{Answer, ImageVerdict, Puller};
use crate::checks::cache_rules;
use crate::checks::finding::RemediationKind;
use crate::checks::remedy::{DOCS_CACHE, remedy};
use crate::evidence::id::ResourceId;
use crate::evidence::image::{self, Caching, Image, MOST_RULES, caching};
use crate::evidence::{Gap, Reason};
use crate::model::cache::{self, Covering, NoRoom};
use crate::model::cluster::Ownership;
use crate::text;

/// From a registry that nodes reach, as the operator says.
pub(super) fn over_own_way(image: &Image, way: &str, secret: bool) -> Answer {
    let host = &image.registry;
    let why = format!("From {host}, which the nodes reach by a way of your own ({way}).");
    if image.is_azure() && !secret {
        let detail = format!("whether the kubelet identity may pull from {host} (--other-registry ARM_ID looks at it)");
        let why = format!("{why} Whether the kubelet identity may pull from it was not asked.");
        return Answer::unknown(vec![Gap::new(Reason::NotVisible, detail)], why);
    }
    let identity = if secret {
        "The pod names an imagePullSecret, which was not verified."
    } else {
        "The pod names no imagePullSecret, so the registry must let everybody pull."
    };
    Answer::new(ImageVerdict::Pullable, format!("{why} {identity}"))
}

impl Puller<'_> {
    /// From a public registry: nodes mirror Microsoft's only.
    pub(super) fn in_public_registry(&self, image: &Image) -> Answer {
        if !self.evidence.egress_closed() {
            return self.egress();
        }
        if self.own_egress.0 {
            return self.over_own_egress(image);
        }
        self.through_registry(image)
    }

    /// From a registry that the operator says nodes do not reach.
    pub(super) fn out_of_reach(&self, image: &Image, reason: &str) -> Answer {
        let answer = self.through_registry(image);
        let why = format!("{} is out of reach ({reason}). {}", image.registry, answer.why);
        Answer { why, ..answer }
    }

    /// Through the registry's cache: there is no other way.
    fn through_registry(&self, image: &Image) -> Answer {
        if self.evidence.registry.cache_rules.gap().is_some() && self.evidence.uses_cache() {
            let gap = self.evidence.registry.cache_rules.gap().cloned().unwrap_or_else(Gap::not_collected);
            return Answer::unknown(
                vec![gap.about("the registry's cache rules")],
                "Nodes cannot pull it as written; whether a cache rule covers it could not be determined.",
            );
        }
        match cache::covering(self.evidence, image) {
            Some(covering) => self.through_rule(&covering),
            None => self.without_rule(image),
        }
    }

    /// The operator has a way out of the network, and no call shows where it leads.
    fn over_own_egress(&self, image: &Image) -> Answer {
        let host = &image.registry;
        let mut gaps = self.own_egress.1.clone();
        if gaps.is_empty() {
            gaps.push(Gap::new(
                Reason::NotVisible,
                format!(
                    "whether the operator's own way out (a default route, NAT gateway, virtual WAN or proxy) leads to \
                     {host}: no call shows it (--reachable HOST, if it does)"
                ),
            ));
        }
        let why = format!(
            "The nodes may have a way out of your own, and it cannot be checked from here whether it reaches {host}."
        );
        self.with_certain_reference(image, Answer::unknown(gaps, why))
    }

    /// Whatever is unknown of an image's own registry: a cache rule that covers it is certain.
    fn with_certain_reference(&self, image: &Image, mut answer: Answer) -> Answer {
        if let Some(covering) = cache::covering(self.evidence, image) {
            let (reference, rule) = (covering.reference, covering.rule.name());
            answer.why.push_str(&format!(" Certain is {reference}, through cache rule {rule}."));
            answer.reference = Some(reference);
        }
        answer
    }

    /// A cache rule has the image under another name.
    fn through_rule(&self, covering: &Covering<'_>) -> Answer {
        if let Some(answer) = self.sick(covering.rule).or_else(|| self.broken()) {
            return Answer { reference: Some(covering.reference.clone()), ..answer };
        }
        let why = format!(
            "Nodes mirror Microsoft's registry only; cache rule {} covers the image as {}.",
            covering.rule.name(),
            covering.reference
        );
        self.rewritten(covering.reference.clone(), why)
    }

    /// Under another reference, which works as it is.
    pub(super) fn rewritten(&self, reference: String, why: String) -> Answer {
        let summary = format!("Write {reference} into the manifest.{}", self.condition(&reference));
        Answer {
            remediation: Some(remedy(RemediationKind::RewriteImage, summary, Vec::new(), DOCS_CACHE)),
            reference: Some(reference),
            ..self.with_warnings(Answer::new(ImageVerdict::Rewrite, why))
        }
    }

    pub(super) fn without_rule(&self, image: &Image) -> Answer {
        let host = &image.registry;
        let Some(registry) = self.evidence.registry_id() else {
            return Answer::new(
                ImageVerdict::Never,
                format!("Egress is closed, and the cluster names no registry through which {host} could be cached."),
            );
        };
        if caching(host) == Caching::Never {
            return self.import(image, &registry);
        }
        let leads = image::leads_to(host).map_or_else(String::new, |other| format!(", which leads to {other}"));
        let proposal = match cache::proposal(self.evidence, image, self.repositories()) {
            Ok(proposal) => proposal,
            Err(no_room) => return without_room(host, &no_room),
        };
        let reference = proposal.reference(self.evidence, image);
        let why = format!(
            "No cache rule covers {host}{leads}; with a rule \"{}\" -> \"{}\" it can be pulled as {reference}.",
            proposal.source, proposal.target
        );
        let summary = format!(
            "Create the cache rule, then write {reference} into the manifest.{}{}",
            proposal.advice(self.evidence),
            self.condition(&reference)
        );
        let commands = proposal.commands(&registry);
        Answer {
            remediation: Some(remedy(RemediationKind::RewriteImage, summary, commands, DOCS_CACHE)),
            reference: Some(reference),
            means: Some(Means::Rule(proposal)),
            ..Answer::new(ImageVerdict::CacheRule, why)
        }
    }

    /// Not through the cache; a copy in the registry can be pulled.
    pub(super) fn import(&self, image: &Image, registry: &ResourceId) -> Answer {
        let host = &image.registry;
        let server = self.evidence.login_server().unwrap_or("<LOGIN_SERVER>");
        let copy = Import::of(image);
        let reference = format!("{server}/{host}/{}{}", image.repository, image.tail);
        let managed = self.evidence.ownership() == Ownership::Managed;
        let own = if managed {
            " AKS may recreate its registry, without the copy: one of your own is a better place for it."
        } else {
            ""
        };
        let summary =
            format!("Import a copy, then write {reference} into the manifest; import again for each new version.{own}");
        let docs = "https://learn.microsoft.com/azure/container-registry/container-registry-import-images";
        Answer {
            remediation: Some(remedy(RemediationKind::RewriteImage, summary, vec![copy.command(registry)], docs)),
            reference: Some(reference),
            means: Some(Means::Import(copy)),
            ..Answer::new(
                ImageVerdict::Never,
                format!(
                    "The artifact cache cannot pull from {host}: it is not among its upstreams. Only a copy in a \
                     registry that the nodes reach can be pulled."
                ),
            )
        }
    }

    /// From a registry of which the evidence says nothing.
    pub(super) fn in_unknown_registry(&self, image: &Image, secret: bool) -> Answer {
        let host = &image.registry;
        let identity = if secret {
            "The pod names an imagePullSecret for it, or for another registry."
        } else if image.is_azure() {
            "Whether the kubelet identity may pull from it was not asked either, and the pod names no imagePullSecret."
        } else {
            "The pod names no imagePullSecret, so the registry must let everybody pull."
        };
        let seen = self.evidence.kubernetes.images.known().into_iter().flat_map(|images| &images.used);
        let seen = seen.filter(|usage| Image::parse(&usage.image).is_some_and(|used| used.registry == *host));
        let containers: usize = seen.map(|usage| usage.containers).sum();
        let hint = if containers > 0 {
            format!(
                " {} of the cluster use images of it, which does not prove that they can be re-pulled.",
                text::count(containers, "container")
            )
        } else {
            String::new()
        };
        let look = if image.is_azure() {
            "--other-registry ARM_ID looks at it"
        } else {
            "--reachable HOST or --unreachable HOST, if you know"
        };
        let gap = Gap::new(Reason::NotVisible, format!("whether the nodes reach registry {host} ({look})"));
        let why = format!(
            "Registry {host} is neither the bootstrap registry nor a well-known one: whether the nodes reach \
             it could not be seen. {identity}{hint}"
        );
        self.with_certain_reference(image, Answer::unknown(vec![gap], why))
    }
}

/// No rule can be added as things are.
fn without_room(host: &str, no_room: &NoRoom) -> Answer {
    let why = match no_room {
        NoRoom::Taken(rule) => format!(
            "No cache rule covers {host}, and {rule} leaves no room for one: wildcard targets must not overlap, and no \
             repository may stand under the target. Replace a rule with target * first (aksiso explain {}), or choose \
             a target of your own.",
            cache_rules::LEGACY.id
        ),
        NoRoom::Full(rules) => format!(
            "No cache rule covers {host}, and the registry has {rules} rules: it takes at most {MOST_RULES}. Replace \
             several rules of one upstream with a wildcard first."
        ),
    };
    Answer::new(ImageVerdict::CacheRule, why)
}
