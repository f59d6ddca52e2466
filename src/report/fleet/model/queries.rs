//! The queries of a fleet, with what each brought.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answers::fleet::{covers, feeds};
use crate::checks::check::Check;
use crate::diagnosis::gaps;
use crate::evidence::fleet::Fleet;
use crate::evidence::fleet::table::{self, Query, Table};
use crate::report::model::{GapEntry, gap_entry};

/// One query of Resource Graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryEntry {
    /// The resource type that was asked for.
    pub table: String,
    /// Rows that came.
    pub rows: usize,
    /// Rows that Resource Graph counts.
    pub total: u64,
    /// Whether all came.
    pub complete: bool,
    /// Whether missing rows leave the report incomplete: the query lists the clusters, or a check that was asked for reads
    /// it and Azure Resource Manager was not asked instead.
    #[serde(default)]
    pub counts: bool,
    /// The API versions in which Resource Graph read them.
    pub api_versions: Vec<String>,
    /// Why rows may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<GapEntry>,
}

impl QueryEntry {
    /// Whether rows that count may be missing.
    pub fn missing(&self) -> bool {
        self.counts && !self.complete
    }
}

pub(super) fn queries(fleet: &Fleet, checks: &[&'static Check]) -> Vec<QueryEntry> {
    let rows = &fleet.rows;
    let mut all = vec![
        query(&table::CLUSTERS, &rows.clusters),
        query(&table::REGISTRIES, &rows.registries),
        query(&table::REPLICATIONS, &rows.replications),
        query(&table::PRIVATE_ENDPOINTS, &rows.private_endpoints),
        query(&table::NETWORK_INTERFACES, &rows.network_interfaces),
        query(&table::VIRTUAL_NETWORKS, &rows.virtual_networks),
        query(&table::ROUTE_TABLES, &rows.route_tables),
        query(&table::SECURITY_GROUPS, &rows.security_groups),
        query(&table::NETWORK_MANAGERS, &rows.network_managers),
        query(&table::DNS_ZONES, &rows.dns_zones),
        query(&table::DNS_LINKS, &rows.dns_links),
        query(&table::DNS_RECORDS, &rows.dns_records),
        query(&table::FORWARDING_RULESETS, &rows.forwarding_rulesets),
        query(&table::SCALE_SETS, &rows.scale_sets),
        query(&table::VIRTUAL_MACHINES, &rows.virtual_machines),
        query(&table::ROLE_ASSIGNMENTS, &rows.role_assignments),
        query(&table::ROLE_DEFINITIONS, &rows.role_definitions),
        query(&table::EXTENSIONS, &rows.extensions),
    ];
    for (entry, query) in all.iter_mut().zip(table::ALL) {
        // A query that nobody needed is missing nowhere.
        let asked = entry.gaps.iter().any(|gap| gap.kind != gaps::NOT_COLLECTED);
        let read = || checks.iter().any(|check| covers(check) && feeds(query, check));
        entry.counts = *query == table::CLUSTERS || (!fleet.doubts_settled && (asked || entry.complete) && read());
    }
    all
}

fn query<T>(query: &Query, table: &Table<T>) -> QueryEntry {
    QueryEntry {
        table: query.kind.to_owned(),
        rows: table.rows.len(),
        total: table.total,
        complete: table.whole(),
        counts: false,
        api_versions: table.api_versions.iter().cloned().collect(),
        gaps: table.gaps.iter().map(gap_entry).collect(),
    }
}
