//! One table of rows, with what keeps it from being whole; and the query that fills it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::calls::azure::{self as api, Api};
use crate::evidence::calls::fleet;
use crate::evidence::fact::Gap;
use crate::evidence::id::ResourceId;

/// The rows of one query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Table<T> {
    /// The rows, by id in lower case.
    pub rows: BTreeMap<String, T>,
    /// How many rows Resource Graph counted.
    pub total: u64,
    /// The API versions in which it read them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub api_versions: BTreeSet<String>,
    /// Why rows may be missing; none where all came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

impl<T> Default for Table<T> {
    /// Nothing is known until somebody asks.
    fn default() -> Self {
        let gaps = vec![Gap::not_collected()];
        Self { rows: BTreeMap::new(), total: 0, api_versions: BTreeSet::new(), gaps }
    }
}

impl<T> Table<T> {
    /// The row of an id.
    pub fn row(&self, id: &ResourceId) -> Option<&T> {
        self.rows.get(&id.normalized())
    }

    /// Whether all rows came.
    pub fn whole(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// A query in the one plain form: a table, a type, and columns; every row has an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Resource Graph's table.
    pub table: &'static str,
    /// The resource type, as ARM writes it.
    pub kind: &'static str,
    /// The columns besides the id.
    pub columns: &'static [&'static str],
    /// The call of ARM that would read the same, with the permission without which a row is left out.
    pub api: &'static Api,
}

impl Query {
    const fn resources(kind: &'static str, columns: &'static [&'static str], api: &'static Api) -> Self {
        Self { table: "resources", kind, columns, api }
    }

    /// The text; `within` narrows it to subscriptions.
    pub fn text(&self, within: &BTreeSet<String>) -> String {
        let ids = within.iter().map(|id| format!("'{}'", id.replace('\'', ""))).collect::<Vec<_>>().join(",");
        let within = if ids.is_empty() { String::new() } else { format!(" | where subscriptionId in~ ({ids})") };
        let columns = [&["id"], self.columns].concat().join(", ");
        let kind = self.kind.to_lowercase();
        format!("{} | where type =~ '{kind}'{within} | project {columns} | order by id asc", self.table)
    }
}

const PLAIN: &[&str] = &["properties", "apiVersion"];
const TRACKED: &[&str] = &["location", "identity", "sku", "properties", "apiVersion"];
const MACHINE: &[&str] = &["identity", "tags", "properties", "apiVersion"];
const ID: &[&str] = &["apiVersion"];
/// Other tables than `resources` promise no API version.
const OTHER: &[&str] = &["properties"];

/// The subscriptions that Resource Graph shows at all.
pub const SUBSCRIPTIONS: Query = Query {
    table: "resourcecontainers",
    kind: "microsoft.resources/subscriptions",
    columns: &["name"],
    api: &fleet::SUBSCRIPTIONS,
};
pub const CLUSTERS: Query =
    Query::resources("Microsoft.ContainerService/managedClusters", TRACKED, &api::MANAGED_CLUSTERS);
pub const REGISTRIES: Query = Query::resources("Microsoft.ContainerRegistry/registries", TRACKED, &api::REGISTRIES);
pub const REPLICATIONS: Query =
    Query::resources("Microsoft.ContainerRegistry/registries/replications", TRACKED, &api::REPLICATIONS);
pub const PRIVATE_ENDPOINTS: Query =
    Query::resources("Microsoft.Network/privateEndpoints", PLAIN, &api::PRIVATE_ENDPOINTS);
pub const NETWORK_INTERFACES: Query =
    Query::resources("Microsoft.Network/networkInterfaces", PLAIN, &api::NETWORK_INTERFACES);
pub const VIRTUAL_NETWORKS: Query =
    Query::resources("Microsoft.Network/virtualNetworks", PLAIN, &api::VIRTUAL_NETWORKS);
pub const ROUTE_TABLES: Query = Query::resources("Microsoft.Network/routeTables", PLAIN, &api::ROUTE_TABLES);
pub const SECURITY_GROUPS: Query =
    Query::resources("Microsoft.Network/networkSecurityGroups", PLAIN, &api::SECURITY_GROUPS);
pub const NETWORK_MANAGERS: Query = Query::resources("Microsoft.Network/networkManagers", ID, &api::NETWORK_MANAGERS);
pub const DNS_ZONES: Query = Query::resources("Microsoft.Network/privateDnsZones", PLAIN, &api::DNS_ZONES);
pub const DNS_LINKS: Query =
    Query::resources("Microsoft.Network/privateDnsZones/virtualNetworkLinks", PLAIN, &api::DNS_LINKS);
pub const DNS_RECORDS: Query = Query {
    table: "dnsresources",
    kind: "Microsoft.Network/privateDnsZones/A",
    columns: OTHER,
    api: &api::DNS_RECORDS,
};
pub const FORWARDING_RULESETS: Query =
    Query::resources("Microsoft.Network/dnsForwardingRulesets", ID, &api::FORWARDING_RULESETS);
pub const SCALE_SETS: Query = Query::resources("Microsoft.Compute/virtualMachineScaleSets", MACHINE, &api::SCALE_SETS);
pub const VIRTUAL_MACHINES: Query =
    Query::resources("Microsoft.Compute/virtualMachines", MACHINE, &api::VIRTUAL_MACHINES);
pub const ROLE_ASSIGNMENTS: Query = Query {
    table: "authorizationresources",
    kind: "Microsoft.Authorization/roleAssignments",
    columns: OTHER,
    api: &api::ROLE_ASSIGNMENTS,
};
pub const ROLE_DEFINITIONS: Query = Query {
    table: "authorizationresources",
    kind: "Microsoft.Authorization/roleDefinitions",
    columns: OTHER,
    api: &api::ROLE_DEFINITIONS,
};
pub const EXTENSIONS: Query = Query {
    table: "kubernetesconfigurationresources",
    kind: "Microsoft.KubernetesConfiguration/extensions",
    columns: OTHER,
    api: &api::EXTENSIONS,
};

/// Every query, in the order of the report.
pub const ALL: [&Query; 18] = [
    &CLUSTERS,
    &REGISTRIES,
    &REPLICATIONS,
    &PRIVATE_ENDPOINTS,
    &NETWORK_INTERFACES,
    &VIRTUAL_NETWORKS,
    &ROUTE_TABLES,
    &SECURITY_GROUPS,
    &NETWORK_MANAGERS,
    &DNS_ZONES,
    &DNS_LINKS,
    &DNS_RECORDS,
    &FORWARDING_RULESETS,
    &SCALE_SETS,
    &VIRTUAL_MACHINES,
    &ROLE_ASSIGNMENTS,
    &ROLE_DEFINITIONS,
    &EXTENSIONS,
];
