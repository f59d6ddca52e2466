//! The readers, tried on real answers of Azure Resource Manager where a folder of them lies beside the project.

use std::path::{Path, PathBuf};

use aksiso::evidence::access::{RoleAssignment, RoleDefinition};
use aksiso::evidence::cluster::ManagedCluster;
use aksiso::evidence::network::{
    AddressRecord, DnsZone, NetworkInterface, NetworkLink, PrivateEndpoint, VirtualNetwork, ZoneGroup,
};
use aksiso::evidence::pools::Machine;
use aksiso::evidence::pools::{AgentPoolItem, UpgradeProfile};
use aksiso::evidence::registry::{CacheRule, ConnectionProperties, CredentialSet, Registry};
use aksiso::evidence::resource::Part;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// `AKSISO_RECORDED_ARM`, or a folder `shared/recorded-arm` beside the project.
fn folder() -> Option<PathBuf> {
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

/// Reads one resource by its own `type`; `None` for types that aksiso does not read.
fn read(item: &Value) -> Option<Result<(), String>> {
    let kind = item["type"].as_str().unwrap_or_default().to_lowercase();
    Some(match kind.as_str() {
        "microsoft.containerservice/managedclusters" => reads::<ManagedCluster>(item),
        "microsoft.containerservice/managedclusters/agentpools" => reads::<AgentPoolItem>(item),
        "microsoft.containerservice/managedclusters/agentpools/upgradeprofiles" => reads::<UpgradeProfile>(item),
        "microsoft.containerregistry/registries" => reads::<Registry>(item),
        "microsoft.containerregistry/registries/cacherules" => reads::<CacheRule>(item),
        "microsoft.containerregistry/registries/credentialsets" => reads::<CredentialSet>(item),
        "microsoft.containerregistry/registries/privateendpointconnections" => {
            reads::<Part<ConnectionProperties>>(item)
        }
        "microsoft.network/privateendpoints" => reads::<PrivateEndpoint>(item),
        "microsoft.network/privateendpoints/privatednszonegroups" => reads::<ZoneGroup>(item),
        "microsoft.network/networkinterfaces" => reads::<NetworkInterface>(item),
        "microsoft.network/virtualnetworks" => reads::<VirtualNetwork>(item),
        "microsoft.network/privatednszones" => reads::<DnsZone>(item),
        "microsoft.network/privatednszones/virtualnetworklinks" => reads::<NetworkLink>(item),
        "microsoft.network/privatednszones/a" => reads::<AddressRecord>(item),
        "microsoft.authorization/roleassignments" => reads::<RoleAssignment>(item),
        "microsoft.authorization/roledefinitions" => reads::<RoleDefinition>(item),
        "microsoft.compute/virtualmachinescalesets" => reads::<Machine>(item),
        _ => return None,
    })
}

#[test]
fn every_recorded_answer_is_read() {
    let Some(folder) = folder() else {
        eprintln!("no recorded answers beside the project; set AKSISO_RECORDED_ARM to a folder of them");
        return;
    };
    let (mut read_count, mut other) = (0, 0);
    for (name, body) in bodies(&folder) {
        let list = body["value"].as_array().cloned();
        for item in list.unwrap_or_else(|| vec![body]) {
            match read(&item) {
                Some(Ok(())) => read_count += 1,
                Some(Err(error)) => panic!("{name}: {error}"),
                None => other += 1,
            }
        }
    }
    assert!(read_count > 0, "the folder holds nothing that aksiso reads");
    eprintln!("{read_count} recorded resources read, {other} of types that aksiso does not read");
}
