//! Gathers a fleet: the rows of Azure Resource Graph, then what it does not hold, then, where something is wrong, what
//! Azure Resource Manager says of it itself.

mod confirm;
mod graph;
mod questions;
mod quota;
mod scope;

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde::de::DeserializeOwned;

use crate::evidence::Reason;
use crate::evidence::fleet::scope::{Scope, Wanted};
use crate::evidence::fleet::table::{self, Query, Table};
use crate::evidence::fleet::{Fleet, FleetCluster};
use crate::evidence::id::ResourceId;
use crate::sources::azure::arm::Arm;
use crate::sources::azure::error::Failure;
use crate::sources::progress::Progress;
pub use confirm::{Case, Confirmer};
use graph::Graph;

/// Most things that are asked of ARM at a time; its client narrows that further.
const AT_A_TIME: usize = 64;

/// What a fleet is gathered with.
#[derive(Debug)]
pub struct Gatherer {
    graph: Graph,
    arm: Arm,
}

impl Gatherer {
    /// A gatherer; the client is the one for many clusters.
    pub fn new(arm: Arm, progress: Progress) -> Self {
        Self { graph: Graph::new(arm.clone(), progress), arm }
    }

    /// Which subscriptions there are, and the clusters in them; what came stays in the fleet, however this ends.
    ///
    /// # Errors
    /// The failure, where Resource Graph says nothing of clusters at all.
    pub async fn clusters(&self, fleet: &mut Fleet) -> Result<(), Failure> {
        scope::expect(&self.arm, &mut fleet.scope).await;
        let (scope, whole) = (fleet.scope.clone(), BTreeSet::new());
        let mut shown: Table<Subscription> = Table::default();
        let (_, clusters) = tokio::join!(
            self.graph.table::<Subscription, _>(&table::SUBSCRIPTIONS, &scope, &whole, &mut shown),
            self.graph.table::<ClusterRow, _>(&table::CLUSTERS, &scope, &whole, &mut fleet.rows.clusters),
        );
        // Of subscriptions that are named, a refusal says that none of them may be read: they are hidden.
        let named = matches!(scope.wanted, Wanted::Subscriptions(_));
        let hidden = |failure: &Failure| named && failure.reason == Reason::Forbidden;
        match clusters {
            Ok(limited) => {
                fleet.scope.gaps.extend(shown.gaps);
                fleet.scope.gaps.extend(limited.then(scope::limit_hit));
            }
            Err(failure) if hidden(&failure) => {}
            Err(failure) => return Err(failure),
        }
        fleet.scope.seen = shown.rows.values().filter_map(|row| own(&row.id)).collect();
        let named = fleet.rows.clusters.rows.values().filter_map(|row| own(&row.cluster.id));
        fleet.scope.seen.extend(named);
        scope::expect_what_was_seen(&mut fleet.scope);
        Ok(())
    }

    /// Everything that the clusters rest on; `sections` by table is not worth its words: a page is a page.
    pub async fn rows(&self, fleet: &mut Fleet) {
        let scope = fleet.scope.clone();
        let whole = BTreeSet::new();
        let rows = &mut fleet.rows;
        let machines = rows.clusters.rows.values().filter(|cluster| has_machines(cluster));
        let machines: BTreeSet<String> = machines.filter_map(|cluster| own(&cluster.cluster.id)).collect();
        let (graph, scope) = (&self.graph, &scope);
        tokio::join!(
            fill(graph, scope, &whole, &table::REGISTRIES, &mut rows.registries),
            fill(graph, scope, &whole, &table::REPLICATIONS, &mut rows.replications),
            fill(graph, scope, &whole, &table::VIRTUAL_NETWORKS, &mut rows.virtual_networks),
            fill(graph, scope, &whole, &table::ROUTE_TABLES, &mut rows.route_tables),
            fill(graph, scope, &whole, &table::SECURITY_GROUPS, &mut rows.security_groups),
            fill(graph, scope, &whole, &table::NETWORK_MANAGERS, &mut rows.network_managers),
            fill(graph, scope, &whole, &table::DNS_ZONES, &mut rows.dns_zones),
            fill(graph, scope, &whole, &table::DNS_LINKS, &mut rows.dns_links),
            fill(graph, scope, &whole, &table::DNS_RECORDS, &mut rows.dns_records),
            fill(graph, scope, &whole, &table::FORWARDING_RULESETS, &mut rows.forwarding_rulesets),
            fill(graph, scope, &whole, &table::SCALE_SETS, &mut rows.scale_sets),
            fill(graph, scope, &whole, &table::ROLE_ASSIGNMENTS, &mut rows.role_assignments),
            fill(graph, scope, &whole, &table::ROLE_DEFINITIONS, &mut rows.role_definitions),
            fill(graph, scope, &whole, &table::EXTENSIONS, &mut rows.extensions),
            async {
                // Machines and interfaces are many, and few of them are anybody's: only where one is looked for.
                if !machines.is_empty() {
                    fill(graph, scope, &machines, &table::VIRTUAL_MACHINES, &mut rows.virtual_machines).await;
                }
            },
            async {
                fill(graph, scope, &whole, &table::PRIVATE_ENDPOINTS, &mut rows.private_endpoints).await;
                let endpoints = rows.private_endpoints.rows.values();
                let endpoints: BTreeSet<String> = endpoints.filter_map(|endpoint| own(&endpoint.id)).collect();
                // Narrowed to no subscription, the query would read all of them.
                if !endpoints.is_empty() {
                    fill(graph, scope, &endpoints, &table::NETWORK_INTERFACES, &mut rows.network_interfaces).await;
                }
            },
        );
        self.graph.finish();
    }
}

/// Fills a table; what goes wrong stays in it.
async fn fill<T: DeserializeOwned>(
    graph: &Graph,
    scope: &Scope,
    within: &BTreeSet<String>,
    query: &Query,
    table: &mut Table<T>,
) {
    let _ = graph.table::<T, T>(query, scope, within, table).await;
}

/// Runs futures, not too many at a time, and gives what they gave in order.
async fn all<F: Future>(work: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    stream::iter(work).buffered(AT_A_TIME).collect().await
}

fn own(id: &ResourceId) -> Option<String> {
    id.subscription().map(str::to_lowercase)
}

fn has_machines(cluster: &FleetCluster) -> bool {
    let mut pools = cluster.agent_pools.iter().flatten();
    pools.any(|pool| pool.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("VirtualMachines")))
}

/// A subscription that Resource Graph shows.
#[derive(serde::Deserialize)]
struct Subscription {
    id: ResourceId,
}

/// A cluster's row.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClusterRow {
    #[serde(flatten)]
    cluster: crate::evidence::cluster::ManagedCluster,
    #[serde(default)]
    api_version: Option<String>,
}

impl From<ClusterRow> for FleetCluster {
    fn from(mut row: ClusterRow) -> Self {
        let agent_pools = row.cluster.properties.agent_pool_profiles.take();
        Self { cluster: row.cluster, agent_pools, api_version: row.api_version }
    }
}
