//! Whether the cluster's subscription knows the provider of registries: AKS cannot make one without.

use serde::Deserialize;

use super::{Collector, in_subscription};
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Fact};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    registration_state: String,
}

impl Collector {
    /// Asked only where the cluster names no registry: a cut-over may have AKS make one.
    pub(super) async fn registry_provider(&self, evidence: &Evidence) -> Option<Fact<String>> {
        if evidence.uses_cache() || evidence.registry_id().is_some() {
            return None;
        }
        let id = ResourceId::new(in_subscription(evidence.cluster.id.subscription()?, "Microsoft.ContainerRegistry"));
        let provider: Fact<Provider> = self.arm.get(&api::PROVIDERS, &id).await;
        Some(provider.map(|provider| provider.registration_state))
    }
}
