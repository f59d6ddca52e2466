//! Private DNS zones that could answer for the registry, with their links and the registry's own records.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Collector, in_subscription};
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{AddressRecord, DnsZone, NetworkFacts, ZoneFacts};
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Section};
use crate::model::names::could_answer;

/// Most zones of fitting names whose links are read; more than one is rare, more than a handful is a landing zone.
const MOST: usize = 60;

/// Zones by subscription, as they were listed.
pub(super) type ZoneLists = BTreeMap<String, Fact<Vec<DnsZone>>>;

/// The listed zones whose name could answer for the registry.
pub(super) fn listed_zones(lists: &ZoneLists, registry: &Registry) -> Vec<DnsZone> {
    let zones = lists.values().filter_map(Fact::known).flatten();
    zones.filter(|zone| could_answer(zone.name(), registry)).take(MOST).cloned().collect()
}

impl Collector {
    /// Lists the zones of the subscriptions that are known from the start: the cluster's, the registry's, the nodes'.
    pub(super) async fn first_zone_lists(&self, evidence: &Evidence) -> ZoneLists {
        let registry = evidence.registry_id();
        let pools = evidence.pools.agent_pools.known().into_iter().flatten();
        let subnets = pools.filter_map(|pool| pool.vnet_subnet_id.as_ref()?.subscription());
        let known = [evidence.cluster.id.subscription(), registry.as_ref().and_then(ResourceId::subscription)];
        let known = known.into_iter().flatten().chain(subnets).map(str::to_lowercase).collect();
        self.zone_lists(known).await
    }

    /// Lists the zones of subscriptions.
    pub(super) async fn zone_lists(&self, subscriptions: BTreeSet<String>) -> ZoneLists {
        if !self.wants(Section::PrivateDns) {
            return ZoneLists::new();
        }
        let read = subscriptions.into_iter().map(|subscription| async move {
            let path = in_subscription(&subscription, "Microsoft.Network/privateDnsZones");
            let zones = self.arm.list(&api::DNS_ZONES, &path, &[]).await;
            (subscription, zones)
        });
        join_all(read).await.into_iter().collect()
    }

    /// Links and records of zones that a list showed.
    pub(super) async fn zones(&self, zones: Vec<DnsZone>, registry: &Registry) -> BTreeMap<ResourceId, ZoneFacts> {
        let read = zones.into_iter().map(|zone| async move {
            let (links, records) = self.zone_details(&zone.id, registry).await;
            (zone.id.clone(), ZoneFacts { zone: Fact::Known(Some(zone)), links, records })
        });
        join_all(read).await.into_iter().collect()
    }

    /// The zones that endpoints' zone groups name, those left out that are already known.
    pub(super) fn zones_of_groups(&self, network: &NetworkFacts, registry: &Registry) -> BTreeSet<ResourceId> {
        let groups = network.private_endpoints.values().filter_map(|facts| facts.zone_groups.known()).flatten();
        let configs = groups.flat_map(|group| &group.properties.private_dns_zone_configs);
        let zones = configs.filter_map(|config| config.properties.private_dns_zone_id.clone());
        zones
            .filter(|zone| self.wants(Section::PrivateDns) && !network.dns_zones.contains_key(zone))
            .filter(|zone| could_answer(zone.name(), registry))
            .take(MOST)
            .collect()
    }

    /// Zones that are known by id only, which may be gone or not ours to read.
    pub(super) async fn named_zones(
        &self,
        ids: BTreeSet<ResourceId>,
        registry: &Registry,
    ) -> BTreeMap<ResourceId, ZoneFacts> {
        let read = ids.into_iter().map(|id| async move {
            let (zone, (links, records)) =
                tokio::join!(self.arm.find(&api::DNS_ZONES, &id), self.zone_details(&id, registry));
            (id, ZoneFacts { zone, links, records })
        });
        join_all(read).await.into_iter().collect()
    }

    async fn zone_details(
        &self,
        zone: &ResourceId,
        registry: &Registry,
    ) -> (Fact<Vec<crate::evidence::network::NetworkLink>>, Fact<Vec<AddressRecord>>) {
        let (links, records) = (zone.child("virtualNetworkLinks"), zone.child("A"));
        let (links, records) = tokio::join!(
            self.arm.list(&api::DNS_LINKS, links.as_str(), &[]),
            self.arm.list::<AddressRecord>(&api::DNS_RECORDS, records.as_str(), &[]),
        );
        let server = registry.properties.login_server.as_deref().unwrap_or_default().to_lowercase();
        let label = server.split('.').next().unwrap_or_default().to_owned();
        // A central zone holds every registry of the organization; only this one's records and wildcards matter.
        let own = move |record: &AddressRecord| {
            let name = record.name().to_lowercase();
            name == label || name.starts_with(&format!("{label}.")) || name == "@" || name.contains('*')
        };
        (links, records.map(|records| records.into_iter().filter(own).collect()))
    }
}
