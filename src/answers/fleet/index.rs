//! The rows of a fleet by what one looks them up with: a thousand clusters ask for their own few.

use std::collections::{BTreeMap, HashMap};

use crate::evidence::access::{RoleAssignment, RoleDefinition};
use crate::evidence::cluster::Extension;
use crate::evidence::fleet::{Fleet, Listed};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{AddressRecord, DnsZone, NetworkLink, PrivateEndpoint, VirtualNetwork};
use crate::evidence::pools::Machine;
use crate::evidence::registry::Replication;
use crate::evidence::resource::Resource;

/// Rows by key; ids, groups and subscriptions in lower case.
pub(super) struct Index<'f> {
    /// Scale sets and machines by `subscription/group`.
    pub(super) scale_sets: Many<'f, Machine>,
    pub(super) machines: Many<'f, Machine>,
    pub(super) networks: Many<'f, VirtualNetwork>,
    /// Extensions by cluster.
    pub(super) extensions: Many<'f, Extension>,
    pub(super) replications: Many<'f, Replication>,
    /// Endpoints by the registry that they name.
    pub(super) endpoints: Many<'f, PrivateEndpoint>,
    /// Zones by their own name: of many zones, few bear different ones.
    pub(super) zones: BTreeMap<String, Vec<&'f DnsZone>>,
    pub(super) links: Many<'f, NetworkLink>,
    /// Records by zone and first label, which is a registry's; wildcards and the zone itself by `*`.
    pub(super) records: Many<'f, AddressRecord>,
    /// By subscription.
    pub(super) managers: Many<'f, Listed>,
    pub(super) rulesets: Many<'f, Listed>,
    pub(super) assignments: Many<'f, RoleAssignment>,
    /// Assignments to groups, whose members Resource Graph does not know.
    pub(super) groups: Vec<&'f RoleAssignment>,
    /// Definitions by GUID: assignments name the same one below different scopes.
    pub(super) roles: HashMap<String, &'f RoleDefinition>,
}

/// Rows by a key that several share.
pub(super) struct Many<'f, T>(HashMap<String, Vec<&'f T>>);

impl<'f, T> Many<'f, T> {
    fn of(rows: &'f BTreeMap<String, T>, key: impl Fn(&'f T) -> Option<String>) -> Self {
        let mut many: HashMap<String, Vec<&T>> = HashMap::new();
        for row in rows.values() {
            if let Some(key) = key(row) {
                many.entry(key).or_default().push(row);
            }
        }
        Self(many)
    }

    pub(super) fn get(&self, key: &str) -> &[&'f T] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

/// The key of everything in a resource group.
pub(super) fn group(subscription: &str, group: &str) -> String {
    format!("{subscription}/{group}").to_lowercase()
}

fn own_group(id: &ResourceId) -> Option<String> {
    Some(group(id.subscription()?, id.resource_group()?))
}

fn own_subscription(id: &ResourceId) -> Option<String> {
    id.subscription().map(str::to_lowercase)
}

/// The key of a zone's records for a label.
pub(super) fn label(zone: &ResourceId, label: &str) -> String {
    format!("{}|{}", zone.normalized(), label.to_lowercase())
}

fn record(record: &Resource<crate::evidence::network::AddressRecordProperties>) -> Option<String> {
    let zone = record.id.up_to("privateDnsZones")?;
    let name = record.name();
    let first = if name == "@" || name.contains('*') { "*" } else { name.split('.').next().unwrap_or_default() };
    Some(label(&zone, first))
}

impl<'f> Index<'f> {
    pub(super) fn of(fleet: &'f Fleet) -> Self {
        let rows = &fleet.rows;
        let assignments = &rows.role_assignments.rows;
        let kind = |assignment: &RoleAssignment, word: &str| {
            assignment.properties.principal_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case(word))
        };
        let mut zones: BTreeMap<String, Vec<&DnsZone>> = BTreeMap::new();
        for zone in rows.dns_zones.rows.values() {
            zones.entry(zone.name().to_lowercase()).or_default().push(zone);
        }
        Self {
            scale_sets: Many::of(&rows.scale_sets.rows, |machine| own_group(&machine.id)),
            machines: Many::of(&rows.virtual_machines.rows, |machine| own_group(&machine.id)),
            networks: Many::of(&rows.virtual_networks.rows, |network| own_group(&network.id)),
            extensions: Many::of(&rows.extensions.rows, |extension| {
                Some(extension.id.up_to("managedClusters")?.normalized())
            }),
            replications: Many::of(&rows.replications.rows, |replica| {
                Some(replica.id.up_to("registries")?.normalized())
            }),
            endpoints: Many::of(&rows.private_endpoints.rows, |endpoint| {
                let mut targets = endpoint.properties.connections();
                targets.find_map(|target| Some(target.properties.private_link_service_id.as_ref()?.normalized()))
            }),
            zones,
            links: Many::of(&rows.dns_links.rows, |link| Some(link.id.up_to("privateDnsZones")?.normalized())),
            records: Many::of(&rows.dns_records.rows, record),
            managers: Many::of(&rows.network_managers.rows, |row| own_subscription(&row.id)),
            rulesets: Many::of(&rows.forwarding_rulesets.rows, |row| own_subscription(&row.id)),
            assignments: Many::of(assignments, |row| row.properties.principal_id.as_deref().map(str::to_lowercase)),
            groups: assignments.values().filter(|assignment| kind(assignment, "Group")).collect(),
            roles: rows.role_definitions.rows.values().map(|role| (role.name().to_lowercase(), role)).collect(),
        }
    }
}
