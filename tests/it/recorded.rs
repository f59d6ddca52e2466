//! The readers, tried on answers as Azure Resource Manager gives them: on our own, made up with its odd values, and on
//! real ones where a folder of them lies beside the project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aksiso::evidence::access::{RoleAssignment, RoleDefinition};
use aksiso::evidence::cluster::{Extension, ManagedCluster};
use aksiso::evidence::network::{
    AddressRecord, DnsZone, NetworkInterface, NetworkLink, PrivateEndpoint, RouteTable, SecurityGroup, VirtualNetwork,
    ZoneGroup,
};
use aksiso::evidence::pools::{AgentPool, AgentPoolItem, InstanceProperties, Machine, UpgradeProfile};
use aksiso::evidence::registry::{CacheRule, ConnectionProperties, CredentialSet, Registry, Replication};
use aksiso::evidence::resource::{Named, Part};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fixtures;

/// The answers that are shipped.
fn own() -> PathBuf {
    fixtures::folder().join("recorded")
}

/// `AKSISO_RECORDED_ARM`, or a folder `shared/recorded-arm` beside the project.
fn beside() -> Option<PathBuf> {
    let named = std::env::var_os("AKSISO_RECORDED_ARM").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded-arm");
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

fn bodies(folder: &Path) -> Vec<(String, Value)> {
    let mut bodies = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            bodies.extend(self::bodies(&entry));
        } else if entry.extension().is_some_and(|ext| ext == "json") {
            let text = std::fs::read_to_string(&entry).expect("a file");
            let json: Value = serde_json::from_str(&text).expect("JSON");
            let body = json.get("body").cloned().unwrap_or(json);
            bodies.push((entry.display().to_string(), body));
        }
    }
    bodies
}

fn reads<T: DeserializeOwned>(item: &Value) -> Result<(), String> {
    serde_json::from_value::<T>(item.clone()).map(|_| ()).map_err(|error| error.to_string())
}

type Reader = fn(&Value) -> Result<(), String>;

/// Every type of resource that aksiso reads, in lower case, and what it is read into.
const READERS: [(&str, Reader); 26] = [
    ("microsoft.authorization/roleassignments", reads::<RoleAssignment>),
    ("microsoft.authorization/roledefinitions", reads::<RoleDefinition>),
    ("microsoft.compute/virtualmachines", reads::<Machine>),
    ("microsoft.compute/virtualmachinescalesets", reads::<Machine>),
    ("microsoft.compute/virtualmachinescalesets/virtualmachines", reads::<Part<InstanceProperties>>),
    ("microsoft.containerregistry/registries", reads::<Registry>),
    ("microsoft.containerregistry/registries/cacherules", reads::<CacheRule>),
    ("microsoft.containerregistry/registries/credentialsets", reads::<CredentialSet>),
    ("microsoft.containerregistry/registries/privateendpointconnections", reads::<Part<ConnectionProperties>>),
    ("microsoft.containerregistry/registries/replications", reads::<Replication>),
    ("microsoft.containerservice/managedclusters", reads::<ManagedCluster>),
    ("microsoft.containerservice/managedclusters/agentpools", reads::<AgentPoolItem>),
    ("microsoft.containerservice/managedclusters/agentpools/upgradeprofiles", reads::<UpgradeProfile>),
    ("microsoft.kubernetesconfiguration/extensions", reads::<Extension>),
    ("microsoft.network/dnsforwardingrulesets", reads::<Named>),
    ("microsoft.network/dnsforwardingrulesets/virtualnetworklinks", reads::<NetworkLink>),
    ("microsoft.network/networkinterfaces", reads::<NetworkInterface>),
    ("microsoft.network/networkmanagers", reads::<Named>),
    ("microsoft.network/networksecuritygroups", reads::<SecurityGroup>),
    ("microsoft.network/privatednszones", reads::<DnsZone>),
    ("microsoft.network/privatednszones/a", reads::<AddressRecord>),
    ("microsoft.network/privatednszones/virtualnetworklinks", reads::<NetworkLink>),
    ("microsoft.network/privateendpoints", reads::<PrivateEndpoint>),
    ("microsoft.network/privateendpoints/privatednszonegroups", reads::<ZoneGroup>),
    ("microsoft.network/routetables", reads::<RouteTable>),
    ("microsoft.network/virtualnetworks", reads::<VirtualNetwork>),
];

/// The types of a folder's answers that were read, each at least once.
fn read(folder: &Path) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    for (name, body) in bodies(folder) {
        let list = body["value"].as_array().cloned();
        for item in list.unwrap_or_else(|| vec![body]) {
            let kind = item["type"].as_str().unwrap_or_default().to_lowercase();
            let reader = READERS.iter().find(|(own, _)| *own == kind);
            if let Some((own, reader)) = reader {
                reader(&item).unwrap_or_else(|error| panic!("{name}: {error}"));
                seen.insert(*own);
            }
        }
    }
    seen
}

#[test]
fn every_type_that_is_read_is_read_with_its_odd_values() {
    let seen = read(&own());
    let missing: Vec<_> = READERS.iter().map(|(own, _)| *own).filter(|own| !seen.contains(own)).collect();
    assert!(missing.is_empty(), "fixtures/recorded has no {missing:?}");
}

/// Odd values are read, and not only put up with.
#[test]
fn odd_values_are_understood() {
    let only = |file: &str| -> Value { fixtures::read(&own().join(file)) };
    let registry: Registry = serde_json::from_value(only("registries.json")["body"].clone()).expect("a registry");
    assert_eq!(registry.properties.creation_date, "2026-02-28T23:59:59.1234567Z".parse().ok(), "seven digits");
    assert!(registry.properties.private_endpoint_connections.is_empty(), "null is an empty list");
    let rule = only("registryChildren.json")["body"]["value"][0].clone();
    let rule: CacheRule = serde_json::from_value(rule).expect("a rule");
    assert_eq!(rule.properties.credential_set_resource_id, None);
    let pools = only("agentPools.json")["body"]["value"].clone();
    let pools: Vec<AgentPoolItem> = serde_json::from_value(pools).expect("pools");
    let pools: Vec<_> = pools.into_iter().map(AgentPool::from).collect();
    assert!(pools.iter().all(|pool| pool.vnet_subnet_id.is_none()), "an empty id is none");
    let surge = |pool: usize| pools[pool].upgrade_settings.as_ref().and_then(|own| own.max_surge.as_deref());
    assert_eq!((surge(0), surge(1)), (Some("10%"), Some("1")), "a number where others write a text");
}

/// Real answers are no part of the project; where they are, they are read as well.
#[test]
fn every_recorded_answer_is_read() {
    if let Some(folder) = beside() {
        let seen = read(&folder);
        assert!(seen.len() > 10, "{} holds little that aksiso reads: {seen:?}", folder.display());
    }
}
