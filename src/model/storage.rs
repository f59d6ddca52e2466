//! Storage of Azure Files and Azure Blob that nodes would reach over public addresses: made without
//! `networkEndpointType: privateEndpoint`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::evidence::workloads::{StorageClass, StorageFacts, StorageFailure, Volume};

/// Volumes and claims that are made alike: of one class, or of one driver where no class is known.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicStorage<'e> {
    /// The class that has no private endpoint; none for volumes whose class is not known or that have none.
    pub class: Option<&'e StorageClass>,
    pub driver: &'e str,
    pub volumes: Vec<&'e Volume>,
    /// How many claims name the class, and one of them.
    pub claims: Option<(usize, &'e str)>,
}

impl PublicStorage<'_> {
    /// Whether a failure is about one of these.
    pub fn concerns(&self, failure: &StorageFailure) -> bool {
        let volume = failure.volume.as_deref();
        let class = failure.class.as_deref();
        self.volumes.iter().any(|own| volume == Some(own.name.as_str()))
            || self.class.is_some_and(|own| class == Some(own.name.as_str()))
    }
}

fn is_private(kind: Option<&String>) -> bool {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("privateEndpoint"))
}

/// An operator's own volume may name a private host, which is as good.
fn names_private_host(volume: &Volume) -> bool {
    volume.server.as_deref().is_some_and(|server| {
        let private = |address: IpAddr| match address {
            IpAddr::V4(address) => address.is_private(),
            IpAddr::V6(address) => address.is_unique_local(),
        };
        server.to_lowercase().contains(".privatelink.") || server.parse().is_ok_and(private)
    })
}

/// Classes that are claimed, and volumes, without a private endpoint. What of the lists is missing is left out here.
pub fn public(storage: &StorageFacts) -> Vec<PublicStorage<'_>> {
    let classes: BTreeMap<&str, &StorageClass> =
        storage.classes.known().into_iter().flatten().map(|class| (class.name.as_str(), class)).collect();
    let mut found: BTreeMap<(Option<&str>, &str), PublicStorage<'_>> = BTreeMap::new();
    for claim in storage.claims.known().into_iter().flatten() {
        let class = classes.get(claim.class.as_str()).filter(|class| !is_private(class.network_endpoint_type.as_ref()));
        if let Some(class) = class {
            let claims = Some((claim.claims, claim.example.as_str()));
            let public = PublicStorage { class: Some(class), driver: &class.provisioner, volumes: Vec::new(), claims };
            found.insert((Some(&class.name), &class.provisioner), public);
        }
    }
    for volume in storage.volumes.known().into_iter().flatten() {
        let class = volume.class.as_ref().and_then(|class| classes.get(class.as_str()).copied());
        let by_class = class.is_some_and(|class| is_private(class.network_endpoint_type.as_ref()));
        if by_class || is_private(volume.network_endpoint_type.as_ref()) || names_private_host(volume) {
            continue;
        }
        let driver = class.map_or(volume.driver.as_str(), |class| class.provisioner.as_str());
        let public = found.entry((class.map(|class| class.name.as_str()), driver));
        let public = public.or_insert_with(|| PublicStorage { class, driver, volumes: Vec::new(), claims: None });
        public.volumes.push(volume);
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Fact;
    use crate::evidence::workloads::ClaimedClass;

    fn class(name: &str, kind: Option<&str>) -> StorageClass {
        StorageClass {
            name: name.to_owned(),
            provisioner: "file.csi.azure.com".to_owned(),
            network_endpoint_type: kind.map(str::to_owned),
        }
    }

    fn volume(name: &str, class: Option<&str>, server: Option<&str>) -> Volume {
        let (class, server) = (class.map(str::to_owned), server.map(str::to_owned));
        Volume { name: name.to_owned(), driver: "file.csi.azure.com".to_owned(), class, server, ..Volume::default() }
    }

    #[test]
    fn only_what_is_used_counts_and_only_over_public_addresses() {
        let claim = |class: &str| ClaimedClass { class: class.to_owned(), claims: 1, example: "a/b".to_owned() };
        let storage = StorageFacts {
            classes: Fact::Known(vec![
                class("open", None),
                class("idle", None),
                class("closed", Some("PrivateEndpoint")),
            ]),
            claims: Fact::Known(vec![claim("open"), claim("closed"), claim("disks")]),
            volumes: Fact::Known(vec![
                volume("v1", Some("open"), None),
                volume("v2", Some("closed"), None),
                volume("v3", None, Some("a.privatelink.file.core.windows.net")),
                volume("v4", None, Some("10.0.0.4")),
                volume("v5", None, None),
            ]),
            failures: Fact::default(),
        };
        let found = public(&storage);
        let names = found.iter().map(|own| own.volumes.iter().map(|volume| volume.name.as_str()).collect::<Vec<_>>());
        assert_eq!(names.collect::<Vec<_>>(), [vec!["v5"], vec!["v1"]]);
        assert_eq!(found[1].class.map(|class| class.name.as_str()), Some("open"));
    }
}
