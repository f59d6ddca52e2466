//! The chain between nodes and registry, as the checks judge it: what breaks every pull, what breaks some, and what could
//! not be seen.

use crate::check;
use crate::correlate::{Diagnosis, Status};
use crate::evidence::{Evidence, Gap};
use crate::finding::{Finding, Severity};

/// The checks whose errors break every pull from the registry.
const EVERY_PULL: [&str; 4] = ["registry", "private-endpoint", "private-dns", "kubelet-acrpull"];
/// Errors of the cluster itself that do.
const CLUSTER: [&str; 3] = ["isolated-without-cache", "bootstrap-registry-unset", "bootstrap-registry-not-found"];

/// What the checks say of the chain.
#[derive(Debug)]
pub struct Chain {
    /// What breaks every pull from the registry.
    pub broken: Vec<Finding>,
    /// What breaks or weakens the cache of Microsoft's registry.
    pub cache: Vec<Finding>,
    /// Pools whose nodes were not reimaged.
    pub stale: Vec<Finding>,
    /// Images that fail in the cluster now.
    pub failing: Vec<Finding>,
    /// Warnings that bear on pulls.
    pub warnings: Vec<Finding>,
    /// What of the chain could not be seen.
    pub unseen: Vec<Gap>,
    /// What of the nodes' age could not be seen.
    pub unseen_nodes: Vec<Gap>,
}

impl Chain {
    /// Judges the chain of a cluster.
    pub fn of(evidence: &Evidence) -> Self {
        let diagnosis = Diagnosis::of(evidence, check::ALL);
        let of_check = |finding: &Finding| check::of_rule(finding.rule.id).map_or("", |(check, _)| check.id);
        let pick = |wanted: &dyn Fn(&Finding) -> bool| {
            diagnosis.findings.iter().filter(|finding| wanted(finding)).cloned().collect::<Vec<_>>()
        };
        let error = |finding: &Finding| finding.severity == Severity::Error;
        let gaps = |checks: &[&str]| {
            let judged = diagnosis.checks.iter().filter(|judged| checks.contains(&judged.check.id));
            let judged = judged.filter(|judged| judged.status != Status::NotApplicable);
            let mut gaps: Vec<Gap> = Vec::new();
            for gap in judged.flat_map(|judged| &judged.gaps) {
                if !gaps.contains(gap) {
                    gaps.push(gap.clone());
                }
            }
            gaps
        };
        Self {
            broken: pick(&|finding| {
                error(finding) && (EVERY_PULL.contains(&of_check(finding)) || CLUSTER.contains(&finding.rule.id))
            }),
            cache: pick(&|finding| of_check(finding) == "cache-rules"),
            stale: pick(&|finding| finding.rule.id == "node-not-reimaged"),
            failing: pick(&|finding| error(finding) && of_check(finding) == "image-pulls"),
            warnings: pick(&|finding| {
                finding.severity == Severity::Warning
                    && [
                        "registry-trusted-services-disabled",
                        "custom-dns-servers",
                        "acrpull-conditioned",
                        "proxy-covers-registry",
                    ]
                    .contains(&finding.rule.id)
            }),
            unseen: gaps(&EVERY_PULL),
            unseen_nodes: gaps(&["node-image"]),
        }
    }
}
