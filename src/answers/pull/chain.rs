//! The chain between nodes and registry, as the checks judge it: what breaks every pull, what breaks some, and what
//! could not be seen.

use crate::checks::finding::Finding;
use crate::checks::rule::{RuleSet, Severity};
use crate::checks::{cache_rules, image_pulls, kubelet_acrpull, node_image, private_dns, private_endpoint, registry};
use crate::diagnosis::{Diagnosis, Status};
use crate::evidence::Gap;

/// The checks that must have seen everything before anything can be said of a pull.
const WAY: [&RuleSet; 4] =
    [&registry::CHECK.about, &private_endpoint::CHECK.about, &private_dns::CHECK.about, &kubelet_acrpull::CHECK.about];

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
}

impl Chain {
    /// Reads the chain of a cluster from its whole diagnosis.
    pub fn of(diagnosis: &Diagnosis<'_>) -> Self {
        let pick = |wanted: &dyn Fn(&Finding) -> bool| {
            diagnosis.findings.iter().filter(|finding| wanted(finding)).cloned().collect::<Vec<_>>()
        };
        let is_error = |finding: &Finding| finding.severity == Severity::Error;
        Self {
            broken: pick(&|finding| is_error(finding) && finding.rule.breaks_pulls),
            cache: pick(&|finding| *finding.check == cache_rules::CHECK.about),
            stale: pick(&|finding| finding.is(&node_image::NOT_REIMAGED)),
            failing: pick(&|finding| is_error(finding) && *finding.check == image_pulls::CHECK.about),
            warnings: pick(&|finding| finding.severity == Severity::Warning && finding.rule.risks_pulls),
            unseen: unseen(diagnosis),
        }
    }
}

/// What the checks of the way could not see, each thing once.
fn unseen(diagnosis: &Diagnosis<'_>) -> Vec<Gap> {
    let way = diagnosis.checks.iter().filter(|result| WAY.contains(&result.check));
    let mut gaps: Vec<Gap> = Vec::new();
    for gap in way.filter(|result| result.status != Status::NotApplicable).flat_map(|result| &result.gaps) {
        if !gaps.contains(gap) {
            gaps.push(gap.clone());
        }
    }
    gaps
}
