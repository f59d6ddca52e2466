//! Images that a reference names in the bootstrap registry itself: filled by a cache rule, or put there by somebody.

use super::{Answer, ImageVerdict, Puller};
use crate::checks::cache_rules;
use crate::evidence::image::{Caching, Image, caching};
use crate::evidence::manifests::Artifact;
use crate::evidence::{Fact, Gap, Reason};
use crate::model::cache;
use crate::model::rights::clearly_may_read;

/// What AKS' own rule fills.
const MANAGED: &str = "aks-managed-repository/";

impl Puller<'_> {
    /// From the bootstrap registry, as the reference says.
    pub(super) fn in_registry(&self, image: &Image) -> Answer {
        if let Some(answer) = self.broken().or_else(|| self.gone()).or_else(|| self.unseen()) {
            return answer;
        }
        if !clearly_may_read(self.evidence, &image.repository) {
            let detail =
                format!("whether the condition on the kubelet identity's role allows repository {}", image.repository);
            let why = "A condition on the kubelet identity's role (ABAC) does not clearly allow this repository.";
            return Answer::unknown(vec![Gap::new(Reason::NotVisible, detail)], why);
        }
        if let Some((rule, upstream)) = cache::filling(self.evidence, &image.repository) {
            if let Some(answer) = self.sick(rule) {
                return answer;
            }
            let why =
                format!("From the registry, whose cache rule {} fills this repository from {upstream}.", rule.name());
            return self.with_warnings(Answer::new(ImageVerdict::Pullable, why));
        }
        if let Some(gap) = self.evidence.registry.cache_rules.gap()
            && self.said_of(image).is_none()
        {
            return self.rules_unseen(image, gap);
        }
        self.unfilled(image).unwrap_or_else(|| {
            let asked = match self.said_of(image) {
                Some(_) => "",
                None => ", so the image must have been pushed or imported; existence not verified (--registry)",
            };
            let why = format!("From the registry. No cache rule fills this repository{asked}.");
            self.with_warnings(Answer::new(ImageVerdict::Pullable, why))
        })
    }

    /// What the registry itself said of an image, where it was asked.
    pub fn said_of(&self, image: &Image) -> Option<&Fact<Option<Artifact>>> {
        self.asked?.artifacts.get(&(image.repository.clone(), image.version().to_owned()))
    }

    /// The cache rules were not seen: what looks like a copy of another registry's image may be filled by one, or not.
    fn rules_unseen(&self, image: &Image, gap: &Gap) -> Answer {
        if cache::copied_from(image).is_none() && !image.repository.starts_with(MANAGED) {
            let why = "From the registry. Existence not verified (--registry).";
            return self.with_warnings(Answer::new(ImageVerdict::Pullable, why));
        }
        let why = "From the registry. Whether a cache rule fills this repository could not be seen.";
        Answer::unknown(vec![gap.clone().about("the registry's cache rules")], why)
    }

    /// A path that a cache rule would fill, and none does: nothing stands there, unless the registry says so or
    /// somebody copied it.
    fn unfilled(&self, image: &Image) -> Option<Answer> {
        if matches!(self.said_of(image), Some(Fact::Known(Some(_)))) || self.is_in_use(image) {
            return None;
        }
        if image.repository.starts_with(MANAGED) {
            return Some(self.without_managed_rule(image));
        }
        let origin = cache::copied_from(image)?;
        let source = origin.source();
        if self.has_repository(&image.repository) {
            // A copy: the registry says which versions, and nothing else does.
            return self.said_of(image).is_none().then(|| {
                let gap = format!("whether the registry has {}{} (--registry asks it)", image.repository, image.tail);
                let why = "From the registry. No cache rule fills this repository; a copy stands there, existence of \
                           this version not verified (--registry).";
                Answer::unknown(vec![Gap::new(Reason::NotVisible, gap)], why)
            });
        }
        if origin.is_microsoft() && self.evidence.uses_cache() {
            let reference = format!("{source}{}", origin.tail);
            let why = format!(
                "No cache rule fills this repository. Nodes mirror Microsoft's registry: name {reference} itself."
            );
            return Some(self.rewritten(reference, why));
        }
        if caching(&origin.registry) == Caching::Never {
            let why = format!(
                "From the registry, which cannot cache from {}: the image is there only if it was imported.",
                origin.registry
            );
            let gap = format!("whether {source}{} was imported (--registry asks the registry)", origin.tail);
            let import = self.evidence.registry_id().map(|registry| self.import(&origin, &registry));
            return Some(Answer {
                remediation: import.and_then(|import| import.remediation),
                ..Answer::unknown(vec![Gap::new(Reason::NotVisible, gap)], why)
            });
        }
        let answer = self.without_rule(&origin);
        let why = format!("No cache rule fills it from {source}, so the registry has nothing there.");
        Some(Answer { why: format!("{why} {}", answer.why), ..answer })
    }

    /// Under the path of AKS' own rule, which is not there or points elsewhere.
    fn without_managed_rule(&self, image: &Image) -> Answer {
        let why = format!("No cache rule fills {}.", image.repository);
        let missing = [&cache_rules::MISSING, &cache_rules::MISMATCH];
        let finding = self.chain.cache.iter().find(|finding| finding.rule.is_one_of(&missing));
        let answer = Answer::new(ImageVerdict::CacheRule, why);
        let Some(finding) = finding else { return answer };
        Answer { remediation: Some(finding.remediation.clone()), rules: vec![finding.rule], ..answer }
    }

    /// Whether pods of the cluster use the image under this very reference: it was there then.
    fn is_in_use(&self, image: &Image) -> bool {
        let used = self.evidence.kubernetes.images.known().into_iter().flat_map(|images| &images.used);
        let mut ending = used.filter(|usage| usage.image.ends_with(&image.tail));
        ending.any(|usage| Image::parse(&usage.image).is_some_and(|used| used == *image))
    }

    /// Whether the registry has a repository: as it says itself, where it was asked, or as images in use show.
    fn has_repository(&self, repository: &str) -> bool {
        cache::repositories_under(self.evidence, repository, self.repositories()).iter().any(|own| own == repository)
    }
}
