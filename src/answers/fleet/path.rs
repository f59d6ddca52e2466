//! The path from the registry to its addresses, from rows: endpoints, interfaces, zones; and who may pull.

use std::collections::BTreeSet;

use super::index::label;
use super::project::Draft;
use crate::evidence::access::{AccessFacts, RoleAssignment};
use crate::evidence::calls::azure as api;
use crate::evidence::fleet::Question;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{
    AddressRecord, DnsZone, EndpointFacts, ListedZones, NetworkLink, PrivateEndpoint, ZoneFacts,
};
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Gap, Reason};
use crate::model::cluster::is;
use crate::model::names::could_answer;
use crate::model::networks::further_subscriptions;
use crate::model::rights::{self, PULL, READ_CONTENT};

/// Most endpoints of one registry, as in a live run.
const MOST_ENDPOINTS: usize = 200;
/// Most zones of fitting names.
const MOST_ZONES: usize = 60;
/// Most linked networks whose addresses are read to place DNS servers.
const MOST_NETWORKS: usize = 40;

impl Draft<'_, '_> {
    /// The endpoints that the registry's connections name; where there are none, those that still name the registry.
    pub(super) fn endpoints(&mut self, evidence: &mut Evidence) {
        let Some(registry) = evidence.known_registry().cloned() else { return };
        let (rows, asked) = (&self.fleet().rows, &self.fleet().asked);
        let connections = registry.properties.private_endpoint_connections.iter();
        let ids: BTreeSet<&ResourceId> =
            connections.filter_map(|connection| connection.properties.endpoint_id()).take(MOST_ENDPOINTS).collect();
        for id in ids {
            let endpoint = self.find(&rows.private_endpoints, &api::PRIVATE_ENDPOINTS, id);
            let zone_groups = asked.zone_groups.get(&id.normalized()).cloned().unwrap_or_default();
            let interfaces = endpoint.known().and_then(Option::as_ref).into_iter();
            let interfaces = interfaces.flat_map(|endpoint| &endpoint.properties.network_interfaces);
            let interfaces: BTreeSet<ResourceId> = interfaces.filter_map(|reference| reference.id.clone()).collect();
            let interfaces = interfaces.into_iter().map(|id| {
                let interface = self.get(&rows.network_interfaces, &api::NETWORK_INTERFACES, &id);
                (id, interface)
            });
            let interfaces = interfaces.collect();
            let facts = EndpointFacts { endpoint, zone_groups, interfaces };
            evidence.network.private_endpoints.insert(id.clone(), facts);
        }
        if registry.properties.private_endpoint_connections.is_empty() {
            evidence.network.listed_endpoints = self.dangling_endpoints(evidence, &registry);
        }
    }

    fn dangling_endpoints(&mut self, evidence: &Evidence, registry: &Registry) -> Fact<Vec<PrivateEndpoint>> {
        let subscriptions = [evidence.cluster.id.subscription(), registry.id.subscription()];
        let subscriptions: BTreeSet<String> = subscriptions.into_iter().flatten().map(str::to_lowercase).collect();
        let own = self.projector.index.endpoints.get(&registry.id.normalized());
        let lists: Vec<Fact<Vec<PrivateEndpoint>>> = subscriptions
            .iter()
            .map(|subscription| {
                let here = own.iter().copied().filter(|endpoint| {
                    endpoint.id.subscription().is_some_and(|own| own.eq_ignore_ascii_case(subscription))
                });
                let here: Vec<&PrivateEndpoint> = here.collect();
                self.list(&self.fleet().rows.private_endpoints, &api::PRIVATE_ENDPOINTS, subscription, &here)
            })
            .collect();
        Fact::all(lists).map(|lists| lists.into_iter().flatten().collect())
    }

    /// The zones that could answer for the registry: those of the subscriptions that collection would list, those that
    /// a node network is linked to, and those that zone groups name.
    pub(super) fn zones(&mut self, evidence: &mut Evidence) {
        let registry = evidence.registry_id();
        let pools = evidence.pools.agent_pools.known().into_iter().flatten();
        let subnets = pools.filter_map(|pool| pool.vnet_subnet_id.as_ref()?.subscription());
        let known = [evidence.cluster.id.subscription(), registry.as_ref().and_then(ResourceId::subscription)];
        if registry.is_none() {
            return;
        }
        let listed: BTreeSet<String> = known.into_iter().flatten().chain(subnets).map(str::to_lowercase).collect();
        self.list_zones(evidence, &listed);
        let Some(registry) = evidence.known_registry().cloned() else { return };
        let groups =
            evidence.network.private_endpoints.values().filter_map(|facts| facts.zone_groups.known()).flatten();
        let configs = groups.flat_map(|group| &group.properties.private_dns_zone_configs);
        let named = configs.filter_map(|config| config.properties.private_dns_zone_id.clone());
        let named = named.filter(|zone| could_answer(zone.name(), &registry));
        let named: BTreeSet<ResourceId> =
            named.filter(|zone| !evidence.network.dns_zones.contains_key(zone)).take(MOST_ZONES).collect();
        for id in named {
            let facts = self.zone(&id, &registry);
            evidence.network.dns_zones.insert(id, facts);
        }
    }

    /// Notes that subscriptions were looked through for zones, and takes the zones.
    fn list_zones(&mut self, evidence: &mut Evidence, subscriptions: &BTreeSet<String>) {
        let table = &self.fleet().rows.dns_zones;
        for subscription in subscriptions {
            let answered = self.fleet().answered(table, &api::DNS_ZONES, subscription);
            let list = answered.map_or_else(Fact::Missing, |()| Fact::Known(ListedZones::default()));
            evidence.network.dns_zone_lists.insert(subscription.clone(), list);
        }
        let Some(registry) = evidence.known_registry().cloned() else { return };
        let (nodes, _) = evidence.node_networks();
        let index = &self.projector.index;
        let fitting = index.zones.iter().filter(|(name, _)| could_answer(name, &registry));
        let wanted = |zone: &&&DnsZone| {
            let listed = zone.id.subscription().is_some_and(|own| subscriptions.contains(&own.to_lowercase()));
            let mut links = index.links.get(&zone.id.normalized()).iter();
            listed || links.any(|link| link.properties.network_id().is_some_and(|id| nodes.contains(id)))
        };
        let zones: Vec<ResourceId> =
            fitting.flat_map(|(_, zones)| zones).filter(wanted).take(MOST_ZONES).map(|zone| zone.id.clone()).collect();
        for id in zones {
            let facts = self.zone(&id, &registry);
            evidence.network.dns_zones.insert(id, facts);
        }
    }

    /// A zone with its links and the registry's records.
    fn zone(&mut self, id: &ResourceId, registry: &Registry) -> ZoneFacts {
        let (rows, index) = (&self.fleet().rows, &self.projector.index);
        let zone = self.find(&rows.dns_zones, &api::DNS_ZONES, id);
        if zone.known().is_none_or(Option::is_none) {
            let gap = zone.gap().cloned().unwrap_or_else(Gap::not_collected);
            return ZoneFacts {
                zone,
                links: Fact::Missing(gap.clone()),
                records: Fact::Missing(gap),
                other_names: Fact::default(),
            };
        }
        let subscription = id.subscription().unwrap_or_default();
        let links: Fact<Vec<NetworkLink>> =
            self.list(&rows.dns_links, &api::DNS_LINKS, subscription, index.links.get(&id.normalized()));
        let server = registry.properties.login_server.as_deref().unwrap_or_default();
        let own = server.split('.').next().unwrap_or_default();
        let records: Vec<&AddressRecord> =
            [own, "*"].iter().flat_map(|first| index.records.get(&label(id, first))).copied().collect();
        let records = self.list(&rows.dns_records, &api::DNS_RECORDS, subscription, &records);
        ZoneFacts { zone, links, records, other_names: Fact::default() }
    }

    /// No zone is linked: look in the subscriptions of endpoints and of peered networks, for forwarding rulesets, and
    /// whether the reader would see all zones.
    pub(super) fn look_further_for_zones(&mut self, evidence: &mut Evidence) {
        let known: BTreeSet<String> = evidence.network.dns_zone_lists.keys().cloned().collect();
        let more = &further_subscriptions(evidence) - &known;
        self.list_zones(evidence, &more);
        for subscription in &known | &more {
            let whole = match self.fleet().asked.rights.get(&subscription) {
                Some(rights) => {
                    rights.clone().map(|blocks| blocks.iter().any(|block| block.allows_action(api::DNS_ZONES.action)))
                }
                None => Fact::Missing(self.ask(Question::Rights(subscription.clone()))),
            };
            if let Some(Fact::Known(listed)) = evidence.network.dns_zone_lists.get_mut(&subscription) {
                listed.whole_subscription = whole;
            }
            let links = self.forwarding_links(&subscription);
            evidence.network.forwarding_links.insert(subscription, links);
        }
    }

    fn forwarding_links(&mut self, subscription: &str) -> Fact<Vec<ResourceId>> {
        let rows = &self.fleet().rows.forwarding_rulesets;
        if let Err(gap) = self.fleet().answered(rows, &api::FORWARDING_RULESETS, subscription) {
            return Fact::Missing(gap);
        }
        let rulesets = self.projector.index.rulesets.get(subscription);
        let links: Vec<Fact<Vec<ResourceId>>> = rulesets
            .iter()
            .map(|ruleset| match self.fleet().asked.forwarding_links.get(&ruleset.id.normalized()) {
                Some(links) => links.clone(),
                None => Fact::Missing(self.ask(Question::ForwardingLinks(ruleset.id.clone()))),
            })
            .collect();
        Fact::all(links).map(|links| links.into_iter().flatten().collect())
    }

    /// Where the nodes' DNS servers are the operator's own: the linked networks, one of which may hold the servers.
    pub(super) fn networks_of_dns_servers(&mut self, evidence: &mut Evidence) {
        let links = evidence.network.dns_zones.values().filter_map(|zone| zone.links.known()).flatten();
        let linked = links.filter_map(|link| link.properties.network_id());
        let unread: BTreeSet<ResourceId> =
            linked.filter(|id| evidence.network(id).gap().is_some()).take(MOST_NETWORKS).cloned().collect();
        for id in unread {
            let network = self.get(&self.fleet().rows.virtual_networks, &api::VIRTUAL_NETWORKS, &id);
            evidence.network.virtual_networks.insert(id, network);
        }
    }

    /// The kubelet identity's own assignments. Resource Graph does not say who is in a group: where only a group may
    /// pull, it is not known whether the kubelet may.
    pub(super) fn access(&mut self, evidence: &Evidence) -> AccessFacts {
        let profile = evidence.cluster.properties.identity_profile.as_ref();
        let identity = profile.and_then(|profile| profile.kubeletidentity.as_ref());
        let object = identity.and_then(|identity| identity.object_id.as_deref());
        let (Some(identity), Some(object), Some(id)) = (identity, object, evidence.registry_id()) else {
            return AccessFacts::default();
        };
        let index = &self.projector.index;
        let covers =
            |assignment: &&&RoleAssignment| assignment.properties.scope.as_ref().is_none_or(|scope| scope.covers(&id));
        let own = index.assignments.get(&object.to_lowercase()).iter().filter(covers);
        let own: Vec<RoleAssignment> = own.map(|assignment| (*assignment).clone()).collect();
        let roles = own.iter().map(|assignment| assignment.properties.role_definition_id.clone());
        let roles: BTreeSet<ResourceId> = roles.collect();
        let role_definitions = roles.into_iter().map(|role| {
            let row = index.roles.get(&role.name().to_lowercase());
            let gap =
                || Gap::new(Reason::NotFound, format!("Resource Graph does not hold role definition {}", role.name()));
            let fact = row.map_or_else(|| Fact::Missing(gap()), |row| Fact::Known((*row).clone()));
            (role, fact)
        });
        let mut seen = Evidence {
            registry: evidence.registry.clone(),
            ..Evidence::new(evidence.collected_at, evidence.cluster.clone())
        };
        seen.access =
            AccessFacts { role_assignments: Fact::Known(own.clone()), role_definitions: role_definitions.collect() };
        let enough = |own: &[RoleAssignment]| {
            evidence.known_registry().is_none_or(|registry| {
                let rights = rights::rights(&seen, own, registry, identity);
                let abac = is(registry.properties.role_assignment_mode.as_ref(), "AbacRepositoryPermissions");
                if abac { !rights.repository.is_empty() } else { !rights.legacy.is_empty() }
            })
        };
        let certain: Vec<RoleAssignment> = own.iter().filter(|row| !at_management_group(row)).cloned().collect();
        let assignments = if enough(&certain) {
            Fact::Known(certain)
        } else if enough(&own) {
            Fact::Missing(perhaps_another_branch(&id))
        } else {
            self.nobody_else_pulls(&id, &covers).map_or_else(Fact::Missing, |()| Fact::Known(own))
        };
        AccessFacts { role_assignments: assignments, ..seen.access }
    }

    /// Whether the identity's own assignments are all that matter.
    fn nobody_else_pulls(
        &mut self,
        registry: &ResourceId,
        covers: &impl Fn(&&&RoleAssignment) -> bool,
    ) -> Result<(), Gap> {
        let index = &self.projector.index;
        let pulls = |assignment: &&&RoleAssignment| {
            let role = index.roles.get(&assignment.properties.role_definition_id.name().to_lowercase());
            role.is_none_or(|role| {
                let mut blocks = role.properties.permissions.iter();
                blocks.any(|block| block.allows_action(PULL) || block.allows_data_action(READ_CONTENT))
            })
        };
        if index.groups.iter().filter(|assignment| covers(assignment)).any(|assignment| pulls(&assignment)) {
            let detail = format!(
                "a group may pull from registry {}, and Resource Graph does not say who is in it; --depth confirm asks \
                 Azure Resource Manager",
                registry.name()
            );
            return Err(Gap {
                needed: Some(api::ROLE_ASSIGNMENTS.action.to_owned()),
                scope: registry.to_string(),
                ..Gap::new(Reason::NotVisible, detail)
            });
        }
        self.certainly_absent(&self.fleet().rows.role_assignments, &api::ROLE_ASSIGNMENTS, registry.subscription())
    }
}

/// Whether an assignment is made at a management group. Resource Graph shows those of every branch of the hierarchy,
/// and not which of them lie above a subscription.
fn at_management_group(assignment: &RoleAssignment) -> bool {
    let scope = assignment.properties.scope.as_ref();
    scope.is_some_and(|scope| scope.after("managementGroups").is_some() && scope.subscription().is_none())
}

fn perhaps_another_branch(registry: &ResourceId) -> Gap {
    let detail = format!(
        "the kubelet may pull by a role at a management group only, and Resource Graph does not say whether registry \
         {} lies below it; --depth confirm asks Azure Resource Manager",
        registry.name()
    );
    Gap {
        needed: Some(api::ROLE_ASSIGNMENTS.action.to_owned()),
        scope: registry.to_string(),
        ..Gap::new(Reason::NotVisible, detail)
    }
}
