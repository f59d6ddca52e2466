//! Many clusters at once: the rows of Azure Resource Graph, and what it does not hold and ARM was asked for.
//!
//! A row says that something is there. That something is *not* there is known only where the whole table came, the
//! subscription answered, and the reader may read all of it: Resource Graph leaves out what the reader may not see
//! without a word.

pub mod file;
pub mod scope;
pub mod table;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{Permission, RoleAssignment, RoleDefinition};
use super::cluster::{Extension, ManagedCluster};
use super::fact::{Fact, Gap, Reason};
use super::id::ResourceId;
use super::network::{
    AddressRecord, DnsZone, NetworkInterface, NetworkLink, PrivateEndpoint, RouteTable, SecurityGroup, VirtualNetwork,
    ZoneGroup,
};
use super::pools::{AgentPool, Machine};
use super::registry::{CacheRule, ConnectionProperties, CredentialSet, Registry, Replication};
use super::resource::Part;
use super::{Evidence, Section};
use scope::{Scope, Standing};
use table::{CLUSTERS, Table};

use crate::evidence::calls::azure::Api;
use crate::text;

/// The sections that Resource Graph feeds, with what ARM is asked for once per shared resource.
pub const SECTIONS: [Section; 11] = [
    Section::AgentPools,
    Section::ScaleSets,
    Section::Registry,
    Section::CacheRules,
    Section::PrivateEndpoints,
    Section::VirtualNetworks,
    Section::PrivateDns,
    Section::RoleAssignments,
    Section::Extensions,
    Section::RouteTables,
    Section::SecurityGroups,
];

/// The API version from which on a cluster shows its bootstrap profile.
const SHOWS_BOOTSTRAP: &str = "2025-02-01";

/// All facts of one run over many clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    /// When the queries began.
    pub collected_at: Timestamp,
    pub scope: Scope,
    pub rows: Rows,
    /// What Resource Graph does not hold.
    #[serde(default)]
    pub asked: Asked,
    /// Clusters that ARM itself was asked about, by id in lower case: what it said replaces the rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confirmed: BTreeMap<String, Fact<Evidence>>,
    /// Clusters that still have a row and that ARM says do not exist, by id in lower case.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gone: BTreeSet<String>,
    /// Whether ARM was asked about every cluster in doubt, so that the others rest on rows that did come.
    #[serde(default)]
    pub doubts_settled: bool,
}

/// A cluster with what its row alone says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetCluster {
    pub cluster: ManagedCluster,
    /// The node pools, where the row lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_pools: Option<Vec<AgentPool>>,
    /// The API version in which Resource Graph read the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
}

impl FleetCluster {
    /// Why the row does not say where the cluster's artifacts come from; an old API version knows no such field.
    pub fn bootstrap_gap(&self) -> Option<Gap> {
        let version = self.api_version.as_deref().unwrap_or_default();
        // A version is a day, as in 2025-02-01 or 2025-02-01-preview; of any other nobody knows what it shows.
        let day = version.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
        let shows = day.is_some() && version >= SHOWS_BOOTSTRAP;
        if self.cluster.properties.bootstrap_profile.is_some() || shows {
            return None;
        }
        let version = if version.is_empty() { "an unnamed API version" } else { version };
        let detail = format!(
            "Resource Graph read the cluster with {version}, which does not show its bootstrap profile; --depth \
             confirm asks Azure Resource Manager"
        );
        Some(Gap { scope: self.cluster.id.to_string(), ..Gap::new(Reason::NotVisible, detail) })
    }

    /// The cluster with its pools in it, as ARM shows it.
    pub fn whole(&self) -> ManagedCluster {
        let mut cluster = self.cluster.clone();
        cluster.properties.agent_pool_profiles.clone_from(&self.agent_pools);
        cluster
    }
}

/// A resource of which only the id matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    pub id: ResourceId,
}

/// The rows of Resource Graph, by table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rows {
    pub clusters: Table<FleetCluster>,
    pub registries: Table<Registry>,
    pub replications: Table<Replication>,
    pub private_endpoints: Table<PrivateEndpoint>,
    pub network_interfaces: Table<NetworkInterface>,
    pub virtual_networks: Table<VirtualNetwork>,
    pub route_tables: Table<RouteTable>,
    pub security_groups: Table<SecurityGroup>,
    pub network_managers: Table<Listed>,
    pub dns_zones: Table<DnsZone>,
    pub dns_links: Table<NetworkLink>,
    pub dns_records: Table<AddressRecord>,
    pub forwarding_rulesets: Table<Listed>,
    pub scale_sets: Table<Machine>,
    pub virtual_machines: Table<Machine>,
    pub role_assignments: Table<RoleAssignment>,
    pub role_definitions: Table<RoleDefinition>,
    pub extensions: Table<Extension>,
}

/// Something that only ARM can answer, once for everybody who shares it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Cache rules of a registry.
    CacheRules(ResourceId),
    /// Credential sets of a registry.
    CredentialSets(ResourceId),
    /// Endpoint connections of a registry whose row shows none.
    Connections(ResourceId),
    /// Zone groups of an endpoint.
    ZoneGroups(ResourceId),
    /// Networks that a DNS forwarding ruleset is linked to.
    ForwardingLinks(ResourceId),
    /// What the reader may do in a subscription.
    Rights(String),
}

/// ARM's answers, by the id (in lower case) of what was asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Asked {
    pub cache_rules: BTreeMap<String, Fact<Vec<CacheRule>>>,
    pub credential_sets: BTreeMap<String, Fact<Vec<CredentialSet>>>,
    pub connections: BTreeMap<String, Fact<Vec<Part<ConnectionProperties>>>>,
    pub zone_groups: BTreeMap<String, Fact<Vec<ZoneGroup>>>,
    pub forwarding_links: BTreeMap<String, Fact<Vec<ResourceId>>>,
    /// The reader's own permissions, by subscription.
    pub rights: BTreeMap<String, Fact<Vec<Permission>>>,
}

impl Asked {
    /// Whether the question was asked.
    pub fn knows(&self, question: &Question) -> bool {
        match question {
            Question::CacheRules(id) => self.cache_rules.contains_key(&id.normalized()),
            Question::CredentialSets(id) => self.credential_sets.contains_key(&id.normalized()),
            Question::Connections(id) => self.connections.contains_key(&id.normalized()),
            Question::ZoneGroups(id) => self.zone_groups.contains_key(&id.normalized()),
            Question::ForwardingLinks(id) => self.forwarding_links.contains_key(&id.normalized()),
            Question::Rights(subscription) => self.rights.contains_key(subscription),
        }
    }
}

/// What is known of the absence of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// It is not there.
    Certain,
    /// The reader's own permissions would tell.
    Ask(Question),
    /// Why it is not known.
    Unknown(Gap),
}

impl Fleet {
    /// A fleet of which nothing is known yet.
    pub fn new(collected_at: Timestamp, scope: Scope) -> Self {
        Self {
            collected_at,
            scope,
            rows: Rows::default(),
            asked: Asked::default(),
            confirmed: BTreeMap::new(),
            gone: BTreeSet::new(),
            doubts_settled: false,
        }
    }

    /// Whether what a table does not hold in a subscription does not exist there.
    pub fn absence<T>(&self, table: &Table<T>, api: &Api, subscription: &str) -> Absence {
        if let Err(gap) = self.answered(table, api, subscription) {
            return Absence::Unknown(gap);
        }
        let subscription = subscription.to_lowercase();
        match self.asked.rights.get(&subscription) {
            None => Absence::Ask(Question::Rights(subscription)),
            Some(Fact::Known(blocks)) if blocks.iter().any(|block| block.allows_action(api.action)) => Absence::Certain,
            Some(Fact::Known(_)) => Absence::Unknown(Gap {
                needed: Some(api.action.to_owned()),
                scope: format!("/subscriptions/{subscription}"),
                role: Some("Reader".to_owned()),
                ..Gap::new(
                    Reason::Forbidden,
                    "Resource Graph shows only what the reader may see, and the reader may not read all of the \
                     subscription",
                )
            }),
            Some(Fact::Missing(gap)) => Absence::Unknown(gap.clone().about("the reader's own permissions")),
        }
    }

    /// Whether Resource Graph answered for a subscription with the whole table.
    ///
    /// # Errors
    /// Why it did not.
    pub fn answered<T>(&self, table: &Table<T>, api: &Api, subscription: &str) -> Result<(), Gap> {
        if let Some(gap) = table.gaps.first() {
            return Err(gap.clone());
        }
        match self.scope.standing(subscription) {
            Standing::Seen => Ok(()),
            Standing::Hidden => Err(Gap {
                needed: Some(api.action.to_owned()),
                scope: format!("/subscriptions/{subscription}"),
                role: Some("Reader".to_owned()),
                ..Gap::new(Reason::Forbidden, format!("Resource Graph shows nothing of subscription {subscription}"))
            }),
            Standing::Outside => Err(Gap {
                needed: Some(api.action.to_owned()),
                scope: format!("/subscriptions/{subscription}"),
                ..Gap::new(
                    Reason::NotCollected,
                    format!(
                        "subscription {subscription} is outside the scope of the queries; --depth confirm asks Azure \
                         Resource Manager"
                    ),
                )
            }),
        }
    }

    /// Why the scope may hold more than was seen: what gathering it met with, no subscription at all, and
    /// subscriptions without clusters of which the reader may not read all.
    pub fn scope_gaps(&self) -> Vec<Gap> {
        let nothing = self.scope.expected.is_empty() && self.scope.seen.is_empty() && self.scope.gaps.is_empty();
        let nothing = nothing.then(|| Gap {
            needed: Some(CLUSTERS.api.action.to_owned()),
            role: Some("Reader".to_owned()),
            ..Gap::new(Reason::NotVisible, "the sign-in sees no subscription of the scope")
        });
        self.scope.gaps.iter().cloned().chain(nothing).chain(self.unproven()).collect()
    }

    /// The subscriptions that answered and of which no cluster came.
    pub fn without_clusters(&self) -> BTreeSet<String> {
        let rows = self.rows.clusters.rows.values();
        let with: BTreeSet<String> =
            rows.filter_map(|row| row.cluster.id.subscription()).map(str::to_lowercase).collect();
        &self.scope.seen - &with
    }

    /// That a subscription has no cluster is believed only where the reader may read all of it.
    fn unproven(&self) -> Option<Gap> {
        if !self.rows.clusters.whole() {
            return None; // no list is known to be whole then, and that is told
        }
        let certain = |id: &String| self.absence(&self.rows.clusters, CLUSTERS.api, id) == Absence::Certain;
        let open: Vec<String> = self.without_clusters().into_iter().filter(|id| !certain(id)).collect();
        let (one, all) = (open.first()?, text::count(open.len(), "subscription"));
        Some(Gap {
            needed: Some(CLUSTERS.api.action.to_owned()),
            scope: if open.len() == 1 { format!("/subscriptions/{one}") } else { String::new() },
            role: Some("Reader".to_owned()),
            ..Gap::new(
                Reason::NotVisible,
                format!(
                    "Resource Graph shows no cluster in {all}, where the reader may not read everything: {}",
                    text::listed(&open)
                ),
            )
        })
    }

    /// Whether every cluster of the scope was seen.
    pub fn whole(&self) -> bool {
        self.rows.clusters.whole() && self.scope.hidden().next().is_none() && self.scope_gaps().is_empty()
    }
}
