//! The registry's names, and which zone and record would answer for them.

use std::collections::BTreeSet;

use super::endpoints::Candidate;
use crate::evidence::Fact;
use crate::evidence::registry::Registry;

/// The names that clients of the registry ask for.
#[derive(Debug, Clone)]
pub struct RegistryNames {
    /// The login server.
    pub server: String,
    /// Its first label.
    pub label: String,
    /// What follows it: `azurecr.io`, `azurecr.us`, `azurecr.cn`.
    pub suffix: String,
    /// The registry's home region, normalized.
    pub home: String,
}

impl RegistryNames {
    /// The names of a registry; none where it names no login server.
    pub fn of(registry: &Registry) -> Option<Self> {
        let home = region(registry.location.as_deref().unwrap_or_default());
        Self::of_server(registry.properties.login_server.as_deref()?).map(|names| Self { home, ..names })
    }

    /// The names of a registry of which no more than its login server is known.
    pub fn of_server(server: &str) -> Option<Self> {
        let server = server.trim_end_matches('.').to_lowercase();
        let (label, suffix) = server.split_once('.')?;
        let (label, suffix) = (label.to_owned(), suffix.to_owned());
        let names = Self { server, label, suffix, home: String::new() };
        Some(names).filter(|names| !names.label.is_empty() && !names.suffix.is_empty())
    }

    /// The data endpoint of a region.
    pub fn data(&self, region: &str) -> String {
        format!("{}.{region}.data.{}", self.label, self.suffix)
    }

    /// The region of a data endpoint's name; `None` for the login server.
    pub fn region_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = name.strip_prefix(self.label.as_str())?.strip_prefix('.')?;
        rest.strip_suffix(self.suffix.as_str())?.strip_suffix(".data.")
    }

    /// The record in `zone` that answers for `name` or for its alias under `privatelink`; `@` is the zone itself.
    pub fn record(&self, zone: &str, name: &str) -> Option<String> {
        let zone = zone.to_lowercase();
        let alias = name.strip_suffix(self.suffix.as_str()).map(|head| format!("{head}privatelink.{}", self.suffix));
        if zone != self.suffix && !zone.ends_with(&format!(".{}", self.suffix)) {
            return None;
        }
        [Some(name), alias.as_deref()].into_iter().flatten().find_map(|query| record_of(&zone, query))
    }

    /// Whether a zone of this name could answer: for the login server, or for the home region's data endpoint.
    pub fn could_be_in(&self, zone: &str) -> bool {
        [&self.server, &self.data(&self.home)].into_iter().any(|name| self.record(zone, name).is_some())
    }
}

/// The record of a zone that answers for a host name, both in lower case; `@` is the zone itself.
pub fn record_of(zone: &str, name: &str) -> Option<String> {
    let head = name.strip_suffix(zone)?;
    if head.is_empty() { Some("@".to_owned()) } else { head.strip_suffix('.').map(str::to_owned) }
}

/// Whether a zone of this name could answer for a registry, where the registry has names.
pub fn could_answer(zone: &str, registry: &Registry) -> bool {
    RegistryNames::of(registry).is_some_and(|names| names.could_be_in(zone))
}

/// A region as ARM writes it in names: `West Europe` is `westeurope`.
pub fn region(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Every name that the endpoints list, whatever its address.
pub fn listed_names(candidates: &[Candidate<'_>]) -> BTreeSet<String> {
    let interfaces =
        candidates.iter().flat_map(|candidate| candidate.facts.interfaces.values()).filter_map(Fact::known);
    let links = interfaces
        .flat_map(|interface| &interface.properties.ip_configurations)
        .filter_map(|configuration| configuration.properties.private_link_connection_properties.as_ref());
    let configs = candidates.iter().flat_map(|candidate| &candidate.endpoint.properties.custom_dns_configs);
    let names = links.flat_map(|link| &link.fqdns).chain(configs.filter_map(|config| config.fqdn.as_ref()));
    names.map(|name| name.trim_end_matches('.').to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> RegistryNames {
        let json = serde_json::json!({ "id": "/r", "location": "West Europe",
                "properties": {
                "loginServer":
                "Contoso-abc.azurecr.io" } });
        RegistryNames::of(&serde_json::from_value(json).expect("a registry")).expect("names")
    }

    #[test]
    fn every_zone_that_can_answer_names_its_record() {
        let names = names();
        let record = |zone: &str| names.record(zone, &names.server);
        assert_eq!(record("privatelink.azurecr.io").as_deref(), Some("contoso-abc"));
        assert_eq!(record("Contoso-abc.privatelink.azurecr.io").as_deref(), Some("@"));
        assert_eq!(record("azurecr.io").as_deref(), Some("contoso-abc"));
        assert_eq!(record("contoso-abc.azurecr.io").as_deref(), Some("@"));
        assert_eq!(record("other.privatelink.azurecr.io"), None);
        assert_eq!(record("privatelink.azurecr.us"), None);
        assert_eq!(record("io"), None);
    }

    #[test]
    fn data_endpoints_name_their_region() {
        let names = names();
        let data = names.data(&names.home);
        assert_eq!(data, "contoso-abc.westeurope.data.azurecr.io");
        assert_eq!(names.region_of(&data), Some("westeurope"));
        assert_eq!(names.region_of(&names.server), None);
        assert_eq!(names.record("privatelink.azurecr.io", &data).as_deref(), Some("contoso-abc.westeurope.data"));
    }
}
