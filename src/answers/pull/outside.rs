//! Images of registries that nodes do not mirror: what must be written, created or copied so that they can be pulled.

use super::{Answer, ImageVerdict, Puller};
use crate::checks::cache_rules;
use crate::checks::command::Command;
use crate::checks::finding::RemediationKind;
use crate::checks::impact::Impact;
use crate::checks::remedy::{self, DOCS_CACHE, remedy};
use crate::evidence::id::ResourceId;
use crate::evidence::image::{self, Caching, Image, caching};
use crate::evidence::{Gap, Reason};
use crate::model::cache::{self, Covering};
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
        if self.evidence.registry.cache_rules.gap().is_some() && self.evidence.uses_cache() {
            let gap = self.evidence.registry.cache_rules.gap().cloned().unwrap_or_else(Gap::not_collected);
            return Answer::unknown(
                vec![gap.about("the registry's cache rules")],
                "As it is named nodes cannot pull it; whether a cache rule covers it could not be seen.",
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
        let mut answer = Answer::unknown(
            gaps,
            format!(
                "The nodes may have a way out of your own, and nobody can see from here whether it leads to {host}."
            ),
        );
        if let Some(covering) = cache::covering(self.evidence, image) {
            answer.why.push_str(&format!(
                " Certain is {}, through cache rule {}.",
                covering.reference,
                covering.rule.name()
            ));
            answer.reference = Some(covering.reference);
        }
        answer
    }

    /// A cache rule has the image under another name.
    fn through_rule(&self, covering: &Covering<'_>) -> Answer {
        if let Some(answer) = self.sick(covering.rule.name()).or_else(|| self.broken()) {
            return Answer { reference: Some(covering.reference.clone()), ..answer };
        }
        let why = format!(
            "Nodes mirror Microsoft's registry only; cache rule {} covers the image as {}.",
            covering.rule.name(),
            covering.reference
        );
        let condition = self.condition(&covering.reference);
        let summary = format!("Write {} into the manifest.{condition}", covering.reference);
        Answer {
            remediation: Some(remedy(RemediationKind::RewriteImage, summary, Vec::new(), DOCS_CACHE)),
            reference: Some(covering.reference.clone()),
            ..self.with_warnings(Answer::new(ImageVerdict::Rewrite, why))
        }
    }

    fn without_rule(&self, image: &Image) -> Answer {
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
        match cache::proposal(self.evidence, image, self.repositories) {
            Ok(proposal) => {
                let why = format!(
                    "No cache rule covers {host}; with a rule \"{}\" -> \"{}\" it can be pulled as {}.",
                    proposal.source, proposal.target, proposal.reference
                );
                let summary = format!(
                    "Create the cache rule, then write {} into the manifest.{}{}",
                    proposal.reference,
                    proposal.advice(self.evidence),
                    self.condition(&proposal.reference)
                );
                let commands = proposal.commands(&registry);
                Answer {
                    remediation: Some(remedy(RemediationKind::RewriteImage, summary, commands, DOCS_CACHE)),
                    reference: Some(proposal.reference),
                    ..Answer::new(ImageVerdict::CacheRule, why)
                }
            }
            Err(rule) => Answer::new(
                ImageVerdict::CacheRule,
                format!(
                    "No cache rule covers {host}, and {rule} leaves no room for one: wildcard targets must not \
                     overlap, and no repository may stand under the target. Replace a rule with target * first \
                     (aksiso explain {}), or choose a target of your own.",
                    cache_rules::LEGACY.id
                ),
            ),
        }
    }

    /// Not through the cache; a copy in the registry can be pulled.
    fn import(&self, image: &Image, registry: &ResourceId) -> Answer {
        let host = &image.registry;
        let server = self.evidence.login_server().unwrap_or("<LOGIN_SERVER>");
        let reference = format!("{server}/{host}/{}{}", image.repository, image.tail);
        let import = Command::new("az acr import")
            .with("-n", registry.name())
            .with("--source", format!("{host}/{}{}", image.repository, image.tail));
        // A digest is copied without a tag.
        let repository = format!("{host}/{}", image.repository);
        let import = match image.tail.strip_prefix('@') {
            Some(_) => import.with("--repository", repository),
            None => import.with("-t", format!("{repository}{}", image.tail)),
        };
        let undo = "delete the repository's tag in the registry";
        let import = remedy::in_subscription(import, registry).changing(Impact::Access, registry, undo);
        let managed = self.evidence.ownership() == Ownership::Managed;
        let own = if managed {
            " AKS may recreate its registry, without the copy: one of your own is a better place for it."
        } else {
            ""
        };
        let moved = image::leads_to(host).map_or_else(String::new, |other| {
            format!(
                " {host} leads to {other}, which can be cached: name {other}/{}{} instead.",
                image.repository, image.tail
            )
        });
        let summary = format!(
            "Import a copy, then write {reference} into the manifest; import again for each new version.{moved}{own}"
        );
        let docs = "https://learn.microsoft.com/azure/container-registry/container-registry-import-images";
        Answer {
            remediation: Some(remedy(RemediationKind::RewriteImage, summary, vec![import], docs)),
            reference: Some(reference),
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
                " {} of the cluster use images of it, which does not prove that they could be pulled again.",
                text::count(containers, "container")
            )
        } else {
            String::new()
        };
        let look =
            if image.is_azure() { "--other-registry ARM_ID looks at it" } else { "--reachable HOST, if they do" };
        let gap = Gap::new(Reason::NotVisible, format!("whether the nodes reach registry {host} ({look})"));
        Answer::unknown(
            vec![gap],
            format!(
                "Registry {host} is neither the bootstrap registry nor one that everybody knows: whether the nodes \
                 reach it could not be seen. {identity}{hint}"
            ),
        )
    }
}
