//! Registries besides the bootstrap registry: looked at as if the cluster named them.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::Collector;
use crate::evidence::id::ResourceId;
use crate::evidence::network::NetworkFacts;
use crate::evidence::{Evidence, OtherRegistry, Section};

/// What belongs to a registry.
const SECTIONS: [Section; 7] = [
    Section::Registry,
    Section::CacheRules,
    Section::PrivateEndpoints,
    Section::PrivateDns,
    Section::RoleAssignments,
    Section::VirtualNetworks,
    Section::SecurityGroups,
];

impl Collector {
    /// Looks at registries that were named, all at once.
    pub(super) async fn others(&self, evidence: &mut Evidence, ids: &[ResourceId]) {
        let own = evidence.registry_id();
        let ids: BTreeSet<&ResourceId> = ids.iter().filter(|id| Some(*id) != own.as_ref()).collect();
        let reader = Self {
            arm: self.arm.clone(),
            credential: self.credential.clone(),
            limits: self.limits,
            progress: self.progress.clone(),
            kubernetes: self.kubernetes.clone(),
            sections: SECTIONS.into_iter().collect(),
        };
        let known = &*evidence;
        let read = ids.into_iter().map(|id| async { (id.clone(), reader.other(known, id).await) });
        let others = join_all(read).await;
        evidence.other_registries.extend(others);
    }

    async fn other(&self, evidence: &Evidence, id: &ResourceId) -> OtherRegistry {
        let mut view = evidence.seen_from(id);
        let (path, access) = tokio::join!(self.registry_path(&view), self.access(&view));
        let own = &evidence.network;
        view.registry = path.registry;
        view.access = access;
        view.network = NetworkFacts {
            virtual_networks: own.virtual_networks.clone(),
            managed_networks: own.managed_networks.clone(),
            route_tables: own.route_tables.clone(),
            security_groups: own.security_groups.clone(),
            ..path.network
        };
        self.follow_up(&mut view).await;
        // The nodes' own networks are in the evidence already.
        view.network.virtual_networks.retain(|id, _| !own.virtual_networks.contains_key(id));
        view.network.security_groups.retain(|id, _| !own.security_groups.contains_key(id));
        view.network.route_tables.clear();
        view.network.managed_networks = crate::evidence::Fact::default();
        OtherRegistry { registry: view.registry, network: view.network, access: view.access }
    }
}
