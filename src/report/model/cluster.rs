//! The cluster that a report is about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::text;

/// The cluster that a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// ARM id.
    pub id: String,
    pub name: String,
    pub resource_group: Option<String>,
    /// Azure region.
    pub location: Option<String>,
    /// Kubernetes version that the control plane runs.
    pub kubernetes_version: Option<String>,
    /// `Cache` or `Direct`.
    pub artifact_source: Option<String>,
    /// Outbound type, such as `none`.
    pub outbound_type: Option<String>,
    /// ARM id of the bootstrap registry.
    pub registry_id: Option<String>,
    /// `managed`, `byo` or `none`.
    pub registry_ownership: String,
}

/// The cluster, as a report names it.
pub fn cluster(evidence: &Evidence) -> Cluster {
    let properties = &evidence.cluster.properties;
    Cluster {
        id: evidence.cluster.id.to_string(),
        name: evidence.cluster.name().to_owned(),
        resource_group: evidence.cluster.id.resource_group().map(str::to_owned),
        location: word(evidence.cluster.location.as_ref()),
        kubernetes_version: word(
            properties.current_kubernetes_version.as_ref().or(properties.kubernetes_version.as_ref()),
        ),
        artifact_source: word(evidence.bootstrap().artifact_source.as_ref()),
        outbound_type: word(properties.network_profile.as_ref().and_then(|profile| profile.outbound_type.as_ref())),
        registry_id: evidence.registry_id().map(|id| id.to_string()),
        registry_ownership: evidence.ownership().as_str().to_owned(),
    }
}

/// One of ARM's words, cut where it is none.
fn word(text: Option<&String>) -> Option<String> {
    text.map(|text| text::bounded(text, 200))
}
