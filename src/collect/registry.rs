//! The path from the registry to its addresses: registry, endpoints, interfaces, zones.

use std::collections::BTreeSet;

use super::Collector;
use super::dns::listed_zones;
use crate::azure::api;
use crate::azure::id::ResourceId;
use crate::evidence::network::{ListedZones, NetworkFacts};
use crate::evidence::registry::{CacheRule, Registry, RegistryFacts};
use crate::evidence::{Evidence, Fact, Section};

/// What the path gives.
#[derive(Default)]
pub(super) struct RegistryPath {
    pub(super) registry: RegistryFacts,
    pub(super) network: NetworkFacts,
}

impl Collector {
    /// Follows the path, each step as soon as what it needs is there.
    pub(super) async fn registry_path(&self, evidence: &Evidence) -> RegistryPath {
        let mut path = RegistryPath::default();
        let Some(id) = evidence.registry_id().filter(|_| self.wants(Section::Registry)) else {
            return path;
        };
        let (registry, rules, lists) =
            tokio::join!(self.registry(&id), self.rules(&id), self.first_zone_lists(evidence));
        (path.registry.cache_rules, path.registry.credential_sets) = rules;
        path.registry.registry = registry;
        let registry = path.registry.registry.known().and_then(Option::as_ref);
        if let Some(registry) = registry {
            let listed = listed_zones(&lists, registry);
            let (endpoints, zones) = tokio::join!(self.endpoints(registry), self.zones(listed, registry));
            path.network.private_endpoints = endpoints;
            path.network.dns_zones = zones;
            let named: BTreeSet<ResourceId> = self.zones_of_groups(&path.network, registry);
            let (interfaces, zones, dangling) = tokio::join!(
                self.interfaces(&path.network.private_endpoints),
                self.named_zones(named, registry),
                self.dangling_endpoints(evidence, registry)
            );
            for (id, interfaces) in interfaces {
                path.network.private_endpoints.entry(id).or_default().interfaces = interfaces;
            }
            path.network.dns_zones.extend(zones);
            path.network.listed_endpoints = dangling;
        }
        path.network.dns_zone_lists = lists
            .into_iter()
            .map(|(subscription, list)| (subscription, list.map(|_| ListedZones::default())))
            .collect();
        path
    }

    /// The registry. Before it counts as having no endpoint at all, the list of connections is asked too.
    async fn registry(&self, id: &ResourceId) -> Fact<Option<Registry>> {
        let mut registry: Fact<Option<Registry>> = self.arm.find(&api::REGISTRIES, id).await;
        if let Fact::Known(Some(registry)) = &mut registry
            && registry.properties.private_endpoint_connections.is_empty()
            && self.wants(Section::PrivateEndpoints)
        {
            let path = id.child("privateEndpointConnections");
            let listed = self.arm.list_if_known(&api::ENDPOINT_CONNECTIONS, path.as_str()).await;
            registry.properties.private_endpoint_connections = listed.known().cloned().unwrap_or_default();
        }
        registry
    }

    /// Cache rules, and credential sets where a rule names one.
    async fn rules(
        &self,
        registry: &ResourceId,
    ) -> (Fact<Vec<CacheRule>>, Fact<Vec<crate::evidence::registry::CredentialSet>>) {
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
