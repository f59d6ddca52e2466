//! The way to the API server of a private link cluster: its zone and AKS' endpoint. A public API server costs no call.

use std::collections::{BTreeMap, BTreeSet};

use super::Collector;
use super::dns::zone_facts;
use crate::evidence::api_server::ApiServerFacts;
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{EndpointFacts, ZoneFacts};
use crate::evidence::{Evidence, Fact, Section};
use crate::model::api_server::{self, Access, PrivateName};
use crate::model::zones::Zone;

impl Collector {
    /// The zone that must hold the private name, and the endpoint that it must lead to.
    pub(super) async fn api_server(&self, evidence: &Evidence) -> ApiServerFacts {
        let Some(name) = self.private_name(evidence) else { return ApiServerFacts::default() };
        let (facts, private_endpoints) = tokio::join!(self.zone_of_name(&name), self.kube_apiserver(evidence, true));
        ApiServerFacts { dns_zones: BTreeMap::from([(name.zone, facts)]), private_endpoints }
    }

    /// The endpoint where no zone needed it, but something on the way may deny what goes there; and the networks with
    /// the operator's DNS servers; and rulesets that may answer instead of a zone.
    pub(super) async fn follow_api_server(&self, evidence: &mut Evidence) {
        if !self.wants(Section::ApiServer) || evidence.stopped() {
            return;
        }
        let linkless = api_server::access(evidence) == Access::PrivateLink(None);
        let asked = linkless && api_server::asks_for_endpoint(evidence);
        let unasked: BTreeSet<String> = self.subscriptions_of_rulesets(evidence);
        let groups = api_server::target(evidence).and_then(|target| target.guard.ok()?);
        let groups: BTreeSet<ResourceId> =
            groups.into_iter().filter(|id| !evidence.network.security_groups.contains_key(id)).collect();
        let (endpoints, rulesets, groups) = tokio::join!(
            self.kube_apiserver(evidence, asked),
            self.forwarding_links(&unasked),
            self.each(Section::SecurityGroups, &api::SECURITY_GROUPS, groups),
        );
        evidence.api_server.private_endpoints.extend(endpoints);
        evidence.network.forwarding_links.extend(rulesets);
        evidence.network.security_groups.extend(groups);
    }

    fn private_name(&self, evidence: &Evidence) -> Option<PrivateName> {
        match api_server::access(evidence) {
            Access::PrivateLink(name) => name.filter(|_| self.wants(Section::ApiServer) && !evidence.stopped()),
            Access::Public | Access::Integrated(_) => None,
        }
    }

    async fn zone_of_name(&self, name: &PrivateName) -> ZoneFacts {
        let (zone, (links, records)) =
            tokio::join!(self.arm.find(&api::DNS_ZONES, &name.zone), self.links_and_records(&name.zone));
        let facts = zone_facts(zone, links, records, |_| true);
        // A zone of the operator's own may hold many clusters: only this one's record matters.
        let label = name.record(&Zone { id: &name.zone, facts: &facts });
        let records = facts.records.map(|records| {
            records
                .into_iter()
                .filter(|record| label.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(record.name())))
                .collect()
        });
        ZoneFacts { records, other_names: Fact::default(), ..facts }
    }

    async fn kube_apiserver(&self, evidence: &Evidence, asked: bool) -> BTreeMap<ResourceId, EndpointFacts> {
        let Some(id) = api_server::endpoint_id(evidence).filter(|_| asked) else { return BTreeMap::new() };
        let endpoint = self.arm.find(&api::PRIVATE_ENDPOINTS, &id).await;
        let facts = EndpointFacts { endpoint, ..EndpointFacts::default() };
        let mut endpoints = BTreeMap::from([(id, facts)]);
        for (id, interfaces) in self.interfaces_of(&endpoints).await {
            endpoints.entry(id).or_default().interfaces = interfaces;
        }
        endpoints
    }

    /// The subscriptions whose rulesets were not asked yet, where the zone is not linked to a network that asks Azure.
    fn subscriptions_of_rulesets(&self, evidence: &Evidence) -> BTreeSet<String> {
        let Some(name) = self.private_name(evidence).filter(|_| self.wants(Section::PrivateDns)) else {
            return BTreeSet::new();
        };
        let networks = api_server::unlinked(evidence, &name);
        let subscriptions = networks.iter().filter_map(|id| id.subscription()).map(str::to_lowercase);
        subscriptions.filter(|id| !evidence.network.forwarding_links.contains_key(id)).collect()
    }
}
