//! What the first answers leave open, so that collection asks further.

use std::collections::BTreeSet;

use super::endpoints::{Candidate, Reach, candidates, manager_subscriptions};
use super::names::{RegistryNames, listed_names};
use super::networks::{has_own_servers, own_servers};
use super::zones::Zones;
use crate::evidence::Evidence;
use crate::evidence::registry::Registry;

/// What the first answers leave open, and collection may ask further for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenQuestions {
    /// No zone that is known is linked to a node network that uses Azure's DNS.
    pub zone_unlinked: bool,
    /// A node network uses DNS servers of its own.
    pub own_dns_servers: bool,
    /// Subscriptions whose network managers may join the nodes' network with that of an approved endpoint, where no
    /// peering does.
    pub managers_of: BTreeSet<String>,
    /// An endpoint lists a data endpoint of another region than the registry's home.
    pub other_regions: bool,
}

/// Looks at the evidence as the checks will, and says what they would have to leave open.
pub fn open_questions(evidence: &Evidence) -> OpenQuestions {
    let Some(registry) = evidence.known_registry() else {
        return OpenQuestions::default();
    };
    let candidates = candidates(evidence, registry);
    let elsewhere = candidates.iter().filter(|candidate| candidate.reach == Reach::Elsewhere);
    OpenQuestions {
        zone_unlinked: unlinked(evidence, registry),
        own_dns_servers: uses_own_servers(evidence),
        managers_of: elsewhere.flat_map(|candidate| manager_subscriptions(evidence, candidate)).collect(),
        other_regions: other_regions(registry, &candidates),
    }
}

/// Whether a node network is linked to no zone that answers the login server.
pub fn unlinked(evidence: &Evidence, registry: &Registry) -> bool {
    let Some(names) = RegistryNames::of(registry) else {
        return false;
    };
    let zones = Zones::of(evidence, &names);
    let (networks, _) = evidence.node_networks();
    networks.iter().any(|id| {
        let own = has_own_servers(evidence, id);
        if own {
            // Whether the servers answer is another question, but whether there is a zone at all is open too.
            return zones.existing().is_empty();
        }
        !zones.linked_to(id).iter().any(|zone| names.record(zone.name(), &names.server).is_some())
    })
}

/// Whether a node network uses DNS servers of its own.
pub fn uses_own_servers(evidence: &Evidence) -> bool {
    let (networks, _) = evidence.node_networks();
    networks
        .iter()
        .filter_map(|id| evidence.network(id).known().copied())
        .any(|network| !own_servers(network).is_empty())
}

/// Whether an endpoint lists a data endpoint of another region than the registry's home.
pub fn other_regions(registry: &Registry, candidates: &[Candidate<'_>]) -> bool {
    let Some(names) = RegistryNames::of(registry) else {
        return false;
    };
    listed_names(candidates).iter().any(|name| names.region_of(name).is_some_and(|region| region != names.home))
}
