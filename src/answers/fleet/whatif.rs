//! Changes to what clusters share: a registry, a zone, an endpoint, a role.

use crate::answers::whatif::Change;
use crate::evidence::Evidence;
use crate::text;

/// A change, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedChange {
    change: Change,
    /// The registry, or the zone of a record, by name or id.
    of: Option<String>,
}

impl std::str::FromStr for SharedChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (head, of) = match words.as_slice() {
            [head @ .., of, name] if of.eq_ignore_ascii_case("of") => (head, Some((*name).to_owned())),
            [delete, registry, name]
                if registry.eq_ignore_ascii_case("registry") && delete.eq_ignore_ascii_case("delete") =>
            {
                (&words[..2], Some((*name).to_owned()))
            }
            all => (all, None),
        };
        let change = head.join(" ").parse::<Change>()?;
        let shown = text::clean(&text::bounded(text, 100));
        match (&change, &of) {
            (
                Change::DeleteCacheRule(_)
                | Change::CreateCacheRule(..)
                | Change::DeleteRegistry
                | Change::RemoveRoleAssignment(_),
                None,
            ) => Err(format!("\"{shown}\" names no registry: add of REGISTRY")),
            (Change::DeletePrivateEndpoint(_) | Change::DeleteDnsRecord(_) | Change::UnlinkZone(..), _)
            | (
                Change::DeleteCacheRule(_)
                | Change::CreateCacheRule(..)
                | Change::DeleteRegistry
                | Change::RemoveRoleAssignment(_),
                Some(_),
            ) => Ok(Self { change, of }),
            _ => Err(format!("\"{shown}\" is about one cluster: aksiso diagnose --what-if")),
        }
    }
}

impl SharedChange {
    /// Makes the change in the evidence of a cluster; none where the cluster has nothing to do with it.
    pub fn apply(&self, evidence: &mut Evidence) -> Option<Result<(), String>> {
        let named = |id: &str, name: &str| {
            id.eq_ignore_ascii_case(name) || id.rsplit('/').next().is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        let concerned = match (&self.change, &self.of) {
            (Change::DeleteDnsRecord(_), Some(zone)) => {
                evidence.network.dns_zones.keys().any(|id| named(id.as_str(), zone))
            }
            (_, Some(registry)) => {
                let server = evidence.login_server().is_some_and(|server| server.eq_ignore_ascii_case(registry));
                server || evidence.registry_id().is_some_and(|id| named(id.as_str(), registry))
            }
            (Change::DeletePrivateEndpoint(name), None) => {
                evidence.network.private_endpoints.keys().any(|id| named(id.as_str(), name))
            }
            (Change::UnlinkZone(name, _), None) => evidence.network.dns_zones.keys().any(|id| named(id.as_str(), name)),
            (Change::DeleteDnsRecord(name), None) => {
                let records = evidence.network.dns_zones.values().filter_map(|zone| zone.records.known()).flatten();
                records.into_iter().any(|record| record.name().eq_ignore_ascii_case(name))
            }
            _ => false,
        };
        concerned.then(|| self.change.apply(evidence))
    }

    /// Whether what would be changed may be among what was not seen of a cluster.
    pub fn may_be_unseen(&self, evidence: &Evidence) -> bool {
        let network = &evidence.network;
        let endpoints = || {
            let unread = network.private_endpoints.values().any(|facts| facts.endpoint.known().is_none());
            network.private_endpoints.is_empty() || unread
        };
        let zones = |records: bool| {
            let unread = network.dns_zones.values().any(|zone| records && zone.records.known().is_none());
            network.dns_zones.is_empty() || unread
        };
        match self.change {
            Change::DeletePrivateEndpoint(_) => endpoints(),
            Change::UnlinkZone(..) => zones(false),
            Change::DeleteDnsRecord(_) => zones(true),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_change_names_what_is_shared() {
        let read = |text: &str| text.parse::<SharedChange>();
        let change = read("delete cache rule mcr of contosoboot").expect("a change");
        assert_eq!(change.of.as_deref(), Some("contosoboot"));
        assert_eq!(read("delete registry contosoboot"), read("delete registry of contosoboot"));
        assert!(read("unlink zone privatelink.azurecr.io").is_ok());
        assert!(read("delete cache-rule mcr").expect_err("no registry").contains("names no registry"));
        assert!(read("set outbound none").expect_err("one cluster").contains("one cluster"));
    }
}
