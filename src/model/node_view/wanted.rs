//! The names that nodes need, and the addresses to which these should resolve.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::evidence::{Evidence, Fact};
use crate::model::api_server;
use crate::model::endpoints::{self, Candidate};
use crate::model::names::{RegistryNames, region};

/// What a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The registry's login server.
    Registry,
    /// A data endpoint, from which layers and artifacts come.
    Data,
    ApiServer,
}

/// A name that nodes need.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub host: String,
    pub role: Role,
    /// The addresses that are right; none = not known.
    pub right: BTreeSet<IpAddr>,
    /// Whether a public address is wrong.
    pub private: bool,
}

impl Wanted {
    /// Whether a host is the one.
    pub fn is(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host.trim_end_matches('.'))
    }

    /// Whether pulls need it.
    pub fn needed_for_pulls(&self) -> bool {
        matches!(self.role, Role::Registry | Role::Data)
    }
}

/// The names of the cluster's registry and API server.
pub fn wanted(evidence: &Evidence) -> Vec<Wanted> {
    let mut names = registry(evidence);
    names.extend(of_api_server(evidence));
    names
}

fn registry(evidence: &Evidence) -> Vec<Wanted> {
    let Some(registry) = evidence.known_registry().filter(|_| evidence.uses_cache()) else { return Vec::new() };
    let Some(names) = RegistryNames::of(registry) else { return Vec::new() };
    let candidates = endpoints::candidates(evidence, registry);
    let own = region(evidence.cluster.location.as_deref().unwrap_or_default());
    let mut data = BTreeSet::from([names.data(&names.home)]);
    // A replica in the cluster's own region serves its layers there.
    data.extend(Some(names.data(&own)).filter(|name| endpoints_list(&candidates, name)));
    let server = Wanted {
        right: addresses_of(&candidates, &names.server),
        host: names.server.clone(),
        role: Role::Registry,
        private: true,
    };
    let data = data.into_iter().map(|host| Wanted {
        right: addresses_of(&candidates, &host),
        host,
        role: Role::Data,
        private: true,
    });
    std::iter::once(server).chain(data).collect()
}

/// The name by which nodes know the API server: the private one, where there is one.
fn of_api_server(evidence: &Evidence) -> Option<Wanted> {
    let properties = &evidence.cluster.properties;
    let access = properties.api_server_access_profile.as_ref();
    let private = access.is_some_and(|access| access.enable_private_cluster == Some(true));
    let filled = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let host = filled(&properties.private_fqdn).filter(|_| private).or_else(|| filled(&properties.fqdn))?;
    let right = api_server::addresses(evidence);
    Some(Wanted { host: host.to_lowercase(), role: Role::ApiServer, right, private })
}

fn endpoints_list(candidates: &[Candidate<'_>], name: &str) -> bool {
    crate::model::names::listed_names(candidates).contains(name)
}

/// The addresses that endpoints give a name; where they name none for it, all of theirs.
fn addresses_of(candidates: &[Candidate<'_>], name: &str) -> BTreeSet<IpAddr> {
    let same = |own: &str| own.trim_end_matches('.').eq_ignore_ascii_case(name);
    let interfaces =
        candidates.iter().flat_map(|candidate| candidate.facts.interfaces.values()).filter_map(Fact::known);
    let by_interface = interfaces.flat_map(|interface| &interface.properties.ip_configurations).filter_map(|own| {
        let link = own.properties.private_link_connection_properties.as_ref()?;
        link.fqdns.iter().any(|fqdn| same(fqdn)).then_some(own.properties.private_ip_address.as_deref()?)
    });
    let configs = candidates.iter().flat_map(|candidate| &candidate.endpoint.properties.custom_dns_configs);
    let by_config = configs
        .filter(|config| config.fqdn.as_deref().is_some_and(same))
        .flat_map(|config| config.ip_addresses.iter().map(String::as_str));
    let named: BTreeSet<IpAddr> = by_interface.chain(by_config).filter_map(|address| address.parse().ok()).collect();
    if named.is_empty() { candidates.iter().flat_map(endpoints::addresses).collect() } else { named }
}

/// Whether an address is one of the internet's, and no network's own.
pub fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(own) => {
            let [a, b, ..] = own.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(own.is_private() || own.is_loopback() || own.is_link_local() || own.is_unspecified() || shared)
        }
        IpAddr::V6(own) => own.to_ipv4_mapped().map_or_else(
            || !(own.is_unique_local() || own.is_loopback() || own.is_unicast_link_local() || own.is_unspecified()),
            |mapped| is_public(&IpAddr::V4(mapped)),
        ),
    }
}
