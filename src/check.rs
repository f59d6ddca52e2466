//! The checks: constant data with a pure function each. A new one is a file, a page, and two lines here.

mod add_ons;
mod bootstrap_profile;
mod cache_rules;
mod image_pulls;
pub mod image_version;
mod judge;
mod kubelet_acrpull;
mod node_bootstrap;
pub mod node_image;
mod outbound;
pub mod preflight;
mod private_dns;
mod private_endpoint;
mod reach;
mod registry;
pub mod remedy;

pub use image_pulls::message as pull_message;
pub use judge::{Judge, NotApplicable, Suspicion};

use std::collections::BTreeSet;

use crate::azure::id::ResourceId;
use crate::evidence::cluster::AgentPool;
use crate::evidence::registry::Registry;
use crate::evidence::resource::Machine;
use crate::evidence::{Evidence, Gap, Section};
use crate::finding::{Finding, Rule};

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Kebab-case, public and stable; also the name of its file and page.
    pub id: &'static str,
    /// One line.
    pub title: &'static str,
    /// The page, in Markdown: feeds `explain`.
    pub doc: &'static str,
    /// The parts of the evidence that it reads. The cluster itself is always there.
    pub needs: &'static [Section],
    /// The rules that it may report.
    pub rules: &'static [&'static Rule],
    /// The judgement.
    pub run: fn(&mut Judge<'_>) -> Result<(), NotApplicable>,
}

/// What the checks look at, layer by layer, and what they do not.
pub const LAYERS: &str = include_str!("check/layers.txt");

/// Every check, in the order of the report.
pub const ALL: &[&Check] = &[
    &bootstrap_profile::CHECK,
    &registry::CHECK,
    &cache_rules::CHECK,
    &private_endpoint::CHECK,
    &private_dns::CHECK,
    &kubelet_acrpull::CHECK,
    &node_image::CHECK,
    &node_bootstrap::CHECK,
    &outbound::CHECK,
    &image_pulls::CHECK,
    &add_ons::CHECK,
];

/// Every check that there is: those of a diagnosis, and the one that looks at manifests.
pub fn everything() -> impl Iterator<Item = &'static Check> {
    ALL.iter().copied().chain([&preflight::CHECK])
}

/// Whether a private DNS zone of this name could answer for the registry: what collection keeps of a list.
pub fn zone_could_answer(zone: &str, registry: &Registry) -> bool {
    private_dns::could_answer(zone, registry)
}

/// What the first answers leave open, and collection may ask further for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenQuestions {
    /// No zone that is known is linked to a node network that uses Azure's DNS.
    pub zone_unlinked: bool,
    /// A node network uses DNS servers of its own.
    pub own_dns_servers: bool,
    /// An approved endpoint lies in a network that no peering joins with the nodes'.
    pub endpoint_elsewhere: bool,
    /// An endpoint lists a data endpoint of another region than the registry's home.
    pub other_regions: bool,
}

/// Looks at the evidence as the checks will, and says what they would have to leave open.
pub fn open_questions(evidence: &Evidence) -> OpenQuestions {
    let Some(registry) = evidence.known_registry() else {
        return OpenQuestions::default();
    };
    let candidates = reach::candidates(evidence, registry);
    OpenQuestions {
        zone_unlinked: private_dns::unlinked(evidence, registry),
        own_dns_servers: private_dns::uses_own_servers(evidence),
        endpoint_elsewhere: candidates.iter().any(|candidate| candidate.reach == reach::Reach::Elsewhere),
        other_regions: private_dns::other_regions(registry, &candidates),
    }
}

/// The scale set of a pool behind which something failed, so that its instances are worth a look.
pub fn failed_scale_set<'s>(pool: &AgentPool, sets: &'s [Machine]) -> Option<&'s Machine> {
    node_bootstrap::failed_scale_set(pool, sets)
}

/// Whether nodes may have a way out of the operator's own, and what keeps that from being known.
pub fn own_egress(evidence: &Evidence) -> (bool, Vec<Gap>) {
    image_pulls::own_egress(evidence)
}

/// Whether no condition on the kubelet's roles keeps it from a repository of the bootstrap registry.
pub fn kubelet_may_read(evidence: &Evidence, repository: &str) -> bool {
    kubelet_acrpull::clearly_may_read(evidence, repository)
}

/// A 403 from the registry means its firewall only where the registry is reached over its public address.
pub fn pull_forbidden() -> &'static Rule {
    image_pulls::forbidden_rule()
}

/// The security groups that guard the registry's endpoints, where their subnets enforce them.
pub fn endpoint_security_groups(evidence: &Evidence) -> BTreeSet<ResourceId> {
    private_endpoint::endpoint_security_groups(evidence)
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The check's id.
    pub check: &'static str,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// What it needed and could not see.
    pub gaps: Vec<Gap>,
    /// Findings that another check may confirm.
    pub suspicions: Vec<Suspicion>,
    /// Why it does not apply, where it does not.
    pub not_applicable: Option<String>,
}

impl Check {
    /// Judges the evidence.
    pub fn judge(&self, evidence: &Evidence) -> Outcome {
        let mut judge = Judge::new(evidence);
        let not_applicable = (self.run)(&mut judge).err().map(|NotApplicable(reason)| reason);
        let (findings, gaps, suspicions) = judge.finish();
        Outcome { check: self.id, findings, gaps, suspicions, not_applicable }
    }

    /// The section of the page that is about one rule.
    pub fn rule_doc(&self, rule: &str) -> Option<&'static str> {
        let heading = format!("\n## {rule}\n");
        let start = self.doc.find(&heading)? + 1;
        let rest = &self.doc[start..];
        let end = rest[3..].find("\n## ").map_or(rest.len(), |end| end + 4);
        Some(rest[..end].trim_end())
    }
}

/// The check that reports a rule.
pub fn of_rule(rule: &str) -> Option<(&'static Check, &'static Rule)> {
    everything().find_map(|check| check.rules.iter().find(|known| known.id == rule).map(|known| (check, *known)))
}
