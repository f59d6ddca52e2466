//! Which names must resolve, and to what.

use std::collections::{BTreeMap, BTreeSet};

use crate::checks::judge::Judge;
use crate::evidence::Fact;
use crate::evidence::registry::Registry;
use crate::model::cluster::is;
use crate::model::endpoints::{self, Candidate, Reach};
use crate::model::names::RegistryNames;

/// A name that must resolve, and the addresses it may resolve to (none = not known).
pub(super) type Wanted = BTreeMap<String, BTreeSet<String>>;

/// The names that the reachable endpoints' interfaces list; else the two that every registry has.
pub(super) fn wanted(
    judge: &mut Judge<'_>,
    registry: &Registry,
    names: &RegistryNames,
    candidates: &[Candidate<'_>],
) -> Wanted {
    if candidates.is_empty() {
        endpoints::unreadable(judge.evidence, registry).into_iter().for_each(|gap| judge.note(gap));
    }
    let mut serving: Vec<&Candidate<'_>> =
        candidates.iter().filter(|candidate| candidate.reach == Reach::Serves).collect();
    // What leads to a failed endpoint is wrong while another one works.
    let works = |own: &&Candidate<'_>| !is(own.endpoint.properties.provisioning_state.as_ref(), "Failed");
    if serving.iter().any(works) {
        serving.retain(works);
    }
    let used = if serving.is_empty() { candidates.iter().collect() } else { serving };
    let mut wanted = Wanted::new();
    for candidate in used {
        let configs = &candidate.endpoint.properties.custom_dns_configs;
        for interface in candidate.facts.interfaces.values() {
            match interface {
                Fact::Known(interface) => {
                    for configuration in &interface.properties.ip_configurations {
                        let link = configuration.properties.private_link_connection_properties.as_ref();
                        for fqdn in link.into_iter().flat_map(|link| &link.fqdns) {
                            add(&mut wanted, fqdn, configuration.properties.private_ip_address.as_ref());
                        }
                    }
                }
                Fact::Missing(gap) if configs.is_empty() => judge.note(gap.clone().about("the endpoint's interface")),
                Fact::Missing(_) => {}
            }
        }
        for config in configs {
            for address in &config.ip_addresses {
                add(&mut wanted, config.fqdn.as_deref().unwrap_or_default(), Some(address));
            }
        }
    }
    wanted.retain(|name, _| *name == names.server || names.region_of(name).is_some());
    if wanted.is_empty() {
        wanted.insert(names.server.clone(), BTreeSet::new());
        wanted.insert(names.data(&names.home), BTreeSet::new());
    }
    wanted
}

fn add(wanted: &mut Wanted, fqdn: &str, address: Option<&String>) {
    let name = fqdn.trim_end_matches('.').to_lowercase();
    if !name.is_empty() {
        wanted.entry(name).or_default().extend(address.cloned());
    }
}
