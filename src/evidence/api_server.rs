//! The way to the API server of a private cluster: the zone that holds its name, and AKS' private endpoint.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::ResourceId;
use super::network::{EndpointFacts, ZoneFacts};

/// Everything read of the way to the API server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiServerFacts {
    /// The private DNS zone that the cluster names, or that AKS keeps for it; asked only for private link clusters.
    pub dns_zones: BTreeMap<ResourceId, ZoneFacts>,
    /// AKS' endpoint `kube-apiserver`.
    pub private_endpoints: BTreeMap<ResourceId, EndpointFacts>,
}

impl ApiServerFacts {
    /// Whether nothing was asked: a public API server, or one inside the network.
    pub fn is_empty(&self) -> bool {
        self.dns_zones.is_empty() && self.private_endpoints.is_empty()
    }
}
