//! From the rows of a fleet to the evidence of one cluster: what collection would have read of it, as far as the rows
//! and ARM's answers tell. What they leave open becomes a gap, and a question where ARM can answer it for everybody.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, group};
use crate::checks::private_dns;
use crate::evidence::calls::azure::{self as api, Api};
use crate::evidence::cluster::{Extension, PoolFacts};
use crate::evidence::fleet::table::Table;
use crate::evidence::fleet::{Absence, Fleet, FleetCluster, Question};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{RouteTable, SecurityGroup, SubnetProperties};
use crate::evidence::pools::{AgentPool, Machine};
use crate::evidence::registry::RegistryFacts;
use crate::evidence::{Evidence, Fact, Gap, Reason};
use crate::model::{networks, open, paths};

/// Turns rows into evidence, one cluster after the other.
pub struct Projector<'f> {
    pub(super) fleet: &'f Fleet,
    pub(super) index: Index<'f>,
    /// Whether zone groups matter although DNS is well without them: a snapshot holds them, a change moves them.
    pub(super) zone_groups: bool,
}

/// What the rows say of one cluster.
pub struct Projection {
    pub evidence: Evidence,
    /// What ARM could add.
    pub open: BTreeSet<Question>,
}

/// One cluster in the making.
pub(super) struct Draft<'p, 'f> {
    pub(super) projector: &'p Projector<'f>,
    pub(super) open: BTreeSet<Question>,
}

impl<'f> Projector<'f> {
    /// A projector of these rows. `zone_groups` = ask for the zone groups of every endpoint, and not only where
    /// something is wrong with DNS.
    pub fn new(fleet: &'f Fleet, zone_groups: bool) -> Self {
        Self { fleet, index: Index::of(fleet), zone_groups }
    }

    /// The evidence of one cluster.
    pub fn project(&self, cluster: &FleetCluster) -> Projection {
        let mut draft = Draft { projector: self, open: BTreeSet::new() };
        let evidence = draft.evidence(cluster);
        Projection { evidence, open: draft.open }
    }
}

/// The evidence of one cluster as the rows alone show it.
pub fn project(fleet: &Fleet, cluster: &FleetCluster) -> Evidence {
    Projector::new(fleet, true).project(cluster).evidence
}

impl<'f> Draft<'_, 'f> {
    fn evidence(&mut self, cluster: &FleetCluster) -> Evidence {
        let mut evidence = Evidence::new(self.fleet().collected_at, cluster.cluster.clone());
        evidence.pools = self.pools(cluster);
        evidence.registry = self.registry(&evidence);
        self.node_networks(&mut evidence);
        self.endpoints(&mut evidence);
        self.zones(&mut evidence);
        evidence.access = self.access(&evidence);
        self.follow_up(&mut evidence);
        self.zone_groups_where_needed(&mut evidence);
        evidence
    }

    pub(super) fn fleet(&self) -> &'f Fleet {
        self.projector.fleet
    }

    /// Notes what ARM could answer, and gives the gap until then.
    pub(super) fn ask(&mut self, question: Question) -> Gap {
        self.open.insert(question);
        Gap::not_collected()
    }

    /// Whether something that no row shows is absent; a question or gap otherwise.
    pub(super) fn certainly_absent<T>(
        &mut self,
        table: &Table<T>,
        api: &Api,
        subscription: Option<&str>,
    ) -> Result<(), Gap> {
        let Some(subscription) = subscription else {
            return Err(Gap::new(Reason::Malformed, "its id names no subscription"));
        };
        match self.fleet().absence(table, api, subscription) {
            Absence::Certain => Ok(()),
            Absence::Unknown(gap) => Err(gap),
            Absence::Ask(question) => Err(self.ask(question).about("the reader's own permissions")),
        }
    }

    /// A resource by its id; `None` where it certainly does not exist.
    pub(super) fn find<T: Clone>(&mut self, table: &Table<T>, api: &Api, id: &ResourceId) -> Fact<Option<T>> {
        if let Some(row) = table.row(id) {
            return Fact::Known(Some(row.clone()));
        }
        let absent = self.certainly_absent(table, api, id.subscription());
        absent.map_or_else(|gap| Fact::Missing(about(gap, id)), |()| Fact::Known(None))
    }

    /// A resource that must exist.
    pub(super) fn get<T: Clone>(&mut self, table: &Table<T>, api: &Api, id: &ResourceId) -> Fact<T> {
        match self.find(table, api, id) {
            Fact::Known(Some(found)) => Fact::Known(found),
            Fact::Known(None) => Fact::Missing(Gap {
                needed: Some(api.action.to_owned()),
                scope: id.to_string(),
                ..Gap::new(Reason::NotFound, format!("Resource Graph does not hold {id}"))
            }),
            Fact::Missing(gap) => Fact::Missing(gap),
        }
    }

    /// The resources of a subscription. None at all may only mean that the reader may not see them.
    pub(super) fn list<T: Clone, R>(
        &mut self,
        table: &Table<R>,
        api: &Api,
        subscription: &str,
        rows: &[&T],
    ) -> Fact<Vec<T>> {
        let known = if rows.is_empty() {
            self.certainly_absent(table, api, Some(subscription))
        } else {
            self.fleet().answered(table, api, subscription)
        };
        known.map_or_else(Fact::Missing, |()| Fact::Known(rows.iter().map(|row| (*row).clone()).collect()))
    }

    fn pools(&mut self, cluster: &FleetCluster) -> PoolFacts {
        let listed = cluster.agent_pools.as_ref().filter(|pools| !pools.is_empty());
        let no_pools = || {
            let gap = Gap::new(Reason::NotVisible, "the cluster's row in Resource Graph lists no node pools");
            Fact::Missing(Gap { scope: cluster.cluster.id.to_string(), ..gap })
        };
        let agent_pools = listed.map_or_else(no_pools, |pools| Fact::Known(pools.clone()));
        let pools: &[AgentPool] = listed.map_or(&[], Vec::as_slice);
        let machine =
            |pool: &AgentPool| pool.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("VirtualMachines"));
        let (rows, index) = (&self.fleet().rows, &self.projector.index);
        let (sets, machines) = (&index.scale_sets, &index.machines);
        PoolFacts {
            agent_pools,
            scale_sets: self.machines(cluster, pools.iter().any(|pool| !machine(pool)), |key| {
                (&rows.scale_sets, &api::SCALE_SETS, sets.get(key))
            }),
            virtual_machines: self.machines(cluster, pools.iter().any(machine), |key| {
                (&rows.virtual_machines, &api::VIRTUAL_MACHINES, machines.get(key))
            }),
            extensions: self.extensions(&cluster.cluster.id),
            ..PoolFacts::default()
        }
    }

    /// Machines of the node resource group.
    fn machines<'i>(
        &mut self,
        cluster: &FleetCluster,
        asked: bool,
        of: impl Fn(&str) -> (&'f Table<Machine>, &'static Api, &'i [&'f Machine]),
    ) -> Fact<Vec<Machine>>
    where
        'f: 'i,
    {
        let own = cluster.cluster.properties.node_resource_group.as_deref();
        let (Some(own), Some(subscription)) = (own, cluster.cluster.id.subscription()) else {
            return Fact::Missing(Gap::new(Reason::NotCollected, "the cluster names no node resource group"));
        };
        if !asked {
            return Fact::default();
        }
        let (table, api, rows) = of(&group(subscription, own));
        self.list(table, api, subscription, rows)
    }

    fn extensions(&mut self, cluster: &ResourceId) -> Fact<Vec<Extension>> {
        let (table, rows) = (&self.fleet().rows.extensions, self.projector.index.extensions.get(&cluster.normalized()));
        self.list(table, &api::EXTENSIONS, cluster.subscription().unwrap_or_default(), rows)
    }

    fn registry(&mut self, evidence: &Evidence) -> RegistryFacts {
        let Some(id) = evidence.registry_id() else { return RegistryFacts::default() };
        let (fleet, key) = (self.fleet(), id.normalized());
        let mut facts = RegistryFacts {
            registry: self.find(&fleet.rows.registries, &api::REGISTRIES, &id),
            ..RegistryFacts::default()
        };
        let Fact::Known(Some(registry)) = &mut facts.registry else { return facts };
        if registry.properties.private_endpoint_connections.is_empty() {
            match fleet.asked.connections.get(&key) {
                Some(Fact::Known(listed)) => registry.properties.private_endpoint_connections.clone_from(listed),
                Some(Fact::Missing(gap)) => facts.connections_unread = Some(gap.clone()),
                None => facts.connections_unread = Some(self.ask(Question::Connections(id.clone()))),
            }
        }
        facts.cache_rules = match fleet.asked.cache_rules.get(&key) {
            Some(rules) => rules.clone(),
            None => Fact::Missing(self.ask(Question::CacheRules(id.clone()))),
        };
        let rules = facts.cache_rules.known().into_iter().flatten();
        if rules.into_iter().any(|rule| rule.properties.credential_set_resource_id.is_some()) {
            facts.credential_sets = match fleet.asked.credential_sets.get(&key) {
                Some(sets) => sets.clone(),
                None => Fact::Missing(self.ask(Question::CredentialSets(id))),
            };
        }
        facts
    }

    /// The networks of the nodes, with the route tables and security groups of their subnets.
    fn node_networks(&mut self, evidence: &mut Evidence) {
        let Some(pools) = evidence.pools.agent_pools.known() else { return };
        let rows = &self.fleet().rows;
        let own: BTreeSet<ResourceId> =
            pools.iter().filter_map(|pool| pool.vnet_subnet_id.as_ref()?.up_to("virtualNetworks")).collect();
        let mut network = std::mem::take(&mut evidence.network);
        for id in own {
            let read = self.get(&rows.virtual_networks, &api::VIRTUAL_NETWORKS, &id);
            network.virtual_networks.insert(id, read);
        }
        if pools.iter().any(|pool| pool.vnet_subnet_id.is_none()) {
            let own = evidence.cluster.properties.node_resource_group.as_deref();
            network.managed_networks = match (own, evidence.cluster.id.subscription()) {
                (Some(own), Some(subscription)) => {
                    let managed = self.projector.index.networks.get(&group(subscription, own));
                    self.list(&rows.virtual_networks, &api::VIRTUAL_NETWORKS, subscription, managed)
                }
                _ => Fact::Missing(Gap::new(Reason::NotCollected, "the cluster names no node resource group")),
            };
        }
        let known = network.virtual_networks.values().filter_map(Fact::known);
        let known = known.chain(network.managed_networks.known().into_iter().flatten());
        let subnets: Vec<&SubnetProperties> = networks::node_subnets(pools, known).map(|(_, subnet)| subnet).collect();
        let tables: BTreeSet<ResourceId> =
            subnets.iter().filter_map(|subnet| subnet.route_table.as_ref()?.id.clone()).collect();
        let groups: BTreeSet<ResourceId> =
            subnets.iter().filter_map(|subnet| subnet.network_security_group.as_ref()?.id.clone()).collect();
        let read = |draft: &mut Self, id: &ResourceId| -> Fact<RouteTable> {
            draft.get(&rows.route_tables, &api::ROUTE_TABLES, id)
        };
        network.route_tables = tables.into_iter().map(|id| (id.clone(), read(self, &id))).collect();
        network.security_groups = self.security_groups(groups);
        evidence.network = network;
    }

    fn security_groups(&mut self, ids: BTreeSet<ResourceId>) -> BTreeMap<ResourceId, Fact<SecurityGroup>> {
        let table = &self.fleet().rows.security_groups;
        ids.into_iter().map(|id| (id.clone(), self.get(table, &api::SECURITY_GROUPS, &id))).collect()
    }

    /// What collection asks only where the first answers leave a question open.
    fn follow_up(&mut self, evidence: &mut Evidence) {
        let questions = open::open_questions(evidence);
        if questions.zone_unlinked {
            self.look_further_for_zones(evidence);
        }
        if questions.own_dns_servers {
            self.networks_of_dns_servers(evidence);
        }
        let (rows, index) = (&self.fleet().rows, &self.projector.index);
        let managers = questions.managers_of.into_iter().map(|subscription| {
            let own = index.managers.get(&subscription.to_lowercase());
            let list = self.list(&rows.network_managers, &api::NETWORK_MANAGERS, &subscription, own);
            (subscription, list.map(|managers| managers.into_iter().map(|manager| manager.id).collect()))
        });
        evidence.network.network_managers = managers.collect();
        if let Some(registry) = evidence.registry_id().filter(|_| questions.other_regions) {
            let own = index.replications.get(&registry.normalized());
            let subscription = registry.subscription().unwrap_or_default();
            evidence.registry.replications = self.list(&rows.replications, &api::REPLICATIONS, subscription, own);
        }
        let networks = paths::unread_endpoint_networks(evidence);
        let read = networks.into_iter().map(|id| {
            let network = self.get(&rows.virtual_networks, &api::VIRTUAL_NETWORKS, &id);
            (id, network)
        });
        evidence.network.virtual_networks.extend(read.collect::<Vec<_>>());
        let groups = paths::endpoint_security_groups(evidence);
        let unread = groups.into_iter().filter(|id| !evidence.network.security_groups.contains_key(id)).collect();
        let read = self.security_groups(unread);
        evidence.network.security_groups.extend(read);
    }

    /// Zone groups name zones and say who writes records. Where DNS is well without them they change nothing, and
    /// nobody is asked; otherwise ARM is, once for each endpoint.
    fn zone_groups_where_needed(&mut self, evidence: &mut Evidence) {
        let unread = |evidence: &Evidence| -> Vec<ResourceId> {
            let endpoints = evidence.network.private_endpoints.iter();
            let unread = endpoints.filter(|(_, facts)| facts.zone_groups.not_collected());
            unread.map(|(id, _)| id.clone()).collect()
        };
        let open = unread(evidence);
        if open.is_empty() {
            return;
        }
        if !self.projector.zone_groups {
            let mut without = evidence.clone();
            for facts in
                without.network.private_endpoints.values_mut().filter(|facts| facts.zone_groups.not_collected())
            {
                facts.zone_groups = Fact::Known(Vec::new());
            }
            let outcome = private_dns::CHECK.judge(&without);
            if outcome.findings.is_empty() && outcome.gaps.is_empty() {
                *evidence = without;
                return;
            }
        }
        self.open.extend(open.into_iter().map(Question::ZoneGroups));
    }
}

/// A gap about one resource.
fn about(gap: Gap, id: &ResourceId) -> Gap {
    let scope = if gap.scope.is_empty() { id.to_string() } else { gap.scope };
    Gap { scope, ..gap }
}
