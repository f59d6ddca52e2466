//! How the nodes of a cluster would pull an image: the one question behind `preflight`, and behind what a change does
//! to running workloads.

mod answer;
pub mod chain;
mod outside;
mod own;

use std::collections::BTreeMap;

use crate::checks::finding::Finding;
use crate::checks::rule::{Rule, Severity};
use crate::checks::{bootstrap_profile, cache_rules, catalogue, kubelet_acrpull, node_image, remedy};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::policy::ways::Ways;
use crate::evidence::image::{self, Caching, Image, caching};
use crate::evidence::manifests::Asked;
use crate::evidence::registry::CacheRule;
use crate::evidence::{Evidence, Fact, Gap};
use crate::model::cluster::is;
use crate::model::egress::own_egress;
use crate::model::other_registries::{self, Lead};
use crate::model::rights::clearly_may_read;
pub use answer::{Answer, ImageVerdict, Import, Means};
use chain::Chain;
use outside::over_own_way;

/// Answers for the images of one cluster.
#[derive(Debug)]
pub struct Puller<'e> {
    evidence: &'e Evidence,
    chain: Chain,
    /// Whether nodes may have a way out of the operator's own, and what keeps that from being known.
    own_egress: (bool, Vec<Gap>),
    /// What the operator says of registries.
    ways: Option<&'e Ways>,
    /// What the bootstrap registry says itself, where it was asked.
    asked: Option<&'e Asked>,
    /// Other registries that were looked at, by login server, with the way to each.
    others: BTreeMap<String, (String, Chain)>,
}

impl<'e> Puller<'e> {
    /// Rests on the whole diagnosis of a cluster.
    pub fn new(diagnosis: &Diagnosis<'e>) -> Self {
        let evidence = diagnosis.evidence;
        let others = evidence.other_registries.iter().filter_map(|(id, facts)| {
            let registry = facts.registry.registry.known()?.as_ref()?;
            let server = registry.properties.login_server.as_ref()?.to_lowercase();
            let chain = Chain::of(&Diagnosis::of(&evidence.seen_from(id), catalogue::ALL));
            Some((server, (id.name().to_owned(), chain)))
        });
        Self {
            evidence,
            chain: Chain::of(diagnosis),
            own_egress: own_egress(evidence),
            others: others.collect(),
            ways: None,
            asked: None,
        }
    }

    /// Knows what the registry itself says.
    #[must_use]
    pub fn knowing(self, asked: &'e Asked) -> Self {
        Self { asked: Some(asked), ..self }
    }

    /// Believes the operator about registries that nodes reach, or do not.
    #[must_use]
    pub fn believing(self, ways: &'e Ways) -> Self {
        Self { ways: Some(ways), ..self }
    }

    /// What it rests on.
    pub fn evidence(&self) -> &'e Evidence {
        self.evidence
    }

    /// What the bootstrap registry said, where it was asked.
    pub fn asked(&self) -> Option<&'e Asked> {
        self.asked
    }

    /// The registry's own list of repositories, where it was asked.
    pub fn repositories(&self) -> Option<&'e [String]> {
        self.asked?.repositories.known().map(Vec::as_slice)
    }

    /// How nodes would pull an image; `secret` = its pod names an imagePullSecret.
    pub fn judge(&self, image: &Image, secret: bool) -> Answer {
        let host = &image.registry;
        if self.evidence.is_bootstrap_registry(host) {
            self.in_registry(image)
        } else if let Some((name, chain)) = self.others.get(host) {
            in_other_registry(name, chain, secret)
        } else if self.evidence.mirrors(host) {
            self.through_mirror(image)
        } else if image.is_microsoft() {
            self.in_another_cloud(image)
        } else if let Some(way) = self.ways.and_then(|ways| ways.to(host)) {
            over_own_way(image, way, secret)
        } else if let Some(reason) = self.ways.and_then(|ways| ways.blocked(host)) {
            self.out_of_reach(image, reason)
        } else if image::is_public(host) || caching(host) != Caching::Never && !image.is_azure() {
            self.in_public_registry(image)
        } else if !self.evidence.egress_closed() && image::may_be_public(host) && !image.is_azure() {
            self.egress()
        } else if image.is_azure() && self.leads_nowhere(host) {
            self.out_of_reach(image, "no private DNS zone that answers the nodes has a record for it")
        } else {
            self.in_unknown_registry(image, secret)
        }
    }

    /// Whether the nodes get the public address of another Azure registry, and have no way to it.
    fn leads_nowhere(&self, host: &str) -> bool {
        let closed = self.evidence.egress_closed() && !self.own_egress.0;
        closed && matches!(other_registries::lead(self.evidence, host), Lead::Public(_))
    }

    /// An image that fails in the cluster now, whatever should be the case.
    pub fn failing(&self, reference: &str) -> Option<Answer> {
        let finding = self.chain.failing.iter().find(|finding| finding.subject.name == reference)?;
        let mut answer = Answer::new(
            ImageVerdict::Blocked,
            format!("It fails in the cluster now ({}): {}", finding.rule.id, finding.detail),
        );
        answer.rules.push(finding.rule);
        Some(answer)
    }

    fn egress(&self) -> Answer {
        let outbound = self.evidence.outbound_type();
        Answer::new(
            ImageVerdict::Pullable,
            format!(
                "Over the cluster's own egress (outboundType {outbound}), not through the registry: no longer once \
                 egress is closed."
            ),
        )
    }

    /// Microsoft's registry under its name in another cloud, which these nodes do not mirror.
    fn in_another_cloud(&self, image: &Image) -> Answer {
        if !self.evidence.egress_closed() {
            return self.egress();
        }
        let own = Image { registry: self.evidence.mcr_hosts()[0].to_owned(), ..image.clone() };
        let here = self.through_mirror(&own);
        let reference = format!("{}{}", own.source(), own.tail);
        if !here.pulls() {
            return Answer { reference: Some(reference), ..here };
        }
        let why = format!("{} is Microsoft's registry in another cloud: nodes do not mirror it here.", image.registry);
        self.rewritten(reference, why)
    }

    /// Through the mirror that nodes of an isolated cluster have for Microsoft's registry.
    fn through_mirror(&self, image: &Image) -> Answer {
        if !self.evidence.uses_cache() && !self.evidence.egress_closed() {
            return self.egress();
        }
        let direct = || !self.evidence.egress_closed();
        if let Some(broken) = self.broken() {
            // containerd goes on to the registry itself where its mirror fails.
            return if direct() { self.egress() } else { broken };
        }
        if let Some(gap) = self.evidence.registry.cache_rules.gap() {
            return Answer::unknown(
                vec![gap.clone().about("the registry's cache rules")],
                "Whether a cache rule covers it could not be seen.",
            );
        }
        let worst = |finding: &&Finding| finding.severity == Severity::Error && concerns(finding, self.evidence);
        if let Some(finding) = self.chain.cache.iter().find(worst) {
            if direct() {
                return self.egress();
            }
            let missing = finding.rule.is_one_of(&[&cache_rules::MISSING, &cache_rules::MISMATCH]);
            let verdict = if missing { ImageVerdict::CacheRule } else { ImageVerdict::Blocked };
            let mut answer = Answer::new(verdict, finding.detail.clone());
            answer.remediation = Some(finding.remediation.clone());
            answer.rules.push(finding.rule);
            return answer;
        }
        self.on_nodes(self.unseen().unwrap_or_else(|| {
            let repository = format!("aks-managed-repository/{}", image.repository);
            let overrides = |finding: &&Finding| finding.facts.repository.as_ref() == Some(&repository);
            let overridden = self.chain.cache.iter().find(overrides);
            let mut answer = Answer::new(
                ImageVerdict::Pullable,
                format!("Through the registry's cache of {}{}.", image.registry, legacy(&self.chain)),
            );
            if let Some(conflict) = overridden {
                answer.why.push_str(&format!(" Not the image that is meant: {}", conflict.detail));
                answer.verdict = ImageVerdict::Blocked;
                answer.rules.push(conflict.rule);
            }
            self.with_warnings(answer)
        }))
    }

    /// Nodes that were not reimaged have no mirror.
    fn on_nodes(&self, mut answer: Answer) -> Answer {
        if !answer.pulls() || !self.evidence.egress_closed() {
            return answer;
        }
        let (proved, probable): (Vec<&Finding>, Vec<&Finding>) =
            self.chain.stale.iter().partition(|finding| finding.severity == Severity::Error);
        let names = |findings: &[&Finding]| {
            findings.iter().map(|finding| finding.subject.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let pools = self.evidence.pools.agent_pools.known().map_or(0, Vec::len);
        if !proved.is_empty() && proved.len() >= pools {
            answer.verdict = ImageVerdict::Blocked;
            answer.why = format!(
                "No pool's nodes were reimaged since the registry became their source ({}): they ask Microsoft's \
                 registry itself, which they cannot reach.",
                names(&proved)
            );
            answer.rules.push(&node_image::NOT_REIMAGED);
        } else if !proved.is_empty() {
            answer.why.push_str(&format!(" Not on nodes of pool {}, which were not reimaged.", names(&proved)));
        } else if !probable.is_empty() {
            answer.why.push_str(&format!(
                " Probably not on nodes of pool {}, which are older than the registry or its rule.",
                names(&probable)
            ));
        }
        answer
    }

    /// Through a cache rule that is in trouble, or that lacks what its upstream asks for.
    fn sick(&self, rule: &CacheRule) -> Option<Answer> {
        self.in_trouble(rule.name()).or_else(|| Self::without_credentials(rule))
    }

    /// A rule without a credential set, for an upstream that answers nobody who has not signed in.
    fn without_credentials(rule: &CacheRule) -> Option<Answer> {
        let source = rule.properties.source_repository.as_deref()?;
        let host = source.split('/').next().unwrap_or_default().to_lowercase();
        let wanting = rule.properties.credential_set_resource_id.is_none() && caching(&host) == Caching::Credentials;
        wanting.then(|| {
            let why = format!(
                "Cache rule {} covers it, but has no credential set, and {host} is cached only with credentials.",
                rule.name()
            );
            let remediation =
                rule.id.up_to("registries").map(|id| remedy::cache::sign_rule_in(&id, rule.name(), &host));
            Answer { remediation, ..Answer::new(ImageVerdict::Blocked, why) }
        })
    }

    fn in_trouble(&self, rule: &str) -> Option<Answer> {
        let sick = [&cache_rules::FAILED, &cache_rules::CREDENTIALS];
        let about = |finding: &&Finding| {
            let named = finding.facts.cache_rules.iter().any(|own| own.eq_ignore_ascii_case(rule));
            named && finding.rule.is_one_of(&sick)
        };
        let finding = self.chain.cache.iter().find(about)?;
        let mut answer =
            Answer::new(ImageVerdict::Blocked, format!("Cache rule {rule} covers it, but: {}", finding.detail));
        answer.remediation = Some(finding.remediation.clone());
        answer.rules.push(finding.rule);
        Some(answer)
    }

    /// In ABAC mode a new reference may be outside what the kubelet's role is conditioned to.
    fn condition(&self, reference: &str) -> &'static str {
        let allowed = Image::parse(reference).is_none_or(|image| clearly_may_read(self.evidence, &image.repository));
        if allowed {
            ""
        } else {
            " A condition on the kubelet identity's role (ABAC) does not clearly allow this repository: widen it."
        }
    }

    /// What breaks every pull from the registry.
    fn broken(&self) -> Option<Answer> {
        let first = self.chain.broken.first()?;
        let mut rules: Vec<&'static Rule> = self.chain.broken.iter().map(|finding| finding.rule).collect();
        rules.dedup();
        let names: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
        let mut answer = Answer::new(
            ImageVerdict::Blocked,
            format!("The cluster's own chain is broken ({}): {}", names.join(", "), first.detail),
        );
        answer.remediation = Some(first.remediation.clone());
        answer.rules = rules;
        Some(answer)
    }

    /// The registry is named, and no longer there: its images are gone with it, also where nodes pull others directly.
    fn gone(&self) -> Option<Answer> {
        let id = self.evidence.registry_id().filter(|_| self.evidence.registry.registry == Fact::Known(None))?;
        let why = format!("Registry {} no longer exists under the id that the cluster names.", id.name());
        let rules = vec![&bootstrap_profile::REGISTRY_NOT_FOUND];
        Some(Answer { rules, ..Answer::new(ImageVerdict::Blocked, why) })
    }

    /// What of the chain could not be seen; nobody knows then whether anything can be pulled.
    fn unseen(&self) -> Option<Answer> {
        self.evidence.registry_id()?;
        let first = self.chain.unseen.first()?;
        Some(Answer::unknown(
            self.chain.unseen.clone(),
            format!("The way from the nodes to the registry could not be seen whole: {}.", first.detail),
        ))
    }

    fn with_warnings(&self, mut answer: Answer) -> Answer {
        for warning in &self.chain.warnings {
            answer.why.push_str(&format!(" At risk ({}): {}", warning.rule.id, warning.rule.title.to_lowercase()));
            answer.why.push('.');
        }
        answer
    }
}

/// From another registry that was looked at: the same chain, without the mirror.
fn in_other_registry(name: &str, chain: &Chain, secret: bool) -> Answer {
    let access = |finding: &&Finding| *finding.check == kubelet_acrpull::CHECK.about;
    let broken: Vec<&Finding> = chain.broken.iter().filter(|finding| !(secret && access(finding))).collect();
    if let Some(first) = broken.first() {
        let mut answer = Answer::new(ImageVerdict::Blocked, format!("Registry {name} is known, but: {}", first.detail));
        answer.remediation = Some(first.remediation.clone());
        answer.rules = broken.iter().map(|finding| finding.rule).collect();
        return answer;
    }
    if let Some(gap) = chain.unseen.first() {
        let why = format!("The way from the nodes to registry {name} could not be seen whole: {}.", gap.detail);
        return Answer::unknown(chain.unseen.clone(), why);
    }
    let by = if secret { "the pod's imagePullSecret, which was not verified," } else { "the kubelet identity" };
    Answer::new(
        ImageVerdict::Pullable,
        format!(
            "From registry {name}, which the nodes reach over its private endpoint and {by} may pull from. Whether \
             the image is in it was not asked."
        ),
    )
}

/// Whether an error of the check is about the cache of Microsoft's registry and not about another rule.
fn concerns(finding: &Finding, evidence: &Evidence) -> bool {
    if !finding.is(&cache_rules::FAILED) {
        return !finding.is(&cache_rules::CREDENTIALS);
    }
    let rules = evidence.registry.cache_rules.known().into_iter().flatten();
    let mut failed = rules.filter(|rule| Some(&rule.id) == finding.subject.resource());
    let source = failed.find_map(|rule| rule.properties.source_repository.clone());
    evidence.mcr_hosts().iter().any(|host| is(source.as_ref(), &format!("{host}/*")))
}

fn legacy(chain: &Chain) -> &'static str {
    if chain.cache.iter().any(|finding| finding.is(&cache_rules::LEGACY)) {
        ", by a rule with the preview's target *: nodes that bootstrap with today's configuration look elsewhere"
    } else {
        ""
    }
}
