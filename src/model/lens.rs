//! The evidence under another light: as if the cluster named another of the registries that were looked at.

use crate::evidence::id::ResourceId;
use crate::evidence::network::NetworkFacts;
use crate::evidence::{Evidence, OtherRegistry, cluster};

impl Evidence {
    /// The evidence as it would be if the cluster named one of the other registries, and its nodes were made since.
    #[must_use]
    pub fn seen_from(&self, id: &ResourceId) -> Self {
        let mut view = self.clone();
        view.cluster.properties.bootstrap_profile = Some(cluster::BootstrapProfile {
            artifact_source: Some("Cache".to_owned()),
            container_registry_id: Some(id.clone()),
        });
        view.look_at_registry(id, self);
        view
    }

    /// Looks at another registry as if it were the bootstrap registry; what of it is not in `known` is a gap.
    pub fn look_at_registry(&mut self, id: &ResourceId, known: &Self) {
        let own = known.known_registry().is_some_and(|registry| registry.id == *id);
        let present = || OtherRegistry {
            registry: known.registry.clone(),
            network: known.network.clone(),
            access: known.access.clone(),
        };
        let other = if own { present() } else { known.other_registries.get(id).cloned().unwrap_or_default() };
        let own = std::mem::take(&mut self.network);
        self.registry = other.registry;
        self.access = other.access;
        self.network = NetworkFacts {
            virtual_networks: own.virtual_networks.into_iter().chain(other.network.virtual_networks).collect(),
            managed_networks: own.managed_networks,
            route_tables: own.route_tables,
            security_groups: own.security_groups.into_iter().chain(other.network.security_groups).collect(),
            ..other.network
        };
    }
}
