//! Storage of the Azure Files and Azure Blob drivers: classes, volumes, claims, and what failed of them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::raw::{RawEvent, RawMetadata};
use crate::evidence::lenient::null_is_default;
use crate::evidence::workloads::{ClaimedClass, StorageClass, StorageFailure, Volume};

/// The drivers, and what built-in volumes of old became one of.
const FILES: &str = "file.csi.azure.com";
const DRIVERS: [&str; 2] = [FILES, "blob.csi.azure.com"];

/// The driver by the name that evidence has for it; none for the drivers of others.
fn driver(name: &str) -> Option<&'static str> {
    let name = if name == "kubernetes.io/azure-file" { FILES } else { name };
    DRIVERS.into_iter().find(|driver| *driver == name)
}

/// Both drivers read their parameters whatever the casing.
fn parameter(parameters: &BTreeMap<String, String>, name: &str) -> Option<String> {
    let own = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    own.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawClass {
    #[serde(deserialize_with = "null_is_default")]
    metadata: RawMetadata,
    #[serde(deserialize_with = "null_is_default")]
    provisioner: String,
    #[serde(deserialize_with = "null_is_default")]
    parameters: BTreeMap<String, String>,
}

impl RawClass {
    pub(super) fn kept(self) -> Option<StorageClass> {
        Some(StorageClass {
            provisioner: driver(&self.provisioner)?.to_owned(),
            network_endpoint_type: parameter(&self.parameters, "networkEndpointType"),
            name: self.metadata.name,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawVolume {
    #[serde(deserialize_with = "null_is_default")]
    metadata: RawMetadata,
    #[serde(deserialize_with = "null_is_default")]
    spec: RawVolumeSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawVolumeSpec {
    storage_class_name: Option<String>,
    csi: Option<RawCsi>,
    azure_file: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawCsi {
    #[serde(deserialize_with = "null_is_default")]
    driver: String,
    #[serde(deserialize_with = "null_is_default")]
    volume_attributes: BTreeMap<String, String>,
}

impl RawVolume {
    pub(super) fn kept(self) -> Option<Volume> {
        let old = self.spec.azure_file.map(|_| RawCsi { driver: FILES.to_owned(), ..RawCsi::default() });
        let csi = self.spec.csi.or(old)?;
        Some(Volume {
            driver: driver(&csi.driver)?.to_owned(),
            class: self.spec.storage_class_name.filter(|class| !class.is_empty()),
            network_endpoint_type: parameter(&csi.volume_attributes, "networkEndpointType"),
            server: parameter(&csi.volume_attributes, "server"),
            name: self.metadata.name,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawClaim {
    #[serde(deserialize_with = "null_is_default")]
    metadata: RawMetadata,
    #[serde(deserialize_with = "null_is_default")]
    spec: RawClaimSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawClaimSpec {
    storage_class_name: Option<String>,
}

/// Claims by class.
#[derive(Default)]
pub(super) struct Claims(BTreeMap<String, ClaimedClass>);

impl Claims {
    pub(super) fn add(&mut self, claim: RawClaim) {
        let Some(class) = claim.spec.storage_class_name.filter(|class| !class.is_empty()) else { return };
        let known = self.0.entry(class.clone()).or_insert_with(|| ClaimedClass {
            class,
            claims: 0,
            example: format!("{}/{}", claim.metadata.namespace, claim.metadata.name),
        });
        known.claims += 1;
    }

    pub(super) fn finish(self) -> Vec<ClaimedClass> {
        self.0.into_values().collect()
    }
}

/// What an event of a failed mount or provisioning tells.
pub(super) fn failure(reason: &str, event: &RawEvent) -> StorageFailure {
    let named = |before: &str| {
        let (_, rest) = event.message.split_once(before)?;
        let (name, _) = rest.split_once('"')?;
        (!name.is_empty() && name.len() <= 253).then(|| name.to_owned())
    };
    let object = &event.involved_object;
    let place = [&object.namespace, &object.name].map(|part| part.as_deref().unwrap_or_default());
    StorageFailure {
        reason: reason.to_owned(),
        object: place.join("/"),
        volume: named("for volume \""),
        class: named("with StorageClass \""),
        last_seen: event.seen(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_volumes_of_other_drivers_are_not_kept() {
        let class = |provisioner: &str| {
            let json = serde_json::json!({
                "metadata": { "name": "c" }, "provisioner": provisioner,
                "parameters": { "networkendpointtype": "privateEndpoint", "skuName": "x" },
            });
            serde_json::from_value::<RawClass>(json).expect("a class").kept()
        };
        assert_eq!(class("disk.csi.azure.com"), None);
        let kept = class("kubernetes.io/azure-file").expect("kept");
        assert_eq!(
            (kept.provisioner.as_str(), kept.network_endpoint_type.as_deref()),
            (FILES, Some("privateEndpoint"))
        );
        let volume = |spec: serde_json::Value| {
            serde_json::from_value::<RawVolume>(serde_json::json!({ "spec": spec })).expect("a volume").kept()
        };
        assert_eq!(volume(serde_json::json!({ "csi": { "driver": "disk.csi.azure.com" } })), None);
        assert_eq!(volume(serde_json::json!({ "hostPath": {} })), None);
        let old = volume(serde_json::json!({ "azureFile": { "shareName": "s" }, "storageClassName": "" }));
        assert_eq!(old.map(|volume| (volume.driver, volume.class)), Some((FILES.to_owned(), None)));
    }

    #[test]
    fn failures_name_their_volume_or_class() {
        let event = |message: &str| {
            let json = serde_json::json!({ "message": message, "involvedObject": { "namespace": "a", "name": "b" } });
            failure("FailedMount", &serde_json::from_value(json).expect("an event"))
        };
        let mount = event("MountVolume.MountDevice failed for volume \"pvc-1\" : rpc error");
        assert_eq!((mount.volume.as_deref(), mount.class.as_deref()), (Some("pvc-1"), None));
        let claim = event("failed to provision volume with StorageClass \"azurefile-csi\": rpc error");
        assert_eq!((claim.volume.as_deref(), claim.class.as_deref()), (None, Some("azurefile-csi")));
        assert_eq!(event("Unable to attach").object, "a/b");
    }
}
