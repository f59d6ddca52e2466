//! Private DNS zones that could answer for the registry, with their links and the registry's own records.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Collector, in_subscription};
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{AddressRecord, DnsZone, DnsZoneProperties, NetworkFacts, NetworkLink, ZoneFacts};
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Section};
use crate::model::names::could_answer;
use crate::model::other_registries;
use crate::sources::progress::Stage;

/// Most zones of fitting names whose links are read; more than one is rare, more than a handful is a landing zone.
const MOST: usize = 60;

/// Most zones that are named after single registries and read for images in use.
const MOST_OTHERS: usize = 3;

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
        let _stage = self.progress.stage(Stage::PrivateDns);
        let read = zones.into_iter().map(|zone| async move {
            let id = zone.id.clone();
            let facts = self.zone_details(Fact::Known(Some(zone)), &id, registry).await;
            (id, facts)
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
            let unknown = Fact::Known(None);
            let (zone, facts) =
                tokio::join!(self.arm.find(&api::DNS_ZONES, &id), self.zone_details(unknown, &id, registry));
            (id, ZoneFacts { zone, ..facts })
        });
        join_all(read).await.into_iter().collect()
    }

    /// Where images of other registries are in use, and no zone that is known leads to one: zones that are named after it,
    /// and rulesets that may answer instead.
    pub(super) async fn other_names(&self, evidence: &mut Evidence, listed: &[ResourceId]) {
        let open = self.wants(Section::PrivateDns) && self.wants(Section::Pods) && evidence.egress_closed();
        let open = open && evidence.login_server().is_some();
        let hosts = if open { other_registries::in_use(evidence) } else { BTreeSet::new() };
        let leads = |evidence: &Evidence| {
            hosts.iter().all(|host| other_registries::lead(evidence, host) == other_registries::Lead::Private)
        };
        if leads(evidence) {
            return;
        }
        let unread = other_registries::unread_zones(evidence, listed.iter());
        let read = unread.into_iter().take(MOST_OTHERS).map(|id| async move {
            let (links, records) = self.links_and_records(id).await;
            let zone = DnsZone { id: id.clone(), properties: DnsZoneProperties::default() };
            (id.clone(), zone_facts(Fact::Known(Some(zone)), links, records, |record| record.name() == "@"))
        });
        evidence.network.dns_zones.extend(join_all(read).await);
        if !leads(evidence) {
            let (nodes, _) = evidence.node_networks();
            let subscriptions = nodes.iter().filter_map(|id| id.subscription()).map(str::to_lowercase);
            let asked = &evidence.network.forwarding_links;
            let unasked = subscriptions.filter(|id| !asked.contains_key(id)).collect();
            let rulesets = self.forwarding_links(&unasked).await;
            evidence.network.forwarding_links.extend(rulesets);
        }
    }

    async fn zone_details(&self, zone: Fact<Option<DnsZone>>, id: &ResourceId, registry: &Registry) -> ZoneFacts {
        let (links, records) = self.links_and_records(id).await;
        let server = registry.properties.login_server.as_deref().unwrap_or_default().to_lowercase();
        let label = server.split('.').next().unwrap_or_default().to_owned();
        // A central zone holds every registry of the organization; only this one's records and wildcards matter whole.
        zone_facts(zone, links, records, |record| {
            let name = record.name().to_lowercase();
            name == label || name.starts_with(&format!("{label}.")) || name == "@" || name.contains('*')
        })
    }

    /// Links and A records of a zone.
    pub(super) async fn links_and_records(
        &self,
        zone: &ResourceId,
    ) -> (Fact<Vec<NetworkLink>>, Fact<Vec<AddressRecord>>) {
        let (links, records) = (zone.child("virtualNetworkLinks"), zone.child("A"));
        tokio::join!(
            self.arm.list(&api::DNS_LINKS, links.as_str(), &[]),
            self.arm.list(&api::DNS_RECORDS, records.as_str(), &[]),
        )
    }
}

/// What is kept of a zone: the records that matter whole, and of the others the names of those that have an address.
pub(super) fn zone_facts(
    zone: Fact<Option<DnsZone>>,
    links: Fact<Vec<NetworkLink>>,
    records: Fact<Vec<AddressRecord>>,
    matters: impl Fn(&AddressRecord) -> bool,
) -> ZoneFacts {
    let (records, other_names) = match records {
        Fact::Known(records) => {
            let (own, others): (Vec<_>, Vec<_>) = records.into_iter().partition(matters);
            let led = others.iter().filter(|record| !record.properties.a_records.is_empty());
            (Fact::Known(own), Fact::Known(led.map(|record| record.name().to_lowercase()).collect()))
        }
        Fact::Missing(gap) => (Fact::Missing(gap.clone()), Fact::Missing(gap)),
    };
    ZoneFacts { zone, links, records, other_names }
}
