//! Private endpoints of the registry and their interfaces.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Collector, in_subscription};
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{EndpointFacts, NetworkInterface, PrivateEndpoint};
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Section};
use crate::sources::progress::Stage;

/// Most endpoints of one registry that are looked at; ACR allows 200, and one that serves the nodes is enough.
const MOST: usize = 200;

/// Interfaces by id.
pub(super) type Interfaces = BTreeMap<ResourceId, Fact<NetworkInterface>>;

impl Collector {
    /// The endpoints that the registry's connections name, wherever they live, with their zone groups.
    pub(super) async fn endpoints(&self, registry: &Registry) -> BTreeMap<ResourceId, EndpointFacts> {
        let _stage = self.progress.stage(Stage::PrivateEndpoints);
        if !self.wants(Section::PrivateEndpoints) {
            return BTreeMap::new();
        }
        let connections = registry.properties.private_endpoint_connections.iter();
        let ids: BTreeSet<&ResourceId> =
            connections.filter_map(|connection| connection.properties.endpoint_id()).take(MOST).collect();
        let read = ids.into_iter().map(|id| async move {
            let groups = id.child("privateDnsZoneGroups");
            let (endpoint, zone_groups) = tokio::join!(self.arm.find(&api::PRIVATE_ENDPOINTS, id), async {
                if self.wants(Section::PrivateDns) {
                    self.arm.list_under(&api::ZONE_GROUPS, groups.as_str()).await
                } else {
                    Fact::default()
                }
            });
            (id.clone(), EndpointFacts { endpoint, zone_groups, interfaces: BTreeMap::new() })
        });
        join_all(read).await.into_iter().collect()
    }

    /// The interfaces of all endpoints: they hold the addresses, and the names that these stand for.
    pub(super) async fn interfaces(
        &self,
        endpoints: &BTreeMap<ResourceId, EndpointFacts>,
    ) -> Vec<(ResourceId, Interfaces)> {
        if !self.wants(Section::PrivateDns) {
            return Vec::new();
        }
        self.interfaces_of(endpoints).await
    }

    /// The interfaces of endpoints that were read.
    pub(super) async fn interfaces_of(
        &self,
        endpoints: &BTreeMap<ResourceId, EndpointFacts>,
    ) -> Vec<(ResourceId, Interfaces)> {
        let read = endpoints.iter().filter_map(|(id, facts)| Some((id, facts.endpoint.known()?.as_ref()?)));
        let read = read.map(|(id, endpoint)| async move {
            let references = endpoint.properties.network_interfaces.iter().filter_map(|reference| reference.id.clone());
            (id.clone(), self.by_id(&api::NETWORK_INTERFACES, references).await)
        });
        join_all(read).await
    }

    /// Where no connection is approved: endpoints that still name the registry, although it does not know them.
    pub(super) async fn dangling_endpoints(
        &self,
        evidence: &Evidence,
        registry: &Registry,
    ) -> Fact<Vec<PrivateEndpoint>> {
        if !self.wants(Section::PrivateEndpoints) || !registry.properties.private_endpoint_connections.is_empty() {
            return Fact::default();
        }
        let subscriptions = [evidence.cluster.id.subscription(), registry.id.subscription()];
        let subscriptions: BTreeSet<&str> = subscriptions.into_iter().flatten().collect();
        let read = subscriptions.into_iter().map(|subscription| async move {
            let path = in_subscription(subscription, "Microsoft.Network/privateEndpoints");
            self.arm.list::<PrivateEndpoint>(&api::PRIVATE_ENDPOINTS, &path, &[]).await
        });
        let own = |endpoint: &PrivateEndpoint| {
            let mut targets = endpoint
                .properties
                .connections()
                .filter_map(|connection| connection.properties.private_link_service_id.as_ref());
            targets.any(|target| *target == registry.id)
        };
        let lists = Fact::all(join_all(read).await);
        lists.map(|lists| lists.into_iter().flatten().filter(own).collect())
    }
}
