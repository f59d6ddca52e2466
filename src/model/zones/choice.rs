//! Which of several zones is the cluster's own: the only one that a command may write to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Zone;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::registry::Registry;
use crate::model::endpoints::{self, Candidate, Reach};
use crate::model::names::RegistryNames;

/// What leads from the cluster to a zone: the registry's records in it, and the zone groups of the registry's
/// endpoints. Names and order of zones decide nothing.
pub struct Chain<'a, 'e> {
    names: &'a RegistryNames,
    /// The endpoints that serve the nodes; where none does, all that the registry has approved.
    endpoints: Vec<Candidate<'e>>,
}

impl<'a, 'e> Chain<'a, 'e> {
    pub fn of(evidence: &'e Evidence, registry: &'e Registry, names: &'a RegistryNames) -> Self {
        let all = endpoints::candidates(evidence, registry);
        let serving: Vec<Candidate<'e>> =
            all.iter().filter(|candidate| candidate.reach == Reach::Serves).cloned().collect();
        Self { names, endpoints: if serving.is_empty() { all } else { serving } }
    }

    /// The one zone that the chain leads to: the one that holds the registry's records, or else the one that a zone
    /// group names. `None` where that is none of them, or more than one.
    pub fn zone(&self, among: &[Zone<'e>]) -> Option<Zone<'e>> {
        let addresses: BTreeSet<IpAddr> = self.endpoints.iter().flat_map(endpoints::addresses).collect();
        // A record of the registry may also lead to somebody else's endpoint: the right address comes first.
        let right = |address: IpAddr| addresses.contains(&address);
        let mut holding = self.holding_most(among, right);
        if holding.is_empty() {
            holding = self.holding_most(among, |_| true);
        }
        if holding.is_empty() {
            let kept = self.kept();
            holding = among.iter().filter(|zone| kept.contains(&zone.id)).copied().collect();
        }
        if let [zone] = holding[..] { Some(zone) } else { None }
    }

    /// The zones that zone groups of the endpoints keep.
    fn kept(&self) -> BTreeSet<&'e ResourceId> {
        let groups = self.endpoints.iter().filter_map(|candidate| candidate.facts.zone_groups.known()).flatten();
        let configs = groups.flat_map(|group| &group.properties.private_dns_zone_configs);
        configs.filter_map(|config| config.properties.private_dns_zone_id.as_ref()).collect()
    }

    /// The zones that hold most of the registry's names, with an address that counts.
    fn holding_most(&self, among: &[Zone<'e>], counts: impl Fn(IpAddr) -> bool) -> Vec<Zone<'e>> {
        let names = [self.names.server.clone(), self.names.data(&self.names.home)];
        let held = |zone: &Zone<'e>| {
            names.iter().filter(|name| zone.addresses(self.names, name).into_iter().any(&counts)).count()
        };
        let most = among.iter().map(&held).max().filter(|most| *most > 0);
        among.iter().filter(|zone| Some(held(zone)) == most).copied().collect()
    }
}
