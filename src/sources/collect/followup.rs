//! What is asked only where the first answers leave a question open: could a zone be somewhere else, could networks be
//! connected in a way that no peering shows.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::dns::listed_zones;
use super::{Collector, in_subscription};
use crate::evidence::access::Permission;
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{ListedZones, NetworkLink, SecurityGroup};
use crate::evidence::registry::Replication;
use crate::evidence::resource::Named;
use crate::evidence::{Evidence, Fact, Section};
use crate::model::networks::further_subscriptions;
use crate::model::{api_server, open, paths};
use crate::sources::progress::Stage;

/// Most linked networks whose addresses are read to place DNS servers.
const MOST_NETWORKS: usize = 40;

impl Collector {
    /// Asks what is left open.
    pub(super) async fn follow_up(&self, evidence: &mut Evidence) {
        let _stage = self.progress.stage(Stage::OpenQuestions);
        let questions = open::open_questions(evidence);
        if self.wants(Section::PrivateDns) && questions.zone_unlinked {
            self.look_further_for_zones(evidence).await;
        }
        let (networks, managers, replications, instances) = tokio::join!(
            self.further_networks(evidence, questions.own_dns_servers),
            self.network_managers(questions.managers_of),
            self.replications(evidence, questions.other_regions),
            self.failed_instances(evidence),
        );
        evidence.network.virtual_networks.extend(networks);
        evidence.network.network_managers = managers;
        evidence.registry.replications = replications;
        evidence.pools.instances = instances;
        let groups = self.endpoint_security_groups(evidence).await;
        evidence.network.security_groups.extend(groups);
        self.follow_api_server(evidence).await;
    }

    /// No zone is linked: look in the subscriptions of endpoints and of peered networks, for forwarding rulesets, and
    /// whether the lists were complete.
    async fn look_further_for_zones(&self, evidence: &mut Evidence) {
        let known: BTreeSet<String> = evidence.network.dns_zone_lists.keys().cloned().collect();
        let more: BTreeSet<String> = further_subscriptions(evidence).difference(&known).cloned().collect();
        let all: BTreeSet<String> = known.union(&more).cloned().collect();
        let (lists, rulesets, rights) =
            tokio::join!(self.zone_lists(more), self.forwarding_links(&all), self.rights(&all));
        if let Some(registry) = evidence.known_registry() {
            let zones = listed_zones(&lists, registry)
                .into_iter()
                .filter(|zone| !evidence.network.dns_zones.contains_key(&zone.id));
            let zones = self.zones(zones.collect(), registry).await;
            evidence.network.dns_zones.extend(zones);
        }
        for (subscription, list) in lists {
            evidence.network.dns_zone_lists.insert(subscription, list.map(|_| ListedZones::default()));
        }
        for (subscription, whole) in rights {
            if let Some(Fact::Known(listed)) = evidence.network.dns_zone_lists.get_mut(&subscription) {
                listed.whole_subscription = whole;
            }
        }
        evidence.network.forwarding_links = rulesets;
    }

    pub(super) async fn forwarding_links(
        &self,
        subscriptions: &BTreeSet<String>,
    ) -> BTreeMap<String, Fact<Vec<ResourceId>>> {
        let read = subscriptions.iter().map(|subscription| async move {
            let path = in_subscription(subscription, "Microsoft.Network/dnsForwardingRulesets");
            let rulesets: Fact<Vec<Named>> = self.arm.list_if_known(&api::FORWARDING_RULESETS, &path).await;
            (subscription.clone(), self.networks_of_rulesets(rulesets).await)
        });
        join_all(read).await.into_iter().collect()
    }

    async fn networks_of_rulesets(&self, rulesets: Fact<Vec<Named>>) -> Fact<Vec<ResourceId>> {
        let rulesets = match rulesets {
            Fact::Known(rulesets) => rulesets,
            Fact::Missing(gap) => return Fact::Missing(gap),
        };
        let read = rulesets.into_iter().map(|ruleset| async move {
            let path = ruleset.id.child("virtualNetworkLinks");
            self.arm.list::<NetworkLink>(&api::FORWARDING_LINKS, path.as_str(), &[]).await
        });
        let links = Fact::all(join_all(read).await);
        links.map(|links| links.iter().flatten().filter_map(|link| link.properties.network_id().cloned()).collect())
    }

    /// Whether the reader may see every zone of a subscription: a list is cut down to what he may, without a word.
    async fn rights(&self, subscriptions: &BTreeSet<String>) -> BTreeMap<String, Fact<bool>> {
        let read = subscriptions.iter().map(|subscription| async move {
            let path = in_subscription(subscription, "Microsoft.Authorization/permissions");
            let answer = self.arm.read_list::<Permission>(&api::OWN_PERMISSIONS, &path, &[]).await;
            let whole = match answer {
                Ok(blocks) => Fact::Known(blocks.iter().any(|block| block.allows_action(api::DNS_ZONES.action))),
                // An ARM that does not know the question does not filter its lists by the answer.
                Err(failure) if failure.unknown_path() => Fact::Known(true),
                Err(failure) => Fact::Missing(failure.gap(&api::OWN_PERMISSIONS, &path)),
            };
            (subscription.clone(), whole)
        });
        join_all(read).await.into_iter().collect()
    }

    /// The networks of endpoints elsewhere; and where the nodes' DNS servers are the operator's own, the linked
    /// networks, one of which may hold the servers.
    async fn further_networks(
        &self,
        evidence: &Evidence,
        asked: bool,
    ) -> BTreeMap<ResourceId, Fact<crate::evidence::network::VirtualNetwork>> {
        let mut wanted = if self.wants(Section::ApiServer) {
            api_server::unread_networks_of_servers(evidence)
        } else {
            BTreeSet::new()
        };
        if self.wants(Section::PrivateEndpoints) && self.wants(Section::SecurityGroups) {
            wanted.extend(paths::unread_endpoint_networks(evidence));
        }
        if !asked || !self.wants(Section::PrivateDns) {
            return self.virtual_networks(wanted).await;
        }
        let links = evidence.network.dns_zones.values().filter_map(|zone| zone.links.known()).flatten();
        let linked = links.filter_map(|link| link.properties.network_id());
        let unread = linked.filter(|id| evidence.network(id).gap().is_some()).take(MOST_NETWORKS).cloned();
        wanted.extend(unread);
        self.virtual_networks(wanted).await
    }

    /// Where an endpoint lies in an unrelated network: network managers, which join networks without peerings.
    async fn network_managers(&self, subscriptions: BTreeSet<String>) -> BTreeMap<String, Fact<Vec<ResourceId>>> {
        if !self.wants(Section::PrivateEndpoints) {
            return BTreeMap::new();
        }
        let managers = subscriptions.into_iter().map(|subscription| async move {
            let path = in_subscription(&subscription, "Microsoft.Network/networkManagers");
            let managers: Fact<Vec<Named>> = self.arm.list_if_known(&api::NETWORK_MANAGERS, &path).await;
            (subscription, managers.map(|managers| managers.into_iter().map(|manager| manager.id).collect()))
        });
        join_all(managers).await.into_iter().collect()
    }

    /// Security groups of endpoints' subnets that enforce them, as far as their network was read.
    async fn endpoint_security_groups(&self, evidence: &Evidence) -> BTreeMap<ResourceId, Fact<SecurityGroup>> {
        let groups = paths::endpoint_security_groups(evidence);
        let unread = groups.into_iter().filter(|id| !evidence.network.security_groups.contains_key(id)).collect();
        self.each(Section::SecurityGroups, &api::SECURITY_GROUPS, unread).await
    }

    async fn replications(&self, evidence: &Evidence, asked: bool) -> Fact<Vec<Replication>> {
        match evidence.registry_id().filter(|_| asked && self.wants(Section::PrivateDns)) {
            Some(registry) => self.arm.list(&api::REPLICATIONS, registry.child("replications").as_str(), &[]).await,
            None => Fact::default(),
        }
    }
}
