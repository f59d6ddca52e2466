//! The chain and what its breaks cost, as data.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answers::chain::Link;
use crate::checks::finding::Finding;
use crate::checks::node_bootstrap;
use crate::checks::rule::Severity;
use crate::diagnosis::Diagnosis;

/// A link of the chain from the nodes to Microsoft's registry, or of the nodes' way to the API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkEntry {
    /// `node-pools`, `dns-zone`, `private-endpoint`, `registry`, `cache-rule`, `upstream`; then `api-server-dns` and
    /// `api-server`.
    pub link: String,
    /// What stands there, by name; absent where it was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `ok`, `broken`, `warning`, `unseen` (something of it was not seen) or `not-applicable`.
    pub state: String,
    /// Fingerprints of its errors and warnings, accepted ones too.
    pub findings: Vec<String>,
}

/// What cannot be done now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Affected {
    /// Pods that wait for an image.
    pub pods: usize,
    /// Node pools in which nodes do not bootstrap, or that cannot grow.
    pub pools: usize,
}

impl Affected {
    /// What a diagnosis shows of it.
    pub(super) fn of(diagnosis: &Diagnosis<'_>) -> Self {
        let waiting = diagnosis.evidence.kubernetes.images.known().into_iter().flat_map(|images| &images.waiting);
        let pods: BTreeSet<_> = waiting.map(|pull| (&pull.namespace, &pull.pod)).collect();
        let nodes = diagnosis.findings.iter().filter(|finding| {
            finding.rule.is_one_of(&[
                &node_bootstrap::BOOTSTRAP_FAILED,
                &node_bootstrap::POOL_FAILED,
                &node_bootstrap::SCALE_UP,
            ])
        });
        let pools: BTreeSet<_> = nodes.map(|finding| finding.subject.id.as_str().to_lowercase()).collect();
        Self { pods: pods.len(), pools: pools.len() }
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) fn link_entry(link: Link) -> LinkEntry {
    LinkEntry {
        link: link.place.as_str().to_owned(),
        subject: link.subject,
        state: link.state.as_str().to_owned(),
        findings: link.findings.iter().map(ToString::to_string).collect(),
    }
}

/// How many root causes there are, a cause being as bad as the worst of what it explains, and how many findings they
/// explain.
pub(super) fn causes_and_symptoms(diagnosis: &Diagnosis<'_>) -> (usize, usize) {
    let explained = diagnosis.symptoms();
    let is_cause = |finding: &&Finding| {
        let symptoms = explained.get(&finding.fingerprint()).into_iter().flatten().copied();
        symptoms.chain([*finding]).any(|finding| finding.severity >= Severity::Warning)
    };
    let causes: Vec<_> = diagnosis.roots().filter(is_cause).collect();
    let own = causes.iter().filter_map(|cause| explained.get(&cause.fingerprint())).flatten();
    let symptoms: BTreeSet<_> = own.map(|symptom| symptom.fingerprint()).collect();
    (causes.len(), symptoms.len())
}
