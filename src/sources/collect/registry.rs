//! The path from the registry to its addresses: registry, endpoints, interfaces, zones.

use std::collections::BTreeMap;

use futures::FutureExt as _;

use super::Collector;
use super::dns::{ZoneLists, listed_zones};
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{ListedZones, NetworkFacts};
use crate::evidence::registry::{CacheRule, Registry, RegistryFacts};
use crate::evidence::{Evidence, Fact, Gap, Section};
use crate::sources::progress::Stage;

/// What the path gives.
#[derive(Default)]
pub(super) struct RegistryPath {
    pub(super) registry: RegistryFacts,
    pub(super) network: NetworkFacts,
    /// Every zone that a list showed.
    pub(super) listed_zones: Vec<ResourceId>,
}

impl Collector {
    /// Follows the path, each step as soon as what it needs is there.
    pub(super) async fn registry_path(&self, evidence: &Evidence) -> RegistryPath {
        let Some(id) = evidence.registry_id().filter(|_| self.wants(Section::Registry)) else {
            return RegistryPath::default();
        };
        let (rules, (mut path, lists)) = tokio::join!(self.rules(&id), self.addresses(&id, evidence));
        (path.registry.cache_rules, path.registry.credential_sets) = rules;
        path.listed_zones = lists.values().filter_map(Fact::known).flatten().map(|zone| zone.id.clone()).collect();
        path.network.dns_zone_lists = lists
            .into_iter()
            .map(|(subscription, list)| (subscription, list.map(|_| ListedZones::default())))
            .collect();
        path
    }

    /// The registry, its endpoints and its zones: the endpoints do not wait for the lists of zones.
    async fn addresses(&self, id: &ResourceId, evidence: &Evidence) -> (RegistryPath, ZoneLists) {
        let registry = self.registry(id).boxed().shared();
        let endpoints = async {
            match registry.clone().await.0.known().and_then(Option::as_ref) {
                Some(registry) => self.endpoints_with_interfaces(evidence, registry).await,
                None => NetworkFacts::default(),
            }
        };
        let zones = async {
            let (lists, (registry, _)) = tokio::join!(self.first_zone_lists(evidence), registry.clone());
            let zones = match registry.known().and_then(Option::as_ref) {
                Some(registry) => self.zones(listed_zones(&lists, registry), registry).await,
                None => BTreeMap::new(),
            };
            (lists, zones)
        };
        let (mut network, (lists, zones)) = tokio::join!(endpoints, zones);
        network.dns_zones = zones;
        let (registry, connections_unread) = registry.await;
        if let Some(registry) = registry.known().and_then(Option::as_ref) {
            let named = self.zones_of_groups(&network, registry);
            network.dns_zones.extend(self.named_zones(named, registry).await);
        }
        let registry = RegistryFacts { registry, connections_unread, ..RegistryFacts::default() };
        (RegistryPath { registry, network, ..RegistryPath::default() }, lists)
    }

    async fn endpoints_with_interfaces(&self, evidence: &Evidence, registry: &Registry) -> NetworkFacts {
        let (mut endpoints, dangling) =
            tokio::join!(self.endpoints(registry), self.dangling_endpoints(evidence, registry));
        for (id, interfaces) in self.interfaces(&endpoints).await {
            endpoints.entry(id).or_default().interfaces = interfaces;
        }
        NetworkFacts { private_endpoints: endpoints, listed_endpoints: dangling, ..NetworkFacts::default() }
    }

    /// The registry. Before it counts as having no endpoint at all, the list of connections is asked too; the gap says
    /// why that could not be read.
    async fn registry(&self, id: &ResourceId) -> (Fact<Option<Registry>>, Option<Gap>) {
        let _stage = self.progress.stage(Stage::Registry);
        let mut registry: Fact<Option<Registry>> = self.arm.find(&api::REGISTRIES, id).await;
        let mut unread = None;
        if let Fact::Known(Some(registry)) = &mut registry
            && registry.properties.private_endpoint_connections.is_empty()
            && self.wants(Section::PrivateEndpoints)
        {
            let path = id.child("privateEndpointConnections");
            match self.arm.list_if_known(&api::ENDPOINT_CONNECTIONS, path.as_str()).await {
                Fact::Known(listed) => registry.properties.private_endpoint_connections = listed,
                Fact::Missing(gap) => unread = Some(gap),
            }
        }
        (registry, unread)
    }

    /// Cache rules, and credential sets where a rule names one.
    async fn rules(
        &self,
        registry: &ResourceId,
    ) -> (Fact<Vec<CacheRule>>, Fact<Vec<crate::evidence::registry::CredentialSet>>) {
        let _stage = self.progress.stage(Stage::CacheRules);
        if !self.wants(Section::CacheRules) {
            return (Fact::default(), Fact::default());
        }
        let rules: Fact<Vec<CacheRule>> =
            self.arm.list(&api::CACHE_RULES, registry.child("cacheRules").as_str(), &[]).await;
        let credentials =
            rules.known().into_iter().flatten().any(|rule| rule.properties.credential_set_resource_id.is_some());
        let sets = if credentials {
            self.arm.list(&api::CREDENTIAL_SETS, registry.child("credentialSets").as_str(), &[]).await
        } else {
            Fact::default()
        };
        (rules, sets)
    }
}
